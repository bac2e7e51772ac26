"""The tables that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

TITLES: Final = {
    "replay": "Replay of {size} events, whole processes",
    "xes": "Reading XES ({size}) into columns, whole processes",
    "live": "Live ingestion into {size} clients, batches of 500 events",
    "bus": "The bus ({size}), PostgreSQL and RabbitMQ with quorum queues; CPU and memory of the consumer",
    "pricing": "Pricing, {size} triangles; of kernels peak MiB is what they add, mapped files apart",
}


def print_report(document: Mapping[str, Any], console: Console) -> None:
    """Print every group's tables, the aims, and what failed."""
    machine = document["machine"]
    console.print(f"Source: {document['source']}. Promise: {document['promise']}.")
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()), highlight=False)
    for group in TITLES:
        for size, rows in document[group].items():
            console.print(_table(group, size, rows))
    for aim in document["aims"]:
        verdict = "[green]met[/]" if aim["met"] else "[red]missed[/]"
        console.print(f"{verdict}: {aim['aim']} (measured {aim['figure']:.4g}, limit {aim['limit']:.4g})")
    for failure in document["failed"]:
        console.print(f"[red]failed[/]: {failure}")


def _table(group: str, size: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    shown = f"{int(size):,}" if size.isdigit() else size
    table = Table(title=TITLES[group].format(size=shown), title_justify="left")
    table.add_column("")
    for column in (
        "triangles/s" if group == "pricing" else "events/s",
        "seconds",
        "min-max",
        "CPU s",
        "peak MiB",
        "runs",
        "our time / its time",
    ):
        table.add_column(column, justify="right")
    for name, figures in rows.items():
        table.add_row(f"{name} {figures.get('version', '')}".strip(), *_cells(figures))
    return table


def _cells(figures: Mapping[str, Any]) -> Iterator[str]:
    reason = figures.get("skipped") or figures.get("failed")
    if reason is not None:
        yield from ("-", reason)
        return
    yield f"{figures['events_per_s']:,}"
    yield f"{figures['wall_s']:.2f}"
    yield f"{figures['wall_min_s']:.2f}-{figures['wall_max_s']:.2f}"
    yield f"{figures['cpu_s']:.2f}"
    yield f"{figures['peak_mib']:,}"
    yield str(figures["runs"])
    yield _ratio(figures)


def _ratio(figures: Mapping[str, Any]) -> str:
    if "ratio" not in figures:
        return ""
    ratio = figures["ratio"]
    words = f"{ratio:.2f}" if ratio >= 0.5 else f"1/{1 / ratio:.1f}"
    return f"{words} ({figures['ratio_min']:.2f}-{figures['ratio_max']:.2f}; CPU {figures['ratio_cpu']:.2f})"
