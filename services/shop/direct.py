"""Large models on their way in past us: their sender gives parts straight to the store, and we check what arrived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta  # noqa: TC003 - pydantic reads the annotations
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import delete, func, insert, select, update

from instrumentation.problems import ProblemError
from pricing.storage.direct import Incomplete
from services.shop import documents
from services.shop.formats import Inspection
from services.shop.tables import direct_uploads, models
from services.shop.uploads import REFUSALS, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from pricing.storage import Stored
    from pricing.storage.direct import Begun, DirectUploads
    from services.shop.model import Customer
    from services.shop.uploads import Uploads

MOST_OPEN: Final = 10
MOST_PARTS: Final = 1_000
ETag = Annotated[str, StringConstraints(pattern=r'^"?[A-Za-z0-9+/=_-]{1,128}"?$')]


class NewUpload(BaseModel):
    """A model that is going to be uploaded straight to the store."""

    model_config = ConfigDict(extra="forbid")

    size: int = Field(gt=0, description="Its bytes.", examples=[52_428_800])
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", description="Its SHA-256, in hex, if known.")


class Upload(BaseModel):
    """Where its parts go: PUT each, in their order, to its address, and keep the `ETag` of each answer."""

    upload: str = Field(description="The name of this upload.")
    part_bytes: int = Field(description="The size of every part but the last, which has the rest.")
    parts: list[str] = Field(description="An address for each part.")
    expires_at: datetime = Field(description="Until when the addresses are good.")


class Parts(BaseModel):
    """The parts that were sent."""

    model_config = ConfigDict(extra="forbid")

    parts: list[ETag] = Field(min_length=1, max_length=MOST_PARTS, description="The `ETag` of each, in their order.")


@dataclass(frozen=True)
class Direct:
    """Uploads straight to the store. ``lasting``: how long one may take."""

    uploads: Uploads
    clock: Callable[[], datetime]
    new_upload: Callable[[], str]
    lasting: timedelta

    async def begin(self, customer: Customer, wanted: NewUpload) -> Upload:
        """Begin an upload. Raises ProblemError where it is too large, or one too many."""
        store = self._store()
        if wanted.size > self.uploads.largest_bytes:
            raise self.uploads.too_large()
        expires_at = self.clock() + self.lasting
        begun = await store.begin(wanted.size, self.lasting)
        row = {"customer": customer.id, "bytes": wanted.size, "sha256": wanted.sha256, "expires_at": expires_at}
        upload = self.new_upload()
        try:
            await self._add(row | {"upload": upload, "key": begun.key, "remote": begun.remote}, begun)
        except ProblemError:
            await store.abort(begun.key, begun.remote)
            raise
        return Upload(upload=upload, part_bytes=begun.part_bytes, parts=list(begun.parts), expires_at=expires_at)

    async def _add(self, row: dict[str, Any], begun: Begun) -> None:
        async def work(connection: AsyncConnection) -> None:
            open_ = (
                (direct_uploads.c.customer == row["customer"])
                & direct_uploads.c.model.is_(None)
                & (direct_uploads.c.expires_at >= self.clock())
            )
            if (await connection.scalar(select(func.count()).where(open_)) or 0) >= MOST_OPEN:
                detail = f"you have {MOST_OPEN} uploads under way; complete or delete one of them first"
                raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, detail)
            await connection.execute(insert(direct_uploads).values(row | {"parts": len(begun.parts)}))

        await self.uploads.database.write(work)

    async def complete(self, customer: Customer, upload: str, etags: Sequence[str]) -> documents.Model:
        """Check what arrived, and keep it as any other upload. Completing it again gives the same answer.

        Raises ProblemError where a part is missing (the upload goes on), or what arrived is refused (it is over).
        """
        store, row = self._store(), await self._row(customer, upload)
        if row["model"] is not None:
            return await self._completed(row)
        if len(etags) != row["parts"]:
            detail = f"this upload has {row['parts']} parts, but {len(etags)} were named; name the ETag of each"
            raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
        inspection = Inspection(self.uploads.largest_bytes)
        try:
            stored = await store.complete(
                row["key"], row["remote"], etags, sha256=row["sha256"], size=row["bytes"], watch=inspection.watch
            )
        except Incomplete as error:
            raise ProblemError(HTTPStatus.BAD_REQUEST, str(error)) from error
        except REFUSALS as error:
            await self._write(delete(direct_uploads).where(_is(upload)))
            raise refused(error) from error
        except KeyError as error:
            detail = "what arrived is not there now: this upload is being completed already; if not, begin a new one"
            raise ProblemError(HTTPStatus.CONFLICT, detail) from error
        await self._keep(customer, upload, stored, inspection.format)
        return documents.Model(model=stored.name, bytes=stored.size, format=inspection.format)

    async def _keep(self, customer: Customer, upload: str, stored: Stored, format_: str) -> None:
        await self.uploads.note(customer, stored, format_)
        await self._write(update(direct_uploads).where(_is(upload)).values(model=stored.name))

    async def abort(self, customer: Customer, upload: str) -> None:
        """Forget an upload, and what arrived of it. A model that it has become is kept."""
        store, row = self._store(), await self._row(customer, upload)
        if row["model"] is None:
            await store.abort(row["key"], row["remote"])
        await self._write(delete(direct_uploads).where(_is(upload)))

    async def _row(self, customer: Customer, upload: str) -> RowMapping:
        own = _is(upload) & (direct_uploads.c.customer == customer.id) & (direct_uploads.c.expires_at >= self.clock())
        async with self.uploads.database.reading() as connection:
            row = (await connection.execute(select(direct_uploads).where(own))).mappings().first()
        if row is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"you have no upload `{upload}` under way; begin one")
        return row

    async def _completed(self, row: RowMapping) -> documents.Model:
        async with self.uploads.database.reading() as connection:
            found = select(models.c.format).where(models.c.model == row["model"])
            format_ = await connection.scalar(found)
        return documents.Model(model=row["model"], bytes=row["bytes"], format=str(format_))

    async def _write(self, statement: Any) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self.uploads.database.write(work)

    def _store(self) -> DirectUploads:
        found = self.uploads.objects.direct
        if found is None:
            detail = "models are kept in a folder here, which takes no uploads past us; send the model to POST /models"
            raise ProblemError(HTTPStatus.NOT_IMPLEMENTED, detail)
        return found


def _is(upload: str) -> ColumnElement[bool]:
    return direct_uploads.c.upload == upload
