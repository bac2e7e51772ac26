"""(b) Whether what happens is heard: while events are known to be on their way, a stage without them looks slow.

A source that merely says nothing is not among these: a workshop where nobody works says nothing either, and then its
stages are slow. Here it is known that something is recorded, or could not be, and has not come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alerts.model import Edge, Recording, Scene
from alerts.rules.burning import INDICATORS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from alerts.model import Firing

# Half an hour, because alerts of stages wait for one: neither the first half hour of a silence nor a restart within it,
# from which on silence counts anew, is long enough for them. Three days, because a source that nobody mends must not
# keep slow stages quiet for good.
UNHEARD: Final = Recording(
    "touchstone:unheard",
    INDICATORS,
    """
        group(
          min(touchstone_mes_vendor_feed_age_seconds) > 1800 < 259200
          or max(touchstone_bus_outbox_oldest_age_seconds) > 1800 < 259200
          or (
            max(min_over_time(touchstone_failing_sources[30m])) > 0
            unless max(min_over_time(touchstone_failing_sources[3d])) > 0
          )
          or max by (job) (max_over_time(up[3d]))
            > max by (job) (max_over_time(up{job=~"shop|crm|mes"}[30m]))
        )
    """,
)
_OUTBOX: Final = 'touchstone_bus_outbox_oldest_age_seconds{job="crm",consumer="crm"}'
_FEED: Final = 'touchstone_mes_vendor_feed_age_seconds{{job="mes",instance="{}"}}'
_UP: Final = 'up{{job="{}",instance="{}"}}'
_FAILING: Final = "touchstone_failing_sources"
_BEGINS: Final = "0+0x30 {0}+0x220"  # evidence, a minute a value
_BEGINS_LATE: Final = "0+0x9 {0}+0x150"  # half an hour a value


def muted(series: Mapping[str, str], firing: tuple[Firing, ...]) -> Iterator[Edge]:
    """Yield the edges at which an alert of stages, by series that let it fire, is not heard and is heard again."""
    yield Edge({**series, _OUTBOX: "X"}, quiet=("1801", "259199"), loud="1800", firing=firing)


def scenes(evidence: str, series: Mapping[str, str], firing: tuple[Firing, ...]) -> Iterator[Edge | Scene]:
    """Yield all in which ``firing`` is muted or is not: by each cause, by others, for too short and for too long.

    ``evidence`` is the series that begins to be loud within them; ``series`` are the others.
    """
    loud = {**series, evidence: "5"}
    yield from muted(loud, firing)
    yield Edge({**loud, _OUTBOX: "X"}, quiet=("259199",), loud="259200", firing=firing)
    feed = {_FEED.format("a"): "X", _FEED.format("b"): "9999999"}
    yield Edge({**loud, **feed}, quiet=("1801", "259199"), loud="1800", firing=firing)
    yield Edge({**loud, **feed}, quiet=("259199",), loud="259200", firing=firing)
    later = {**series, evidence: _BEGINS.format(5)}
    away, short = {"90m": (), "91m": (), "150m": (), "210m": (), "211m": firing}, {"90m": (), "91m": firing}
    again = {"91m": (), "149m": (), "165m": (), "210m": (), "211m": firing}
    up = {_UP.format("shop", "a"): "1", _UP.format("pricing", "a"): "1+0x10 0+0x240", _UP.format("mes", "b"): "0"}
    yield Scene("a source cannot be read", {**later, _FAILING: "0+0x10 1+0x139 0+0x100"}, away)
    yield Scene("a source could not be read for 20 minutes", {**later, _FAILING: "0+0x40 1+0x19 0+0x190"}, short)
    told = {**later, _FAILING: "0+0x10 1+0x89 0+0x1 1+0x47 0+0x100"}
    yield Scene("the collector restarts, and cannot read a source again", told, again)
    for job in ("shop", "crm", "mes"):
        told = {**later, **up, _UP.format(job, "a"): "1+0x10 0+0x139 1+0x100"}
        yield Scene(f"{job} is down", told, away)
    told = {**later, **up, _UP.format("mes", "a"): "1+0x40 0+0x19 1+0x190"}
    yield Scene("the MES was down for 20 minutes", told, short)
    told = {**later, **up, _UP.format("mes", "a"): "1+0x10 0+0x89 1+0x1 0+0x47 1+0x100"}
    yield Scene("the MES rises for a moment", told, again)
    later = {**series, evidence: _BEGINS_LATE.format(5)}
    long = {"2880m": (), "4290m": (), "4500m": firing}
    yield Scene("nobody mends a source", {**later, _FAILING: "0 1+0x160"}, long, step="30m")
    told = {**later, **up, _UP.format("pricing", "a"): "1", _UP.format("mes", "a"): "1 0+0x160"}
    yield Scene("nobody mends the MES", told, long, step="30m")
