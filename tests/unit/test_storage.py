"""Where models lie: one suite for every store, in a folder and on a real S3 server."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from instrumentation.errors import BadInput
from pricing.storage import Area, Mismatch, ModelStore, create_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

SMALL: Final = b"a small ring"
LARGE: Final = bytes(range(256)) * 100_000  # 25.6 MB: four parts on S3
MEGABYTE: Final = 1024 * 1024


@pytest.fixture(params=["folder", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of a store that nobody else uses."""
    if request.param == "folder":
        return f"file://{tmp_path / 'models'}"
    server = request.getfixturevalue("s3")
    for name, value in server.keys.items():
        monkeypatch.setenv(name, value)
    digest = hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20]
    return f"{server.address_of(f'test-{digest}')}&cache={tmp_path / 'cache'}"


@pytest.fixture
async def store(address: str) -> AsyncIterator[ModelStore]:
    """Open the store."""
    opened = create_store(address)
    yield opened
    await opened.close()


async def stream(content: bytes, part: int = 100_000) -> AsyncIterator[bytes]:
    """Yield some bytes in parts."""
    for at in range(0, len(content), part):
        yield content[at : at + part]


async def read(store: ModelStore, name: str) -> bytes:
    """Return what an object holds."""
    return b"".join([part async for part in store.open(name)])


async def everything(store: ModelStore) -> dict[str, Area]:
    """Return all that is kept, and where; every object but once."""
    found = [(one.name, area) for area in Area async for one in store.kept(area)]
    assert max(Counter(name for name, _ in found).values(), default=1) == 1, found
    return dict(found)


def name_of(content: bytes) -> str:
    """Return the name of an object."""
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("content", [SMALL, LARGE, b"x" * 8 * MEGABYTE, b""], ids=["small", "large", "a part", "empty"])
async def test_what_is_put_is_read_again_by_its_hash_also_by_another_process(
    store: ModelStore, address: str, content: bytes
) -> None:
    stored = await store.put(stream(content))
    assert stored == (name_of(content), len(content))
    again = create_store(address)
    assert (await again.exists(stored.name), await again.size(stored.name)) == (True, len(content))
    assert await read(again, stored.name) == content
    async with again.local(stored.name) as path:
        assert path.read_bytes() == content
    await again.close()


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_the_same_bytes_are_kept_once_whatever_area_they_lie_in(store: ModelStore, content: bytes) -> None:
    name = name_of(content)
    for move, area in ((None, Area.QUARANTINE), (store.admit, Area.HOT), (store.cool, Area.COLD)):
        if move is not None:
            await move(name)
        assert (await store.put(stream(content), sha256=name, size=len(content))).name == name
        assert await everything(store) == {name: area}


async def test_the_same_bytes_put_at_once_by_many_are_one_object(store: ModelStore) -> None:
    together = await asyncio.gather(*(store.put(stream(LARGE[: 9 * MEGABYTE])) for _ in range(6)))
    assert len(set(together)) == 1
    assert await everything(store) == {together[0].name: Area.QUARANTINE}


async def test_a_model_that_is_put_while_it_is_admitted_lies_in_one_place_at_last(store: ModelStore) -> None:
    name = (await store.put(stream(SMALL))).name
    await asyncio.gather(store.admit(name), *(store.put(stream(SMALL)) for _ in range(5)), store.admit(name))
    assert await everything(store) == {name: Area.HOT}


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_what_is_not_as_declared_is_refused_in_a_sentence_and_leaves_nothing(
    store: ModelStore, content: bytes
) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"sha256": name_of(b"another")}, "SHA-256"),
        ({"size": len(content) - 1}, "more arrived"),
        ({"size": len(content) + 1}, "bytes were declared"),
        ({"sha256": name_of(content), "size": 3}, "3 bytes"),
    ]
    for declared, says in wrong:
        with pytest.raises(Mismatch, match="send the file again") as refusal:
            await store.put(stream(content), **declared)
        assert says in str(refusal.value)
    assert await everything(store) == {}
    assert await left_over(store) == []


@pytest.mark.parametrize("size", [1_000, 20 * MEGABYTE])
async def test_a_stream_that_breaks_off_leaves_nothing(store: ModelStore, size: int) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        async for part in stream(bytes(size)):
            yield part
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.put(breaking())
    assert await everything(store) == {}
    assert await left_over(store) == []


async def test_an_upload_that_is_cancelled_leaves_nothing(store: ModelStore) -> None:
    begun = asyncio.Event()

    async def hanging() -> AsyncIterator[bytes]:
        async for part in stream(LARGE):
            yield part
        begun.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(store.put(hanging()))
    await begun.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await everything(store) == {}
    assert await left_over(store) == []


async def test_an_upload_that_is_cancelled_before_it_has_begun_leaves_no_file(tmp_path: Path) -> None:
    """At whichever moment: a file that was opened for nobody would be complained of later."""
    store = create_store(str(tmp_path / "models"))
    for turns in range(1, 6):
        putting = asyncio.create_task(store.put(stream(SMALL)))
        for _ in range(turns):
            await asyncio.sleep(0)
        putting.cancel()
        await asyncio.gather(putting, return_exceptions=True)
        gc.collect()
        assert not [path for path in (tmp_path / "models" / "incoming").iterdir() if path.is_file()]


async def test_models_move_from_quarantine_to_hot_to_cold_and_never_back(store: ModelStore) -> None:
    name = (await store.put(stream(SMALL))).name
    for move, area in ((store.admit, Area.HOT), (store.admit, Area.HOT), (store.cool, Area.COLD)):
        await move(name)
        assert await store.area(name) is area
        assert await read(store, name) == SMALL
    await store.admit(name)
    await store.put(stream(SMALL), area=Area.HOT)
    assert await everything(store) == {name: Area.COLD}


async def test_what_we_make_ourselves_is_hot_at_once_even_if_it_lay_in_quarantine(store: ModelStore) -> None:
    await store.put(stream(SMALL))
    assert await store.area((await store.put(stream(SMALL), area=Area.HOT)).name) is Area.HOT


async def test_what_was_deleted_is_gone_and_deleting_it_again_changes_nothing(store: ModelStore) -> None:
    for move in (None, store.admit, store.cool):
        name = (await store.put(stream(SMALL))).name
        if move is not None:
            await move(name)
        await store.delete(name)
        await store.delete(name)
        assert not await store.exists(name)
        for ask in (store.size, store.area, store.admit, store.cool):
            with pytest.raises(KeyError):
                await ask(name)
        with pytest.raises(KeyError):
            await read(store, name)
        with pytest.raises(KeyError):
            async with store.local(name):
                pass
    assert await everything(store) == {}


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", "ab", "A" * 64, "0" * 63 + "/", "0" * 64 + "\n"])
async def test_only_a_digest_becomes_a_place(store: ModelStore, name: str) -> None:
    assert not await store.exists(name)
    for ask in (store.size, store.area, store.admit, store.cool, store.delete):
        with pytest.raises(KeyError):
            await ask(name)
    with pytest.raises(KeyError):
        await read(store, name)
    with pytest.raises(KeyError):
        async with store.local(name):
            pass


async def test_a_hundred_megabytes_pass_through_without_being_held_in_memory(store: ModelStore) -> None:
    part = bytes(range(256)) * 4_096

    async def long() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield part

    tracemalloc.start()
    try:
        stored = await store.put(long())
        size = 0
        async for read_ in store.open(stored.name):
            size += len(read_)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (stored.size, size) == (100 * MEGABYTE, 100 * MEGABYTE)
    assert peak < 40 * MEGABYTE


async def test_working_objects_last_until_they_are_tidied_away_and_nothing_else_goes(store: ModelStore) -> None:
    work = (await store.put(stream(b"a slab"), area=Area.WORK)).name
    kept = {(await store.put(stream(SMALL))).name: Area.QUARANTINE}
    kept[(await store.put(stream(b"a picture"), area=Area.HOT)).name] = Area.HOT
    await store.tidy(datetime.now(UTC) - timedelta(days=1))
    assert await everything(store) == kept | {work: Area.WORK}
    assert await read(store, work) == b"a slab"
    await store.tidy(datetime.now(UTC) + timedelta(seconds=2))
    assert await everything(store) == kept


async def test_a_working_object_that_is_put_again_is_new_again(store: ModelStore) -> None:
    name = (await store.put(stream(b"a slab"), area=Area.WORK)).name
    first = [one.at async for one in store.kept(Area.WORK)]
    await asyncio.sleep(1.1)  # S3 tells time in seconds
    assert (await store.put(stream(b"a slab"), area=Area.WORK)).name == name
    assert first < [one.at async for one in store.kept(Area.WORK)]


async def left_over(store: ModelStore) -> list[str]:
    """Return what lies beside the areas, once nothing is under way."""
    bucket = getattr(store, "_bucket", None)
    if bucket is None:
        return list(_names(getattr(store, "_incoming")))  # noqa: B009 - the protocol has none
    objects = [key async for key, _, _ in bucket.listed("")]
    return objects + [key async for key, _, _ in bucket.unfinished("")]


def _names(folder: Path) -> Iterator[str]:
    return (path.name for path in folder.rglob("*"))


def test_an_address_that_names_no_store_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOUCHSTONE_S3_SECRET", raising=False)
    (tmp_path / "file").write_text("", encoding="utf-8")
    for address, says in (
        ("http://example.com/models", "s3://bucket"),
        ("file://other-machine/models", "no folder"),
        ("s3://models?endpoint=http://127.0.0.1:1", "TOUCHSTONE_S3_SECRET"),
        ("s3://models?colour=blue", "no option `colour`"),
        ("s3://models?cache_bytes=many", "no address of a bucket"),
        ("s3://models/below", "no address of a bucket"),
        ("s3://", "no address of a bucket"),
        (str(tmp_path / "file"), "name another folder"),
    ):
        with pytest.raises(BadInput) as refusal:
            create_store(address)
        assert says in str(refusal.value)


async def test_what_is_none_of_ours_is_no_object(tmp_path: Path) -> None:
    """A file manager's leavings, or those of a network's file system, stop neither the list nor the sweep."""
    store = create_store(tmp_path)
    name = (await store.put(stream(SMALL))).name
    for left in ("quarantine/.DS_Store", f"quarantine/{name[:2]}/.nfs0001", "work/lost", "ab/.DS_Store"):
        (tmp_path / left).parent.mkdir(exist_ok=True)
        (tmp_path / left).write_bytes(b"")
    assert await everything(create_store(tmp_path)) == {name: Area.QUARANTINE}
    await store.tidy(datetime.now(UTC) + timedelta(days=1))
    assert await read(store, name) == SMALL


async def test_a_model_that_is_a_working_object_too_outlives_it(store: ModelStore) -> None:
    name = (await store.put(stream(SMALL), area=Area.WORK)).name
    assert (await store.put(stream(SMALL))).name == name
    await store.tidy(datetime.now(UTC) + timedelta(days=2))
    assert await everything(store) == {name: Area.QUARANTINE}


async def test_a_folder_from_before_there_were_areas_is_taken_over(tmp_path: Path) -> None:
    name = name_of(SMALL)
    (tmp_path / name[:2]).mkdir()
    (tmp_path / name[:2] / name[2:]).write_bytes(SMALL)
    store = create_store(tmp_path)
    assert await everything(store) == {name: Area.HOT}
    assert not (tmp_path / name[:2]).exists()
    assert await read(create_store(str(tmp_path)), name) == SMALL
