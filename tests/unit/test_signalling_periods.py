"""What of the past a reference may rest on: not on weeks of which the collector knows nothing."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np
import pytest

from collectors.live.signalling import running as signalling_running
from collectors.live.signalling.periods import first_period, known_from, silences
from collectors.promise.model import Calendar
from collectors.replay import micros
from collectors.signals.ledger import HOUR_US, WEEK_H, Ledger, Visits
from collectors.signals.scope import Scope
from collectors.timelines.measuring import NEVER
from tests import live
from tests.live import START, Clock, event, running, whole_order

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOUR: Final = timedelta(hours=1)
DAY_H: Final = 24
FAR: Final = 1e9
BEGIN: Final = 400_000  # hours since 1970, a Tuesday
AT: Final = BEGIN * HOUR_US


def _ledger(hours: Sequence[float], stay_h: float | None = 0.5) -> Ledger:
    """Return what is known of orders that come these hours after BEGIN, and stay for so long (None: for ever)."""
    entered = np.array([round((BEGIN + hour) * HOUR_US) for hour in hours], dtype=np.int64)
    left = np.full(len(entered), NEVER) if stay_h is None else entered + round(stay_h * HOUR_US)
    ledger = Ledger(1)
    ledger.add(
        Visits(np.zeros(len(entered), dtype=np.int64), np.zeros((len(entered), 0), dtype=np.int64), entered, left)
    )
    return ledger


def _scope(closed: Sequence[date] = ()) -> Scope:
    calendar = Calendar.model_validate({"hours": "00:00-24:00", "closed": list(closed)}) if closed else None
    return Scope(("a",), ("all",), np.array([HOUR_US]), np.zeros(1, dtype=np.bool_), calendar)


def _silent(ledger: Ledger, weeks: int, closed: Sequence[date] = (), muted: Any = ()) -> list[tuple[float, float]]:
    """Return the silences of so many weeks from BEGIN on, in hours after it."""
    found = silences(ledger, AT, AT + weeks * WEEK_H * HOUR_US, _scope(closed), muted)
    return [(start / HOUR_US - BEGIN, stop / HOUR_US - BEGIN) for start, stop in found]


def _often(*stretches: tuple[int, int], every: int = 4) -> list[float]:
    return [hour + 0.1 for begin, end in stretches for hour in range(begin, end, every)]


def test_weeks_in_which_nothing_moved_at_all_are_silent() -> None:
    assert _silent(_ledger(_often((0, 2016))), 12) == []
    # The order that came last enters and leaves in its hour; the next one comes in hour 1008.
    assert _silent(_ledger(_often((0, 336), (1008, 2016))), 12) == [(333, 1008)]
    assert _silent(_ledger(_often((500, 1400))), 12) == [(0, 500), (1397, 2016)]


@pytest.mark.parametrize(("gap", "silent"), [(WEEK_H, False), (WEEK_H + 1, True)])
def test_a_week_without_orders_is_no_silence_yet(gap: int, silent: bool) -> None:  # noqa: FBT001 - a case
    orders = [*_often((0, 1001), every=1), *_often((1001 + gap, 2016), every=1)]
    assert _silent(_ledger(orders), 12) == ([(1001, 1001 + gap)] if silent else [])


@pytest.mark.parametrize(("orders", "silent"), [(11, False), (12, True)])
def test_a_house_of_few_orders_is_quiet_for_weeks(orders: int, silent: bool) -> None:  # noqa: FBT001 - a case
    """A silence is none of the house where a dozen orders were due in it, by the rest of the period."""
    found = _silent(_ledger([0.1, *np.linspace(1008.1, 2015.1, orders - 1).tolist()]), 12)
    # Of 2016 hours 1007 are silent; so as many orders were due in them as came in the 1009 others, but a fraction.
    assert found == []
    found = _silent(_ledger([0.1, *np.linspace(1030.1, 2015.1, orders - 1).tolist()]), 12)
    assert found == ([(1, 1030)] if silent else [])


def test_orders_that_never_leave_are_no_sign_of_life() -> None:
    """A forgotten order is inside for ever; whoever leaves is one, though nobody comes."""
    ledger = _ledger(_often((0, 336), (1008, 2016)), stay_h=0.5)
    none = np.zeros((1, 0), dtype=np.int64)
    zero = np.zeros(1, dtype=np.int64)
    ledger.add(Visits(zero, none, zero + AT, zero + NEVER))
    assert _silent(ledger, 12) == [(333, 1008)]
    ledger.add(Visits(zero, none, zero + AT, zero + AT + 600 * HOUR_US))
    assert _silent(ledger, 12) == [(333, 600), (601, 1008)]


def test_closed_days_and_maintenance_are_no_silence() -> None:
    """They count for nothing already: only hours that count can be missed."""
    ledger = _ledger(_often((0, 336), (1008, 2016)))
    first = date(1970, 1, 1) + timedelta(hours=BEGIN) + timedelta(days=14)
    assert _silent(ledger, 12, [first + timedelta(days=n) for n in range(28)]) == []
    assert _silent(ledger, 12, muted=((AT + 336 * HOUR_US, AT + 900 * HOUR_US),)) == []
    # With three weeks of the four closed, a week and some hours are left, and that is a silence.
    assert _silent(ledger, 12, muted=((AT + 336 * HOUR_US, AT + 830 * HOUR_US),)) == [(333, 1008)]


def test_a_period_of_less_than_a_week_holds_no_silence() -> None:
    ledger = _ledger(_often((0, 20)))
    assert silences(ledger, AT, AT + 1, _scope(), ()) == ()
    assert silences(ledger, AT, AT + WEEK_H * HOUR_US, _scope(), ()) == ()


def test_the_past_is_known_from_the_day_of_the_first_orders_but_stray_ones() -> None:
    now = AT + 3000 * HOUR_US
    assert known_from(Ledger(1), now) is None
    ledger = Ledger(1)
    ledger.advance(now)
    assert known_from(ledger, now) is None
    day = BEGIN // DAY_H * DAY_H
    hour = 16 - BEGIN % DAY_H + 30 * DAY_H
    orders = [hour + 0.1 + n for n in range(1000)]
    assert known_from(_ledger(orders), now) == (day + 30 * DAY_H) * HOUR_US
    # One order in a hundred may be a stray one, a try of months ago.
    assert known_from(_ledger([1.5] * 10 + orders), now) == (day + 30 * DAY_H) * HOUR_US
    assert known_from(_ledger([1.5] * 11 + orders), now) == day * HOUR_US
    # But the first orders of a house are none, however few: the others follow them within a week.
    assert known_from(_ledger([hour - WEEK_H + 0.2, *orders]), now) == (day + 23 * DAY_H) * HOUR_US
    assert known_from(_ledger([hour - WEEK_H - 0.9, *orders]), now) == (day + 30 * DAY_H) * HOUR_US


def test_what_the_ledger_has_forgotten_is_not_known() -> None:
    ledger = _ledger(_often((0, 2016)))
    ledger.advance(AT + 57 * WEEK_H * HOUR_US)
    assert ledger.first is not None
    assert BEGIN < ledger.first < BEGIN + 2 * WEEK_H
    assert known_from(ledger, AT + 57 * WEEK_H * HOUR_US) == ledger.first * HOUR_US


def _first(orders: Sequence[float], closed: Sequence[date] = ()) -> tuple[float, float] | None:
    """Return the first period in hours after BEGIN, of a promise of two weeks; enough come at once to be no strays."""
    now = AT + 57 * WEEK_H * HOUR_US
    found = first_period(_ledger([orders[0]] * 21 + list(orders)), 2 * WEEK_H * HOUR_US - 1, now, _scope(closed))
    return None if found is None else (found[0] / HOUR_US - BEGIN, found[1] / HOUR_US - BEGIN)


def test_a_house_that_was_silent_fills_anew_before_it_is_taken_for_its_reference() -> None:
    """After a pilot, say. Closed days are no silence, and one that comes after the eight weeks changes nothing."""
    flow, pilot = _often((2000, 5000)), _often((0, 400))
    assert _first(flow) == (2336, 3680)
    assert _first(pilot + flow) == (2336, 3680)
    assert _first(pilot) is None
    assert _first(pilot + _often((650, 900)) + flow) == (2336, 3680)
    assert _first(_often((0, 1700)) + flow) == (336, 1680)
    assert _first(_often((0, 1500)) + flow) == (2336, 3680)
    holidays, first = _often((0, 600), (960, 5000)), date(1970, 1, 1) + timedelta(hours=BEGIN + 608)
    assert _first(holidays) == (1296, 2640)
    assert _first(holidays, [first + timedelta(days=n) for n in range(14)]) == (336, 1680)
    assert _first(_often((0, 1680))) is None  # the last hour of the eight weeks is not over
    assert _first(_often((0, 1681))) == (336, 1680)


async def test_a_period_that_begins_before_the_first_orders_is_refused(tmp_path: Path) -> None:
    """The ledger has room for 57 weeks, but what nobody has told the collector of it is no quiet house."""
    clock = Clock(START + 900 * HOUR)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        why = {"end": (START + 880 * HOUR).isoformat(), "why": "a year mistyped"}
        begin = (START - 20 * WEEK_H * HOUR).isoformat()
        answer = await collector.client.post("/reference", json={"begin": begin, **why})
        assert answer.json()["detail"] == (
            "the collector has heard of no order yet; decide once weeks of them have come in"
        )
        made = [whole_order(f"o{n}", begin=n * 4, step=1 + n % 5) for n in range(220)]
        await collector.send(*(message for order in made for message in order))
        await collector.send(event("try", "NEW", -19 * WEEK_H), event("try", "PAID", -18 * WEEK_H))
        answer = await collector.client.post("/reference", json={"begin": begin, **why})
        assert answer.status_code == httpx.codes.BAD_REQUEST
        assert answer.json()["detail"] == (
            "the collector knows what happened from 2026-03-02T00:00:00.000000Z on until now; name a period within it"
        )
        answer = await collector.client.post("/reference", json={"begin": "2026-03-02T00:00:00Z", **why})
        assert answer.status_code == httpx.codes.CREATED, answer.text


async def test_weeks_in_which_nothing_was_heard_teach_a_reference_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits are those of the weeks that are known, as if the silence had been declared; it would lower them."""
    clock = Clock(START + 30 * WEEK_H * HOUR)
    async with running(live.settings(tmp_path, signals_seconds=FAR), clock) as collector:
        heard = [n * 6 for n in range(28 * 5)] + [25 * WEEK_H + n * 6 for n in range(28 * 5)]
        made = [whole_order(f"o{n}", begin=begin, step=1 + n * 7 % 5) for n, begin in enumerate(heard)]
        await collector.send(*(message for order in made for message in order))
        signalling = collector.service.signalling
        begin, end = micros(START), micros(START + 30 * WEEK_H * HOUR)
        await signalling.decide_reference(begin, end, "with the silence")
        told = signalling.reference
        silent = silences(signalling.account.ledger, begin, end, signalling.account.scope, ())
        assert [round((stop - start) / HOUR_US / WEEK_H) for start, stop in silent] == [20]
        monkeypatch.setattr(signalling_running, "silences", lambda *_: ())
        await signalling.decide_reference(begin, end, "as it was")
        naive = signalling.reference
        for start in range(silent[0][0], silent[0][1], 7 * DAY_H * HOUR_US):
            stop = min(start + 7 * DAY_H * HOUR_US, silent[0][1])
            await signalling.declare_maintenance(start, stop, "silence", past=True)
        await signalling.decide_reference(begin, end, "declared")
        declared = signalling.reference
        assert told is not None and naive is not None and declared is not None  # noqa: PT018 - for the type checker
        assert np.array_equal(told.limits, declared.limits)
        known = np.isfinite(told.limits[0, :3, 0])
        assert known.any()
        assert (naive.limits[0, :3, 0][known] < told.limits[0, :3, 0][known]).all()
