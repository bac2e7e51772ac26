"""A bucket of an S3 server: where it is, who we are to it, and what its errors mean. Calls run in threads."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from instrumentation.errors import BadInput
from pricing.storage.store import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from datetime import datetime

    from types_boto3_s3 import S3Client

ACCESS_KEY: Final = "TOUCHSTONE_S3_ACCESS_KEY"
SECRET: Final = "TOUCHSTONE_S3_SECRET"  # noqa: S105 - the name of a variable
GIGABYTE: Final = 1024**3
_OPTIONS: Final = {"endpoint", "public", "region", "cold_class", "cache", "cache_bytes"}
_THREADS: Final = 8
_CONNECT_S: Final = 3.0
_READ_S: Final = 20.0
_TRIES: Final = 3
_NOTHING: Final = {"404", "NoSuchKey", "NotFound", "NoSuchUpload", "412", "PreconditionFailed"}
_PARTS: Final = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML"}
_KEYS: Final = {"403", "401", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}

T = TypeVar("T")


class WrongParts(Exception):
    """The parts of an upload are not those that arrived."""


@dataclass(frozen=True)
class Place:
    """Where a bucket is. ``public``: the server's address as those outside know it; ``cache``: for local copies."""

    bucket: str
    endpoint: str | None
    public: str | None
    region: str
    cold_class: str | None
    cache: Path
    cache_bytes: int

    @classmethod
    def at(cls, address: str) -> Place:
        """Read an address, `s3://bucket?endpoint=...`. Raises BadInput where it cannot be used."""
        try:
            parts = urlsplit(address)
            given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
            cache_bytes = int(given.get("cache_bytes", 4 * GIGABYTE))
        except ValueError as error:
            raise BadInput(f"`{address}` is no address of a bucket ({error})") from error
        if unknown := given.keys() - _OPTIONS:
            raise BadInput(
                f"`{address}`: there is no option `{min(unknown)}`; options are {', '.join(sorted(_OPTIONS))}"
            )
        if not parts.netloc or parts.path.strip("/") or parts.fragment or cache_bytes <= 0:
            raise BadInput(f"`{address}` is no address of a bucket; give s3://bucket?endpoint=http://...")
        endpoint = given.get("endpoint")
        return cls(
            bucket=parts.netloc,
            endpoint=endpoint,
            public=given.get("public", endpoint),
            region=given.get("region", "us-east-1"),
            cold_class=given.get("cold_class"),
            cache=Path(given["cache"]) if "cache" in given else _cache(),
            cache_bytes=cache_bytes,
        )

    def __str__(self) -> str:
        return f"s3://{self.bucket}" + (f" at {self.endpoint}" if self.endpoint else "")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "touchstone" / "models"


@cache
def _session() -> boto3.session.Session:
    """Return what reads the descriptions of S3's calls, which takes a while, once."""
    return boto3.session.Session()


class Bucket:
    """Calls S3 for one bucket. A server that does not answer is given up after three tries of a few seconds each."""

    def __init__(self, place: Place, access_key: str, secret: str) -> None:
        self.place = place
        self._keys = access_key, secret
        # Threads of its own: a server that hangs must not hold up whatever else runs in the loop's.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3")
        self._client = self._connect(place.endpoint)
        self._outside = self._client if place.public == place.endpoint else self._connect(place.public)

    def _connect(self, endpoint: str | None) -> S3Client:
        access_key, secret = self._keys
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path", "payload_signing_enabled": True},
            # Signed payloads are checksums already, and older servers know no others.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            retries={"total_max_attempts": _TRIES, "mode": "standard"},
            max_pool_connections=_THREADS,
            proxies={},
        )
        try:
            return _session().client(
                "s3",
                endpoint_url=endpoint,
                region_name=self.place.region,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret,
                config=config,
            )
        except (ValueError, BotoCoreError) as error:
            raise BadInput(f"{self.place}: cannot be used ({error}); check the address of the store") from error

    async def call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """Call an operation on the bucket.

        Raises KeyError where the object or upload is not there, WrongParts, or StoreUnavailable.
        """
        call = getattr(self._client, operation)
        answer: Mapping[str, Any] = await self.run(lambda: call(Bucket=self.place.bucket, **arguments))
        return answer

    async def run(self, work: Callable[[], T]) -> T:
        """Run what talks to the server. It is over when this returns, even where the caller is cancelled."""
        job = asyncio.get_running_loop().run_in_executor(self._threads, self._told, work)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.gather(job, return_exceptions=True)
            raise

    def _told(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except ClientError as error:
            raise self._meaning(str(error.response["Error"].get("Code", "?"))) from error
        except (BotoCoreError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise StoreUnavailable(f"the store of models, {self.place}, does not answer ({reason})") from error

    def _meaning(self, code: str) -> Exception:
        if code in _NOTHING:
            return KeyError(code)
        if code in _PARTS:
            return WrongParts(code)
        if code in _KEYS:
            return StoreUnavailable(
                f"the store of models, {self.place}, refuses us ({code}); check {ACCESS_KEY} and {SECRET}"
            )
        return StoreUnavailable(f"the store of models, {self.place}, answers with {code}; look at the server")

    async def body(self, answer: Mapping[str, Any], part_bytes: int) -> AsyncIterator[bytes]:
        """Yield what an answer to `get_object` holds."""
        stream = answer["Body"]
        try:
            while part := await self.run(lambda: stream.read(part_bytes)):
                yield part
        finally:
            stream.close()

    async def listed(self, prefix: str) -> AsyncIterator[tuple[str, int, datetime]]:
        """Yield key, size and last change of the objects below a prefix."""
        place: dict[str, str] = {}
        while True:
            page = await self.call("list_objects_v2", Prefix=prefix, **place)
            for one in page.get("Contents", ()):
                yield one["Key"], one["Size"], one["LastModified"]
            if not page.get("IsTruncated"):
                return
            place = {"ContinuationToken": page["NextContinuationToken"]}

    async def unfinished(self, prefix: str) -> AsyncIterator[tuple[str, str, datetime]]:
        """Yield key, upload and begin of the uploads below a prefix that did not come to their end."""
        place: dict[str, str] = {}
        while True:
            page = await self.call("list_multipart_uploads", Prefix=prefix, **place)
            for one in page.get("Uploads", ()):
                yield one["Key"], one["UploadId"], one["Initiated"]
            if not page.get("IsTruncated"):
                return
            place = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def signed(self, operation: str, seconds: int, **arguments: Any) -> str:
        """Return an address by which somebody outside may do one thing, and nothing else, for so long."""
        arguments["Bucket"] = self.place.bucket
        return self._outside.generate_presigned_url(operation, Params=arguments, ExpiresIn=seconds)

    async def close(self) -> None:
        """Close connections and end the threads."""
        await self.run(self._client.close)
        if self._outside is not self._client:
            self._outside.close()
        self._threads.shutdown(wait=False)
