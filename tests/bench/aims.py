"""What the figures should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Aim:
    """A figure, named by its way through the document, that should stay at or below a limit."""

    says: str
    way: tuple[str, ...]
    limit: float


AIMS: Final = (
    Aim("10 million events in at most 2.5 times the bare DuckDB query", ("replay", "10000000", "duckdb", "ratio"), 2.5),
    Aim("1 million events at least 12 times as fast as PM4Py", ("replay", "1000000", "pm4py", "ratio"), 1 / 12),
    Aim("10 million events below 2 GiB", ("replay", "10000000", "touchstone", "peak_mib"), 2048),
    Aim("100 million events below 4 GiB", ("replay", "100000000", "touchstone", "peak_mib"), 4096),
    Aim("plain XES within 1.5 times of rustxes", ("xes", "plain", "rustxes", "ratio"), 1.5),
    Aim("packed XES within 1.5 times of rustxes", ("xes", "gz", "rustxes", "ratio"), 1.5),
    Aim("plain XES within 1.5 times of lxml", ("xes", "plain", "lxml", "ratio"), 1.5),
    Aim("packed XES within 1.5 times of lxml", ("xes", "gz", "lxml", "ratio"), 1.5),
    Aim("the bus at least half as fast as raw aio-pika", ("bus", "end to end", "aio-pika", "ratio"), 2.0),
    Aim("the worker's processor time within 1.3 times of a raw one", ("bus", "worker", "aio-pika", "ratio_cpu"), 1.3),
    *(
        Aim(
            f"volume, area and box of {size} triangles in at most 1/15 of trimesh's processor time",
            ("pricing", f"sums of {size}, kernel", "trimesh", "ratio_cpu"),
            1 / 15,
        )
        for size in ("100,000", "1,000,000", "5,000,000", "10,000,000")
    ),
    Aim(
        "volume, area and box of 10 million triangles in at most 50 MiB beside the mapped file",
        ("pricing", "sums of 10,000,000, kernel", "touchstone", "peak_mib"),
        50,
    ),
    Aim(
        "200 layers of 1 million triangles in at most 1/12 of trimesh's processor time",
        ("pricing", "layers of 1,000,000, kernel", "trimesh", "ratio_cpu"),
        1 / 12,
    ),
    *(
        Aim(f"a hundred quotes from kept measures in 0.2 s on {name}", ("pricing", "cached quote", name, "wall_s"), 0.2)
        for name in ("sqlite", "postgresql")
    ),
    Aim("a quote of 100 thousand triangles in 0.5 s", ("pricing", "quote of 100,000", "touchstone", "wall_s"), 0.5),
    Aim("a quote of 1 million triangles in 3 s", ("pricing", "quote of 1,000,000", "touchstone", "wall_s"), 3.0),
)


def judged(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each aim that the run has a figure for, and whether it is met."""
    found = []
    for aim in AIMS:
        figure: Any = document
        for step in aim.way:
            figure = figure.get(step, {}) if isinstance(figure, dict) else {}
        if isinstance(figure, int | float):
            found.append({"aim": aim.says, "figure": figure, "limit": round(aim.limit, 4), "met": figure <= aim.limit})
    return found


def failures(document: Mapping[str, Any]) -> list[str]:
    """Return what should have run and did not."""
    return [
        f"{group} {size} {name}: {figures['failed']}"
        for group in ("replay", "xes", "live", "bus", "pricing")
        for size, rows in document[group].items()
        for name, figures in rows.items()
        if "failed" in figures
    ]
