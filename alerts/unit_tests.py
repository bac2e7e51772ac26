"""The scenes beside the alerts as promtool's unit tests, each moment with what must fire then and with what words."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from alerts.model import Edge, Scene
from alerts.texts import rendered, words
from collectors.promise.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from alerts.model import Alert, Firing
    from alerts.settings import Links

LONG_STEP: Final = 30  # minutes: of scenes that last for days, evaluated as often
_LONG: Final = 360
_OURS: Final = ("touchstone_", "rabbitmq_detailed_")
LONG_SCENE: Final = 120  # evaluations: played after the others
_AROUND: Final = 3
# What an alert takes as it was last shown, and for how many minutes.
_KNOWN: Final = re.compile(r"\blast_over_time\((\w+)[^\[]*\[(\d+)m\]")
_CONSTANT: Final = re.compile(r"-?[0-9.e+]+|NaN")


def minutes(duration: str) -> int:
    """Return a duration such as `1h` in minutes."""
    return round(parse_duration(duration).total_seconds() / 60)


def scenes(alert: Alert) -> Iterator[Scene]:
    """Yield every scene of an alert, its edges spelt out."""
    for scene in alert.scenes:
        if isinstance(scene, Scene):
            last = max(minutes(moment) for moment in scene.moments) // minutes(scene.step)
            series = {name: _held(value, last + 1) for name, value in scene.series.items()}
            yield replace(scene, series=series if alert.expr.startswith("absent") else _with_twins(series, last + 1))
        elif scene.window:
            yield from _jumps(alert, scene)
        else:
            yield from _steps(alert, scene)
            if minutes(alert.keep_firing_for) and scene.firing:
                yield _flaps(alert, scene)
    for edge in [one for one in alert.scenes if isinstance(one, Edge) and one.firing and not one.window][:1]:
        yield from _gaps(alert, edge)


def _steps(alert: Alert, edge: Edge) -> Iterator[Scene]:
    """Yield a scene for each quiet value: quiet for longer than `for`, loud for longer than `for`, quiet again."""
    pending = minutes(alert.for_)
    unit = LONG_STEP if pending >= _LONG else 1
    pending //= unit
    begins, lasts = pending + 1 + _AROUND, pending + _AROUND
    ends = begins + lasts
    for quiet in edge.quiet:
        values = f"{quiet}+0x{begins - 1} {edge.loud}+0x{lasts - 1} {quiet}+0x{_AROUND}"
        moments = {
            begins - 1: (),
            **({begins + pending - 1: ()} if pending else {}),
            begins + pending: edge.firing,
            ends - 1: edge.firing,
            ends: edge.firing if minutes(alert.keep_firing_for) else (),
        }
        says = f"{quiet} is quiet, {edge.loud} is not" if edge.firing else f"{quiet} and {edge.loud} are quiet here"
        yield _scene(says, edge, values, moments, unit, ends + _AROUND)


def _flaps(alert: Alert, edge: Edge) -> Scene:
    """Return a scene that comes back just before it would end, for a moment, and then stays away."""
    pending, kept, quiet = minutes(alert.for_) // LONG_STEP, minutes(alert.keep_firing_for) // LONG_STEP, edge.quiet[0]
    first = pending + 3
    back, last = first + kept - 1, first + 2 * kept
    values = f"{quiet} {edge.loud}+0x{pending + 1} {quiet}+0x{kept - 2} {edge.loud} {quiet}+0x{kept}"
    moments = {pending: (), pending + 1: edge.firing, back - 1: edge.firing, back + 1: edge.firing}
    moments |= {last - 1: edge.firing, last: ()}
    return _scene(f"{edge.loud} comes and goes", edge, values, moments, LONG_STEP, last)


def _gaps(alert: Alert, edge: Edge) -> Iterator[Scene]:
    """Yield a scene in which scrapes fail while the alert is pending and while it fires; and it goes on.

    And one for each series that is known for some minutes, which stays away for longer: that ends the alert.
    """
    known = {name: int(span) for name, span in _KNOWN.findall(alert.expr)}
    if not known:
        return
    pending, span = minutes(alert.for_), min(known.values())
    series = {name: edge.loud if value == "X" else value for name, value in edge.series.items()}
    away, last = f"stale _x{span - 3}", max(pending, span) + 1
    values = f"{{0}}+0x1 {away} {{0}}+0x{last - span} {away} {{0}}+0x{_AROUND}"
    moments = {pending - 1: (), pending: edge.firing, last + span - 2: edge.firing, last + span: edge.firing}
    shown = {name: values.format(value) for name, value in series.items()}
    yield Scene(f"{edge.loud} shows through failed scrapes", shown, _at(moments, 1))
    for gone, span in known.items():
        shown = {name: f"{value}+0x{last + 2 * span}" for name, value in series.items()}
        shown |= {name: f"{series[name]}+0x{last} stale" for name in series if name.partition("{")[0] == gone}
        moments = {last: edge.firing, last + span - 1: edge.firing, last + span + 1: ()}
        yield Scene(f"{gone} is shown no more", shown, _at(moments, 1))


def _jumps(alert: Alert, edge: Edge) -> Iterator[Scene]:
    """Yield scenes of a counter that jumps once: by a quiet value, and by the loud one."""
    pending, window = minutes(alert.for_), minutes(edge.window)
    begins = window + 1
    ends, last = begins + window, begins + window + _AROUND
    for quiet in edge.quiet:
        moments: dict[int, tuple[Firing, ...]] = {begins + pending: (), ends - 1: ()}
        values = f"0+0x{window} {quiet}+0x{window + _AROUND}"
        yield _scene(f"a jump by {quiet} is quiet", edge, values, moments, 1, last)
    moments = {begins - 1: (), **({begins + pending - 1: ()} if pending else {})}
    moments |= {begins + pending: edge.firing, ends - 1: edge.firing, ends: ()}
    values = f"0+0x{window} {edge.loud}+0x{window + _AROUND}"
    yield _scene(f"a jump by {edge.loud} is not", edge, values, moments, 1, last)


def _scene(
    says: str, edge: Edge, values: str, moments: Mapping[int, tuple[Firing, ...]], unit: int, last: int
) -> Scene:
    series = {}
    for name, value in edge.series.items():
        series[name] = values if value == "X" else _held(value, last)
    return Scene(says, _with_twins(series, last), _at(moments, unit), f"{unit}m")


def _at(moments: Mapping[int, tuple[Firing, ...]], unit: int) -> dict[str, tuple[Firing, ...]]:
    return {f"{at * unit}m": fired for at, fired in moments.items()}


def _with_twins(series: Mapping[str, str], last: int) -> dict[str, str]:
    """Give each series that several may show a twin from another instance, which shows 0 and must change nothing."""
    twins = {}
    for name in series:
        if name.startswith(_OURS) and "instance=" not in name:
            labels = f'{name[:-1]},instance="twin"}}' if name.endswith("}") else f'{name}{{instance="twin"}}'
            twins[labels] = f"0+0x{last}"
    return {**series, **twins}


def _held(value: str, last: int) -> str:
    """Return a number as a series that keeps it, anything else as it is."""
    return f"{value}+0x{last}" if _CONSTANT.fullmatch(value) else value


def is_long(scene: Scene) -> bool:
    """Whether a scene lasts for days, so that it is evaluated every half hour only."""
    return minutes(scene.step) >= LONG_STEP


def group(alert: Alert, scene: Scene, links: Links) -> dict[str, Any]:
    """Return a scene, its edges spelt out, as one of promtool's test groups."""
    return {
        "name": f"{alert.name}: {scene.says}",
        "interval": scene.step,
        "input_series": [{"series": name, "values": values} for name, values in scene.series.items()],
        "alert_rule_test": [
            {
                "eval_time": moment,
                "alertname": alert.name,
                "exp_alerts": [_expected(alert, one, links) for one in firing],
            }
            for moment, firing in scene.moments.items()
        ],
    }


def _expected(alert: Alert, firing: Firing, links: Links) -> dict[str, Any]:
    labels = {"severity": alert.severity.value, **({"owner": alert.owner} if alert.owner else {}), **firing.labels}
    told = {name: rendered(text, labels) for name, text in words(alert, links).items() if name != "description"}
    return {"exp_labels": labels, "exp_annotations": {**told, "description": firing.description}}
