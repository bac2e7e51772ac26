"""Customers' accounts: sign up, sign in, sign out, and who a session belongs to; for pages and programs alike."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Depends, Request, Response

from instrumentation.problems import responses
from services.auth.gates import customers, public
from services.shop import documents

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.auth.accounts import Accounts
    from services.auth.people import Person
    from services.bus import Database

CONFLICT: Final = HTTPStatus.CONFLICT
accounts_api = APIRouter()


@dataclass(frozen=True)
class Customers:
    """The accounts in the shop's own database."""

    database: Database
    accounts: Accounts

    async def register(self, email: str, name: str, password: str) -> Person:
        """Open an account. Raises ProblemError where the address has one, or the password is too short."""
        hashed = await self.accounts.hashed(password)

        async def work(connection: AsyncConnection) -> Person:
            return await self.accounts.register(connection, email, name, hashed)

        person: Person = await self.database.write(work)
        return person

    async def sign_in(self, email: str, password: str, address: str | None) -> str:
        """Return the token of a new session. Raises ProblemError where the password is wrong."""
        # Checking a password takes long, so it holds no lock.
        async with self.database.reading() as connection:
            person = await self.accounts.check(connection, email, password, address)
        return await self.open(person)

    async def open(self, person: Person) -> str:
        """Return the token of a new session."""

        async def work(connection: AsyncConnection) -> str:
            return await self.accounts.open_session(connection, person)

        token: str = await self.database.write(work)
        return token

    async def load(self, token: str) -> Person | None:
        """Return whose session a token is, None where it has ended."""
        async with self.database.reading() as connection:
            return await self.accounts.customer_of(connection, token)

    async def sign_out(self, token: str) -> None:
        """End a session."""

        async def work(connection: AsyncConnection) -> None:
            await self.accounts.sign_out(connection, token)

        await self.database.write(work)


def customers_of(request: Request) -> Customers:
    """Return the accounts of the service that answers."""
    found: Customers = request.app.state.service.customers
    return found


def address_of(request: Request) -> str | None:
    """Return the network address of who calls."""
    return request.client.host if request.client else None


@accounts_api.post(
    "/accounts",
    status_code=HTTPStatus.CREATED,
    dependencies=[Depends(public)],
    summary="Open an account",
    responses=responses(HTTPStatus.BAD_REQUEST, CONFLICT),
)
async def post_account(request: Request, wanted: documents.NewAccount) -> documents.Account:
    """Open a customer's account; one for each e-mail address."""
    password = wanted.password.get_secret_value()
    person = await customers_of(request).register(wanted.email, wanted.name, password)
    return documents.Account(customer=person.subject, name=person.name)


@accounts_api.post(
    "/sessions",
    status_code=HTTPStatus.CREATED,
    dependencies=[Depends(public)],
    summary="Sign in",
    responses=responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS),
)
async def post_session(request: Request, claimed: documents.Credentials) -> documents.Session:
    """Return a token, to be sent as `Authorization: Bearer ...`."""
    password = claimed.password.get_secret_value()
    token = await customers_of(request).sign_in(claimed.email, password, address_of(request))
    return documents.Session(token=token)


@accounts_api.delete(
    "/sessions",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[Depends(customers)],
    summary="Sign out",
    responses=responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN),
)
async def delete_session(request: Request) -> Response:
    """End the session whose token is sent."""
    token = request.headers.get("authorization", "").partition(" ")[2].strip()
    await customers_of(request).sign_out(token)
    return Response(status_code=HTTPStatus.NO_CONTENT)
