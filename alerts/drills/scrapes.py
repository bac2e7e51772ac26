"""What a drilled house showed, scrape by scrape, as a history that promtool makes blocks of.

Each sample is a line of a real exposition with its target's labels and the moment added; beside them stands what
Prometheus itself adds to each scrape. A target that does not answer has `up` 0 and no samples.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from alerts.drills.clock import EPOCH, MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

_OURS: Final = re.compile(r"(?<=[{,])(job|instance)=")  # a label of the target's name is Prometheus' own


class History:
    """Samples in the order of time."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._known: dict[tuple[str, str], set[str]] = {}

    def scraped(self, at: datetime, job: str, instance: str, exposition: str | None, seconds: float) -> None:
        """Add what a target answered after so many seconds; None where it did not."""
        moment, labels = _stamp(at), f'job="{job}",instance="{instance}"'
        told = [] if exposition is None else list(_samples(exposition))
        self._lines.extend(f"{_labelled(head, labels)} {value} {moment}" for head, value in told)
        heads = {head for head, _ in told}
        new = heads - self._known.get((job, instance), set())
        self._known[job, instance] = heads
        for name, value in (
            ("up", int(exposition is not None)),
            ("scrape_duration_seconds", seconds),
            ("scrape_samples_scraped", len(told)),
            ("scrape_samples_post_metric_relabeling", len(told)),
            ("scrape_series_added", len(new)),
        ):
            self._lines.append(f"{name}{{{labels}}} {value} {moment}")

    def recorded(self, name: str, labels: Mapping[str, str], points: Iterable[tuple[datetime, float]]) -> None:
        """Add a recorded series."""
        told = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items() if label != "__name__")
        self._lines.extend(f"{name}{{{told}}} {value!r} {_stamp(at)}" for at, value in points)

    def write(self, path: Path) -> None:
        """Write it as OpenMetrics."""
        path.write_text("\n".join([*self._lines, "# EOF", ""]).replace(" inf ", " +Inf ").replace(" nan ", " NaN "))

    def __len__(self) -> int:
        return len(self._lines)


def _samples(exposition: str) -> Iterator[tuple[str, str]]:
    for line in exposition.splitlines():
        if line and not line.startswith("#"):
            head, _, value = line.rpartition(" ")
            yield head, value


def _labelled(head: str, labels: str) -> str:
    if not head.endswith("}"):
        return f"{head}{{{labels}}}"
    told = _OURS.sub(r"exported_\1=", head[:-1]).rstrip(",")
    return f"{told}{'' if told.endswith('{') else ','}{labels}}}"


def _stamp(at: datetime) -> str:
    return f"{(at - EPOCH) // MICROSECOND / 1_000_000:.3f}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
