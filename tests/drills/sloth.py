"""The burn rates that Sloth (https://sloth.dev) generates for the house's promise, read from its rules.

Sloth is a control of the drills: what a team gets that writes its promise down as an SLO of events, 95 % over 30 days,
and takes the generator's defaults. Where ``deploy/parts`` could not build it, its documentation stands in.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import yaml

from alerts import tools
from collectors.promise.durations import parse_duration
from instrumentation.errors import TouchstoneError

# What a shop counts of each order as it leaves, whether in time or not.
BROKEN: Final = 'orders_shipped_total{promise="broken"}'
KEPT: Final = 'orders_shipped_total{promise="kept"}'
SPEC: Final[dict[str, Any]] = {
    "version": "prometheus/v1",
    "service": "house",
    "slos": [
        {
            "name": "promise",
            "objective": 95,
            "sli": {
                "events": {
                    "error_query": f"sum(rate({BROKEN}[{{{{.window}}}}]))",
                    "total_query": "sum(rate(orders_shipped_total[{{.window}}]))",
                }
            },
            "alerting": {"name": "PromiseBurns"},
        }
    ],
}
_RATIO: Final = "slo:sli_error:ratio_rate"
_OURS: Final = re.escape('{sloth_id="house-promise", sloth_service="house", sloth_slo="promise"}')
_SIDE: Final = rf"max\({_RATIO}(\w+){_OURS} > \(([\d.]+) \* ([\d.]+)\)\) without \(sloth_window\)"
_PAIR: Final = rf"\( {_SIDE} and {_SIDE} \)"


class Rate(NamedTuple):
    """A burn rate, in multiples of what the budget allows, that must be exceeded over two windows, in minutes."""

    factor: float
    short: int
    long: int


class BurnRules(NamedTuple):
    """What pages and what makes a ticket, the share of orders that may break, and where all this is from."""

    origin: str
    budget: float
    page: tuple[Rate, ...]
    ticket: tuple[Rate, ...]


class UnknownRulesError(TouchstoneError):
    """Sloth generates other rules than those that the drills can reckon with."""


# https://sloth.dev, "SLO period windows", as the SRE workbook has it (chapter 5, table 5-8).
RECIPE: Final = BurnRules(
    "Sloth's documented recipe",
    0.05,
    page=(Rate(14.4, 5, 60), Rate(6.0, 30, 360)),
    ticket=(Rate(3.0, 120, 1_440), Rate(1.0, 360, 4_320)),
)


def burn_rules() -> BurnRules:
    """Return the burn rates of Sloth's rules where the program is here, else those that it documents."""
    program = tools.found("sloth")
    return RECIPE if program is None else read(generated(program))


def generated(program: str) -> str:
    """Return the rules that Sloth generates for the promise. Raises alerts.tools.Refused where it objects."""
    with TemporaryDirectory(prefix="touchstone-sloth-") as name:
        folder = Path(name)
        (folder / "spec.yaml").write_text(yaml.safe_dump(SPEC), encoding="utf-8")
        tools.run([program, "generate", "--input=spec.yaml", "--out=rules.yaml"], folder)
        return (folder / "rules.yaml").read_text(encoding="utf-8")


def read(rules: str) -> BurnRules:
    """Return what generated rules ask for. Raises UnknownRulesError for whatever is not plain burn rates."""
    every = [rule for group in yaml.safe_load(rules)["groups"] for rule in group["rules"]]
    alerts = {rule["labels"].get("sloth_severity"): rule for rule in every if "alert" in rule}
    recorded = {rule["record"]: rule for rule in every if "record" in rule}
    if set(alerts) != {"page", "ticket"} or len(alerts) + len(recorded) != len(every):
        raise UnknownRulesError(f"Sloth's rules are expected to be a page, a ticket and what they read: {rules}")
    version = recorded["sloth_slo_info"]["labels"]["sloth_version"]
    (page, budget), (ticket, same) = (_rates(alerts[severity], recorded) for severity in ("page", "ticket"))
    if budget != same:
        raise UnknownRulesError(f"Sloth's rules have two error budgets: {budget} for pages, {same} for tickets")
    return BurnRules(f"Sloth {version}", budget, page, ticket)


def _rates(alert: dict[str, Any], recorded: dict[str, dict[str, Any]]) -> tuple[tuple[Rate, ...], float]:
    """Return the burn rates of an alert, any of which is enough, and the error budget that they multiply."""
    expression = _one_line(alert["expr"])
    unknown = UnknownRulesError(f"Sloth's alert is not two burn rates over two windows each: {alert}")
    if not re.fullmatch(f"{_PAIR} or {_PAIR}", expression) or {"for", "keep_firing_for"} & set(alert):
        raise unknown
    rates, budgets = set(), set()
    for short, low, one, long, high, other in re.findall(_PAIR, expression):
        budgets |= {float(one), float(other)}
        rates |= {(float(factor), _minutes(short, recorded), _minutes(long, recorded)) for factor in (low, high)}
    if len(rates) != 2 or len(budgets) != 1:
        raise unknown
    return tuple(Rate(*rate) for rate in sorted(rates, reverse=True)), budgets.pop()


def _minutes(window: str, recorded: dict[str, dict[str, Any]]) -> int:
    """Return the length of a window, whose ratio must be that of the spec's two queries."""
    events = SPEC["slos"][0]["sli"]["events"]
    broken, every = (events[name].replace("{{.window}}", window) for name in ("error_query", "total_query"))
    ratio = recorded.get(_RATIO + window, {}).get("expr", "nothing")
    if _one_line(ratio) != f"({broken}) / ({every})":
        raise UnknownRulesError(f"Sloth's ratio over {window} is not that of the two queries: {ratio}")
    return parse_duration(window) // timedelta(minutes=1)


def _one_line(expression: str) -> str:
    return " ".join(expression.split())
