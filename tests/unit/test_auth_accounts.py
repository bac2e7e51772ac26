"""Customers by account: registering, signing in, sessions, and how often one may try."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import pytest
from argon2 import PasswordHasher
from sqlalchemy import MetaData, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from instrumentation.problems import ProblemError
from services.auth import SESSION_PREFIX, Accounts, Person, account_tables, normal_email
from services.auth import attempts as attempts_module
from services.auth.accounts import SESSION_LIFETIME, TRIES_BY_ACCOUNT, TRIES_BY_ADDRESS
from services.auth.attempts import WINDOW, Attempts
from tests.unit.test_auth_tokens import START, Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

METADATA = MetaData()
TABLES = account_tables(METADATA)
PASSWORD = "a ring for Anna"  # noqa: S105 - an example
# As cheap as argon2 can be: what is tested is what is done with it.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Counted(PasswordHasher):
    """Counts how often a password was compared."""

    compared = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's name
        """Compare, and count."""
        self.compared += 1
        return super().verify(hash, password)


def accounts(clock: Clock, hasher: PasswordHasher = CHEAP) -> Accounts:
    return Accounts(TABLES, clock, hasher=hasher)


@contextlib.asynccontextmanager
async def database() -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
        yield connection
    await engine.dispose()


async def anna(connection: AsyncConnection, desk: Accounts, email: str = "Anna@Example.com") -> Person:
    return await desk.register(connection, email, "Anna", await desk.hashed(PASSWORD))


@contextlib.contextmanager
def refused(status: int, reason: str) -> Iterator[None]:
    with pytest.raises(ProblemError, match=reason) as caught:
        yield
    assert caught.value.status == status


async def test_a_customer_registers_signs_in_and_is_known_by_the_session() -> None:
    async with database() as connection:
        desk = accounts(Clock())
        person = await anna(connection, desk)
        assert (person.name, person.kind, person.roles) == ("Anna", "customer", frozenset())
        token = await desk.sign_in(connection, " ANNA@example.com ", PASSWORD)
        assert token.startswith(SESSION_PREFIX)
        assert await desk.customer_of(connection, token) == person
        assert await desk.customer_of(connection, token + "x") is None
        await desk.sign_out(connection, token)
        assert await desk.customer_of(connection, token) is None


async def test_neither_password_nor_session_is_stored_readably() -> None:
    async with database() as connection:
        desk = accounts(Clock())
        await anna(connection, desk)
        token = await desk.sign_in(connection, "anna@example.com", PASSWORD)
        row = (await connection.execute(select(TABLES.customers))).mappings().one()
        assert row["password_hash"].startswith("$argon2id$")
        assert (row["standing"], row["created_at"]) == ("good", START)
        kept = (await connection.execute(select(TABLES.sessions))).mappings().one()
        assert token not in str(dict(kept))
        assert kept["expires_at"] == START + SESSION_LIFETIME


async def test_an_address_has_one_account_however_it_is_written() -> None:
    async with database() as connection:
        desk = accounts(Clock())
        await anna(connection, desk)
        with refused(409, "this address has an account"):
            await anna(connection, desk, "ANNA@EXAMPLE.COM")
        assert await connection.scalar(select(func.count()).select_from(TABLES.customers)) == 1
        row = dict((await connection.execute(select(TABLES.customers))).mappings().one())
        with pytest.raises(IntegrityError):
            await connection.execute(TABLES.customers.insert(), row | {"id": "another"})


@pytest.mark.parametrize(("length", "good"), [(0, False), (11, False), (12, True), (1_000, True), (1_001, False)])
async def test_a_password_has_twelve_characters_or_more(length: int, *, good: bool) -> None:
    desk = accounts(Clock())
    if good:
        assert await desk.hashed("x" * length)
    else:
        with refused(400, "12 characters or more"):
            await desk.hashed("x" * length)


@pytest.mark.parametrize("email", ["", "anna", "@example.com", "anna@", "anna@com", "a b@example.com", "a@b.c\n.d",
                                   "a" * 250 + "@example.com"])  # fmt: skip
def test_what_is_no_e_mail_address_is_refused(email: str) -> None:
    with refused(400, "this is no e-mail address"):
        normal_email(email)


async def test_a_customer_has_a_name() -> None:
    async with database() as connection:
        desk = accounts(Clock())
        for name in ("", "  ", "An\x00na", "An\nna", "A" * 201):
            with refused(400, "a name is one line"):
                await desk.register(connection, "anna@example.com", name, await desk.hashed(PASSWORD))


async def test_a_password_of_any_characters_works() -> None:
    async with database() as connection:
        desk = accounts(Clock())
        for number, password in enumerate(("\ud800" * 12, "\x00" * 12, "\N{RING OPERATOR}" * 12)):
            email = f"a{number}@example.com"
            await desk.register(connection, email, "Anna", await desk.hashed(password))
            assert await desk.sign_in(connection, email, password)


async def test_a_wrong_password_and_an_unknown_address_get_the_same_answer_after_the_same_work() -> None:
    async with database() as connection:
        hasher = Counted(time_cost=1, memory_cost=8, parallelism=1)
        desk = accounts(Clock(), hasher)
        await anna(connection, desk)
        answers = []
        for email, password in (("anna@example.com", "wrong"), ("nobody@example.com", PASSWORD), ("\x00", "")):
            with pytest.raises(ProblemError) as caught:
                await desk.sign_in(connection, email, password)
            answers.append((caught.value.status, caught.value.detail, str(caught.value.headers)))
        assert len(set(answers)) == 1
        assert answers[0][0] == 401
        assert hasher.compared == 3


async def test_a_session_ends_after_its_time_and_is_cleared_away() -> None:
    async with database() as connection:
        clock = Clock()
        desk = accounts(clock)
        person = await anna(connection, desk)
        token = await desk.open_session(connection, person)
        clock.move(SESSION_LIFETIME - timedelta(microseconds=1))
        assert await desk.customer_of(connection, token) == person
        clock.move(timedelta(microseconds=1))
        assert await desk.customer_of(connection, token) is None
        await desk.open_session(connection, person)
        assert await connection.scalar(select(func.count()).select_from(TABLES.sessions)) == 1


async def _fail(connection: AsyncConnection, desk: Accounts, email: str, address: str | None = None) -> None:
    with refused(401, "no account has"):
        await desk.sign_in(connection, email, "wrong", address)


async def test_an_account_is_tried_a_few_times_only_and_the_right_password_waits_too() -> None:
    async with database() as connection:
        clock = Clock()
        desk = accounts(clock)
        await anna(connection, desk)
        for _ in range(TRIES_BY_ACCOUNT):
            await _fail(connection, desk, "anna@example.com")
        with pytest.raises(ProblemError, match="try again in 15 minutes") as caught:
            await desk.sign_in(connection, "Anna@example.com", PASSWORD)
        assert caught.value.status == 429
        assert (caught.value.headers or {})["Retry-After"] == "900"
        clock.move(WINDOW)
        assert await desk.sign_in(connection, "anna@example.com", PASSWORD)


async def test_signing_in_forgives_earlier_mistakes() -> None:
    async with database() as connection:
        desk = accounts(Clock())
        await anna(connection, desk)
        for _ in range(3):
            for _ in range(TRIES_BY_ACCOUNT - 1):
                await _fail(connection, desk, "anna@example.com")
            await desk.sign_in(connection, "anna@example.com", PASSWORD)


async def test_one_address_does_not_try_many_accounts() -> None:
    async with database() as connection:
        desk = accounts(Clock())
        for number in range(TRIES_BY_ADDRESS):
            await _fail(connection, desk, f"a{number}@example.com", "10.0.0.7")
        with refused(429, "too many attempts"):
            await desk.sign_in(connection, "another@example.com", "wrong", "10.0.0.7")
        await _fail(connection, desk, "another@example.com", "10.0.0.8")


def test_attempts_slide_out_of_the_window_one_by_one() -> None:
    clock = Clock()
    attempts = Attempts(2, clock, timedelta(seconds=10))
    attempts.take("a")
    clock.move(timedelta(seconds=6))
    attempts.take("a")
    clock.move(timedelta(seconds=4))
    attempts.take("a")
    with refused(429, "too many attempts"):
        attempts.take("a")
    attempts.take("b")


def test_made_up_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts_module, "MOST_KEYS", 3)
    attempts = Attempts(1, Clock())
    for key in "abcd":
        attempts.take(key)
    with refused(429, "too many attempts"):
        attempts.take("d")
    attempts.take("a")
