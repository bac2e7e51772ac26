"""The burn rates that the drills reckon with are those of the rules that a real Sloth generates."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
import yaml

from alerts import tools
from tests.drills.controls import Shipped, burning
from tests.drills.sloth import BROKEN, KEPT, RECIPE, UnknownRulesError, generated, read
from tests.parts import promtool, sloth

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SEVERITIES: Final = ("page", "ticket")


def history(*parts: tuple[int, str]) -> Shipped:
    """Return orders: for so many minutes this pattern again and again, a sign a minute: kept, Broken, or none."""
    signs = np.array(list("".join((pattern * length)[:length] for length, pattern in parts)))
    return Shipped((signs != ".").astype(np.int64), (signs == "B").astype(np.int64))


def by_chance(hours: int, orders_per_day: float, seed: int) -> Shipped:
    """Return orders of which one in five broke its promise."""
    rng = Random(seed)  # noqa: S311 - nothing secret
    share = orders_per_day / 1_440
    return history((hours * 60, "".join(rng.choices("kB.", (0.8 * share, 0.2 * share, 1 - share), k=hours * 60))))


# By the rates that page in it: 14.4 times the budget are 0.72 of the orders, 6 times are 0.3.
HISTORIES: Final = {
    "fast": (history((300, "k"), (60, "B"), (30, "k")), (0,)),
    "slow": (history((200, "k"), (280, "kkkBB"), (60, "k")), (1,)),
    "both": (history((120, "k"), (90, "B"), (420, ".")), (0, 1)),
    "at the boundary": (history((500, "kkkkkkkBBB")), ()),
    "one order beyond the boundary": (history((500, "kkkkkkkBBB"), (1, "B"), (60, "kkkkkkkBBB")), (1,)),
    "all kept": (history((400, "k..")), ()),
    "nothing at all": (history((400, ".")), ()),
    "one order, and it is late": (history((100, "."), (1, "B"), (400, ".")), (0, 1)),
    "five a day": (by_chance(30, 5, 1), (0, 1)),
    "fifty a day": (by_chance(26, 50, 1), (0, 1)),
}


@pytest.fixture(scope="module")
def rules() -> str:
    """Return the rules that Sloth generates."""
    return generated(sloth())


def test_sloth_generates_what_it_documents(rules: str) -> None:
    """Factors, windows and error budget, of pages and of tickets; and says who it is."""
    found = read(rules)
    assert found == RECIPE._replace(origin=found.origin)
    assert found.origin.startswith("Sloth ")
    assert found.origin != "Sloth dev"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(14.4 * 0.05)", "(14.5 * 0.05)"),  # one window of a pair alone
        ("(3 * 0.05)", "(3 * 0.04)"),
        ("* 0.05)", "* 0.05 * 1)"),
        ('ratio_rate1h{sloth_id="house', 'ratio_rate1h{sloth_id="hive'),
        ("[1h]", "[2h]"),
        ("      )\n      or\n", "      )\n      unless\n"),
        ("    labels:\n      sloth_severity: page", "    for: 1m\n    labels:\n      sloth_severity: page"),
        ("sloth_severity: ticket", "sloth_severity: page"),
    ],
)
def test_other_rules_are_refused_in_a_sentence(rules: str, old: str, new: str) -> None:
    """Nobody reckons with burn rates that Sloth no longer asks for."""
    assert old in rules
    with pytest.raises(UnknownRulesError, match=r"^Sloth's "):
        read(rules.replace(old, new, 1))


@pytest.mark.parametrize(("orders", "by"), HISTORIES.values(), ids=HISTORIES)
def test_a_history_pages_by_the_rates_that_it_was_made_for(orders: Shipped, by: Sequence[int]) -> None:
    """Else the agreement below would be about fewer rates than it seems."""
    paged = [number for number, rate in enumerate(RECIPE.page) if burning(orders, [rate], RECIPE.budget).any()]
    assert paged == list(by)


@pytest.mark.parametrize("orders", [orders for orders, _ in HISTORIES.values()], ids=HISTORIES)
def test_prometheus_fires_sloths_alerts_at_the_same_minutes(orders: Shipped, rules: str, tmp_path: Path) -> None:
    """Recording rules and alerts as generated, evaluated every minute over counters scraped every minute.

    Every sample lies on the borders of windows, so nothing is extrapolated; a Prometheus 2 counts those on both
    borders, and a window of 5 minutes holds the orders of 5. (From version 3 on the left one is left out: those of 4.)
    """
    assert "SUCCESS" in agreed(rules, orders, alarms(orders), tmp_path)


def test_a_minute_that_differs_is_noticed(rules: str, tmp_path: Path) -> None:
    """Else the agreement above would prove nothing."""
    orders, _ = HISTORIES["fast"]
    for severity in SEVERITIES:
        wrong = alarms(orders)
        wrong[severity][-1] ^= True
        with pytest.raises(tools.Refused, match=f"{severity}.*, time: 6h30m"):
            agreed(rules, orders, wrong, tmp_path)


def alarms(orders: Shipped) -> dict[str, NDArray[np.bool_]]:
    """Return when the drills say that each severity's alert fires."""
    found = read(generated(sloth()))
    return {severity: burning(orders, getattr(found, severity), found.budget) for severity in SEVERITIES}


def agreed(rules: str, orders: Shipped, told: dict[str, NDArray[np.bool_]], folder: Path) -> str:
    """Let promtool prove at the end of each minute which alerts fire. Raises alerts.tools.Refused where others do."""
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    expected = [
        firing(severity, minute, bool(fires)) for severity in told for minute, fires in enumerate(told[severity], 1)
    ]
    test = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "group_eval_order": [group["name"] for group in yaml.safe_load(rules)["groups"]],
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": BROKEN, "values": counter(orders.broken)},
                    {"series": KEPT, "values": counter(orders.every - orders.broken)},
                ],
                "promql_expr_test": expected,
            }
        ],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(test), encoding="utf-8")
    return tools.run([promtool(), "test", "rules", "test.yaml"], folder)


def firing(severity: str, minute: int, fires: bool) -> dict[str, Any]:  # noqa: FBT001 - a fact of the minute
    """Return a check of how many alerts of a severity fire at a minute."""
    return {
        "expr": f'count(ALERTS{{alertstate="firing", sloth_severity="{severity}"}}) or vector(0)',
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": "{}", "value": int(fires)}],
    }


def counter(counts: NDArray[np.int64]) -> str:
    """Return a counter's value at the begin of the first minute and at the end of each."""
    return " ".join(map(str, [0, *np.cumsum(counts)]))
