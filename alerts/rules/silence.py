"""(d) Silence in business hours, which is an alarm once more events were to be expected than chance leaves out."""

from __future__ import annotations

from typing import Final

from alerts.model import SERVICES, Alert, Cause, Firing, Scene, Severity

GROUP: Final = "orders"
_MUTED: Final = (Cause.MAINTENANCE, Cause.COLLECTOR, Cause.MES, Cause.BROKER)
# Twelve events expected and none seen: e^-12, once in 160,000 looks, where events come independently. Work is counted
# as time, not by samples: hours in which nobody was scraped, such as the night before, are no work in a window, and all
# work in the week that gave the arrivals, so that what is not known expects less.
_SILENT: Final = """
    time() - max(touchstone_last_event_timestamp_seconds) > {seconds}
    and touchstone:arrivals:per_second * {seconds}
      * avg_over_time((max(last_over_time(touchstone_business_hours[30m])) or vector(0))[{window}])
      / avg_over_time((max(touchstone_business_hours) or vector(1))[7d:1h]) > 12
"""


def _arrivals(half: str) -> dict[str, str]:
    """Return twice so many arrivals a second, in two stages; those of a segment are among them."""
    arrivals = 'touchstone_stage_arrivals_per_second{{stage="{}",segment="{}"}}'
    return {
        arrivals.format("approval", "all"): half,
        arrivals.format("packing", "all"): half,
        arrivals.format("packing", "channel=b2b"): "1",
    }


_SILENCES: Final = (("30m:1m", 1_800), ("3h:5m", 10_800), ("1d:30m", 86_400))
_OPEN: Final = "touchstone_business_hours"
_OPEN_OF_ONE: Final = 'touchstone_business_hours{instance="a"}'  # no other instance fills its gaps
_LAST: Final = 'touchstone_last_event_timestamp_seconds{source="/shop"}'
_OLDER: Final = 'touchstone_last_event_timestamp_seconds{source="/crm"}'


def _silence() -> str:
    looks = "\n  or\n".join(f"({_SILENT.format(window=window, seconds=seconds)})" for window, seconds in _SILENCES)
    return f"max(touchstone_business_hours) == 1\nand on () (\n{looks}\n)"


def _said(duration: str) -> tuple[Firing, ...]:
    return (Firing(f"No system has said anything of any order for {duration}, though people work."),)


def _expecting(events: float, seconds: int) -> dict[str, str]:
    """Return arrivals by which so many events are expected in so many seconds of round-the-clock work."""
    return _arrivals(f"{events / seconds / 2:.22f}")


# People worked, then for two days and a half they did not, and now they do again: so the share of working time differs
# between a window and its half or double.
_BREAK: Final = "1+0x95 0+0x71 1+0x30"


def _at_the_limit(seconds: int, quiet: str, loud: str) -> tuple[Scene, Scene]:
    """Return scenes of silence in which exactly twelve events, and half of one more, were to be expected."""
    held = {_OPEN: "1+0x400", _LAST: "0+0x400"}
    step = "30m" if seconds > 50_000 else "1m"
    return (
        Scene(f"twelve in {seconds} s may be missed", {**_expecting(12, seconds), **held}, {loud: ()}, step=step),
        Scene(
            f"more than twelve in {seconds} s may not",
            {**_expecting(12.5, seconds), **held},
            {quiet: (), loud: _said({"31m": "31m 0s", "181m": "3h 1m 0s", "1470m": "1d 0h 30m 0s"}[loud])},
            step=step,
        ),
    )


def _after_three_days_and_a_half(events_in: int, silent_min: int, said: str) -> Scene:
    """Return a scene in which people worked through the last half week only, not in the half before, but before that.

    Half of the week's time is work, so the window that was worked through may expect twice as many events.
    """
    return Scene(
        f"after half a week without work, {said} of silence",
        {
            **_expecting(6.25, events_in),
            _OPEN: "1+0x335 0+0x167 1+0x168",
            _LAST: f"{(672 * 30 - silent_min) * 60}+0x672",
        },
        {"20160m": _said(said)},
        step="30m",
    )


def _unscraped() -> tuple[Scene, ...]:
    """Return scenes of houses that nobody looked at for some time: neither work nor rest of those hours is known."""
    return (
        # 1/256 a second are 42 in three hours of work; of this Monday's, half an hour is worth 7, and fifty minutes 12.
        Scene(
            "the collector was down since Friday's last event",
            {**_arrivals("0.001953125"), _OPEN_OF_ONE: "1+0x48 stale _x383 0 1+0x20", _LAST: f"{470 * 60}+0x500"},
            {"4330m": (), "4340m": (), "4370m": (), "4390m": _said("2d 17h 20m 0s")},
            step="10m",
        ),
        # 6.6 in three hours, and 16 in a whole day's work. Were the week as idle as what is known of it, it were 100.
        Scene(
            "a new Prometheus has seen the weekend only",
            {**_arrivals("0.0002170138888888889"), _OPEN_OF_ONE: "0+0x95 1+0x16", _LAST: "0+0x120"},
            {"2880m": (), "2910m": (), "3060m": (), "3330m": _said("2d 7h 30m 0s")},
            step="30m",
        ),
        # 14.06 in half an hour, less a few minutes: what fails for some minutes is known from what was before.
        Scene(
            "scrapes fail for up to half an hour",
            {**_arrivals("0.00390625"), _OPEN_OF_ONE: "1+0x60 stale _x18 1+0x20 stale _x40 1+0x9", _LAST: "2880+0x200"},
            {"60m": (), "81m": _said("33m 0s"), "140m": (), "145m": ()},
        ),
    )


ALERTS: Final = (
    Alert(
        name="NoEvents",
        group=GROUP,
        expr=_silence(),
        for_="0s",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="Nothing is heard of any order in business hours",
        description=(
            'No system has said anything of any order for {{ with query "time() - '
            'max(touchstone_last_event_timestamp_seconds)" }}{{ . | first | value | humanizeDuration }}'
            "{{ else }}?{{ end }}, though people work."
        ),
        dashboard="touchstone-telemetry",
        panel="Since the last event, by source",
        drill="silence-in-business-hours",
        muted_by=_MUTED,
        scenes=(
            # 1/128 events a second: 14.06 in 30 minutes, so half an hour of silence is enough ...
            Scene(
                "a busy house is silent for half an hour",
                {**_arrivals("0.00390625"), _OPEN: "1+0x120", _LAST: "3600+0x120", _OLDER: "0+0x120"},
                {
                    "90m": (),
                    "91m": (Firing("No system has said anything of any order for 31m 0s, though people work."),),
                },
            ),
            Scene(  # the moment counts that any source spoke last
                "one source that speaks is no silence",
                {**_arrivals("0.00390625"), _OPEN: "1+0x120", _LAST: "0+60x120", _OLDER: "0+0x120"},
                {"120m": ()},
            ),
            Scene(
                "nobody expects anything at night",
                {**_arrivals("0.00390625"), _OPEN: "1+0x60 0+0x60", _LAST: "0+0x120"},
                {
                    "60m": (Firing("No system has said anything of any order for 1h 0m 0s, though people work."),),
                    "61m": (),
                    "100m": (),
                },
            ),
            # ... 1/256 a second are 7 in 30 minutes, which is chance, and 42 in three hours.
            Scene(
                "a quiet house is silent for three hours",
                {**_arrivals("0.001953125"), _OPEN: "1+0x200", _LAST: "0+0x200"},
                {
                    "100m": (),
                    "180m": (),
                    "181m": (Firing("No system has said anything of any order for 3h 1m 0s, though people work."),),
                },
            ),
            # 1/900 a second are 12 in three hours: the limit itself.
            Scene(
                "exactly as many as may be missed by chance",
                {**_arrivals("0.0005555555555555556"), _OPEN: "1+0x200", _LAST: "0+0x200"},
                {"200m": ()},
            ),
            # After a night only the working time within the three hours counts, measured by that of the week.
            Scene(
                "the morning's first hour",
                {**_arrivals("0.001953125"), _OPEN: "1+0x40 0+0x34 1+0x5", _LAST: "24000+0x80"},
                {"400m": (), "750m": (), "760m": ()},
                step="10m",
            ),
            # 1/1800 a second are 6 in three hours; but people work a third of the time, so three such hours bring 18.
            Scene(
                "the seventh morning brings nothing",
                {
                    **_arrivals("0.0002777777777777778"),
                    _OPEN: " ".join(["0+0x31 1+0x15"] * 7),
                    _LAST: f"{9_600 * 60}+0x345",
                },
                {"9780m": (), "9810m": _said("3h 30m 0s")},
                step="30m",
            ),
            *_unscraped(),
            Scene(
                "a house of few orders is silent for a day",
                {**_arrivals("0.0001220703125"), _OPEN: "1+0x60", _LAST: "0+0x60"},
                {
                    "1440m": (),
                    "1470m": (
                        Firing("No system has said anything of any order for 1d 0h 30m 0s, though people work."),
                    ),
                },
                step="30m",
            ),
            *_at_the_limit(1_800, "30m", "31m"),
            *_at_the_limit(10_800, "180m", "181m"),
            *_at_the_limit(86_400, "1440m", "1470m"),
            # 24 in a window, of which people worked half, and nearly all the week: 12.4; just before, 11.6.
            Scene(
                "half an hour, of which people worked a part",
                {**_expecting(24, 1_800), _OPEN: "1+0x59 0+0x44 1+0x20", _LAST: "0+0x130"},
                {"119m": (), "120m": _said("2h 0m 0s")},
            ),
            Scene(
                "three hours, of which people worked a part",
                {**_expecting(24, 10_800), _OPEN: "1+0x59 0+0x44 1+0x20", _LAST: "0+0x130"},
                {"714m": (), "720m": _said("12h 0m 0s")},
                step="6m",
            ),
            Scene(
                "a day, of which people worked a part",
                {**_expecting(19.2, 86_400), _OPEN: _BREAK, _LAST: "0+0x200"},
                {"5730m": (), "5760m": _said("4d 0h 0m 0s")},
                step="30m",
            ),
            _after_three_days_and_a_half(1_800, 60, "1h 0m 0s"),
            _after_three_days_and_a_half(10_800, 240, "4h 0m 0s"),
            _after_three_days_and_a_half(86_400, 2_880, "2d 0h 0m 0s"),
        ),
    ),
)
