"""Problems as RFC 9457 says, whatever raised them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

MEDIA_TYPE: Final = "application/problem+json"


class Problem(BaseModel):
    """A problem (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["nothing was heard of the order `4711`"])


class ProblemError(Exception):
    """A request that cannot be answered as asked: a status and one sentence that says what to do about it."""

    def __init__(self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


def install(app: FastAPI) -> None:
    """Make the app answer every error with a problem document."""

    @app.exception_handler(ProblemError)
    async def _problem(_request: Request, error: ProblemError) -> JSONResponse:
        return answer(error.status, error.detail, error.headers)

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        return answer(status, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()[0]
        field = str(found["loc"][-1])
        return answer(HTTPStatus.BAD_REQUEST, f"`{field}` cannot be used: {found['msg']}")

    @app.exception_handler(Exception)
    async def _unforeseen(_request: Request, _error: Exception) -> JSONResponse:
        detail = "this failed, and nothing of the request was stored; the service's log says why"
        return answer(HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def answer(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a problem document as an answer. ``detail``: one sentence that says what to do about it."""
    body = Problem(title=status.phrase, status=status.value, detail=detail)
    return JSONResponse(body.model_dump(), status.value, headers, MEDIA_TYPE)


def describe(app: FastAPI) -> None:
    """Make the app's OpenAPI document speak of problems wherever it answers with them, and of no other errors."""
    written = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = written()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = Problem.model_json_schema()
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            for operations in document["paths"].values():
                for operation in operations.values():
                    declared = operation["responses"].get("422", {})
                    if "application/json" in declared.get("content", {}):  # FastAPI's own, which is a 400 here
                        del operation["responses"]["422"]
                        operation["responses"] |= _named(HTTPStatus.BAD_REQUEST)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend the document


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries of problems."""
    return {int(status): entry for status, entry in _named(*statuses).items()}


def _named(*statuses: HTTPStatus) -> dict[str, dict[str, Any]]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        str(status.value): {"description": status.phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }
