"""Connections: PostgreSQL, or an embedded SQLite file with one writer and a lock that keeps a second process out."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

import aiosqlite
from alembic import command
from alembic.config import Config
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
    from threading import Thread

    from sqlalchemy import URL, Connection

BUSY_MS: Final = 10_000
GOODBYE_S: Final = 5.0
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
        self._threads: list[Thread] = []
        self._writer = _engine(url, self._threads, writes=True)
        self._reader = _engine(url, self._threads, writes=False) if self.embedded else self._writer
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
        for thread in self._threads:
            # One whose reader was cancelled ends by itself, and would answer a loop that may be closed by then.
            if thread.is_alive():
                await asyncio.to_thread(thread.join, GOODBYE_S)
        self._threads.clear()
        if self._lock is not None:
            self._lock.close()


async def finished(job: Coroutine[Any, Any, T]) -> T:
    """Run a job to its end, even where the caller is cancelled meanwhile, who then hears of that after it.

    SQLite's driver, cancelled within a statement, leaves the file locked.
    """
    task = asyncio.create_task(job)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


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


def _engine(url: URL, threads: list[Thread], *, writes: bool) -> AsyncEngine:
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True)

    async def opened() -> aiosqlite.Connection:
        # The driver's own transaction handling starts them late; ours begin where `begin` below says.
        connection = aiosqlite.connect(url.database or "", isolation_level=None)
        worker = connection._thread  # noqa: SLF001 - the driver has no other way to wait for its thread
        worker.daemon = True
        threads[:] = [thread for thread in threads if thread.ident is None or thread.is_alive()]
        threads.append(worker)
        opening = asyncio.create_task(_prepared(connection, writes=writes))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # Whoever wanted it is gone, and nobody else would close it.
            await asyncio.gather(opening, return_exceptions=True)
            await connection.close()
            raise

    size = 1 if writes else 4
    engine = create_async_engine(url, async_creator=opened, pool_size=size, max_overflow=0, pool_timeout=60)
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


async def _prepared(connection: aiosqlite.Connection, *, writes: bool) -> aiosqlite.Connection:
    pragmas = ["journal_mode = WAL", "synchronous = FULL", f"busy_timeout = {BUSY_MS}"]
    if not writes:
        pragmas.append("query_only = ON")
    await connection
    for pragma in pragmas:
        await (await connection.execute(f"PRAGMA {pragma}")).close()
    return connection


def _upgrade(connection: Connection, versions: Sequence[Path]) -> None:
    config = Config()
    config.set_main_option("script_location", _escaped(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", os.pathsep.join(map(_escaped, versions)))
    config.attributes["connection"] = connection
    command.upgrade(config, "heads")


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
