"""The shop's pages: HTML from templates; every form works without a script."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError

from instrumentation.problems import ProblemError
from services.auth.access import CUSTOMER_COOKIE
from services.auth.accounts import SESSION_LIFETIME, SHORTEST_PASSWORD
from services.auth.browser import clear_cookie, cookie_name, local_page, same_origin, set_cookie
from services.auth.gates import customers, public, visitor
from services.auth.people import Person
from services.shop import documents
from services.shop.api import KEY, LONGEST_KEY, Caller, OrderId, customer_of, history, service_of
from services.shop.customers import address_of, customers_of
from services.shop.model import UNITS, Customer, Product, Wish
from services.shop.rendering import PageRoute, page
from services.shop.timeline import steps, told
from services.shop.uploads import LIMITED_HERE, file_of, is_form

if TYPE_CHECKING:
    from starlette.datastructures import FormData

    from services.shop.app import Service

Visitor = Annotated[Person | None, Depends(visitor)]
SignedIn = Annotated[Person, Depends(customers)]
Checked = TypeVar("Checked", bound=BaseModel)
OWN: Final = Depends(same_origin)
LARGEST_FORM: Final = 64 * 1024
MOST_FIELDS: Final = 50
SEE_OTHER: Final = HTTPStatus.SEE_OTHER
PAGE_OF: Final = 20
pages = APIRouter(route_class=PageRoute, include_in_schema=False)


@pages.get("/")
async def home(request: Request, person: Visitor) -> Response:
    """Show the catalogue."""
    found = await service_of(request).catalogue.items()
    return page(request, "home.html", person=person, items=[item for item in found.values() if item.active])


@pages.get("/sign-up", dependencies=[Depends(public)])
async def sign_up_form(request: Request, back: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Ask for what an account needs."""
    return page(request, "sign-up.html", back=local_page(back), shortest=SHORTEST_PASSWORD)


@pages.post("/sign-up", dependencies=[Depends(public), OWN])
async def sign_up(request: Request) -> Response:
    """Open an account, and sign in."""
    given = await _fields(request)
    back = local_page(given.get("next", "/"))
    try:
        wanted = _checked(documents.NewAccount, given, "email", "name", "password")
        person = await customers_of(request).register(wanted.email, wanted.name, wanted.password.get_secret_value())
    except ProblemError as error:
        return page(
            request, "sign-up.html", error.status, back=back, given=given, wrong=str(error), shortest=SHORTEST_PASSWORD
        )
    return _signed_in(request, await customers_of(request).open(person), back)


@pages.get("/sign-in", dependencies=[Depends(public)])
async def sign_in_form(request: Request, back: Annotated[str, Query(alias="next")] = "/my/orders") -> Response:
    """Ask for e-mail address and password."""
    return page(request, "sign-in.html", back=local_page(back))


@pages.post("/sign-in", dependencies=[Depends(public), OWN])
async def sign_in(request: Request) -> Response:
    """Sign in, and go where the customer wanted to."""
    given = await _fields(request)
    back = local_page(given.get("next", "/my/orders"))
    try:
        claimed = _checked(documents.Credentials, given, "email", "password")
        password = claimed.password.get_secret_value()
        token = await customers_of(request).sign_in(claimed.email, password, address_of(request))
    except ProblemError as error:
        return page(request, "sign-in.html", error.status, back=back, given=given, wrong=str(error))
    return _signed_in(request, token, back)


def _signed_in(request: Request, token: str, back: str) -> Response:
    answer = RedirectResponse(back, SEE_OTHER)
    secure = service_of(request).access.secure_cookies
    set_cookie(answer, CUSTOMER_COOKIE, token, SESSION_LIFETIME, secure=secure)
    return answer


@pages.post("/sign-out", dependencies=[Depends(public), OWN])
async def sign_out(request: Request) -> Response:
    """End this browser's session."""
    secure = service_of(request).access.secure_cookies
    token = request.cookies.get(cookie_name(CUSTOMER_COOKIE, secure=secure))
    if token:
        await customers_of(request).sign_out(token)
    answer = RedirectResponse("/", SEE_OTHER)
    clear_cookie(answer, CUSTOMER_COOKIE, secure=secure)
    return answer


@pages.get("/new")
async def new_order_form(
    request: Request, person: SignedIn, item: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    """Ask what is to be made: a piece of the catalogue, or one from the customer's own model."""
    service = service_of(request)
    return await _new_order_page(request, person, {"item": item or "", "key": service.new_key()})


async def _new_order_page(
    request: Request, person: Person, given: dict[str, str], refusal: ProblemError | None = None
) -> Response:
    service = service_of(request)
    named = given.get("item")
    item = (await service.catalogue.items()).get(named) if named else None
    if named and (item is None or not item.active):
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no piece `{named}` in the catalogue")
    values: dict[str, Any] = {
        "person": person,
        "item": item,
        "given": given,
        "products": list(Product),
        "alloys": service.ordering.alloys,
        "units": UNITS,
        "largest_mb": service.settings.largest_model_bytes // 2**20,
        "promise_days": service.settings.promise_days,
    }
    if refusal is not None:
        # A refused form was not sent as it stands: it gets a key of its own.
        values |= {"wrong": str(refusal), "given": given | {"key": service.new_key()}}
    return page(request, "new.html", refusal.status if refusal else HTTPStatus.OK, **values)


@pages.post("/new", max_body_size=LIMITED_HERE)
async def new_order(request: Request, person: SignedIn) -> Response:
    """Begin the order, with the model that came along."""
    service = service_of(request)
    caller = Customer(person.subject, person.name)
    form = await _form(service, request)
    given = _texts(form)
    try:
        order = await _place(service, caller, form, given)
    except ProblemError as error:
        return await _new_order_page(request, person, given, error)
    finally:
        await form.close()
    return RedirectResponse(f"/my/orders/{order}", SEE_OTHER)


async def _place(service: Service, caller: Customer, form: FormData, given: dict[str, str]) -> str:
    wish = {name: given[name] for name in ("item", "product", "note", "alloy", "unit") if given.get(name)}
    if "item" not in wish:
        file = file_of(form, "model")
        if file is None:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "attach the 3D model of your piece")
        wish["model"] = (await service.uploads.keep_file(caller, file)).model
    wanted = _checked(documents.NewOrder, wish, *wish)
    order = await service.ordering.place(caller, _key(service, given), Wish(**dict(wanted)))
    return order.order


def _key(service: Service, given: dict[str, str]) -> str:
    """Return the key that the page gave its form; a made-up one that could not be kept gives way to a new one."""
    key = given.get("key", "")
    return key if len(key) <= LONGEST_KEY and KEY.fullmatch(key) else service.new_key()


@pages.get("/my/orders")
async def my_orders(
    request: Request, person: SignedIn, cursor: Annotated[str | None, Query(max_length=500)] = None
) -> Response:
    """Show the customer's orders, newest first."""
    found = await history(service_of(request), customer_of(person), PAGE_OF, cursor)
    return page(request, "orders.html", person=person, orders=found.orders, next=found.next, first=cursor is None)


@pages.get("/my/orders/{order}")
async def my_order(request: Request, person: SignedIn, order: OrderId) -> Response:
    """Show where an order is, and everything that happened to it."""
    found = await service_of(request).ordering.look(customer_of(person), order)
    return await _order_page(request, person, found)


async def _order_page(
    request: Request, person: Person, order: documents.Order, refusal: ProblemError | None = None
) -> Response:
    service = service_of(request)
    item = (await service.catalogue.items()).get(order.item) if order.item else None
    return page(
        request,
        "order.html",
        refusal.status if refusal else HTTPStatus.OK,
        person=person,
        order=order,
        item=item,
        alloy=service.ordering.alloys.get(order.alloy, order.alloy) if order.alloy else None,
        events=told(order),
        steps=steps(order),
        promise_days=service.settings.promise_days,
        wrong=str(refusal) if refusal else None,
    )


@pages.post("/my/orders/{order}/submission")
async def submit(request: Request, person: SignedIn, caller: Caller, order: OrderId) -> Response:
    """Send the order off."""
    try:
        await service_of(request).ordering.submit(caller, order)
    except ProblemError as error:
        return await _refused(request, person, order, error)
    return RedirectResponse(f"/my/orders/{order}", SEE_OTHER)


@pages.post("/my/orders/{order}/answer", max_body_size=LIMITED_HERE)
async def answer(request: Request, person: SignedIn, caller: Caller, order: OrderId) -> Response:
    """Send the answer, and the better model if one came along."""
    service = service_of(request)
    form = await _form(service, request)
    try:
        said = _checked(documents.Answer, _texts(form), "answer")
        file = file_of(form, "model")
        model = (await service.uploads.keep_file(caller, file)).model if file else None
        await service.ordering.answer(caller, order, said.answer, model)
    except ProblemError as error:
        return await _refused(request, person, order, error)
    finally:
        await form.close()
    return RedirectResponse(f"/my/orders/{order}", SEE_OTHER)


@pages.post("/my/orders/{order}/cancellation")
async def cancel(request: Request, person: SignedIn, caller: Caller, order: OrderId) -> Response:
    """Ask to cancel the order."""
    given = await _fields(request)
    try:
        wanted = _checked(documents.Cancellation, {k: v for k, v in given.items() if v}, "reason")
        await service_of(request).ordering.cancel(caller, order, wanted.reason)
    except ProblemError as error:
        return await _refused(request, person, order, error)
    return RedirectResponse(f"/my/orders/{order}", SEE_OTHER)


async def _refused(request: Request, person: Person, order: str, refusal: ProblemError) -> Response:
    found = await service_of(request).ordering.look(customer_of(person), order)
    return await _order_page(request, person, found, refusal)


async def _form(service: Service, request: Request) -> FormData:
    if not is_form(request):
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send this form as the page sends it: multipart/form-data"
        )
    return await service.uploads.form(request)


def _texts(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.items() if isinstance(value, str)}


async def _fields(request: Request) -> dict[str, str]:
    """Read a form without files."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_FORM:
            raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "this is more than the form holds; write less")
    try:
        given = parse_qs(body.decode(errors="replace"), max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "this is no form of this page; open the page again") from error
    return {name: values[0] for name, values in given.items()}


def _checked(kind: type[Checked], given: dict[str, str], *names: str) -> Checked:
    """Read what a form says. Raises ProblemError that names the field."""
    try:
        return kind.model_validate({name: given[name] for name in names if name in given})
    except ValidationError as error:
        found = error.errors()[0]
        field = f"`{found['loc'][-1]}`: " if found["loc"] else ""
        detail = f"{field}{found['msg'].removeprefix('Value error, ')}"
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail) from error
