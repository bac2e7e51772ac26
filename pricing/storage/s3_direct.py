"""Uploads straight to S3, in parts, by presigned addresses (AWS Signature Version 4 in the query)."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, Any, Final

from instrumentation.errors import BadInput
from pricing.storage.bucket import WrongParts
from pricing.storage.direct import Begun, Incomplete
from pricing.storage.store import PART_BYTES, Stored, Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from pricing.storage.bucket import Bucket

INCOMING: Final = "incoming/"
PIECE_BYTES: Final = 8 * 1024 * 1024  # S3 takes no less than 5 MiB in a part that is not the last
_MOST_PARTS: Final = 10_000  # S3's own limit


class S3DirectUploads:
    """Signs an address for each part, of just its size, and takes over what arrived once it was read and checked."""

    def __init__(self, bucket: Bucket, take: Callable[[str, str, str], Awaitable[None]]) -> None:
        """``take``: puts what lies at a key, with an ETag, in its place under a name."""
        self._bucket, self._take = bucket, take

    async def begin(self, size: int, lasting: timedelta) -> Begun:
        """Begin an upload of ``size`` bytes. Raises Incomplete where that is none."""
        if size <= 0:
            raise Incomplete("an upload has at least one byte")
        part_bytes = max(PIECE_BYTES, -(-size // _MOST_PARTS))
        key = f"{INCOMING}{uuid.uuid4().hex}"
        remote = (await self._bucket.call("create_multipart_upload", Key=key))["UploadId"]
        sizes = _cut(size, part_bytes)
        parts = tuple(self._address(key, remote, *part, lasting) for part in enumerate(sizes, 1))
        return Begun(key, remote, part_bytes, parts)

    def _address(self, key: str, remote: str, number: int, size: int, lasting: timedelta) -> str:
        # The length is signed too: nobody gets more room than they asked for.
        part = {"Key": key, "UploadId": remote, "PartNumber": number, "ContentLength": size}
        return self._bucket.signed("upload_part", int(lasting.total_seconds()), **part)

    async def complete(
        self,
        key: str,
        remote: str,
        etags: Sequence[str],
        *,
        sha256: str | None,
        size: int,
        watch: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]],
    ) -> Stored:
        """Read what arrived once, through ``watch``, and keep it in quarantine under its own name."""
        await self._put_together(key, remote, etags)
        answer = await self._bucket.call("get_object", Key=key)
        tally = Tally(sha256, size)
        try:
            async for part in watch(self._bucket.body(answer, PART_BYTES)):
                tally.add(part)
            stored = tally.end()
        except BadInput:
            await forget(self._bucket, key, remote)
            raise
        await self._take(key, answer["ETag"], stored.name)
        return stored

    async def _put_together(self, key: str, remote: str, etags: Sequence[str]) -> None:
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        upload: Mapping[str, Any] = {"Key": key, "UploadId": remote, "MultipartUpload": {"Parts": parts}}
        try:
            await self._bucket.call("complete_multipart_upload", **upload)
        except WrongParts as error:
            raise Incomplete(
                "a part has not arrived, or is not the one that was named; send it again, then complete the upload"
            ) from error
        except KeyError:
            pass  # it was put together before, by a caller who did not get so far as to read it; or reading will tell

    async def abort(self, key: str, remote: str) -> None:
        """Forget an upload, and what arrived of it."""
        await forget(self._bucket, key, remote)

    async def tidy(self, before: datetime) -> None:
        """Forget uploads that began long ago and did not come to their end."""
        async for key, remote, at in self._bucket.unfinished(INCOMING):
            if at < before:
                await forget(self._bucket, key, remote)


async def forget(bucket: Bucket, key: str, remote: str) -> None:
    """Remove the parts of an upload, and what they were put together to. Removing twice changes nothing."""
    with contextlib.suppress(KeyError):
        await bucket.call("abort_multipart_upload", Key=key, UploadId=remote)
    await bucket.call("delete_object", Key=key)


def _cut(size: int, part_bytes: int) -> Iterator[int]:
    whole, rest = divmod(size, part_bytes)
    yield from [part_bytes] * whole
    if rest:
        yield rest
