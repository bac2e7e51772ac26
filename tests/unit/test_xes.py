"""XES event logs: every event is found once and exactly, by either reader, and hostile files do no harm."""

from __future__ import annotations

import gzip
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collectors.sources.xes import XesFields, XesLimits, read_xes
from collectors.sources.xes_fast import TraceScanner
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.sources.quarantine import BadRecord

REAL_LOGS = Path(__file__).parents[3] / "shared" / "data"
FIELDS = XesFields(attributes=("org:resource", "channel"))
SMALL_BLOCKS = XesLimits(block_bytes=256)

PLAIN_TRACE = (
    '<trace><string key="concept:name" value="{0}"/><string key="channel" value="web"/>'
    '<event><string key="concept:name" value="SUBMITTED"/>'
    '<date key="time:timestamp" value="2024-05-01T10:00:00+02:00"/></event>'
    '<event><string key="concept:name" value="SHIPPED"/>'
    '<date key="time:timestamp" value="2024-05-09T10:00:00+02:00"/></event></trace>\n'
)

Row = dict[str, Any]


def log_of(*content: str) -> str:
    return "<?xml version='1.0' encoding='UTF-8'?>\n<log>\n" + "".join(content) + "</log>\n"


def read(
    path: Path, content: str | bytes, fields: XesFields = FIELDS, limits: XesLimits | None = None
) -> tuple[list[Row], list[BadRecord]]:
    """Write a log, read it again, and return its events as rows, and what was reported as bad."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    bad: list[BadRecord] = []
    batches = list(read_xes(path, fields, bad.append, limits=limits))
    return [row for batch in batches for row in batch.to_pylist()], bad


def good(path: Path, content: str | bytes, fields: XesFields = FIELDS) -> list[Row]:
    """Read a log that must be read whole, with both readers, in blocks small enough to use the fast one."""
    answers = [
        read(path, content, fields, XesLimits(block_bytes=size, fast=fast))
        for size in (64, 1024, 1 << 20)
        for fast in (True, False)
    ]
    assert all(answer == answers[0] for answer in answers)
    rows, bad = answers[0]
    assert not bad
    return rows


def refuse(record: BadRecord) -> None:
    raise AssertionError(f"nothing is bad here, but {record} was reported")


def outcome(path: Path, content: bytes, *, fast: bool) -> tuple[list[Row], list[BadRecord]] | str:
    try:
        return read(path, content, limits=XesLimits(block_bytes=256, fast=fast))
    except BadInput as error:
        return str(error)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.xes"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("xes") / "log.xes"


# What a log says


def test_each_event_gives_one_row_with_its_number_and_null_for_what_is_missing(path: Path) -> None:
    rows = good(
        path,
        log_of(
            '<trace><string key="concept:name" value="o1"/><string key="channel" value="web"/>',
            '<event><string key="concept:name" value="SUBMITTED"/>',
            '<date key="time:timestamp" value="2024-05-01T10:00:00+02:00"/>',
            '<string key="lifecycle:transition" value="complete"/>',
            '<string key="org:resource" value="Ann"/></event>',
            "<event/></trace>",
            '<trace><event><string key="concept:name" value="SHIPPED"/></event></trace>',
        ),
    )
    nothing = dict.fromkeys(("order", "status", "time", "lifecycle", "org:resource", "channel"))
    assert rows == [
        {
            "order": "o1",
            "status": "SUBMITTED",
            "time": "2024-05-01T10:00:00+02:00",
            "lifecycle": "complete",
            "org:resource": "Ann",
            "channel": "web",
            "row": 1,
        },
        {**nothing, "order": "o1", "channel": "web", "row": 2},
        {**nothing, "status": "SHIPPED", "row": 3},
    ]


def test_batches_have_the_columns_of_the_schema_in_its_order(path: Path) -> None:
    path.write_text(log_of(PLAIN_TRACE.format("o1") * 3))
    (batch,) = read_xes(path, FIELDS, refuse, limits=SMALL_BLOCKS)
    assert batch.schema == FIELDS.schema
    assert batch.schema.names == ["order", "status", "time", "lifecycle", "org:resource", "channel", "row"]
    assert batch.schema.field("time").type == pa.string()
    assert batch.schema.field("row").type == pa.int64()


def test_a_log_without_events_gives_no_batch_and_no_complaint(path: Path) -> None:
    assert good(path, log_of()) == good(path, "<log/>") == good(path, log_of("<trace/><trace></trace>")) == []


def test_other_keys_can_play_the_parts_of_order_status_and_time(path: Path) -> None:
    fields = XesFields(order="case", status="Activity", time="at")
    event = '<string key="Activity" value="A"/><date key="at" value="t"/><string key="case" value="x"/>'
    trace = f'<trace><id key="case" value="7"/><event>{event}</event></trace>'
    rows = good(path, log_of(trace * 3), fields)
    assert [(row["order"], row["status"], row["time"]) for row in rows] == [("7", "A", "t")] * 3


def test_an_attribute_is_looked_up_on_the_event_first_and_then_on_the_trace(path: Path) -> None:
    event = '<event><string key="channel" value="shop"/></event><event><string key="a" value="b"/></event>'
    rows = good(path, log_of(f'<trace><string key="channel" value="web"/>{event}</trace>' * 3))
    assert [row["channel"] for row in rows] == ["shop", "web"] * 3


def test_of_two_values_for_one_key_the_first_counts(path: Path) -> None:
    twice = '<string key="concept:name" value="first"/><string key="concept:name" value="second"/>'
    rows = good(path, log_of(f"<trace>{twice}<event>{twice}</event></trace>" * 3))
    assert {(row["order"], row["status"]) for row in rows} == {("first", "first")}


def test_a_lifecycle_keeps_its_transition_in_any_case_and_the_numbers_of_the_events(path: Path) -> None:
    event = '<event><string key="lifecycle:transition" value="{}"/></event>'
    trace = "<trace>" + "".join(event.format(value) for value in ("start", "complete", "COMPLETE")) + "</trace>"
    rows = good(path, log_of(trace, trace), XesFields(lifecycle="complete"))
    assert [(row["lifecycle"], row["row"]) for row in rows] == [
        ("complete", 2),
        ("COMPLETE", 3),
        ("complete", 5),
        ("COMPLETE", 6),
    ]


def test_nested_attributes_are_not_those_of_the_event_or_trace(path: Path) -> None:
    inner = '<string key="concept:name" value="inner"/><event><string key="concept:name" value="inner"/></event>'
    outer = (
        f'<string key="x" value="y">{inner}</string><list key="l"><values>{inner}</values></list>'
        f'<container key="concept:name">{inner}</container>'
    )
    own = '<string key="concept:name" value="own"/>'
    rows = good(path, log_of(f"<trace>{outer}{own}<event>{outer}{own}</event></trace>" * 2))
    assert [(row["order"], row["status"]) for row in rows] == [("own", "own")] * 2


def test_globals_and_attributes_of_the_log_are_not_traces_or_events(path: Path) -> None:
    name = '<string key="concept:name" value="default"/>'
    scopes = f'<global scope="trace">{name}<trace>{name}</trace></global><global scope="event">{name}</global>'
    rows = good(path, log_of(scopes, name, "<trace><event/></trace>", name))
    assert [(row["order"], row["status"]) for row in rows] == [(None, None)]


@pytest.mark.parametrize(
    ("opens", "closes"),
    [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?pi", "?>"), ("<x>", "</x>"), ("<trace>", "</trace>")],
)
def test_whole_traces_inside_something_else_are_no_traces_of_the_log(path: Path, opens: str, closes: str) -> None:
    hidden = "".join(PLAIN_TRACE.format(f"hidden{n}") for n in range(6))
    shown = (PLAIN_TRACE.format("o1"), PLAIN_TRACE.format("o2"))
    rows = good(path, log_of(shown[0], opens, " ", hidden, closes, shown[1]))
    assert [row["order"] for row in rows] == ["o1", "o1", "o2", "o2"]


def test_a_key_may_be_written_with_references_too(path: Path) -> None:
    event = '<event><string key="R&amp;D" value="A &amp; B"/></event>'
    rows = good(path, log_of(f"<trace>{event}</trace>" * 9), XesFields(attributes=("R&D",)))
    assert [row["R&D"] for row in rows] == ["A & B"] * 9


def test_events_outside_any_trace_are_of_no_order(path: Path) -> None:
    event = '<event><string key="concept:name" value="A"/></event>'
    rows = good(path, log_of(PLAIN_TRACE.format("o1"), event, PLAIN_TRACE.format("o2")))
    assert [row["order"] for row in rows] == ["o1", "o1", None, "o2", "o2"]


def test_a_name_after_the_events_still_names_its_trace(path: Path) -> None:
    rows = good(path, log_of('<trace><event/><string key="concept:name" value="late"/></trace>' * 3))
    assert {row["order"] for row in rows} == {"late"}


# How a log may write it


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('<string key="concept:name" value="Fish &amp; &lt;chips&gt; &quot;&apos;"/>', "Fish & <chips> \"'"),
        ('<string key="concept:name" value="&amp;lt; &#233;&#x20AC;"/>', "&lt; é€"),
        ('<string key="concept:name" value="&amp;lt;"/>', "&lt;"),
        ('<string key="concept&#58;name" value="A"/>', "A"),
        ('<string key="concept:name" value="a\tb\nc\r\nd"/>', "a b c d"),
        ("<string key='concept:name' value='say \"hi\"'/>", 'say "hi"'),
        ('<string value="A" key="concept:name"/>', "A"),
        ('<string\n key = "concept:name"\tvalue\n=\n"A" />', "A"),
        ('<string key="concept:name" value="A"></string>', "A"),
        ('<string key="concept:name" value="A"> text </string>', "A"),
        ('<string key="concept:name" type="x" value="A"/>', "A"),
        ('<!-- <string key="concept:name" value="no"/> --><string key="concept:name" value="A"/>', "A"),
        ('<![CDATA[</event></trace>]]><string key="concept:name" value="A"/><?pi </trace>?>', "A"),
        ('<string key="concept:name" value="a > b / c = d"/>', "a > b / c = d"),
        ('<string key="concept:name" value=""/>', ""),
        ('<string key="concept:name" value="Ünïcödé \U0001f48d \ufffd"/>', "Ünïcödé \U0001f48d \ufffd"),
        ('<boolean key="concept:name" value="true"/>', "true"),
        ('<string value="A"/><string key="other"/>', None),
        ('<string key="concept:name"/>', None),
    ],
)
def test_an_attribute_means_the_same_however_xml_lets_one_write_it(path: Path, written: str, meant: str | None) -> None:
    trace = f"<trace>{written}<event>{written}</event></trace>"
    rows = good(path, log_of(PLAIN_TRACE.format("o0"), trace, PLAIN_TRACE.format("o2"), trace))
    assert [(row["order"], row["status"]) for row in rows if row["row"] in (3, 6)] == [(meant, meant)] * 2


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "iso-8859-1", "windows-1252", "us-ascii"]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_log_is_read_in_the_encoding_that_it_declares(path: Path, encoding: str, newline: str) -> None:
    # In Latin-1 these are bytes that would be sound UTF-8 and mean something else.
    name = "plain" if encoding == "us-ascii" else "GrÃ¶Ã¤e"
    declared = encoding.removesuffix("-sig").removesuffix("-le").upper()
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    text = log_of(*(PLAIN_TRACE.format(order) for order in ("a", name, "b"))).replace("UTF-8", declared)
    rows = good(path, (mark + text.replace("\n", newline)).encode(encoding))
    assert [row["order"] for row in rows] == ["a", "a", name, name, "b", "b"]


def test_namespaces_change_nothing_whether_default_or_with_a_prefix(path: Path) -> None:
    plain = log_of(*(PLAIN_TRACE.format(f"o{n}") for n in range(5)))
    prefixed = plain.replace("</", "</xes:").replace("<", "<xes:").replace("<xes:/xes:", "</xes:")
    prefixed = prefixed.replace("<xes:?xml", "<?xml")
    namespace = "http://www.xes-standard.org/"
    expected = good(path, plain)
    assert good(path, plain.replace("<log>", f'<log xes.version="1.0" xmlns="{namespace}">')) == expected
    assert good(path, prefixed.replace("<xes:log>", f'<xes:log xmlns:xes="{namespace}">')) == expected


# The two readers agree


@pytest.mark.parametrize(
    ("trace", "plain"),
    [
        (PLAIN_TRACE.format("o1").strip(), True),
        (PLAIN_TRACE.format("Fish &amp; chips").strip(), True),
        (PLAIN_TRACE.format("Größe").strip(), True),
        (PLAIN_TRACE.format("o1").strip().replace("><", ">\r\n\t<").replace('"/', '" /'), True),
        (PLAIN_TRACE.format("&#233;").strip(), False),
        (PLAIN_TRACE.format("a<b").strip(), False),
        (PLAIN_TRACE.format("a\tb").strip(), False),
        (PLAIN_TRACE.format("\uffff").strip(), False),
        (PLAIN_TRACE.format("o1").replace("<event>", "<!-- --><event>").strip(), False),
        (PLAIN_TRACE.format("o1").replace('"web"', "'web'").strip(), False),
        ("<trace>" + PLAIN_TRACE.format("o1").strip(), False),
        (PLAIN_TRACE.format("o1").replace("</event>", "").strip(), False),
        (PLAIN_TRACE.format("o1").replace("<event>", "<event><event>").strip(), False),
        (PLAIN_TRACE.format("o1").replace("<event>", "</event><event>", 1).strip(), False),
        (PLAIN_TRACE.format("o1").replace("/><event>", "/></trace><event>", 1).strip(), False),
        (PLAIN_TRACE.format("o1").replace('value="web"', 'value="a" value="b"').strip(), False),
        (PLAIN_TRACE.format("o1").replace('value="web"', 'value="a" value="b" value="c"').strip(), False),
        (PLAIN_TRACE.format("o1").replace(' value="web"', "").strip(), False),
        ("text" + PLAIN_TRACE.format("o1").strip(), False),
        (" " * 5000 + PLAIN_TRACE.format("o1").strip(), False),
        ("<trace></trace>", False),
    ],
)
def test_the_fast_reader_takes_plain_traces_and_leaves_the_rest(trace: str, plain: bool) -> None:  # noqa: FBT001
    assert (TraceScanner(FIELDS, XesLimits()).read(trace.encode()) is not None) == plain


def test_the_fast_reader_leaves_bytes_that_are_no_utf8() -> None:
    assert TraceScanner(FIELDS, XesLimits()).read(PLAIN_TRACE.format("ö").strip().encode("latin-1")) is None


KEYS = st.sampled_from(["concept:name", "time:timestamp", "lifecycle:transition", "org:resource", "channel", "x"])
TEXTS = st.text(st.sampled_from("ab <>&\"'/=\t\né\u20ac\ufffd;]-"), max_size=8)
SPACES = st.sampled_from(["", "", "", "\n  ", " ", "\r\n"])
ODDITIES = st.sampled_from(
    [
        "<!-- </trace> -->",
        '<!-- <event> " -->',
        "<![CDATA[</trace><trace>]]>",
        "<?pi </trace> ?>",
        "text",
        '<list key="channel"><string key="channel" value="inner"/></list>',
        '<string key="org:resource"><string key="concept:name" value="inner"/></string>',
        '<container key="c"><values><event><string key="concept:name" value="inner"/></event></values></container>',
    ]
)


PLAIN_ATTRIBUTES = st.tuples(
    SPACES,
    st.sampled_from(["string", "date", "int", "float", "boolean", "id"]),
    KEYS,
    TEXTS.map(lambda text: escape(text, {'"': "&quot;", "\t": " ", "\n": " "})),
).map(lambda a: f'{a[0]}<{a[1]} key="{a[2]}" value="{a[3]}"/>')
ODD_ATTRIBUTES = st.tuples(
    st.sampled_from(
        [
            '<string value="{1}" key="{0}"/>',
            "<string key='{0}' value=\"{1}\"/>",
            '<string key="{0}" value="{1}"></string>',
            '<string key="{0}"/>',
        ]
    ),
    KEYS,
    TEXTS.map(lambda text: escape(text, {'"': "&quot;", "\t": "&#9;"})),
).map(lambda a: a[0].format(a[1], a[2]))


def elements(name: str, content: st.SearchStrategy[str], least: int, most: int) -> st.SearchStrategy[str]:
    return st.tuples(SPACES, st.lists(content, min_size=least, max_size=most), SPACES).map(
        lambda parts: f"{parts[0]}<{name}>{''.join(parts[1])}{parts[2]}</{name}>"
    )


def concatenated(*parts: st.SearchStrategy[list[str]]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda lists: "".join(piece for pieces in lists for piece in pieces))


PLAIN_EVENTS = elements("event", PLAIN_ATTRIBUTES, 1, 4)
PLAIN_TRACES = elements(
    "trace",
    concatenated(st.lists(PLAIN_ATTRIBUTES, min_size=1, max_size=3), st.lists(PLAIN_EVENTS, max_size=3)),
    1,
    1,
)
ODD_CONTENT = st.one_of(PLAIN_ATTRIBUTES, ODD_ATTRIBUTES, ODDITIES)
ODD_TRACES = elements("trace", st.one_of(ODD_CONTENT, elements("event", ODD_CONTENT, 0, 4)), 0, 5)
TRACES = st.sampled_from([PLAIN_TRACES] * 9 + [ODD_TRACES]).flatmap(lambda kind: kind)
DOCUMENTS = st.lists(TRACES, max_size=10).map(lambda traces: log_of(*traces))


def told_by_a_tree(content: str) -> list[Row]:
    """Read a log the plain way, as a tree: what both readers must agree with."""

    def first_values(element: ET.Element) -> dict[str, str]:
        pairs = [(child.get("key"), child.get("value")) for child in element if child.tag != "event"]
        return {key: value for key, value in reversed(pairs) if key is not None and value is not None}

    rows: list[Row] = []
    for trace in ET.fromstring(content.encode()).findall("trace"):  # noqa: S314 # our own text
        of_trace = first_values(trace)
        for event in trace.findall("event"):
            own = first_values(event)
            row = {"order": of_trace.get("concept:name"), "status": own.get("concept:name")}
            row |= {"time": own.get("time:timestamp"), "lifecycle": own.get("lifecycle:transition")}
            row |= {key: own.get(key, of_trace.get(key)) for key in FIELDS.attributes}
            rows.append({**row, "row": len(rows) + 1})
    return rows


relaxed = settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])


@relaxed
@given(content=DOCUMENTS)
def test_fast_reader_xml_parser_and_tree_agree_on_any_log(scratch: Path, content: str) -> None:
    expected = told_by_a_tree(content)
    assert read(scratch, content, limits=SMALL_BLOCKS) == (expected, [])
    assert read(scratch, content, limits=XesLimits(block_bytes=256, fast=False)) == (expected, [])


SOUND = log_of(*(PLAIN_TRACE.format(f"o{n}") for n in range(8))).encode()
SCRAPS = st.sampled_from(
    [
        *b"""< > " ' / & = <!-- --> ]]> <![CDATA[ </trace> <trace> </event> <event> </log> <event/> <x>""".split(),
        *b"""&amp; &#0; <?a </trace><trace> </event></trace> "/> value=" key=" \0 \xff \xc3 \xef\xbf\xbf""".split(),
        *(b" ", b"\n", b'" value="', b'<string key="'),
    ]
)


@relaxed
@given(
    wounds=st.lists(
        st.tuples(st.integers(40, len(SOUND)), st.integers(0, 12), st.one_of(st.just(b""), SCRAPS)),
        min_size=1,
        max_size=3,
    )
)
@example(wounds=[(len(SOUND) - 30, 0, b"</trace>")])
@example(wounds=[(1000, 0, b"<!--"), (1500, 0, b"-->")])
def test_both_readers_say_the_same_of_a_damaged_log(scratch: Path, wounds: list[tuple[int, int, bytes]]) -> None:
    content = SOUND
    for at, removed, inserted in wounds:
        content = content[:at] + inserted + content[at + removed :]
    assert outcome(scratch, content, fast=True) == outcome(scratch, content, fast=False)


@pytest.mark.parametrize(
    ("name", "events"),
    [("helpdesk", 21_348), ("bpi2012_w_complete", 72_413), ("bpi2020_domestic", 56_437), ("sepsis", 15_214)],
)
def test_real_logs_are_read_whole_and_alike_by_both_readers(name: str, events: int) -> None:
    path = REAL_LOGS / f"{name}.xes.gz"
    if not path.exists():
        pytest.skip(f"the research log {name} is not here; it is not ours to copy into the repository")
    tables = [
        pa.Table.from_batches(read_xes(path, FIELDS, refuse, limits=XesLimits(fast=fast))) for fast in (True, False)
    ]
    assert tables[0].equals(tables[1])
    assert tables[0].num_rows == events
    assert tables[0]["row"].to_pylist() == list(range(1, events + 1))
    assert [tables[0][name].null_count for name in ("order", "status", "time")] == [0, 0, 0]


# Files that break off


def test_a_log_cut_anywhere_gives_its_whole_events_and_one_bad_record(scratch: Path) -> None:
    for cut in range(SOUND.index(b"<log>") + 5, len(SOUND) - len(b"</log>\n"), 7):
        rows, bad = read(scratch, SOUND[:cut], limits=SMALL_BLOCKS)
        assert len(rows) == SOUND[:cut].count(b"</event>")
        (record,) = bad
        assert "breaks off" in record.reason
        assert record.where.startswith("line ")
        assert int(record.where.rpartition(" ")[2]) <= cut


def test_the_bad_record_of_a_broken_log_names_the_line_the_byte_and_the_order(path: Path) -> None:
    broken = SOUND.replace(b'"o6"/>', b'"o6"/><oops', 1)
    rows, (record,) = read(path, broken, limits=SMALL_BLOCKS)
    assert len(rows) == 12
    assert record.reason.endswith("what follows was not read")
    at = broken.index(b"<oops") + len(b"<oops")
    assert record.where == f"line {broken[:at].count(10) + 1}, byte {at}"
    assert record.order == "o6"


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.999])
def test_a_gzip_cut_short_gives_the_events_before_the_cut_and_one_bad_record(path: Path, share: float) -> None:
    packed = gzip.compress(log_of(*(PLAIN_TRACE.format(n * 7919) for n in range(3000))).encode())
    rows, (record,) = read(path, packed[: int(len(packed) * share)])
    assert 0 < len(rows) <= 6000
    assert [row["row"] for row in rows] == list(range(1, len(rows) + 1))
    assert "gzip data end too early" in record.reason


def test_a_damaged_gzip_is_one_bad_record(path: Path) -> None:
    packed = bytearray(gzip.compress(log_of(*(PLAIN_TRACE.format(n * 7919) for n in range(30_000))).encode()))
    packed[-6] ^= 0xFF
    rows, (record,) = read(path, bytes(packed))
    assert len(rows) > 50_000
    assert "gzip data are damaged" in record.reason


def test_a_gzip_of_several_members_and_padding_is_one_log(path: Path) -> None:
    packed = gzip.compress(SOUND[:1000]) + gzip.compress(b"") + gzip.compress(SOUND[1000:]) + b"\0" * 512
    assert read(path, packed) == read(path, SOUND)


# Files that are no logs, or mean harm


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "malformed"),
        (b"PK\x03\x04", "malformed"),
        (b"order,status\n1,A\n", "malformed"),
        (b"<html><body>Not found</body></html>", "root element is <html>"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b'<string key="concept:name" value="A"/>', "root element is <string>"),
        (b"<?xml version='1.0'?><lo", "breaks off"),
        (b"<?xml version='1.0' encoding='klingon'?><log/>", "klingon"),
        (b"<?xml version='1.0' encoding='shift_jis'?><log/>", "save it as UTF-8"),
        (gzip.compress(b"", mtime=0), "it is empty"),
        (b"\x1f\x8bjunk", "gzip data are damaged"),
        (gzip.compress(SOUND, mtime=0)[:12], "gzip data end too early"),
    ],
)
def test_what_is_no_log_is_refused_with_one_sentence(path: Path, content: bytes, said: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read(path, content)
    assert str(refusal.value).startswith(f"{path}: ")
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["missing.xes", "."])
def test_a_file_that_cannot_be_opened_is_refused_with_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        next(read_xes(tmp_path / name, FIELDS, refuse))


def test_a_document_type_is_refused_before_its_entities_are_read(path: Path) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 20))
    bomb = f'<?xml version="1.0"?>\n<!DOCTYPE log [<!ENTITY e0 "lol">{entities}]>\n<log>&e19;</log>'
    with pytest.raises(BadInput, match="line 2: declares a DOCTYPE"):
        read(path, bomb)


def test_a_decompression_bomb_is_refused(path: Path) -> None:
    packed = gzip.compress(log_of(" " * (4 << 20)).encode())
    with pytest.raises(BadInput, match="decompression bomb"):
        read(path, packed, limits=XesLimits(ratio_after_bytes=1 << 20))
    with pytest.raises(BadInput, match="decompression bomb"):
        read(path, packed, limits=XesLimits(inflated_bytes=1 << 20))
    assert read(path, packed) == ([], [])


@pytest.mark.parametrize(
    "giant",
    ['<string key="x" value="{}"/>', "<!-- {} -->", "<x {}='1'/>", "<?pi {}?>"],
    ids=["value", "comment", "name", "instruction"],
)
def test_a_tag_or_comment_of_any_length_is_given_up_with_a_bad_record(path: Path, giant: str) -> None:
    content = log_of(PLAIN_TRACE.format("o1"), giant.format("x" * 300_000), PLAIN_TRACE.format("o2"))
    rows, (record,) = read(path, content, limits=XesLimits(block_bytes=1024, markup_bytes=100_000))
    assert [row["order"] for row in rows] == ["o1", "o1"]
    assert "longer than 100000 bytes" in record.reason


@pytest.mark.parametrize("giant", ["{}", "<![CDATA[{}]]>"])
def test_text_of_any_length_passes_through(path: Path, giant: str) -> None:
    content = log_of(PLAIN_TRACE.format("o1"), giant.format("x" * 300_000), PLAIN_TRACE.format("o2"))
    rows, bad = read(path, content, limits=XesLimits(block_bytes=1024, markup_bytes=10_000))
    assert (len(rows), bad) == (4, [])


def test_a_value_that_is_far_too_long_becomes_null_and_is_reported(path: Path) -> None:
    content = log_of(*(PLAIN_TRACE.format(name) for name in ("o1", "é" * 50, "é" * 51, "o4")))
    answers = [read(path, content, limits=XesLimits(block_bytes=512, value_chars=50, fast=f)) for f in (True, False)]
    assert answers[0] == answers[1]
    rows, (record,) = answers[0]
    assert [row["order"] for row in rows[::2]] == ["o1", "é" * 50, None, "o4"]
    assert (record.field, record.where) == ("concept:name", "line 5")


def test_a_trace_of_any_length_passes_through_in_bounded_batches(path: Path) -> None:
    event = '<event><string key="concept:name" value="A"/></event>'
    path.write_text(log_of('<trace><string key="concept:name" value="o1"/>', event * 5000, "</trace>"))
    limits = XesLimits(block_bytes=4096, batch_rows=100)
    batches = list(read_xes(path, FIELDS, refuse, limits=limits))
    assert sum(batch.num_rows for batch in batches) == 5000
    assert max(batch.num_rows for batch in batches) < 300
    assert {order for batch in batches for order in batch["order"].to_pylist()} == {"o1"}


@pytest.mark.parametrize("fast", [True, False])
def test_a_long_name_copied_to_many_events_keeps_batches_small(path: Path, fast: bool) -> None:  # noqa: FBT001
    event = '<event><string key="concept:name" value="A"/></event>'
    trace = f'<trace><string key="concept:name" value="{"n" * 5000}"/>{event * 2000}</trace>'
    path.write_text(log_of(trace * 5))
    limits = XesLimits(batch_bytes=1 << 20, fast=fast)
    batches = list(read_xes(path, FIELDS, refuse, limits=limits))
    assert sum(batch.num_rows for batch in batches) == 10_000
    assert max(batch.nbytes for batch in batches) < 2 << 20


def test_bottomless_nesting_and_endless_names_are_refused(path: Path) -> None:
    with pytest.raises(BadInput, match="nests elements"):
        read(path, log_of("<a>" * 2000))
    with pytest.raises(BadInput, match="names"):
        read(path, log_of("".join(f"<a{n}/>" for n in range(11_000))))


def test_a_comment_full_of_ends_of_traces_costs_no_more_than_another(path: Path) -> None:
    content = log_of(PLAIN_TRACE.format("o1"), "<!--", "</trace>" * 500_000, "-->", PLAIN_TRACE.format("o2"))
    began = time.process_time()
    assert len(good_at_once(path, content)) == 4
    assert time.process_time() - began < 3


def good_at_once(path: Path, content: str) -> list[Row]:
    rows, bad = read(path, content)
    assert not bad
    return rows


# Living with its caller


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_progress_counts_the_bytes_of_the_file_up_to_its_size(path: Path, pack: Callable[[bytes], bytes]) -> None:
    content = pack(log_of(*(PLAIN_TRACE.format(n * 7919) for n in range(3000))).encode())
    path.write_bytes(content)
    told: list[int] = []
    list(read_xes(path, FIELDS, refuse, progress=told.append, limits=XesLimits(block_bytes=1 << 16)))
    assert told == sorted(told)
    assert told[-1] == len(content)


def test_a_reader_given_up_halfway_leaves_no_thread_behind(path: Path) -> None:
    path.write_text(log_of(*(PLAIN_TRACE.format(n) for n in range(3000))))
    batches = read_xes(path, FIELDS, refuse, limits=XesLimits(block_bytes=1 << 12, batch_rows=10))
    next(batches)
    assert any(thread.name.startswith("inflate") for thread in threading.enumerate())
    batches.close()  # type: ignore[attr-defined]
    assert not any(thread.name.startswith("inflate") for thread in threading.enumerate())


def test_an_error_of_the_caller_passes_through_unchanged(path: Path) -> None:
    def complain(_record: BadRecord) -> None:
        raise ValueError("the quarantine is full")

    path.write_text(log_of(PLAIN_TRACE.format("x" * 100)))
    with pytest.raises(ValueError, match="the quarantine is full"):
        list(read_xes(path, FIELDS, complain, limits=XesLimits(value_chars=50)))
