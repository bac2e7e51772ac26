"""Customers by account: register, sign in, who a session belongs to. The caller opens the transaction."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Column, DateTime, ForeignKey, Index, Table, Text, TypeDecorator, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from instrumentation.problems import ProblemError
from services.auth.access import SESSION_PREFIX
from services.auth.attempts import Attempts
from services.auth.people import Person, new_secret, now

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect, MetaData
    from sqlalchemy.ext.asyncio import AsyncConnection

SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 1_000  # hashing reads all of it
LONGEST_EMAIL: Final = 254  # RFC 5321
LONGEST_NAME: Final = 200
SESSION_LIFETIME: Final = timedelta(days=30)
TRIES_BY_ACCOUNT: Final = 10
TRIES_BY_ADDRESS: Final = 50  # an office shares one


class UtcMoment(TypeDecorator[datetime]):
    """An aware moment in UTC; SQLite itself forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Write a moment as UTC."""
        del dialect
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read a moment as UTC."""
        del dialect
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC) if value else None


@dataclass(frozen=True)
class AccountTables:
    """``customers``: one row an account. ``sessions``: one row a sign-in, by the hash of its token."""

    customers: Table
    sessions: Table


def account_tables(metadata: MetaData) -> AccountTables:
    """Define ``customers`` and ``customer_sessions`` among a service's tables; its migration creates them."""
    customers = Table(
        "customers",
        metadata,
        Column("id", Text, primary_key=True),
        Column("email", Text, nullable=False, unique=True, comment="In lower case: one account an address."),
        Column("name", Text, nullable=False),
        Column("password_hash", Text, nullable=False),
        Column("created_at", UtcMoment, nullable=False),
        Column("standing", Text, nullable=False, server_default="good"),
    )
    sessions = Table(
        "customer_sessions",
        metadata,
        Column("token_hash", Text, primary_key=True),
        Column("customer_id", Text, ForeignKey("customers.id", ondelete="CASCADE"), nullable=False),
        Column("expires_at", UtcMoment, nullable=False),
        Index("customer_sessions_expiry", "expires_at"),
        Index("customer_sessions_customer", "customer_id"),
    )
    return AccountTables(customers, sessions)


class Accounts:
    """What customers do with their accounts. Nothing here commits."""

    def __init__(
        self,
        tables: AccountTables,
        clock: Callable[[], datetime] = now,
        random: Callable[[], str] = new_secret,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._customers, self._sessions = tables.customers, tables.sessions
        self._clock, self._random = clock, random
        self._hasher = hasher or PasswordHasher()  # argon2id with the parameters of RFC 9106, section 4
        # What the password of an unknown e-mail is compared with, so that it takes as long as a known one's.
        self._nobodys = self._hasher.hash(random())
        self._by_account = Attempts(TRIES_BY_ACCOUNT, clock)
        self._by_address = Attempts(TRIES_BY_ADDRESS, clock)

    async def hashed(self, password: str) -> str:
        """Return a new password's hash, made before the transaction begins, since it takes its time.

        Raises ProblemError (400) for a password that is too short or too long.
        """
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            detail = (
                f"a password has {SHORTEST_PASSWORD} characters or more (at most {LONGEST_PASSWORD:,}); choose another"
            )
            raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
        return await asyncio.to_thread(self._hasher.hash, _bytes(password))

    async def register(self, connection: AsyncConnection, email: str, name: str, password_hash: str) -> Person:
        """Open an account; ``password_hash`` is what ``hashed`` returned.

        Raises ProblemError: 400 for what is no e-mail address or no name, 409 where the address has an account.
        """
        if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
            detail = f"a name is one line of 1 to {LONGEST_NAME} characters; say how to address you"
            raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
        row: dict[str, Any] = {
            "id": self._random(),
            "email": normal_email(email),
            "name": name.strip(),
            "password_hash": password_hash,
            "created_at": self._clock(),
        }
        into: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        added = await connection.execute(into(self._customers).values(row).on_conflict_do_nothing())
        if added.rowcount != 1:
            raise ProblemError(HTTPStatus.CONFLICT, "this address has an account; sign in with its password")
        return Person(row["id"], row["name"], kind="customer")

    async def check(self, connection: AsyncConnection, email: str, password: str, address: str | None = None) -> Person:
        """Return whose password this is. A connection for reading is enough.

        Raises ProblemError: 401, the same for a wrong password and an unknown e-mail, and after as much work; 429
        after too many attempts for the account or from the network address.
        """
        account = email.strip().lower()[: LONGEST_EMAIL + 1]
        if address is not None:
            self._by_address.take(address)
        self._by_account.take(account)
        query = select(self._customers).where(self._customers.c.email == account)
        # PostgreSQL refuses a text with a NUL; no stored address has one.
        found = (await connection.execute(query)).mappings().first() if account.isprintable() else None
        expected = found["password_hash"] if found else self._nobodys
        right = await asyncio.to_thread(self._matches, expected, password[: LONGEST_PASSWORD + 1])
        if found is None or not right:
            detail = "no account has this e-mail address and password; check both"
            raise ProblemError(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})
        self._by_account.forget(account)
        return Person(found["id"], found["name"], kind="customer")

    async def open_session(self, connection: AsyncConnection, customer: Person) -> str:
        """Return the token of a new session, of which only the hash is kept. Sessions that expired are deleted."""
        moment, token = self._clock(), SESSION_PREFIX + self._random()
        await connection.execute(delete(self._sessions).where(self._sessions.c.expires_at <= moment))
        row = {"token_hash": _hash(token), "customer_id": customer.subject, "expires_at": moment + SESSION_LIFETIME}
        await connection.execute(insert(self._sessions), row)
        return token

    async def sign_in(self, connection: AsyncConnection, email: str, password: str, address: str | None = None) -> str:
        """Check a password and open a session, in one transaction; see ``check`` and ``open_session``."""
        return await self.open_session(connection, await self.check(connection, email, password, address))

    async def customer_of(self, connection: AsyncConnection, token: str) -> Person | None:
        """Return whose session a token is, None where it has ended or never was."""
        customers, sessions = self._customers.c, self._sessions.c
        query = (
            select(customers.id, customers.name)
            .join(self._sessions, sessions.customer_id == customers.id)
            .where(sessions.token_hash == _hash(token), sessions.expires_at > self._clock())
        )
        found = (await connection.execute(query)).first()
        return Person(found.id, found.name, kind="customer") if found else None

    async def sign_out(self, connection: AsyncConnection, token: str) -> None:
        """End a session."""
        await connection.execute(delete(self._sessions).where(self._sessions.c.token_hash == _hash(token)))

    def _matches(self, expected: str, password: str) -> bool:
        try:
            return self._hasher.verify(expected, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False


def normal_email(email: str) -> str:
    """Return an e-mail address in the form that is stored. Raises ProblemError (400) for what is none."""
    found = email.strip().lower()
    local, at, domain = found.rpartition("@")
    if not (local and at and "." in domain) or len(found) > LONGEST_EMAIL or not found.isprintable() or " " in found:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "this is no e-mail address; write it as name@example.com")
    return found


def _bytes(password: str) -> bytes:
    # JSON can hold halves of characters; a password may, too.
    return password.encode(errors="surrogatepass")


def _hash(token: str) -> str:
    # Plain SHA-256 is enough for what has 256 bits of chance; argon2 is for what people make up.
    return hashlib.sha256(token.encode()).hexdigest()
