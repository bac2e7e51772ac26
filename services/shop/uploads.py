"""Models on their way in: from a request's body to the object store, never whole in memory."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.formparsers import MultiPartException, MultiPartParser

from instrumentation.problems import ProblemError
from pricing.storage import Mismatch
from services.shop import documents, store
from services.shop.digests import declared_sha256, declared_size, field_sha256
from services.shop.formats import Broken, Inspection, NoModel, TooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from datetime import datetime

    from fastapi import Request, UploadFile
    from sqlalchemy.ext.asyncio import AsyncConnection
    from starlette.datastructures import FormData

    from instrumentation.errors import BadInput
    from pricing.storage import ModelStore, Stored
    from services.bus import Database
    from services.shop.model import Customer

MULTIPART: Final = "multipart/form-data"
# Of routes that take a model: how much they read is settled here, by the settings, once it is known who sends it.
LIMITED_HERE: Final = 2**62
# What a form may hold beside its file.
_FORM: Final = 256 * 1024
_FIELDS: Final = 20
_PART: Final = 1024 * 1024
# What the model is refused for, and the status that says so.
STATUS: Final[dict[type[BadInput], HTTPStatus]] = {
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NoModel: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Broken: HTTPStatus.BAD_REQUEST,
    Mismatch: HTTPStatus.UNPROCESSABLE_ENTITY,
}
REFUSALS: Final = tuple(STATUS)


@dataclass(frozen=True)
class Uploads:
    """Takes in models of at most ``largest_bytes``."""

    database: Database
    objects: ModelStore
    clock: Callable[[], datetime]
    largest_bytes: int

    async def take(self, customer: Customer, request: Request) -> documents.Model:
        """Keep the model that is a request's body, or the file of a form. Raises ProblemError where it is none.

        What the sender declares of it (its SHA-256, its size) is held against what arrives.
        """
        if not is_form(request):
            self._check_announced(request)
            declared = declared_sha256(request.headers)
            return await self.keep(customer, request.stream(), declared, declared_size(request.headers))
        form = await self.form(request)
        try:
            file = file_of(form, "model")
            if file is None:
                raise ProblemError(HTTPStatus.BAD_REQUEST, "the form has no file `model`; attach the model")
            return await self.keep(customer, _parts(file), field_sha256(form.get("sha256")))
        finally:
            await form.close()

    async def form(self, request: Request) -> FormData:
        """Read a form with a file, which goes to a temporary file. Whoever calls closes it."""
        self._check_announced(request)
        parser = MultiPartParser(request.headers, self._limited(request), max_files=1, max_fields=_FIELDS)
        try:
            return await parser.parse()
        except MultiPartException as error:
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"the form cannot be read: {error.message}") from error

    async def keep_file(self, customer: Customer, file: UploadFile) -> documents.Model:
        """Keep the model that is the file of a form."""
        return await self.keep(customer, _parts(file))

    async def keep(
        self, customer: Customer, stream: AsyncIterator[bytes], sha256: str | None = None, size: int | None = None
    ) -> documents.Model:
        """Keep a model, and note that this customer brought it. ``sha256``, ``size``: what was declared of it."""
        inspection = Inspection(self.largest_bytes)
        try:
            stored = await self.objects.put(inspection.watch(stream), sha256=sha256, size=size)
        except REFUSALS as error:
            raise refused(error) from error
        await self.note(customer, stored, inspection.format)
        return documents.Model(model=stored.name, bytes=stored.size, format=inspection.format)

    async def note(self, customer: Customer, stored: Stored, format_: str) -> None:
        """Note who brought a model that is kept. Raises ProblemError where it was deleted at this very moment."""

        async def work(connection: AsyncConnection) -> None:
            await store.add_upload(connection, customer.id, stored.name, stored.size, format_, self.clock())

        await self.database.write(work)
        # From now on it is new, and is not deleted. What was kept already may have been, while this upload came in.
        if not await self.objects.exists(stored.name):
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "the model could not be kept just now; send it again")

    def _check_announced(self, request: Request) -> None:
        """Refuse what says beforehand that it is too large, before it travels."""
        if (declared_size(request.headers) or 0) > self.largest_bytes + _FORM:
            raise self.too_large()

    async def _limited(self, request: Request) -> AsyncGenerator[bytes]:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > self.largest_bytes + _FORM:
                raise self.too_large()
            yield part

    def too_large(self) -> ProblemError:
        """Return the problem of a model with too many bytes."""
        detail = f"a model has at most {self.largest_bytes:,} bytes; simplify the mesh and send it again"
        return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def refused(error: BadInput) -> ProblemError:
    """Return the problem of a model that is refused."""
    return ProblemError(STATUS[type(error)], str(error))


def is_form(request: Request) -> bool:
    """Whether a request's body is a form with files."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower() == MULTIPART


def file_of(form: FormData, name: str) -> UploadFile | None:
    """Return the file that was attached to a field, None where the field was left empty."""
    found = form.get(name)
    if found is None or isinstance(found, str) or not (found.filename or found.size):
        return None
    return found  # type: ignore[return-value] # FastAPI's class is Starlette's


async def _parts(file: UploadFile) -> AsyncIterator[bytes]:
    while part := await file.read(_PART):
        yield part
