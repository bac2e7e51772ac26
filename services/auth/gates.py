"""Gates: what an endpoint declares among its dependencies to say who may call it."""

# No postponed annotations here: FastAPI cannot look up the names in those of an object that is called like a function.
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from services.auth.access import Access
from services.auth.people import Person, Role

BEARER: Final = HTTPBearer(auto_error=False, description="A JWT of staff or a service, or a customer's session.")


class Gate:
    """Declares who may call an endpoint, and lets nobody else through. Gives the endpoint the person."""

    def __init__(self, roles: frozenset[Role], *, customer: bool) -> None:
        if not roles and not customer:
            raise ValueError("a gate names at least one role, or customers")
        self.roles, self.customer = roles, customer
        self.access = ", ".join([*sorted(roles), *["customer"] * customer])

    # Two gates for the same people are one: FastAPI then asks once a request, wherever it is declared.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Gate) and (self.roles, self.customer) == (other.roles, other.customer)

    def __hash__(self) -> int:
        return hash((self.roles, self.customer))

    async def __call__(self, request: Request, _bearer: Annotated[Any, Depends(BEARER)] = None) -> Person:
        """Return the caller. Raises ProblemError (401, 403)."""
        return await access_of(request).admit(request, self.roles, customer=self.customer)


def require(*roles: Role, customer: bool = False) -> Gate:
    """Return the gate for staff with one of the roles, and for customers too if asked: ``Depends(require(...))``."""
    return Gate(frozenset(roles), customer=customer)


customers: Final = require(customer=True)


async def public() -> None:
    """Declare that everybody may call an endpoint: ``Depends(public)``."""


async def visitor(request: Request) -> Person | None:
    """Declare that everybody may call an endpoint, which is told who does if they have signed in."""
    return await access_of(request).visitor(request)


public.access = "public"  # type: ignore[attr-defined] # what the guard looks for
visitor.access = "public"  # type: ignore[attr-defined]


def access_of(request: Request) -> Access:
    """Return the app's access."""
    access: Access = request.app.state.access
    return access
