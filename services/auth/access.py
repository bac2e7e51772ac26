"""Who calls, by which token, and whether that is enough: one object for each app."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from instrumentation.problems import ProblemError
from services.auth.browser import cookie_name, page_asked_for, same_origin, sign_in_address, wants_page
from services.auth.tokens import refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import Request

    from services.auth.people import Person, Role
    from services.auth.tokens import StaffVerifier

STAFF_COOKIE: Final = "touchstone_staff"
CUSTOMER_COOKIE: Final = "touchstone_customer"
SESSION_PREFIX: Final = "tcs_"  # what tells a customer's session from a JWT


@dataclass(frozen=True)
class CustomerGate:
    """Finds the customer of a session: ``load`` opens its own transaction, and returns None for one that ended."""

    load: Callable[[str], Awaitable[Person | None]]


@dataclass(frozen=True)
class Access:
    """Everything an app needs to know who calls. Lives at ``app.state.access``."""

    staff: StaffVerifier | None = None
    customer: CustomerGate | None = None
    secure_cookies: bool = False
    staff_sign_in: str = "/sign-in"
    customer_sign_in: str | None = None

    async def admit(self, request: Request, roles: frozenset[Role], *, customer: bool = False) -> Person:
        """Return who calls, if staff with one of the roles, or a customer where customers are let in.

        Raises ProblemError: 401 without a good token (a browser is led to sign in), 403 for others' doors.
        """
        person = await self._caller(request, staff=bool(roles), customer=customer)
        allowed = customer if person.kind == "customer" else bool(roles & person.roles)
        if not allowed:
            request.state.kept_out = person
            raise ProblemError(HTTPStatus.FORBIDDEN, _closed(person, roles, customer=customer))
        request.state.person = person
        return person

    async def visitor(self, request: Request) -> Person | None:
        """Return the customer or member of staff that calls, None for a stranger."""
        try:
            return await self._caller(request, staff=self.staff is not None, customer=self.customer is not None)
        except ProblemError as error:
            if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.SEE_OTHER):
                return None
            raise

    async def _caller(self, request: Request, *, staff: bool, customer: bool) -> Person:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind:
            if kind.lower() != "bearer" or not token.strip():
                raise refused("the token comes as `Authorization: Bearer ...`")
            return await self._person(token.strip())
        failure = None
        for token in self._cookies(request, staff=staff, customer=customer):
            await same_origin(request)
            try:
                return await self._person(token)
            except ProblemError as error:
                if error.status != HTTPStatus.UNAUTHORIZED:
                    raise
                failure = error
        raise self._sign_in_first(request, failure, customer=customer)

    def _cookies(self, request: Request, *, staff: bool, customer: bool) -> list[str]:
        names = [CUSTOMER_COOKIE] * customer + [STAFF_COOKIE] * staff
        found = (request.cookies.get(cookie_name(name, secure=self.secure_cookies)) for name in names)
        return [token for token in found if token]

    async def _person(self, token: str) -> Person:
        if token.startswith(SESSION_PREFIX):
            person = await self.customer.load(token) if self.customer else None
            if person is None:
                raise refused("this sign-in has ended; sign in again")
            return person
        if self.staff is None:
            raise refused("staff cannot sign in here: no issuer is configured (TOUCHSTONE_OIDC_ISSUER)")
        return await self.staff.verify(token)

    def _sign_in_first(self, request: Request, failure: ProblemError | None, *, customer: bool) -> ProblemError:
        path = self.customer_sign_in if customer and self.customer_sign_in else self.staff_sign_in
        if wants_page(request):
            location = request.scope.get("root_path", "") + sign_in_address(path, page_asked_for(request))
            return ProblemError(HTTPStatus.SEE_OTHER, "sign in first", {"Location": location})
        if failure is not None:
            return failure
        detail = "sign in first: send a token as `Authorization: Bearer ...`"
        return ProblemError(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})


def _closed(person: Person, roles: frozenset[Role], *, customer: bool) -> str:
    let_in = [f"staff with the role {role}" for role in sorted(roles)] + ["customers"] * customer
    held = "a customer" if person.kind == "customer" else f"staff with {', '.join(sorted(person.roles)) or 'no role'}"
    return f"this is for {' or '.join(let_in)}; you are signed in as {held}"
