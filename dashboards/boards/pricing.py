"""Pricing: whether a customer gets a price within minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import conventions as names
from dashboards import panels, variables
from dashboards.board import board
from dashboards.colours import BAD, GOOD
from dashboards.layout import even
from dashboards.look import Look
from dashboards.queries import buckets, metric

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

OF_CLASS: Final = '{class=~"$class"}'
RATE: Final = "[$__rate_interval]"
HOUR: Final = "[1h]"  # the window of the alerts that link here; of what is rare, a rate shows needles
PROMISED_S: Final = 600.0  # what falls back to the vendor has waited so long (decision 009)


def build() -> Dashboard:
    """Return the dashboard of the pricing workers."""
    chosen = [
        variables.source(names.PROMETHEUS),
        variables.labels("class", "Class", names.PRICING_WAITING),
        variables.labels("size", "Size", f"{names.PRICING_CALCULATION}_count{OF_CLASS}"),
    ]
    sized = '{class=~"$class",size=~"$size"}'

    def quantile(share: float) -> str:
        rates = f"sum by (class, le) (rate({names.PRICING_CALCULATION}_bucket{sized}{RATE}))"
        return f"histogram_quantile({share}, {rates})"

    lookups = names.PRICING_LOOKUPS
    refused = f"sum(increase({names.PRICING_REFUSALS}[6h])) / (sum(increase({names.PRICING_ANSWERS}[6h])) > 0)"
    waiting = even(
        9,
        panels.lines(
            1,
            "Oldest unanswered request",
            "How long it has waited, by class: the signal to run more or fewer workers. At 10 minutes the vendor"
            " calculates after all.",
            [metric(f"max by (class) ({names.PRICING_OLDEST}{OF_CLASS})", "{{class}}")],
            Look("s", ((None, GOOD), (PROMISED_S, BAD)), least=0),
        ),
        panels.lines(
            2,
            "Unanswered requests",
            "How many wait or are being calculated, by class.",
            [metric(f"max by (class) ({names.PRICING_WAITING}{OF_CLASS})", "{{class}}")],
            Look("short", decimals=0, least=0),
        ),
        panels.lines(
            3,
            "Answers",
            "Requests answered per second, with or without a price, by class.",
            [metric(f"sum by (class) (rate({names.PRICING_ANSWERS}{OF_CLASS}{RATE}))", "{{class}}")],
            Look("reqps", least=0),
        ),
    )
    taking = even(
        9,
        panels.lines(
            4,
            "How long a calculation takes",
            "Median and P95 by class, from when a worker took a model up until its requests were answered. A dot is one"
            " calculation: it opens its trace.",
            [
                metric(quantile(0.5), "{{class}} median", exemplars=True),
                metric(quantile(0.95), "{{class}} P95", ref="B"),
            ],
            Look("s", least=0),
        ),
        panels.heat(
            5,
            "Calculations by how long they took",
            "Of the chosen classes and sizes; a dot is one calculation and opens its trace.",
            buckets(f"sum by (le) (increase({names.PRICING_CALCULATION}_bucket{sized}{RATE}))"),
            "s",
        ),
    )
    spared = even(
        8,
        panels.lines(
            6,
            "Found in the caches",
            "Share of looks into each cache that found something: a model measured before, a quote given before.",
            [
                metric(
                    f'sum by (cache) (rate({lookups}{{outcome="hit"}}{RATE})) / sum by (cache) (rate({lookups}{RATE}))',
                    "{{cache}}",
                )
            ],
            Look("percentunit", decimals=0, least=0, most=1),
        ),
        panels.lines(
            7,
            "Refusals",
            "Requests answered without a price in the hour before, by why.",
            [metric(f"sum by (reason) (increase({names.PRICING_REFUSALS}{HOUR}))", "{{reason}}")],
            Look("short", least=0),
        ),
        panels.lines(
            8,
            "Prices left to the vendor",
            "Prices that the vendor calculated after all in the hour before, by why: the workers were late or failed,"
            " or somebody decided before they had answered.",
            [metric(f"sum by (cause) (increase({names.MES_FALLBACKS}{HOUR}))", "{{cause}}")],
            Look("short", least=0),
        ),
        panels.lines(
            12,
            "Share of models without a price",
            "Of the requests answered in the six hours before, those that got no price.",
            [metric(refused, "without a price")],
            Look("percentunit", ((None, GOOD), (0.5, BAD)), decimals=0, least=0, most=1),
        ),
    )
    trouble = even(
        8,
        panels.lines(
            9,
            "Child processes that did not end well",
            "In the hour before, by why: out of time, memory or output, crashed, or ended by others. A model that does"
            " this again and again is poison.",
            [metric(f"sum by (reason) (increase({names.PRICING_KILLED}{HOUR}))", "{{reason}}")],
            Look("short", least=0),
        ),
        panels.lines(
            10,
            "Work taken over from silent workers",
            "Leases lost in the hour before: a worker died or hung, and another one took its model up.",
            [metric(f"sum(increase({names.PRICING_LOST}{HOUR}))", "taken over")],
            Look("short", least=0),
        ),
        panels.lines(
            11,
            "Slabs",
            "Parts of very heavy models measured per second.",
            [metric(f"sum(rate({names.PRICING_SLABS}{RATE}))", "slabs")],
            Look("short", least=0),
        ),
    )
    about = "What waits for a price, how long calculations take, what is refused, and how the workers fare."
    rows = [waiting, taking, spared, trouble]
    return board(names.PRICING, "Pricing: a price within minutes", about, chosen, rows)
