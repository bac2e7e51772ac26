"""A reconciliation in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from collectors.reconciliation.report import lost_sentence, mismatch_sentence, stuck_sentence
from collectors.report.wording import count, moment, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from collectors.reconciliation.report import Repair, Report

SHOWN: Final = 50  # of each kind; the rest is counted, and --json has it all


def print_reconciliation(report: Report, console: Console) -> None:
    """Print what was found, each finding in words, and what became of it."""
    heard = ", ".join(f"{plain(name)} {number:,}" for name, number in report.orders.items()) or "nobody"
    console.print(Text(f"Reconciled {moment(report.as_of)} UTC: orders of {heard}", "dim"))
    for name, why in report.silent.items():
        console.print(Text(f"{plain(name)} was left out: it {plain(why, 200)}", "bold red"))
    for note in report.notes:
        console.print(Text(note, "dim"))
    found = report.findings
    _section(console, "Mismatches", [mismatch_sentence(one) for one in found.mismatches])
    _section(console, "Lost", [lost_sentence(one) for one in found.lost])
    _section(console, "Stuck", [stuck_sentence(one) for one in found.stuck])
    if report.clean:
        console.print(Text("Nothing found: the systems agree on every order.", "green"))
    if report.repair is not None:
        _repair(console, report.repair)


def _section(console: Console, title: str, sentences: Sequence[str]) -> None:
    if not sentences:
        return
    console.print(Text(f"\n{title}: {len(sentences):,}", "bold"))
    for sentence in sentences[:SHOWN]:
        console.print(Text(f"  {sentence}"))
    if len(sentences) > SHOWN:
        console.print(Text(f"  and {len(sentences) - SHOWN:,} more; --json has them all", "dim"))


def _repair(console: Console, repair: Repair) -> None:
    console.print(Text("\nRepair", "bold"))
    for asked in repair.asked:
        what = f"{plain(asked.owner)} -> {plain(asked.consumer)}: {count(asked.orders, 'order')}"
        done = plain(asked.refused, 200) if asked.refused else count(asked.replayed, "event") + " sent again"
        console.print(Text(f"  {what}, {done}"))
    style = "bold red" if repair.left else "green"
    console.print(Text(f"  {count(repair.repaired, 'finding')} mended, {len(repair.left):,} left", style))
    for left in repair.left[:SHOWN]:
        console.print(Text(f"  {left.finding}\n    not mended: {left.why}"))
    if len(repair.left) > SHOWN:
        console.print(Text(f"  and {len(repair.left) - SHOWN:,} more; --json has them all", "dim"))
