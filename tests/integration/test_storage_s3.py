"""Models on a real S3 server: who is let in, what happens when it is gone, and uploads past us."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import schemathesis

from deploy import servers
from instrumentation.errors import TouchstoneError
from pricing.storage import Area, StoreUnavailable, create_store
from pricing.storage.bucket import Bucket, Place
from pricing.storage.copies import LocalCopies
from services.auth.people import Role
from tests import parts
from tests.integration import test_shop_fuzz
from tests.unit.test_shop import MODEL, Shop, detail_of, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from deploy.servers import S3Server

MEGABYTE: Final = 1024 * 1024
TRIANGLE: Final = struct.pack("<12fH", 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0)
COUNT: Final = 350_000
LARGE: Final = bytes(80) + struct.pack("<I", COUNT) + TRIANGLE * COUNT  # 17.5 MB: three parts
NAME: Final = hashlib.sha256(LARGE).hexdigest()


@pytest.fixture
def address(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of a bucket that nobody else uses."""
    for name, value in s3.keys.items():
        monkeypatch.setenv(name, value)
    digest = hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20]
    return f"{s3.address_of(f'test-{digest}')}&cache={tmp_path / 'cache'}"


@pytest.fixture
async def bucket(address: str, s3: S3Server) -> AsyncIterator[Bucket]:
    """Look into the bucket past the store."""
    opened = Bucket(Place.at(address), s3.access_key, s3.secret)
    yield opened
    await opened.close()


async def stream(content: bytes) -> AsyncIterator[bytes]:
    """Yield some bytes in parts."""
    for at in range(0, len(content), MEGABYTE):
        yield content[at : at + MEGABYTE]


async def keys(bucket: Bucket) -> list[str]:
    """Return everything in the bucket, unfinished uploads too."""
    objects = [key async for key, _, _ in bucket.listed("")]
    return objects + [key async for key, _, _ in bucket.unfinished("")]


async def test_whoever_has_a_wrong_secret_is_refused_in_a_sentence(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = create_store(address)
    name = (await right.put(stream(MODEL))).name
    monkeypatch.setenv("TOUCHSTONE_S3_SECRET", "wrong")
    wrong = create_store(address)
    for asking in (wrong.put(stream(b"more")), wrong.size(name), wrong.delete(name), wrong.exists(name)):
        with pytest.raises(StoreUnavailable, match="check TOUCHSTONE_S3_ACCESS_KEY and TOUCHSTONE_S3_SECRET"):
            await asking
    assert await right.exists(name)
    await right.close()
    await wrong.close()


async def test_nobody_reads_or_writes_without_keys(address: str, s3: S3Server) -> None:
    store = create_store(address)
    name = (await store.put(stream(MODEL))).name
    place = f"{s3.endpoint}/{Place.at(address).bucket}/quarantine/{name[:2]}/{name[2:]}"
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(place)).status_code == 403
        assert (await client.put(place, content=b"other")).status_code == 403
    assert b"".join([part async for part in store.open(name)]) == MODEL
    await store.close()


async def test_a_server_that_is_gone_is_one_sentence_and_one_that_is_back_serves_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with parts.started(servers.s3(tmp_path)) as server:
        for name, value in server.keys.items():
            monkeypatch.setenv(name, value)
        store = create_store(server.address)
        kept = (await store.put(stream(LARGE))).name
        server.stop()
        for asking in (store.put(stream(MODEL)), store.put(stream(LARGE)), store.size(kept), store.admit(kept)):
            with pytest.raises(StoreUnavailable, match="does not answer"):
                await asyncio.wait_for(asking, 30)
        server.start()
        assert await store.size(kept) == len(LARGE)
        await store.close()


async def test_a_server_that_takes_connections_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pricing.storage.bucket._READ_S", 0.2)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    hanging = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = hanging.sockets[0].getsockname()[1]
    bucket = Bucket(Place.at(f"s3://models?endpoint=http://127.0.0.1:{port}"), "key", "secret")
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await asyncio.wait_for(bucket.call("head_object", Key="hot/x"), 30)
    await bucket.close()
    hanging.close()
    await hanging.wait_closed()


async def test_an_object_that_was_damaged_in_the_store_is_not_given_as_a_local_copy(
    address: str, bucket: Bucket
) -> None:
    store = create_store(address)
    name = (await store.put(stream(MODEL))).name
    key = f"quarantine/{name[:2]}/{name[2:]}"
    await bucket.call("put_object", Key=key, Body=MODEL.replace(b"0", b"1"))
    with pytest.raises(TouchstoneError, match="damaged"):
        async with store.local(name):
            pass
    assert list(Place.at(address).cache.iterdir()) == []
    await store.close()


async def test_local_copies_are_fetched_once_and_bounded_and_none_in_use_is_removed(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path / "cache", 2_500)
    contents = {hashlib.sha256(one).hexdigest(): one for one in (bytes([number]) * 1_000 for number in range(4))}
    fetched: list[str] = []

    async def held(stack: contextlib.AsyncExitStack, name: str) -> Path:
        def fetch() -> AsyncIterator[bytes]:
            fetched.append(name)
            return stream(contents[name])

        return await stack.enter_async_context(copies.hold(name, 1_000, fetch))

    first, second, third, fourth = contents
    async with contextlib.AsyncExitStack() as using:
        path = await held(using, first)
        for name in (second, third, third, fourth):
            async with contextlib.AsyncExitStack() as stack:
                assert (await held(stack, name)).read_bytes() == contents[name]
        assert fetched == [first, second, third, fourth]
        assert path.read_bytes() == contents[first]
        assert sorted(one.name for one in (tmp_path / "cache").iterdir()) == sorted([first, fourth])
        await held(using, fourth)
        with pytest.raises(TouchstoneError, match="in use"):
            await held(using, second)
    async with contextlib.AsyncExitStack() as stack:
        await held(stack, second)


async def test_a_local_copy_that_a_power_cut_left_short_is_fetched_again(tmp_path: Path) -> None:
    name = hashlib.sha256(LARGE).hexdigest()
    copies = LocalCopies(tmp_path / "cache", 2 * len(LARGE))
    (tmp_path / "cache" / name).write_bytes(b"")
    async with copies.hold(name, len(LARGE), lambda: stream(LARGE)) as path:
        assert path.read_bytes() == LARGE


async def test_an_upload_whose_last_answer_is_lost_is_kept(address: str, bucket: Bucket) -> None:
    """The client repeats the call of itself, and the server no longer knows the upload."""
    store = create_store(address)
    call = store._bucket.call  # type: ignore[attr-defined] # noqa: SLF001 - the wire is cut just there

    async def lossy(operation: str, **arguments: Any) -> Any:
        if operation == "complete_multipart_upload":
            await call(operation, **arguments)
        return await call(operation, **arguments)

    store._bucket.call = lossy  # type: ignore[attr-defined] # noqa: SLF001
    assert (await store.put(stream(LARGE))).name == NAME
    assert await keys(bucket) == [f"quarantine/{NAME[:2]}/{NAME[2:]}"]
    await store.close()


# Uploads past us


async def send(addresses: list[str], content: bytes, part_bytes: int) -> list[str]:
    """PUT parts as any plain client would; return their ETags."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answers = [
            await client.put(address, content=content[at * part_bytes : (at + 1) * part_bytes])
            for at, address in enumerate(addresses)
        ]
    assert {answer.status_code for answer in answers} == {200}, answers[0].text
    return [answer.headers["etag"] for answer in answers]


async def begin(shop: Shop, headers: dict[str, str], **wanted: Any) -> dict[str, Any]:
    """Begin an upload through the shop."""
    answer = await shop.client.post("/uploads", json={"size": len(LARGE), **wanted}, headers=headers)
    assert answer.status_code == 201, answer.text
    begun: dict[str, Any] = answer.json()
    return begun


async def complete(shop: Shop, headers: dict[str, str], begun: dict[str, Any], etags: list[str]) -> httpx.Response:
    """Complete an upload through the shop."""
    return await shop.client.post(f"/uploads/{begun['upload']}/complete", json={"parts": etags}, headers=headers)


async def test_a_large_model_goes_straight_to_the_store_and_is_ordered_from(
    address: str, bucket: Bucket, tmp_path: Path
) -> None:
    async with running(tmp_path, models=address) as shop:
        _, headers = await shop.customer()
        begun = await begin(shop, headers, sha256=NAME)
        assert len(begun["parts"]) == 3
        etags = await send(begun["parts"], LARGE, begun["part_bytes"])
        done = await complete(shop, headers, begun, etags)
        assert done.json() == {"model": NAME, "bytes": len(LARGE), "format": "stl"}
        assert (await complete(shop, headers, begun, etags)).json() == done.json()
        assert await keys(bucket) == [f"quarantine/{NAME[:2]}/{NAME[2:]}"]
        assert (await shop.order(headers, item=None, model=NAME)).status_code == 201
        read = await shop.client.get(f"/models/{NAME}", headers=shop.staff(Role.SERVICE))
        assert read.content == LARGE
        again = await begin(shop, headers)
        etags = await send(again["parts"], LARGE, again["part_bytes"])
        assert (await complete(shop, headers, again, etags)).json() == done.json()
        assert await keys(bucket) == [f"quarantine/{NAME[:2]}/{NAME[2:]}"]


async def test_an_address_is_good_for_its_own_part_and_size_and_time_only(address: str) -> None:
    store = create_store(address)
    assert store.direct is not None
    part = LARGE[:1_000]  # small enough for the server to have read it before it refuses
    begun = await store.direct.begin(len(part), timedelta(seconds=1))
    (first,) = begun.parts
    other_key = first.replace("/incoming/", "/hot/")
    other_part = first.replace("partNumber=1", "partNumber=2")
    later = first.replace("X-Amz-Expires=1&", "X-Amz-Expires=9999&")
    assert len({first, other_key, other_part, later}) == 4
    async with httpx.AsyncClient(trust_env=False) as client:
        for forged in (other_key, other_part, later):
            assert (await client.put(forged, content=part)).status_code == 403
        assert (await client.put(first, content=part + b"more")).status_code == 403
        assert (await client.get(first)).status_code == 403
        assert (await client.delete(first)).status_code == 403
        await asyncio.sleep(2.1)
        assert (await client.put(first, content=part)).status_code == 403
    query = parse_qs(urlsplit(first).query)
    assert query["X-Amz-SignedHeaders"] == ["content-length;host"]
    await store.direct.abort(begun.key, begun.remote)
    await store.direct.abort(begun.key, begun.remote)
    await store.close()


async def test_a_missing_part_is_asked_for_and_the_upload_goes_on(address: str, tmp_path: Path) -> None:
    async with running(tmp_path, models=address) as shop:
        _, headers = await shop.customer()
        begun = await begin(shop, headers)
        size = begun["part_bytes"]
        etags = await send(begun["parts"][:2], LARGE[: 2 * size], size)
        assert "3 parts" in detail_of(await complete(shop, headers, begun, etags), 400)
        guessed = [*etags, hashlib.md5(LARGE[2 * size :]).hexdigest()]  # noqa: S324 - S3's own
        assert "send it again" in detail_of(await complete(shop, headers, begun, guessed), 400)
        etags += await send(begun["parts"][2:], LARGE[2 * size :], size)
        assert (await complete(shop, headers, begun, etags)).json()["model"] == NAME


async def test_an_upload_that_is_completed_twice_at_once_is_one_model(
    address: str, bucket: Bucket, tmp_path: Path
) -> None:
    async with running(tmp_path, models=address) as shop:
        _, headers = await shop.customer()
        begun = await begin(shop, headers)
        etags = await send(begun["parts"], LARGE, begun["part_bytes"])
        at_once = await asyncio.gather(*(complete(shop, headers, begun, etags) for _ in range(4)))
        statuses = {answer.status_code for answer in at_once}
        assert 200 in statuses
        assert statuses <= {200, 409}, [answer.text for answer in at_once]
        assert (await complete(shop, headers, begun, etags)).json()["model"] == NAME
        assert await keys(bucket) == [f"quarantine/{NAME[:2]}/{NAME[2:]}"]


async def test_what_arrived_and_is_refused_is_forgotten(address: str, bucket: Bucket, tmp_path: Path) -> None:
    text = b"Dear shop, please make me a ring.\n" * 1_000
    cut = LARGE[:-25]
    refusals = (
        (LARGE, {"sha256": hashlib.sha256(b"x").hexdigest()}, 422, "SHA-256"),
        (text, {"size": len(text)}, 415, "no 3D model"),
        (cut, {"size": len(cut)}, 400, "350,000 triangles"),
    )
    async with running(tmp_path, models=address) as shop:
        _, headers = await shop.customer()
        for content, wanted, status, says in refusals:
            begun = await begin(shop, headers, **wanted)
            etags = await send(begun["parts"], content, begun["part_bytes"])
            assert says in detail_of(await complete(shop, headers, begun, etags), status)
            assert "no upload" in detail_of(await complete(shop, headers, begun, etags), 404)
            assert await keys(bucket) == []


async def test_uploads_have_limits_and_an_owner_and_an_end(address: str, bucket: Bucket, tmp_path: Path) -> None:
    async with running(tmp_path, models=address, largest_model_bytes=len(LARGE)) as shop:
        _, headers = await shop.customer()
        _, other = await shop.customer("Eve")
        too_large = await shop.client.post("/uploads", json={"size": len(LARGE) + 1}, headers=headers)
        assert "bytes" in detail_of(too_large, 413)
        detail_of(await shop.client.post("/uploads", json={"size": 0}, headers=headers), 400)
        begun = [await begin(shop, headers) for _ in range(10)]
        one_more = await shop.client.post("/uploads", json={"size": 5}, headers=headers)
        assert "10 uploads" in detail_of(one_more, 429)
        assert len(await keys(bucket)) == 10
        path = f"/uploads/{begun[0]['upload']}"
        detail_of(await shop.client.delete(path, headers=other), 404)
        detail_of(await complete(shop, other, begun[0], ["x"]), 404)
        assert (await shop.client.delete(path, headers=headers)).status_code == 204
        detail_of(await shop.client.delete(path, headers=headers), 404)
        assert len(await keys(bucket)) == 9
        shop.clock.tick(minutes=61)
        detail_of(await complete(shop, headers, begun[1], ["x"]), 404)
        shop.clock.now = datetime.now(UTC) + timedelta(days=1, minutes=1)
        await shop.service.keeping.once()
        assert await keys(bucket) == []


def test_whatever_is_asked_of_uploads_is_answered_as_the_document_says(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_shop_fuzz, "running", partial(running, models=address))
    with test_shop_fuzz.served(tmp_path) as (shop, headers, document):
        asked = [(path, method) for path, methods in document["paths"].items() for method in methods if "/up" in path]
        for path, method in asked:
            operation = schemathesis.openapi.from_dict(document)[path][method.upper()]
            test_shop_fuzz._ask(operation, shop, headers["customer"])  # noqa: SLF001 - of the same suite
    assert len(asked) == 3


def test_a_machine_without_the_server_is_told_where_it_was_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(servers.Absent, match=f"is neither on PATH nor in {tmp_path}/touchstone/bin"):
        servers.s3(tmp_path).__enter__()


async def test_the_shop_says_503_while_the_store_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with parts.started(servers.s3(tmp_path / "s3")) as server:
        for name, value in server.keys.items():
            monkeypatch.setenv(name, value)
        async with running(tmp_path, models=server.address) as shop:
            _, headers = await shop.customer()
            declared = base64.b64encode(hashlib.sha256(MODEL).digest()).decode()
            headers_ = {**headers, "content-digest": f"sha-256=:{declared}:"}
            server.stop()
            for answer in (
                await shop.client.post("/models", content=MODEL, headers=headers_),
                await shop.client.post("/uploads", json={"size": 5}, headers=headers),
            ):
                assert "try again" in detail_of(answer, 503)
            server.start()
            assert (await shop.client.post("/models", content=MODEL, headers=headers_)).status_code == 201


async def test_cold_models_go_to_the_storage_class_that_was_named(address: str, bucket: Bucket) -> None:
    store = create_store(f"{address}&cold_class=GLACIER_IR")
    said: dict[str, Any] = {}
    name = (await store.put(stream(MODEL))).name
    await store.admit(name)
    client = store._bucket._client  # type: ignore[attr-defined] # noqa: SLF001 - this server keeps no class
    client.meta.events.register("before-call.s3.CopyObject", lambda params, **_: said.update(params["headers"]))
    await store.cool(name)
    assert said["x-amz-storage-class"] == "GLACIER_IR"
    assert await store.area(name) is Area.COLD
    assert await keys(bucket) == [f"cold/{name[:2]}/{name[2:]}"]
    await store.close()


def test_those_outside_get_addresses_of_the_server_that_they_know(address: str, s3: S3Server) -> None:
    place = replace(Place.at(address), public="https://models.example.com")
    signed = Bucket(place, s3.access_key, s3.secret).signed("upload_part", 60, Key="k", UploadId="u", PartNumber=1)
    assert signed.startswith(f"https://models.example.com/{place.bucket}/k?")
    assert s3.secret not in signed


def test_the_secret_of_the_server_is_in_no_command_line(s3: S3Server) -> None:
    with open(f"/proc/{s3.pid}/cmdline", "rb") as file:  # noqa: PTH123 - no ordinary file
        assert s3.secret.encode() not in file.read()
    assert os.path.exists(f"/proc/{s3.pid}")  # noqa: PTH110 - no ordinary file
