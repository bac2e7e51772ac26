"""The load and fault runs of pricing judge by what came out: what is stuck, doubled, slow or different fails them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pricing.messages import PriceClass
from tests.faults import pricing as killing
from tests.faults.pricing import Killing
from tests.load.__main__ import failures, main
from tests.load.asking import Asked

GOOD: dict[str, Any] = {
    "fairness": {
        name: {"asked": 10, "answered": 10, "refused": 0, "p95_s": 2.0} for name in ("shop", "partner", "heavy")
    },
    "scaling": {"same": True, "refused": 0, "ratio": 1.9},
    "in_flight": {"10000": {"series": 600}, "1000000": {"series": 600}},
}


def test_a_run_in_which_all_came_out_as_it_must_has_no_failures() -> None:
    assert failures(GOOD) == []


@pytest.mark.parametrize(
    ("where", "what", "value", "said"),
    [
        (("fairness", "partner"), "answered", 9, "partner: 1 requests were never answered"),
        (("fairness", "shop"), "refused", 1, "shop: refused"),
        (("fairness", "shop"), "p95_s", 10.0, "the shop's P95 is 10.0 s"),
        (("fairness", "shop"), "p95_s", float("nan"), "the shop's P95 is nan s"),
        (("scaling",), "same", False, "do not find the same prices"),
        (("scaling",), "ratio", 1.7, "two workers do 1.7 times"),
        (("in_flight", "1000000"), "series", 601, "series depend on how many orders are in flight"),
    ],
)
def test_each_thing_that_must_not_happen_fails_the_run(
    where: tuple[str, ...], what: str, value: object, said: str
) -> None:
    found = {
        name: {key: dict(one) if isinstance(one, dict) else one for key, one in run.items()}
        for name, run in GOOD.items()
    }
    place: Any = found
    for step in where:
        place = place[step]
    place[what] = value
    (told,) = failures(found)
    assert said in told


def test_requests_without_an_answer_with_two_or_with_another_price_are_counted() -> None:
    def asked(*answers: Decimal | str) -> Asked:
        return Asked("order", PriceClass.SHOP, "model", 0.0, 1.0, list(answers))

    price = Decimal("35.00")
    every = [asked(price), asked(), asked(price, price), asked(Decimal("36.00")), asked("failed")]
    found = killing.verdict(every, {("model", False): price})
    assert found == {"requests": 5, "stuck": 1, "doubled": 1, "priced_differently": 2}
    kills = {"workers_killed": 3, "children_killed": 2}
    assert killing.failures(found | kills, Killing(requests=5, kills=5)) == [
        "pricing: 1 requests stuck",
        "pricing: 1 requests doubled",
        "pricing: 2 requests priced differently",
    ]
    whole = {"requests": 5, "stuck": 0, "doubled": 0, "priced_differently": 0} | kills
    assert killing.failures(whole, Killing(requests=5, kills=5)) == []
    assert killing.failures(whole, Killing(requests=6, kills=6)) == [
        "pricing: only 5 of 6 kills were made",
        "pricing: only 5 of 6 requests were made",
    ]


def test_every_run_can_be_asked_for_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "{fairness,scaling,journey,in-flight}" in capsys.readouterr().out
