"""Connections: PostgreSQL, or an embedded SQLite file with one writer and a lock that keeps a second process out."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TypeVar

import aiosqlite
from alembic import command
from alembic.config import Config
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from instrumentation.cancelling import finished
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from sqlalchemy import URL, Connection

BUSY_MS: Final = 10_000
ATTEMPTS: Final = 5
_MIGRATION_LOCK: Final = 0x746F756368  # any number that only these migrations lock in PostgreSQL
_RETRIED: Final = ("40001", "40P01")  # serialization failure, deadlock (PostgreSQL, appendix A)


T = TypeVar("T")


class NotOpen(ConnectionError):
    """The database is not open: its service has not started yet, or has stopped."""


class Database:
    """One database. Writes are transactions that run alone in SQLite, and lock the rows they need in PostgreSQL."""

    def __init__(self, address: str, *versions: Path) -> None:
        """Prepare to use the database at a SQLAlchemy URL. ``versions``: folders of Alembic migrations, all applied.

        Raises BadInput where the address is none that can be used.
        """
        url = _parsed(address)
        self._versions = versions
        self.embedded = url.get_backend_name() == "sqlite"
        self._file = Path(url.database or "").resolve()
        self._lock: IO[str] | None = None
        self._connections: list[_Connection] = []
        self._writer = _engine(url, self._connections, writes=True)
        self._reader = _engine(url, self._connections, writes=False) if self.embedded else self._writer
        self._glancer = self._reader if self.embedded else create_async_engine(url, isolation_level="AUTOCOMMIT")
        self._alone = asyncio.Lock()
        self._open = False

    async def start(self) -> None:
        """Bring the schema up to date. Raises BadInput where the database cannot be used."""
        if self.embedded:
            self._lock = _locked(self._file)
        try:
            async with self._writer.begin() as connection:
                if not self.embedded:
                    await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
                await connection.run_sync(_upgrade, self._versions)
        except (OSError, DBAPIError) as error:
            shown = self._writer.url.render_as_string(hide_password=True)
            reason = str(getattr(error, "orig", error)).splitlines()[0]
            raise BadInput(f"{shown}: cannot be used as a database ({reason}); check its address") from error
        self._open = True

    def _check_open(self) -> None:
        if not self._open:
            raise NotOpen("the database is not open")

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run ``work`` in one transaction; run it again where PostgreSQL had to undo it for another's sake.

        Raises NotOpen before ``start`` and after ``close``.
        """
        self._check_open()
        for attempt in range(ATTEMPTS):
            try:
                async with self._one_writer():
                    transaction = self._transaction(work)
                    return await (finished(transaction) if self.embedded else transaction)
            except DBAPIError as error:
                if not undone(error) or attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError

    async def _transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async with self._writer.begin() as connection:
            return await work(connection)

    @contextlib.asynccontextmanager
    async def _one_writer(self) -> AsyncIterator[None]:
        if not self.embedded:
            yield
            return
        async with self._alone:
            yield

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a read-only view of one moment, whatever is written meanwhile. Raises NotOpen as ``write`` does."""
        self._check_open()
        async with self._reader.connect() as connection:
            if self.embedded:
                async with connection.begin():
                    yield connection
                return
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with connection.begin():
                yield connection

    @contextlib.asynccontextmanager
    async def glancing(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for one statement that only reads: what looks many times a second opens no transaction.

        Raises NotOpen as ``write`` does.
        """
        if self.embedded:
            async with self.reading() as connection:
                yield connection
            return
        self._check_open()
        async with self._glancer.connect() as connection:
            yield connection

    async def trouble(self) -> str | None:
        """Say in words for people why nothing can be read now, None where it can."""
        try:
            async with self.glancing() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception:  # noqa: BLE001 - whatever it is, the answer is the same
            return "the database does not answer"
        return None

    async def close(self) -> None:
        """Close every connection and let go of the lock."""
        self._open = False
        await self._writer.dispose()
        await self._reader.dispose()
        await self._glancer.dispose()
        for connection in [*self._connections]:
            await connection.close()  # somebody still read from it
        self._connections.clear()
        if self._lock is not None:
            self._lock.close()


def undone(error: DBAPIError) -> bool:
    """Whether PostgreSQL undid the transaction for another's sake, so that it may simply run again."""
    return getattr(error.orig, "sqlstate", None) in _RETRIED


def _parsed(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise BadInput("the database address is none; write sqlite+aiosqlite:///FILE") from error
    known = {"sqlite": "aiosqlite", "postgresql": "asyncpg"}
    backend = url.get_backend_name()
    if backend not in known:
        raise BadInput(f"the database address names `{backend}`; state is kept in sqlite or postgresql")
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise BadInput("the database address names no file; write sqlite+aiosqlite:///FILE")
    return url.set(drivername=f"{backend}+{known[backend]}")


def _locked(file: Path) -> IO[str]:
    """Hold ``FILE.lock`` for as long as this process lives; the system lets go of it, however the process ends."""
    path = file.with_name(file.name + ".lock")
    try:
        lock = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror}); name another database file") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise BadInput(
            f"{file}: another process ({holder}) uses this file; stop it, or use PostgreSQL for several"
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


class _Connection(aiosqlite.Connection):
    """A connection that is closed when ``close`` returns, however often whoever closes it is cancelled meanwhile.

    A statement goes on in the driver's thread when whoever waits for it is cancelled, and would keep the file locked.
    """

    def __init__(self, file: str) -> None:
        # The driver's own transaction handling starts them late; ours begin where `begin` below says.
        super().__init__(partial(sqlite3.connect, file, isolation_level=None), iter_chunk_size=64)
        self._thread.daemon = True
        self.closed = False

    async def open(self, pragmas: Sequence[str]) -> None:
        """Open the file; leave nothing open where it fails."""
        await self
        try:
            for pragma in pragmas:
                await (await self.execute(f"PRAGMA {pragma}")).close()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Break off the statement that runs, if any, and close."""
        with contextlib.suppress(ValueError, sqlite3.ProgrammingError):  # it is closed, or another closes it
            await self.interrupt()
        await finished(super().close())
        self.closed = True


def _engine(url: URL, connections: list[_Connection], *, writes: bool) -> AsyncEngine:
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True)
    pragmas = ["journal_mode = WAL", "synchronous = FULL", f"busy_timeout = {BUSY_MS}"]
    if not writes:
        pragmas.append("query_only = ON")

    async def opened() -> aiosqlite.Connection:
        connection = _Connection(url.database or "")
        connections[:] = [one for one in connections if not one.closed]
        try:
            await finished(connection.open(pragmas))
        except asyncio.CancelledError:
            await connection.close()  # whoever wanted it is gone, and nobody else would
            raise
        connections.append(connection)
        return connection

    size = 1 if writes else 4
    engine = create_async_engine(url, async_creator=opened, pool_size=size, max_overflow=0, pool_timeout=60)
    # What is let go of in the middle is closed as all else is: the dialect's own way gives up when cancelled twice.
    engine.dialect.do_terminate = engine.dialect.do_close  # type: ignore[method-assign]
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _upgrade(connection: Connection, versions: Sequence[Path]) -> None:
    config = Config()
    config.set_main_option("script_location", _escaped(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", os.pathsep.join(map(_escaped, versions)))
    config.attributes["connection"] = connection
    command.upgrade(config, "heads")


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
