"""Models on S3: keys `hot/ab/cdef...`; the large go up in parts beside them, and the server puts them in place."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import uuid
from typing import TYPE_CHECKING, Any

from instrumentation.errors import BadInput
from pricing.storage.bucket import ACCESS_KEY, SECRET, Bucket, Place, WrongParts
from pricing.storage.copies import LocalCopies
from pricing.storage.s3_direct import INCOMING, PIECE_BYTES, S3DirectUploads, forget
from pricing.storage.store import MODELS, PART_BYTES, Area, Kept, Stored, StoreUnavailable, Tally, checked, is_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime
    from pathlib import Path


def s3_store(address: str) -> S3Store:
    """Return the store at an address, with the keys of the environment. Raises BadInput where either cannot be used."""
    place = Place.at(address)
    keys = [os.environ.get(name, "") for name in (ACCESS_KEY, SECRET)]
    if not all(keys):
        raise BadInput(f"{place}: its keys are not known; set {ACCESS_KEY} and {SECRET}")
    return S3Store(Bucket(place, *keys))


class S3Store:
    """Objects in a bucket, which any number of machines may share."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._copies: LocalCopies | None = None
        self.direct = S3DirectUploads(bucket, self._take)

    async def put(
        self,
        stream: AsyncIterator[bytes],
        *,
        sha256: str | None = None,
        size: int | None = None,
        area: Area = Area.QUARANTINE,
    ) -> Stored:
        """Keep what the stream holds, of which no more than a piece is in memory."""
        tally = Tally(sha256, size)
        pieces = _pieces(stream, tally)
        first = await anext(pieces)
        if len(first) == PIECE_BYTES:
            return await self._put_large(first, pieces, tally, area)
        stored = tally.end()
        if not await self._known(stored.name, area):
            checksum = base64.b64encode(bytes.fromhex(stored.name)).decode()
            await self._bucket.call("put_object", Key=_key(area, stored.name), Body=first, ChecksumSHA256=checksum)
            await self._only_one(stored.name, area)
        return stored

    async def _put_large(self, piece: bytes, pieces: AsyncIterator[bytes], tally: Tally, area: Area) -> Stored:
        # Its name, and so its place, is known at its end only.
        key = f"{INCOMING}{uuid.uuid4().hex}"
        remote = (await self._bucket.call("create_multipart_upload", Key=key))["UploadId"]
        try:
            upload, sent = {"Key": key, "UploadId": remote}, list[dict[str, Any]]()
            while piece:
                part = {"PartNumber": len(sent) + 1}
                answer = await self._bucket.call("upload_part", **upload, **part, Body=piece)
                sent.append(part | {"ETag": answer["ETag"]})
                piece = await anext(pieces, b"")
            stored = tally.end()
            if await self._known(stored.name, area):
                await forget(self._bucket, key, remote)
                return stored
            await self._take(key, await self._put_together(upload, sent), stored.name, area)
        except BaseException:
            with contextlib.suppress(StoreUnavailable):  # what is left then, `tidy` removes
                await forget(self._bucket, key, remote)
            raise
        return stored

    async def _put_together(self, upload: Mapping[str, Any], sent: list[dict[str, Any]]) -> str:
        """Have the server make one object of the parts that it has; return its ETag. Raises StoreUnavailable."""
        try:
            answer = await self._bucket.call("complete_multipart_upload", **upload, MultipartUpload={"Parts": sent})
        except (KeyError, WrongParts):
            # What the client repeats of itself may be done already: then the first answer was lost, not the upload.
            try:
                answer = await self._bucket.call("head_object", Key=upload["Key"])
            except KeyError as error:
                raise StoreUnavailable("the store of models has lost an upload; send the file again") from error
        return str(answer["ETag"])

    async def _take(self, key: str, etag: str, name: str, area: Area = Area.QUARANTINE) -> None:
        """Put in its place what lies at a key, and nothing else, unless it is kept already."""
        if not await self._known(name, area):
            await self._copy(key, area, name, CopySourceIfMatch=etag)
            await self._only_one(name, area)
        await self._bucket.call("delete_object", Key=key)

    async def _known(self, name: str, area: Area) -> bool:
        """Whether an object is kept and need not be put again."""
        found = await self._found(name)
        if found is None or found[0] is Area.WORK:  # written again, a working object is as new as it should be
            return False
        if area is Area.HOT:
            await self._raise(name, area)
        return True

    async def _only_one(self, name: str, area: Area) -> None:
        """Take back what was put where the same was moved out of the way meanwhile."""
        if area is Area.QUARANTINE:
            for later in MODELS[1:]:
                if await self._head(later, name) is not None:
                    await self._bucket.call("delete_object", Key=_key(area, name))

    async def _raise(self, name: str, to: Area) -> None:
        while (found := await self._found(name)) is not None and found[0] in MODELS:
            if MODELS.index(found[0]) >= MODELS.index(to):
                return
            source = _key(found[0], name)
            with contextlib.suppress(KeyError):  # another process moves it too: look again
                await self._copy(source, to, name)
                await self._bucket.call("delete_object", Key=source)
        if found is None:
            raise KeyError(name)

    async def _copy(self, source: str, area: Area, name: str, **conditions: str) -> None:
        cold = self._bucket.place.cold_class
        options = conditions | ({"StorageClass": cold} if cold and area is Area.COLD else {})
        from_ = {"Bucket": self._bucket.place.bucket, "Key": source}
        await self._bucket.call("copy_object", Key=_key(area, name), CopySource=from_, **options)

    async def open(self, name: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes, a megabyte at a time."""
        for area in Area:
            with contextlib.suppress(KeyError):
                answer = await self._bucket.call("get_object", Key=_key(area, name))
                break
        else:
            raise KeyError(name)
        async for part in self._bucket.body(answer, PART_BYTES):
            yield part

    @contextlib.asynccontextmanager
    async def local(self, name: str) -> AsyncIterator[Path]:
        """Give a local copy, checked against its name when it was fetched."""
        size = await self.size(name)
        if self._copies is None:
            place = self._bucket.place
            self._copies = await asyncio.to_thread(LocalCopies, place.cache, place.cache_bytes)
        async with self._copies.hold(name, size, lambda: self.open(name)) as path:
            yield path

    async def exists(self, name: str) -> bool:
        """Whether there is an object of this name."""
        try:
            return await self._found(name) is not None
        except KeyError:
            return False

    async def size(self, name: str) -> int:
        """Return an object's size in bytes."""
        return (await self._place(name))[1]

    async def area(self, name: str) -> Area:
        """Return where an object lies."""
        return (await self._place(name))[0]

    async def _place(self, name: str) -> tuple[Area, int]:
        found = await self._found(name)
        if found is None:
            raise KeyError(name)
        return found

    async def _found(self, name: str) -> tuple[Area, int] | None:
        for area in Area:
            if (about := await self._head(area, name)) is not None:
                return area, about["ContentLength"]
        return None

    async def _head(self, area: Area, name: str) -> Mapping[str, Any] | None:
        key = _key(area, name)
        try:
            return await self._bucket.call("head_object", Key=key)
        except KeyError:
            return None

    async def admit(self, name: str) -> None:
        """Move an object out of quarantine."""
        await self._raise(name, Area.HOT)

    async def cool(self, name: str) -> None:
        """Move an object to the cold area, and to the cold storage class where one was named."""
        await self._raise(name, Area.COLD)

    async def delete(self, name: str) -> None:
        """Forget an object."""
        for area in Area:
            await self._bucket.call("delete_object", Key=_key(area, name))

    async def kept(self, area: Area) -> AsyncIterator[Kept]:
        """Yield what lies in an area, by name."""
        async for key, size, at in self._bucket.listed(f"{area}/"):
            name = key.removeprefix(f"{area}/").replace("/", "")
            if is_name(name):
                yield Kept(name, size, at)

    async def tidy(self, before: datetime) -> None:
        """Remove working objects and unfinished uploads of long ago."""
        for prefix in (INCOMING, f"{Area.WORK}/"):
            async for key, _, at in self._bucket.listed(prefix):
                if at < before:
                    await self._bucket.call("delete_object", Key=key)
        await self.direct.tidy(before)

    async def close(self) -> None:
        """Close connections."""
        await self._bucket.close()


def _key(area: Area, name: str) -> str:
    name = checked(name)
    return f"{area}/{name[:2]}/{name[2:]}"


async def _pieces(stream: AsyncIterator[bytes], tally: Tally) -> AsyncIterator[bytes]:
    """Cut a stream into pieces of one size, but for the last, which may be empty."""
    held: list[bytes] = []
    room = PIECE_BYTES
    async for part in stream:
        tally.add(part)
        rest = memoryview(part)
        while len(rest) >= room:
            held.append(bytes(rest[:room]))
            rest, room = rest[room:], PIECE_BYTES
            piece = b"".join(held)
            held.clear()
            yield piece
        held.append(bytes(rest))
        room -= len(rest)
    yield b"".join(held)
