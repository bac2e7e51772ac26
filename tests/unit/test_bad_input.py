"""Bad input to the command line: one clear sentence and exit status 2, or a quarantine whose counts add up."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[2]
HEADER: Final = "order,status,time\n"
GOOD: Final = "1,A,2026-01-01\n1,B,2026-01-02\n1,C,2026-01-09\n"
COLUMNS: Final = {"order": "order", "status": "status"}
EVENTS: Final = {"format": "csv", **COLUMNS, "time": "time"}
LOGS: Final[dict[str, dict[str, Any]]] = {
    "events": EVENTS,
    "german": {**EVENTS, "time_format": "%d.%m.%Y"},
    "zoned": {**EVENTS, "time_format": "%Y-%m-%dT%H:%M:%S%z"},
    "berlin": {**EVENTS, "timezone": "Europe/Berlin"},
    "activities": {"format": "csv", **COLUMNS, "start": "start", "end": "end"},
    "wide": {"format": "wide", "order": "order", "statuses": {"A": "a", "B": "b", "C": "c"}},
    "xes": {"format": "xes"},
    "cloudevents": {"format": "cloudevents"},
    "by": EVENTS,
}
MEMORY_MB: Final = 600
# Runs the command line as a child and adds its peak memory to what it said.
MEASURED: Final = """
import resource, subprocess, sys
child = subprocess.run(sys.argv[1:])
sys.stderr.write(f"@{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}")
sys.exit(child.returncode)
"""


class Ran(NamedTuple):
    """What a run of the command line gave: exit status, both outputs, and peak memory in megabytes."""

    status: int
    out: str
    said: str
    memory_mb: float


def touchstone(*arguments: str | Path, given: bytes | None = None) -> Ran:
    """Run the command line in a process of its own."""
    line = [sys.executable, "-c", MEASURED, sys.executable, "-m", "touchstone", *map(str, arguments)]
    done = subprocess.run(line, cwd=ROOT, input=given, capture_output=True, check=False)
    said, _, memory = done.stderr.decode().rpartition("@")
    return Ran(done.returncode, done.stdout.decode(), said, int(memory) / 1024)


def promise_file(folder: Path, kind: str = "events") -> Path:
    """Write a small promise file for logs of a kind."""
    length = {"by": "due"} if kind == "by" else {"within": "5d"}
    promise = {
        "touchstone": 1,
        "name": "small",
        "statuses": {"main": ["A", "B", "C"], "cancelled": ["X"]},
        "stages": [
            {"name": "first", "in": ["A", "A:done"], "kind": "wait", "budget": "1d"},
            {"name": "second", "in": ["B", "B:done"], "kind": "work", "budget": "2d"},
        ],
        "promise": {"from": "A", "to": "C", **length},
        "log": LOGS[kind],
    }
    path = folder / f"{kind}.yaml"
    path.write_text(json.dumps(promise), encoding="utf-8")
    return path


def replay(folder: Path, log: bytes | str, kind: str = "events", *further: str | Path, name: str = "log") -> Ran:
    """Replay a log with a small promise, as JSON."""
    path = folder / name
    path.write_bytes(log if isinstance(log, bytes) else log.encode())
    return touchstone("replay", path, "--promise", promise_file(folder, kind), "--json", *further)


def assert_refused(ran: Ran, *words: str) -> None:
    """Exit status 2, nothing on standard output, and one sentence that holds the words."""
    assert ran.status == 2, ran
    assert ran.out == ""
    assert len(ran.said.strip().splitlines()) == 1
    assert ran.said.startswith("touchstone: ")
    assert len(ran.said) < 1_500
    for word in words:
        assert word in ran.said


def event(number: int, **changes: Any) -> str:
    """Return a CloudEvent as a line of JSON."""
    base = {"id": str(number), "source": "/shop", "subject": "1", "time": "2026-01-01T00:00:00Z"}
    return json.dumps({**base, "sequence": str(number), "data": {"status": "A"}, **changes})


def trace(count: int = 1) -> str:
    """Return XES of traces with three events each, without its end."""
    found = ['<?xml version="1.0"?><log>']
    for order in range(count):
        found.append(f'<trace><string key="concept:name" value="{order}"/>')
        found += [
            f'<event><string key="concept:name" value="{status}"/>'
            f'<date key="time:timestamp" value="2026-01-0{day}T00:00:00Z"/></event>'
            for day, status in enumerate("ABC", 1)
        ]
        found.append("</trace>")
    return "".join(found)


JUNK: Final = bytes(number * number * 7 % 251 for number in range(100_000))
REFUSED: Final[dict[str, tuple[str, bytes | str, tuple[str, ...]]]] = {
    "an empty file": ("events", "", ("is empty",)),
    "a header only": ("events", HEADER, ("only a header",)),
    "blank lines": ("events", "\n \n\n", ("is empty",)),
    "binary junk": ("events", JUNK, ("column names",)),
    "NUL in the header": ("events", "order\0,status,time\n" + GOOD, ("column names",)),
    "a header of 50 MB": ("events", b"x" * 50_000_000, (":1:", "column names")),
    "a missing column": ("events", "order,state,time\n" + GOOD, ("`status`", "order, state, time")),
    "only unknown statuses": ("events", HEADER + "1,Q,2026-01-03\n", ("Q", "promise init")),
    "only wrong times": ("events", HEADER + "1,A,yesterday\n", ("the time cannot be read", "`log`")),
    "a wrong time format": ("german", HEADER + GOOD, ("the time cannot be read",)),
    "only negative durations": ("activities", "order,status,start,end\n1,A,2026-01-03,2026-01-01\n", ("ends before",)),
    "a gzip bomb of CSV": ("events", gzip.compress((HEADER + GOOD).encode() + b"\n" * 80_000_000), ("bomb",)),
    "a gzip bomb of XES": ("xes", gzip.compress(trace().encode() + b" " * 80_000_000), ("bomb",)),
    "a gzip bomb of JSON": ("cloudevents", gzip.compress(event(1).encode() + b"x" * 80_000_000), ("bomb",)),
    "a gzip bomb of zeros": ("events", gzip.compress(b"\0" * 80_000_000), ("blanks",)),
    "what only begins like gzip": ("events", b"\x1f\x8b" + JUNK, ("does not unpack",)),
    "XML that is no XES": ("xes", "<html><body>no</body></html>", ("<html>",)),
    "CSV taken for XES": ("xes", HEADER + GOOD, ("no XES log",)),
    "CSV taken for CloudEvents": ("cloudevents", HEADER + GOOD, ("no JSON",)),
    "CloudEvents taken for CSV": ("events", event(1) + "\n" + event(2), ("looks like JSON", "format: cloudevents")),
    "XES taken for CSV": ("events", trace() + "</log>", ("looks like XES", "format: xes")),
    "a JSON list": ("cloudevents", f"[{event(1)},{event(2)}]", ("no JSON object",)),
    "JSON without status events": ("cloudevents", "{}\n[]\nnull\n", ("`data` is missing",)),
    "no promise moment in any order": ("by", HEADER + GOOD, ("`due`",)),
    "a wide log without a time": ("wide", "order,a,b,c\n1,,,\n", ("no time at any milestone",)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_used_at_all_is_refused_in_one_sentence(what: str, tmp_path: Path) -> None:
    kind, log, words = REFUSED[what]
    ran = replay(tmp_path, log, kind)
    assert_refused(ran, *words)
    assert ran.memory_mb < MEMORY_MB


HUGE: Final = HEADER + "1,A,2026-01-01\n1," + "x" * 40_000_000 + ",2026-01-01\n1,C,2026-01-03\n"
HOSTILE: Final = [
    event(1),
    event(2, sequence="9223372036854775807"),  # the largest that there is
    event(3, sequence="9" * 30),
    event(4, sequence=10**30),
    event(5, sequence="9" * 6000),
    event(6, sequence=-1),
    event(7, time="soon"),
    event(8, time="0001-01-01T00:00:00+14:00"),
    event(9, time="9999-12-31T23:59:59-14:00"),
    event(10, data=None),
    event(11, subject=""),
    event(12, subject=17),
    event(13, data={"status": "Q"}),
    event(14, data={"status": "\ud800"}),
    "[" * 100_000,
    '{"a":' * 5_000 + "1" + "}" * 5_000,
    '{"data":',
    "1e999",
    '{"a":"' + "x" * 3_000_000 + '"}',
    event(20, id=None),
]
# What -> (kind, log, records, events, duplicates); what is left of the records is in quarantine.
COUNTED: Final[dict[str, tuple[str, bytes | str, int, int, int]]] = {
    "a status that the promise does not know": ("events", HEADER + GOOD + "1,Q,2026-01-03\n", 4, 3, 0),
    "times of another format": ("events", HEADER + GOOD + "1,A,yesterday\n1,B,01.02.2026\n1,B,\n", 6, 3, 0),
    "times far out of range": (
        "events",
        HEADER + GOOD + "1,A,290000-01-01\n1,A,0001-01-01\n1,A,9999-12-31\n1,A,infinity\n",
        7,
        3,
        0,
    ),
    "times far out of range in a zone": ("berlin", HEADER + GOOD + "1,A,290000-01-01\n1,A,-290000-01-01\n", 5, 3, 0),
    "an end far out of range": (
        "activities",
        "order,status,start,end\n1,A,2026-01-01,290000-01-01\n1,A,2026-01-01,infinity\n1,C,2026-01-02,2026-01-02\n",
        4,
        2,
        0,
    ),
    "a negative duration": (
        "activities",
        "order,status,start,end\n1,A,2026-01-03,2026-01-01\n1,C,2026-01-05,2026-01-05\n",
        3,
        2,
        0,
    ),
    "offsets in a time format": (
        "zoned",
        HEADER + "1,A,2026-01-01T00:00:00+0100\n1,B,2026-01-02T00:00:00Z\n1,C,2026-01-02T00:00:00+01:00\n1,C,2026\n",
        4,
        3,
        0,
    ),
    "rows too short and too long": ("events", HEADER + GOOD + "1,B\n1,C,2026-01-09,x,y\n\n", 5, 3, 0),
    "a quote never closed": ("events", HEADER + '"1,A,2026-01-01\n' + GOOD, 4, 3, 0),
    "a quote never closed among many lines": (
        "events",
        HEADER + GOOD + '1,"A,2026-01-01\n' + "".join(f"{n},A,2026-01-01\n" for n in range(2, 300_000)),
        300_002,
        300_001,
        0,
    ),
    "one line of 40 MB": ("events", HUGE, 3, 2, 0),
    "a NUL byte": ("events", HEADER + "1,A\0,2026-01-01\n" + GOOD, 4, 3, 0),
    "mixed delimiters": ("events", HEADER + GOOD + "1;A;2026-01-01\n1\tA\t2026-01-03\n", 5, 3, 0),
    "Latin-1 after a megabyte of ASCII": (
        "events",
        (HEADER + "1,A,2026-01-01\n" * 100_000 + "ö,A,2026-01-01\n").encode("latin-1"),
        100_001,
        1,
        99_999,
    ),
    "a gzip file cut off": ("xes", gzip.compress((trace() + "</log>").encode())[:-9], 4, 3, 0),
    "an XES file cut off": ("xes", trace()[:-30], 3, 2, 0),
    "a wide log with blanks": (
        "wide",
        "order,a,b,c\n1,2026-01-01,,soon\n2,,,\n,2026-01-01,,\n1,2026-01-05,,\n",
        5,
        1,
        1,
    ),
    "hostile JSON lines": ("cloudevents", "\n".join(HOSTILE), len(HOSTILE), 2, 0),
    "repeated ids": ("cloudevents", "\n".join([event(1), event(2), event(1)]), 3, 2, 1),
}


@pytest.mark.parametrize("what", COUNTED)
def test_bad_records_are_quarantined_and_the_counts_add_up(what: str, tmp_path: Path) -> None:
    """Records are events plus duplicates plus quarantined, and the quarantine file holds each bad one."""
    kind, log, records, events, duplicates = COUNTED[what]
    bad = tmp_path / "bad.jsonl"
    ran = replay(tmp_path, log, kind, "--quarantine", bad)
    assert (ran.status, ran.said) == (0, "")
    found = json.loads(ran.out)
    assert (found["events"], found["duplicates"]) == (events, duplicates)
    assert found["events"] + found["duplicates"] + found["quarantined"] == records
    kept = [json.loads(line) for line in bad.read_bytes().splitlines()]
    assert sum(record["count"] for record in kept) == found["quarantined"]
    assert all(record["reason"] and record["where"] for record in kept)
    assert ran.memory_mb < MEMORY_MB


ODD: Final[dict[str, bytes]] = {
    "UTF-16": (HEADER + GOOD).encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + (HEADER + GOOD).encode("utf-16-be"),
    "a byte order mark": b"\xef\xbb\xbf" + (HEADER + GOOD).encode(),
    "Latin-1": (HEADER + GOOD).replace("1,", "ö,").encode("latin-1"),
    "CRLF": (HEADER + GOOD).replace("\n", "\r\n").encode(),
    "line breaks of two kinds": (HEADER.replace("\n", "\r\n") + GOOD).encode(),
    "line breaks of an old Mac": (HEADER + GOOD).replace("\n", "\r").encode(),
    "no line break at the end": (HEADER + GOOD).strip().encode(),
    "semicolons": (HEADER + GOOD).replace(",", ";").encode(),
    "duplicate column names": (HEADER + GOOD).replace("\n", ",x\n").replace("time,x", "time,time").encode(),
    "names that differ in case": (HEADER + GOOD).replace("\n", ",x\n").replace("time,x", "time,TIME").encode(),
    "blanks around column names": (HEADER.replace(",", " , ") + GOOD).encode(),
    "gzip without its suffix": gzip.compress((HEADER + GOOD).encode()),
    "gzip in two parts": gzip.compress(HEADER.encode()) + gzip.compress(GOOD.encode()),
}


@pytest.mark.parametrize("what", ODD)
def test_a_sound_log_in_odd_clothes_reads_as_any(what: str, tmp_path: Path) -> None:
    ran = replay(tmp_path, ODD[what])
    assert (ran.status, ran.said) == (0, "")
    found = json.loads(ran.out)
    assert [found[key] for key in ("events", "quarantined", "orders", "broken")] == [3, 0, 1, 1]


def test_a_cut_off_gzip_of_json_lines_loses_only_what_was_cut_off(tmp_path: Path) -> None:
    lines = "\n".join(event(n, subject=str(n)) for n in range(1, 3_000))
    packed = gzip.compress(lines.encode(), mtime=0)[:6_000]
    ran = replay(tmp_path, packed, "cloudevents")
    found = json.loads(ran.out)
    assert ran.status == 0
    assert found["quarantined"] == 1
    assert found["events"] > 500


def test_paths_that_hold_no_log_are_refused(tmp_path: Path) -> None:
    terms = promise_file(tmp_path)
    assert_refused(touchstone("replay", tmp_path, "--promise", terms, "--json"), "folder")
    assert_refused(touchstone("replay", tmp_path / "none.csv", "--promise", terms, "--json"), "none.csv", "check")
    assert_refused(touchstone("replay", terms, "--promise", terms, "--json"), "looks like JSON")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_log_without_permission_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(HEADER + GOOD)
    log.chmod(0)
    assert_refused(touchstone("replay", log, "--promise", promise_file(tmp_path), "--json"), "ermission")


@pytest.mark.parametrize(
    ("text", "word"), [(b"", "empty"), (JUNK, "UTF-8"), ((HEADER + GOOD).encode(), "no mapping"), (b"{a: [", "line")]
)
def test_what_is_no_promise_file_is_refused(text: bytes, word: str, tmp_path: Path) -> None:
    log, terms = tmp_path / "log.csv", tmp_path / "terms.yaml"
    log.write_text(HEADER + GOOD)
    terms.write_bytes(text)
    assert_refused(touchstone("replay", log, "--promise", terms, "--json"), word)
    assert_refused(touchstone("replay", log, "--promise", tmp_path, "--json"), "director")


@pytest.mark.parametrize("moment", ["garbage", "", "1", "2026-01-01T25:00", "0001-01-01", "9999-12-31", "99999-01-01"])
def test_a_moment_that_is_none_is_refused(moment: str, tmp_path: Path) -> None:
    assert_refused(replay(tmp_path, HEADER + GOOD, "events", "--as-of", moment), f"`{moment}"[:9], "moment")


def test_before_everything_there_are_no_orders(tmp_path: Path) -> None:
    ran = replay(tmp_path, HEADER + GOOD, "events", "--as-of", "1066-10-14")
    found = json.loads(ran.out)
    assert (found["as_of"], found["events"], found["orders"]) == ("1066-10-14T00:00:00.000000Z", 0, 0)
    assert found["on_time_share"] is None
    assert found["culprit"] is None


@pytest.mark.parametrize("option", ["--quarantine", "--html"])
def test_an_output_that_cannot_be_written_is_refused(option: str, tmp_path: Path) -> None:
    log = HEADER + GOOD
    assert_refused(replay(tmp_path, log, "events", option, tmp_path / "no" / "where"), "where", "another file")
    assert_refused(replay(tmp_path, log, "events", option, tmp_path), "another file")


@pytest.mark.parametrize("option", ["--quarantine", "--html"])
@pytest.mark.parametrize("name", ["log", "events.yaml"])
def test_what_is_read_is_never_written_over(option: str, name: str, tmp_path: Path) -> None:
    promise_file(tmp_path)
    assert_refused(replay(tmp_path, HEADER + GOOD, "events", option, tmp_path / name), name, "another file")
    assert (tmp_path / name).stat().st_size > 0
    assert (tmp_path / "log").read_text() == HEADER + GOOD


def test_simulate_and_init_refuse_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    nowhere, log = tmp_path / "no" / "where.csv", tmp_path / "log.csv"
    log.write_text(HEADER + GOOD)
    assert_refused(touchstone("simulate", "--days", "1", "-o", nowhere), "where.csv", "another file")
    assert_refused(touchstone("promise", "init", log, "-o", nowhere), "where.csv", "another file")
    assert_refused(touchstone("promise", "init", log, "-o", log), "another file")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_log_can_come_through_a_pipe(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    given = pack((HEADER + GOOD).encode())
    ran = touchstone("replay", "-", "--promise", promise_file(tmp_path), "--json", given=given)
    assert (ran.status, ran.said) == (0, "")
    assert json.loads(ran.out)["events"] == 3
    assert_refused(touchstone("replay", "-", "--promise", promise_file(tmp_path), "--json", given=b""), "empty")


def test_a_reader_that_goes_away_is_met_in_silence() -> None:
    """`touchstone simulate | head -1` prints one line, and no traceback."""
    line = [sys.executable, "-m", "touchstone", "simulate", "--days", "100", "--orders-per-day", "50"]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"order_id,")
        process.stdout.close()
        assert process.stderr.read() == b""
