"""The report for the terminal: a headline, where the time goes, the trend, and whom to chase today."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from rich.text import Text

from collectors.report.footer import data_quality
from collectors.report.glyphs import ASCII, BLOCKS, Glyphs, fit
from collectors.report.headline import headline, how_counted, segment_name, trend, waiting
from collectors.report.wording import brief, clipped, count, exact_percent, moment, percent, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from collectors.report.content import Report, StageFigures
    from collectors.report.inflight import Chased

WIDEST: Final = 160
NARROWEST: Final = 60
CHASED_SHOWN: Final = 6  # of those that can still be saved, and of those that cannot
SEGMENTS_SHOWN: Final = 10
SECOND_US: Final = 1_000_000
MOODS: Final = {"good": "bold green", "bad": "bold red", "open": "bold cyan"}
KINDS: Final = {"wait": "yellow", "work": "cyan"}
RISK_STYLES: Final = {"late": "bold red", "at risk": "yellow", "on track": "green"}
FAINT: Final = "dim"
BAR: Final = "share of lead time"
LONGEST_BAR: Final = 30
SHORTEST_BAR: Final = 4
SHORTEST_NAME: Final = 6


def print_report(report: Report, console: Console) -> None:
    """Print a report, as wide as the console is, between 60 and 160 columns."""
    _Page(report, console).print()


class _Page:
    def __init__(self, report: Report, console: Console) -> None:
        self.report, self.console = report, console
        self.width = min(max(console.width, NARROWEST), WIDEST)
        self.gap = 2 if self.width >= 100 else 1
        self.glyphs: Glyphs = ASCII if console.options.ascii_only else BLOCKS

    def print(self) -> None:
        self._title()
        self._headline()
        if self.report.document["kept"] + self.report.document["broken"]:
            self._stages()
        self._trend()
        self._flow()
        self._segments()
        self._chase()
        self._section("The data")
        for sentence in data_quality(self.report):
            self._say(sentence, FAINT)

    def _title(self) -> None:
        report = self.report
        self._line("")
        self._say(
            f"{plain(report.promise.name)} | {plain(report.replay.log)} | as of {moment(report.as_of)} UTC", FAINT
        )

    def _headline(self) -> None:
        said = headline(self.report)
        self._line("")
        self._say(f"{self.glyphs.mark} {said.verdict}", MOODS[said.mood], indent="  ")
        for sentence in said.reasons:
            self._say(f"  {sentence}", indent="  ")
        explained = how_counted(self.report)
        if explained:
            self._line("")
            self._say(f"  {explained}", FAINT, indent="  ")

    def _stages(self) -> None:
        self._section("Where the time goes")
        columns = self._stage_columns()
        rows = [self._stage_cells(stage) for stage in self.report.stages]
        # What the other columns leave is for the bars.
        taken = sum(max(len(head), *(row[head].cell_len for row in rows)) + self.gap for head in columns if head != BAR)
        room = min(max(self.width - taken - len(" 100 %"), SHORTEST_BAR), LONGEST_BAR)
        largest = max(stage.row["share_of_lead_time"] or 0 for stage in self.report.stages) or 1
        for stage, cells in zip(self.report.stages, rows, strict=True):
            share, kind = stage.row["share_of_lead_time"] or 0.0, stage.row["kind"]
            drawn = self._text(self.glyphs.bar(share / largest, room, work=kind == "work"), KINDS[kind])
            cells[BAR] = drawn.append(f" {percent(share)}" if drawn and share else percent(share) if share else "-")
        left = {"stage", "kind", "owner", BAR}
        self._grid(columns, [[cells[head] for head in columns] for cells in rows], left, give=["stage"])
        self._say(
            f"{self.glyphs.wait * 2} waiting  {self.glyphs.work * 2} working; rescued: late orders that would have "
            "been on time had this stage alone kept its budget; over: what late orders spent beyond it, in all.",
            FAINT,
        )
        self._say(waiting(self.report) or "")

    def _stage_columns(self) -> list[str]:
        wide, wider = self.width >= 100, self.width >= 120
        owned = any(stage.owner for stage in self.report.stages)
        heads = ["stage", *(["kind"] if wider else []), *(["owner"] if owned else [])]
        heads += ["budget", *(["orders"] if wide else [])]
        return [*heads, "median", "P90", BAR, "over budget" if wide else "over", "rescued"]

    def _stage_cells(self, stage: StageFigures) -> dict[str, Text]:
        row, blamed = stage.row, "bold red" if stage is self.report.culprit else ""
        over = self._text(brief(row["over_budget_s"]) if row["over_budget_s"] else "-")
        return {
            "stage": self._text(clipped(stage.name, 24), blamed),
            "kind": self._text(row["kind"], KINDS[row["kind"]]),
            "owner": self._text(clipped(stage.owner or "-", 14)),
            "budget": self._text(stage.budget or "-"),
            "orders": self._text(f"{row['orders']:,}"),
            "median": self._text(brief(row["p50_s"])),
            "P90": self._text(brief(row["p90_s"])),
            "over": over,
            "over budget": over,
            "rescued": self._text(f"{row['rescued']:,}" if row["rescued"] else "-", blamed),
        }

    def _trend(self) -> None:
        points = self.report.trend
        shown = [place for place, point in enumerate(points) if point.share is not None]
        if len(shown) < 2:
            return
        points = points[shown[0] : shown[-1] + 1]
        self._section(f"Promises kept, by the {self.report.periods.unit} in which they came due")
        room = self.width - 2 * len(points[0].label) - 4
        shares = fit([point.share for point in points], room)
        points = points[-len(shares) :]
        thick = min(room // len(shares), 1 if self.glyphs is ASCII else 3)
        objective = self.report.promise.promise.objective
        line = self._text(f"{points[0].label}  ", FAINT)
        for share in shares:
            style = "" if share is None else "green" if share >= objective else "red"
            line.append(self.glyphs.spark([share], 1.0) * thick, style)
        self._print(line.append(f"  {points[-1].label}", FAINT))
        said = trend(self.report)
        scale = "9: 90 % or more, 0: less than 10 %. " if self.glyphs is ASCII else ""
        self._say(
            f"{scale}{said or 'Too few orders to speak of a trend.'} The objective is {exact_percent(objective)}."
        )

    def _flow(self) -> None:
        stages = [stage for stage in self.report.stages if any(stage.entries)]
        if not stages or len(self.report.periods) < 2:
            return
        unit, whole, labels = self.report.periods.unit, self.report.whole_periods - 1, self.report.periods.labels()
        self._section(f"Orders inside each stage, {unit} by {unit}")
        heads = ["stage", "inside now", "work in progress", "highest", "in", "out"]
        room = self.width - min(max(len(stage.name) for stage in stages), 24) - 42
        rows = []
        for stage in stages:
            drawn = self.glyphs.spark(fit([float(number) for number in stage.wip], room), max(stage.wip) + 1)
            figures = [f"{number:,}" for number in (max(stage.wip), stage.entries[whole], stage.exits[whole])]
            cells = [
                self._text(stage.name),
                self._text(f"{stage.wip[-1]:,}"),
                self._text(drawn, KINDS[stage.row["kind"]]),
            ]
            rows.append([*cells, *map(self._text, figures)])
        self._grid(heads, rows, {"stage", "work in progress"}, give=["stage"])
        self._say(
            f"In and out: orders that entered and left in the last whole {unit} ({labels[whole]}).",
            FAINT,
        )

    def _segments(self) -> None:
        entries = [
            entry for entry in self.report.document["segments"] if entry["kept"] + entry["broken"] + entry["open"]
        ]
        if len(entries) < 2:
            return
        self._section("By segment")
        heads = ["segment", "kept", "orders", "late", "open", "what breaks it"]
        worst_first = sorted(entries, key=lambda e: (e["on_time_share"] is None, e["on_time_share"] or 0))
        rows = []
        for entry in worst_first[:SEGMENTS_SHOWN]:
            culprit = entry["culprit"]
            blamed = f"{plain(culprit['stage'])} ({percent(culprit['rescued_share'])} of the late)" if culprit else "-"
            share = "-" if entry["on_time_share"] is None else percent(entry["on_time_share"])
            figures = [share, f"{entry['kept'] + entry['broken']:,}", f"{entry['broken']:,}", f"{entry['open']:,}"]
            cells = [segment_name(entry["by"], entry["value"]), *figures, blamed]
            rows.append([self._text(cell) for cell in cells])
        self._grid(heads, rows, {"segment", "what breaks it"}, give=["segment", "what breaks it"])
        if len(entries) > SEGMENTS_SHOWN:
            self._say(f"{count(len(entries) - SEGMENTS_SHOWN, 'more segment')} not shown, which fared better.", FAINT)

    def _chase(self) -> None:
        outlook = self.report.outlook
        if not self.report.chased:
            return
        self._section("Orders to chase today")
        blocks = (
            (f"{outlook.endangered:,} open, late or at risk; the nearest promise first", False),
            (f"{outlook.broken:,} with a promise already broken; the longest overdue first", True),
        )
        for title, broken in blocks:
            rows = [row for row in self.report.chased if row.broken == broken]
            if rows:
                self._say(title, FAINT)
                self._chase_table(rows[:CHASED_SHOWN])
        hidden = (
            outlook.endangered
            + outlook.broken
            - sum(min(sum(row.broken == broken for row in self.report.chased), CHASED_SHOWN) for _, broken in blocks)
        )
        if hidden > 0:
            self._say(f"{hidden:,} more; the HTML report (--html) lists the most urgent.", FAINT)
        if outlook.unassessed:
            self._say(
                f"{outlook.unassessed:,} further open orders were not assessed; their promises are the farthest away.",
                FAINT,
            )
        self._say(
            "Ready: when half (P50) and nine in ten (P90) of such orders would be, going by the latest finished ones; "
            "?: longer there than any of them.",
            FAINT,
        )

    def _chase_table(self, chased: list[Chased]) -> None:
        heads = ["order", "where", "for", "promise", "ready P50/P90", "risk", "what to do"]
        rows = []
        for row in chased:
            over, slack = row.slack_us < 0, brief(abs(row.slack_us) / SECOND_US)
            ready = "/".join(brief((at - self.report.as_of) / SECOND_US) for at in (row.p50_at, row.p90_at))
            rows.append(
                [
                    self._text(plain(row.name, 80)),
                    self._text(plain(row.stage)),
                    self._text(brief(row.in_stage_us / SECOND_US)),
                    self._text(f"{slack} over" if over else f"in {slack}", "red" if over else ""),
                    self._text(ready if row.p90_at > self.report.as_of else "?"),
                    self._text(row.risk, RISK_STYLES[row.risk]),
                    self._text(f"{row.action}: {plain(row.owner)}" if row.owner else row.action),
                ]
            )
        self._grid(heads, rows, {"order", "where", "risk", "what to do"}, give=["order", "where", "what to do"])

    def _grid(self, heads: Sequence[str], rows: Sequence[Sequence[Text]], left: set[str], give: Sequence[str]) -> None:
        """Print a table; where it is too wide, the columns of ``give`` give way, the widest first."""
        head = [self._text(name, "bold") for name in heads]
        widths = [max(cell.cell_len for cell in column) for column in zip(head, *rows, strict=True)]
        giving = [heads.index(name) for name in give]
        spare = self.width - self.gap * (len(heads) - 1) - sum(widths)
        while spare < 0 and max(widths[place] for place in giving) > SHORTEST_NAME:
            widths[max(giving, key=lambda place: widths[place])] -= 1
            spare += 1
        overflow = "crop" if self.glyphs is ASCII else "ellipsis"
        for row in (head, *rows):
            line = Text()
            for name, cell, width in zip(heads, row, widths, strict=True):
                cell.truncate(width, overflow=overflow)  # type: ignore[arg-type]
                cell.align("left" if name in left else "right", width)
                line.append_text(cell).append(" " * self.gap)
            line.rstrip()
            self._print(line)

    def _section(self, title: str) -> None:
        self._line("")
        rule = self.glyphs.rule * max(self.width - len(title) - 1, 0)
        self._print(self._text(f"{title} ", "bold").append(rule, FAINT))

    def _say(self, sentence: str, style: str = "", indent: str = "") -> None:
        # textwrap breaks at ordinary spaces only, so that a figure and its unit stay together.
        glued = sentence.replace(" %", "\u00a0%")
        for line in textwrap.wrap(glued, self.width, subsequent_indent=indent, break_on_hyphens=False):
            self._line(line.replace("\u00a0%", " %"), style)

    def _line(self, text: str, style: str = "") -> None:
        self._print(self._text(text, style))

    def _print(self, what: Text) -> None:
        self.console.print(what, width=self.width, no_wrap=True, overflow="crop", crop=False, soft_wrap=False)

    def _text(self, text: str, style: str = "") -> Text:
        encoding = self.console.encoding
        return Text(text.encode(encoding, "replace").decode(encoding), style=style)
