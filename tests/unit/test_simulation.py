"""The simulated house: the same log for the same seed, and healthy unless a stage is slowed."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.simulation import (
    HOUSE,
    REPORTED_BY,
    STAGES,
    Scenario,
    Slowdown,
    Status,
    StatusChange,
    cloudevents,
    parse_slowdown,
    simulate,
    write_cloudevents,
    write_csv,
)
from collectors.simulation.calendars import DAY, HOUR, WEEK, Calendar, Shift
from collectors.simulation.servers import Agenda, Claim, Process, Servers
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collectors.simulation.settings import Staff

PROMISE = timedelta(days=21)
CUSTOMERS_TURN = "customer's turn"
STAGE_OF = {
    Status.SUBMITTED: "price queue",
    Status.PRICE_FAILED: "price queue",
    Status.PRICE_CALCULATING: "pricing",
    Status.PRICE_CALCULATED: "approval",
    Status.AWAITING_CUSTOMER: CUSTOMERS_TURN,
    Status.MANUFACTURING_APPROVED: "assignment",
    Status.MANUFACTURING_STARTED: "manufacturing",
    Status.MANUFACTURING_COMPLETED: "packing queue",
    Status.PACKAGING: "packing",
}
# Stage -> (healthy mean in days, budget in days), as DESIGN.md gives them.
HEALTHY = {
    "price queue": (0.05, 4 / 24),
    "pricing": (0.02, 1 / 24),
    "approval": (2.0, 3.0),
    "assignment": (2.0, 3.0),
    "manufacturing": (5.0, 9.0),
    "packing queue": (1.5, 3.0),
    "packing": (1.0, 2.0),
}
# Every step that the house knows; the main line, its forks and its rework.
STEPS = {
    (None, "INITIATED"),
    ("INITIATED", "SUBMITTED"),
    ("SUBMITTED", "PRICE_CALCULATING"),
    ("PRICE_CALCULATING", "PRICE_CALCULATED"),
    ("PRICE_CALCULATING", "PRICE_FAILED"),
    ("PRICE_FAILED", "PRICE_CALCULATING"),
    ("PRICE_CALCULATED", "AWAITING_CUSTOMER"),
    ("AWAITING_CUSTOMER", "PRICE_CALCULATED"),
    ("AWAITING_CUSTOMER", "CANCELLED"),
    ("PRICE_CALCULATED", "CANCELLED"),
    ("PRICE_CALCULATED", "REJECTED"),
    ("PRICE_CALCULATED", "MANUFACTURING_APPROVED"),
    ("MANUFACTURING_APPROVED", "MANUFACTURING_STARTED"),
    ("MANUFACTURING_STARTED", "MANUFACTURING_APPROVED"),
    ("MANUFACTURING_STARTED", "MANUFACTURING_COMPLETED"),
    ("MANUFACTURING_COMPLETED", "MANUFACTURING_STARTED"),
    ("MANUFACTURING_COMPLETED", "PACKAGING"),
    ("PACKAGING", "SHIPPED"),
    ("SHIPPED", "CLOSED"),
}


def run(*slowdowns: str, days: int = 60, per_day: float = 20, seed: int = 1) -> list[StatusChange]:
    """Simulate the house with these slowdowns, as the command line writes them."""
    return list(simulate(Scenario(days, per_day, seed, tuple(map(parse_slowdown, slowdowns)))))


def by_order(log: list[StatusChange]) -> dict[str, list[StatusChange]]:
    """Sort the log into orders."""
    orders: dict[str, list[StatusChange]] = defaultdict(list)
    for change in log:
        orders[change.order].append(change)
    return orders


def stage_days(changes: list[StatusChange]) -> dict[str, float]:
    """Add up an order's days in each stage, from SUBMITTED to SHIPPED or its last event."""
    days: dict[str, float] = defaultdict(float)
    for change, following in pairwise(changes):
        if stage := STAGE_OF.get(change.status):
            days[stage] += (following.at - change.at) / timedelta(days=1)
    return days


def shipped(log: list[StatusChange]) -> dict[str, dict[str, float]]:
    """Return the days in each stage of the orders that were shipped."""
    return {
        order: stage_days(changes)
        for order, changes in by_order(log).items()
        if any(change.status == Status.SHIPPED for change in changes)
    }


def stage_means(log: list[StatusChange]) -> dict[str, float]:
    """Return each stage's mean in days over the orders that were shipped."""
    orders = shipped(log).values()
    return {stage: fmean(days[stage] for days in orders) for stage in HEALTHY}


def kept_share(log: list[StatusChange]) -> float:
    """Return the share of kept promises, of those whose moment lies within the log."""
    verdicts = []
    for changes in by_order(log).values():
        at = {change.status: change.at for change in changes}
        if Status.SUBMITTED not in at or {Status.CANCELLED, Status.REJECTED} & at.keys():
            continue
        pause = timedelta(days=stage_days(changes)[CUSTOMERS_TURN])
        promised = at[Status.SUBMITTED] + PROMISE + pause
        if promised <= log[-1].at:
            verdicts.append(Status.SHIPPED in at and at[Status.SHIPPED] <= promised)
    return fmean(verdicts)


def rescued(log: list[StatusChange]) -> Counter[str]:
    """Count, per stage, the shipped broken orders that would have been kept had it kept its budget."""
    counts: Counter[str] = Counter()
    for days in shipped(log).values():
        over = sum(days.values()) - days[CUSTOMERS_TURN] - PROMISE.days
        if over > 0:
            counts.update(stage for stage, (_, budget) in HEALTHY.items() if days[stage] - budget >= over)
    return counts


@pytest.fixture(scope="module")
def healthy() -> list[StatusChange]:
    """Sixty days of the healthy house at twenty orders a day."""
    return run()


class TestTheSameScenarioGivesTheSameLog:
    """Seeds, and what does not depend on them."""

    def test_the_same_seed_repeats_the_log(self, healthy: list[StatusChange]) -> None:
        """Two runs of one scenario are equal, event by event."""
        assert run() == healthy

    def test_another_seed_gives_another_log(self, healthy: list[StatusChange]) -> None:
        """The seed matters."""
        assert run(seed=2) != healthy

    def test_the_log_is_the_same_on_any_machine(self) -> None:
        """Twenty days are pinned to the byte; set the digest anew when house or numpy change."""
        stream = io.StringIO()
        write_csv(run(days=20, per_day=5), stream)
        assert sha256(stream.getvalue().encode()).hexdigest()[:16] == "38990e90060888e6"

    def test_a_longer_log_begins_with_the_shorter_one(self, healthy: list[StatusChange]) -> None:
        """The horizon cuts the log and changes nothing before it."""
        shorter = run(days=30)
        assert healthy[: len(shorter)] == shorter

    def test_a_slowdown_leaves_what_was_before_untouched(self, healthy: list[StatusChange]) -> None:
        """Up to its day, a slowed house logs the same."""
        since = healthy[0].at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=30)
        before = [change for change in healthy if change.at < since]
        assert run("approval=3x@30")[: len(before)] == before

    def test_a_slowdown_changes_no_arrival(self, healthy: list[StatusChange]) -> None:
        """The same orders are begun at the same moments, whatever is slowed."""
        slowed = run("price queue=+8d@0", "manufacturing=2x@0")
        assert {c for c in slowed if c.previous is None} == {c for c in healthy if c.previous is None}

    def test_a_slowdown_after_the_end_changes_nothing(self, healthy: list[StatusChange]) -> None:
        """No order enters the stage from that day on."""
        assert run("packing=+8d@60") == healthy


class TestOrdersMoveThroughTheHouse:
    """What each order goes through."""

    def test_each_order_takes_known_steps_only(self, healthy: list[StatusChange]) -> None:
        """No status is skipped, rework goes back where it belongs, and in 60 days every step is taken."""
        assert {(change.previous, change.status) for change in healthy} == STEPS

    def test_previous_is_the_status_before(self, healthy: list[StatusChange]) -> None:
        """The log of one order is a chain."""
        for changes in by_order(healthy).values():
            assert changes[0].previous is None
            assert all(later.previous == earlier.status for earlier, later in pairwise(changes))

    def test_nothing_follows_an_end(self, healthy: list[StatusChange]) -> None:
        """Closed, cancelled and rejected orders stay so."""
        ends = {Status.CLOSED, Status.CANCELLED, Status.REJECTED}
        assert not [change for change in healthy if change.previous in ends]

    def test_the_log_is_in_the_order_of_time(self, healthy: list[StatusChange]) -> None:
        """A reader may take it line by line."""
        assert all(earlier.at <= later.at for earlier, later in pairwise(healthy))

    def test_the_time_of_an_order_never_stands_still(self, healthy: list[StatusChange]) -> None:
        """No two statuses of one order share a moment, so the order of events needs no sequence."""
        for changes in by_order(healthy).values():
            assert all(earlier.at < later.at for earlier, later in pairwise(changes))

    def test_the_log_ends_with_the_last_day(self, healthy: list[StatusChange]) -> None:
        """Events lie in [start, start + days), and the last orders are open."""
        start = Scenario(60, 20).start
        assert start <= healthy[0].at < start + timedelta(days=1)
        assert start + timedelta(days=59) < healthy[-1].at < start + timedelta(days=60)
        last = {changes[-1].status for changes in by_order(healthy).values()}
        assert last >= {Status.PRICE_CALCULATED, Status.MANUFACTURING_STARTED, Status.PACKAGING}

    def test_as_many_orders_begin_as_asked_for(self) -> None:
        """Orders per day is the mean of those begun, bursts included."""
        begun = sum(change.previous is None for change in run(days=140, per_day=50))
        assert begun == pytest.approx(140 * 50, rel=0.06)

    def test_few_orders_are_never_submitted_or_cancelled(self, healthy: list[StatusChange]) -> None:
        """Between one and ten of a hundred each."""
        orders = by_order(healthy)
        unstarted = sum(changes[-1].status == Status.INITIATED for changes in orders.values())
        off = sum(changes[-1].status in {Status.CANCELLED, Status.REJECTED} for changes in orders.values())
        assert 0.01 < unstarted / len(orders) < 0.1
        assert 0.01 < off / len(orders) < 0.1

    def test_partners_order_in_bursts_on_weekdays(self) -> None:
        """A partner's orders come within hours of each other and skip the weekend; the shop's do not."""
        log = run(days=84, per_day=10)
        begun: dict[str, list[datetime]] = defaultdict(list)
        for change in log:
            if change.previous is None:
                begun[change.channel].append(change.at)
        assert 0.1 < len(begun["b2b"]) / (len(begun["b2b"]) + len(begun["shop"])) < 0.4
        assert {at.weekday() for at in begun["b2b"]} <= {0, 1, 2, 3, 4}
        assert {at.weekday() for at in begun["shop"]} == set(range(7))
        busy = {channel: len({at.date() for at in moments}) / 84 for channel, moments in begun.items()}
        assert busy["b2b"] < 0.5
        assert busy["shop"] > 0.95

    def test_a_tiny_shop_may_log_nothing(self) -> None:
        """No orders, no events, no error."""
        assert run(days=1, per_day=0.0001) == []


class TestPeopleKeepTheirHours:
    """Calendars and capacities."""

    @pytest.mark.parametrize(
        ("status", "weekdays", "hours"),
        [
            (Status.MANUFACTURING_STARTED, 6, range(6, 22)),
            (Status.MANUFACTURING_COMPLETED, 6, range(6, 22)),
            (Status.REJECTED, 5, range(9, 18)),
            (Status.PACKAGING, 5, range(8, 18)),
            (Status.SHIPPED, 5, range(8, 18)),
        ],
    )
    def test_a_status_is_entered_on_duty(
        self, healthy: list[StatusChange], status: Status, weekdays: int, hours: range
    ) -> None:
        """Managers work office hours, the workshop shifts, packers weekdays."""
        moments = [change.at for change in healthy if change.status == status]
        assert moments
        assert {at.weekday() for at in moments} <= set(range(weekdays))
        assert {at.hour for at in moments} <= set(hours)

    def test_managers_approve_in_office_hours_even_when_slow(self) -> None:
        """A longer wait moves an approval to another working hour, never into the night."""
        log = run("approval=1.6x@0", days=40)
        approved = [c.at for c in log if c.previous == Status.PRICE_CALCULATED]
        assert {at.weekday() for at in approved} <= {0, 1, 2, 3, 4}
        assert {at.hour for at in approved} <= set(range(9, 18))

    def test_prices_are_calculated_day_and_night(self, healthy: list[StatusChange]) -> None:
        """Pricing is software."""
        moments = [change.at for change in healthy if change.status == Status.PRICE_CALCULATED]
        assert {at.hour for at in moments} == set(range(24))
        assert {at.weekday() for at in moments} == set(range(7))

    @pytest.mark.parametrize(
        ("status", "staff", "share"),
        [
            (Status.PRICE_CALCULATING, HOUSE.workers, 1),
            (Status.PACKAGING, HOUSE.packers, 1),
            # The workshop has twice the capacity that it needs, rain or shine.
            (Status.MANUFACTURING_STARTED, HOUSE.workshop, 2 / 3),
        ],
    )
    def test_no_more_orders_are_at_work_than_there_are_servers(
        self, healthy: list[StatusChange], status: Status, staff: Staff, share: float
    ) -> None:
        """A stage of work never holds more orders than its group has places, the workshop far fewer."""
        at_work = peak = 0
        for change in healthy:
            at_work += (change.status == status) - (change.previous == status)
            peak = max(peak, at_work)
        assert 0 < peak <= share * staff.servers(20, Calendar(staff.shifts).hours_per_week)


class TestTheHealthyHouse:
    """The figures that DESIGN.md promises of it."""

    @pytest.mark.parametrize(("per_day", "days", "seed"), [(20, 180, 1), (20, 180, 2), (50, 90, 3), (20, 42, 4)])
    def test_stage_means_are_those_of_the_design(self, per_day: float, days: int, seed: int) -> None:
        """Within a quarter, at a half-year and at six weeks."""
        means = stage_means(run(days=days, per_day=per_day, seed=seed))
        assert means == {stage: pytest.approx(mean, rel=0.25) for stage, (mean, _) in HEALTHY.items()}

    @pytest.mark.parametrize(("per_day", "days", "seeds"), [(5, 180, range(4)), (50, 90, range(2)), (200, 42, [0])])
    def test_it_keeps_93_to_97_of_100_promises(self, per_day: float, days: int, seeds: range) -> None:
        """At every volume, since capacity follows demand."""
        share = fmean(kept_share(run(days=days, per_day=per_day, seed=seed)) for seed in seeds)
        assert 0.93 <= share <= 0.97


class TestSlowedStages:
    """What --slow does, and that a count of rescued orders finds it."""

    @pytest.mark.parametrize("stage", HEALTHY)
    def test_a_factor_multiplies_the_stage_and_no_other(self, healthy: list[StatusChange], stage: str) -> None:
        """1.6x makes the stage about 1.6 times slower; what nights make of it is allowed for."""
        slowed, before = stage_means(run(f"{stage}=1.6x@0")), stage_means(healthy)
        assert 1.4 < slowed.pop(stage) / before[stage] < 1.9
        assert slowed == {other: pytest.approx(before[other], rel=0.12) for other in slowed}

    def test_added_time_to_work_is_exact_and_occupies_nobody(self, healthy: list[StatusChange]) -> None:
        """Packing begins for every order when it did before, and ends eight days later to the microsecond."""
        slowed = run("packing=+8d@0", days=80)
        ends = {c.order: c.at for c in slowed if c.status == Status.SHIPPED}
        for change in healthy:
            if change.status == Status.SHIPPED:
                assert ends[change.order] == change.at + timedelta(days=8)

    def test_added_time_to_a_wait_passes_before_it(self) -> None:
        """No order leaves the stage sooner than the added time."""
        log = run("assignment=+8d@0")
        waits = [days["assignment"] for days in shipped(log).values()]
        assert waits
        assert min(waits) > 8

    def test_the_customers_turn_can_be_slowed(self, healthy: list[StatusChange]) -> None:
        """It pauses the promise, so what is kept hardly changes."""
        slowed = run(f"{CUSTOMERS_TURN}=+8d@0")
        turns = [days[CUSTOMERS_TURN] for days in shipped(slowed).values() if days[CUSTOMERS_TURN]]
        assert min(turns) > 8
        assert kept_share(slowed) == pytest.approx(kept_share(healthy), abs=0.02)

    def test_slowdowns_of_one_stage_add_up(self) -> None:
        """Five days and three days are eight."""
        assert run("pricing=+5d@10", "pricing=+3d@10") == run("pricing=+8d@10")

    def test_a_factor_below_one_quickens(self, healthy: list[StatusChange]) -> None:
        """What-if asks that too."""
        means = stage_means(run("approval=0.5x@0"))
        assert means["approval"] < 0.7 * stage_means(healthy)["approval"]

    @pytest.mark.parametrize("stage", HEALTHY)
    def test_a_count_of_rescued_orders_names_the_slowed_stage(self, stage: str) -> None:
        """Eight days added from day 60 make that stage the culprit, by a margin."""
        counts = rescued(run(f"{stage}=+8d@60", days=100, seed=7)).most_common(2)
        assert counts[0][0] == stage
        assert counts[0][1] > 1.3 * counts[1][1]


class TestReadingASlowdown:
    """The option --slow."""

    @pytest.mark.parametrize(
        ("text", "slowdown"),
        [
            ("approval=1.6x@60", Slowdown("approval", 60, factor=1.6)),
            ("price queue=+8d@0", Slowdown("price queue", 0, added=timedelta(days=8))),
            (" packing queue = 2x @ 2.5 ", Slowdown("packing queue", 2.5, factor=2)),
            ("customer's turn=+1d12h@3", Slowdown(CUSTOMERS_TURN, 3, added=timedelta(hours=36))),
            ("pricing=+3w@1", Slowdown("pricing", 1, added=timedelta(weeks=3))),
            ("pricing=+2h15m30s@1", Slowdown("pricing", 1, added=timedelta(seconds=8130))),
        ],
    )
    def test_reads_factors_and_durations(self, text: str, slowdown: Slowdown) -> None:
        """Both forms, sums of durations, days in fractions."""
        assert parse_slowdown(text) == slowdown

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            (
                "polishing=2x@3",
                "Unknown stage 'polishing' in --slow 'polishing=2x@3'; the stages are: price queue,",
            ),
            ("approval", "Cannot read --slow 'approval'"),
            ("approval=2x", "Cannot read --slow 'approval=2x'"),
            ("=2x@1", "Cannot read --slow '=2x@1'"),
            ("approval=1.6@3", "Cannot read '1.6' in --slow"),
            ("approval=nanx@3", "Cannot read the factor 'nan'"),
            ("approval=0x@3", "by 0.0x; give a factor above 0"),
            ("approval=9999x@3", "at most 1000"),
            ("approval=+8@3", "Cannot read the duration '8'"),
            ("approval=+@3", "Cannot read the duration ''"),
            ("approval=+99999w@3", "too long"),
            ("approval=2x@-1", "Cannot read the day '-1'"),
            ("approval=2x@", "Cannot read the day ''"),
            ("approval=2x@99999999", "give the days since the start"),
        ],
    )
    def test_says_what_is_wrong_and_what_to_do(self, text: str, complaint: str) -> None:
        """One sentence, one line, ending in a full stop."""
        with pytest.raises(BadInput) as error:
            parse_slowdown(text)
        sentence = str(error.value)
        assert complaint in sentence
        assert sentence.endswith(".")
        assert "\n" not in sentence

    def test_an_unknown_stage_lists_the_known_ones(self) -> None:
        """All eight of them."""
        with pytest.raises(BadInput) as error:
            parse_slowdown("polishing=2x@3")
        assert all(stage in str(error.value) for stage in STAGES)


class TestScenarios:
    """What can be simulated."""

    @pytest.mark.parametrize(
        ("days", "per_day", "seed"),
        [
            (0, 20, 0),
            (-1, 20, 0),
            (10**6, 20, 0),
            (10, 0, 0),
            (10, -5, 0),
            (10, float("nan"), 0),
            (10, 20, -1),
        ],
    )
    def test_refuses_what_cannot_be(self, days: int, per_day: float, seed: int) -> None:
        """Each refusal is a BadInput."""
        with pytest.raises(BadInput, match=r"^Cannot .*; give .*\.$"):
            Scenario(days, per_day, seed)

    def test_refuses_a_start_without_a_time_zone(self) -> None:
        """A moment without a zone is no moment."""
        with pytest.raises(BadInput, match="with its time zone"):
            Scenario(10, 20, start=datetime(2026, 1, 5))  # noqa: DTZ001 - that is the point

    def test_starts_when_asked(self) -> None:
        """On any weekday and hour of any zone; the hours of duty are those of UTC."""
        start = datetime(2026, 3, 28, 15, 30, tzinfo=timezone(timedelta(hours=2)))
        log = list(simulate(Scenario(30, 20, 1, start=start)))
        assert start <= log[0].at < start + timedelta(days=1)
        assert log[-1].at < start + timedelta(days=30)
        assert log[0].at.tzinfo == UTC
        assert {c.at.hour for c in log if c.status == Status.SHIPPED} <= set(range(8, 18))


class TestWriting:
    """The log in files."""

    def test_csv_has_the_columns_that_the_promise_file_names(self, healthy: list[StatusChange]) -> None:
        """Order, status and a moment in UTC to the microsecond."""
        stream = io.StringIO()
        assert write_csv(healthy, stream) == len(healthy)
        rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
        assert list(rows[0]) == ["order_id", "status", "at", "channel", "product"]
        read = [
            (
                row["order_id"],
                row["status"],
                datetime.fromisoformat(row["at"]),
                row["channel"],
                row["product"],
            )
            for row in rows
        ]
        assert read == [(c.order, c.status, c.at, c.channel, c.product) for c in healthy]
        assert {len(row["at"]) for row in rows} == {len("2026-01-05T08:36:07.245234+00:00")}

    def test_cloudevents_say_the_same(self, healthy: list[StatusChange]) -> None:
        """One JSON document a line."""
        stream = io.StringIO()
        assert write_cloudevents(healthy, stream) == len(healthy)
        events = [json.loads(line) for line in stream.getvalue().splitlines()]
        assert [(e["subject"], e["data"]["status"], datetime.fromisoformat(e["time"])) for e in events] == [
            (c.order, c.status, c.at) for c in healthy
        ]
        assert len({(e["source"], e["id"]) for e in events}) == len(events)

    def test_cloudevents_follow_the_contract(self, healthy: list[StatusChange]) -> None:
        """The owner of the status is the source, and its sequence per order has no gaps."""
        last: Counter[tuple[str, str]] = Counter()
        for change, event in zip(healthy, cloudevents(healthy), strict=True):
            key = (event["subject"], event["source"])
            last[key] += 1
            assert event["source"] == REPORTED_BY[change.status]
            assert (event["sequence"], event["sequencetype"]) == (str(last[key]), "Integer")
            assert (event["specversion"], event["type"]) == ("1.0", "order.status.changed.v1")
            assert event["data"]["previous"] == change.previous
            assert event["data"]["order"] == {"channel": change.channel, "product": change.product}

    def test_an_order_is_one_trace(self, healthy: list[StatusChange]) -> None:
        """Its events share the trace id and differ in the span id."""
        events = list(cloudevents(healthy[:3000]))
        parents = [event["traceparent"].split("-") for event in events]
        assert {(len(trace), len(span)) for _, trace, span, _ in parents} == {(32, 16)}
        assert len({trace for _, trace, _, _ in parents}) == len({event["subject"] for event in events})
        assert len({span for _, _, span, _ in parents}) == len(events)


SHIFTS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 23), st.integers(1, 24)).filter(lambda s: s[1] < s[2]),
    min_size=1,
    max_size=6,
).map(lambda shifts: tuple(Shift((day,), opens, closes) for day, opens, closes in shifts))
MOMENTS = st.integers(0, 3 * WEEK // HOUR * 2).map(lambda half_hours: half_hours * HOUR // 2)


class TestCalendars:
    """Duty hours, against counting half hours one by one."""

    @given(SHIFTS, MOMENTS, st.integers(1, 200).map(lambda half_hours: half_hours * HOUR // 2))
    def test_work_takes_as_many_duty_hours_as_it_needs(self, shifts: tuple[Shift, ...], moment: int, work: int) -> None:
        """The moment when work is done is the one that a clock on duty shows."""
        counted = moment
        left = work
        while left:
            left -= _open(shifts, counted) * HOUR // 2
            counted += HOUR // 2
        assert Calendar(shifts).after(moment, work) == counted

    @given(SHIFTS, MOMENTS)
    def test_the_next_opening_is_the_first_half_hour_on_duty(self, shifts: tuple[Shift, ...], moment: int) -> None:
        """This moment, if somebody is there."""
        counted = moment
        while not _open(shifts, counted):
            counted += HOUR // 2
        assert Calendar(shifts).next_open(moment) == counted

    def test_the_mean_closure_is_what_a_visitor_at_any_time_waits(self) -> None:
        """Against the mean over all half hours of a week."""
        shifts = HOUSE.sales.shifts
        calendar = Calendar(shifts)
        visits = range(0, WEEK, HOUR // 4)
        waited = fmean(calendar.next_open(moment) - moment for moment in visits)
        assert calendar.mean_closure == pytest.approx(waited, rel=0.01)
        assert Calendar(HOUSE.workers.shifts).mean_closure == 0
        assert calendar.hours_per_week == 45

    def test_a_handover_between_shifts_is_no_closing_time(self) -> None:
        """Two shifts that touch are one."""
        calendar = Calendar((Shift((0,), 6, 14), Shift((0,), 14, 22)))
        assert calendar.after(13 * HOUR, 2 * HOUR) == 15 * HOUR


def _open(shifts: tuple[Shift, ...], moment: int) -> bool:
    """Say whether one of the shifts is on."""
    day, hour = moment // DAY % 7, moment % DAY / HOUR
    return any(day in shift.weekdays and shift.opens <= hour < shift.closes for shift in shifts)


class TestServers:
    """One queue before equal servers."""

    def test_the_lower_priority_number_goes_first_then_who_came_first(self) -> None:
        """What is begun is finished first."""
        agenda = Agenda()
        servers = Servers(1, Calendar((Shift(tuple(range(7)), 0, 24),)), agenda)
        begun: list[tuple[str, int]] = []

        def job(name: str, priority: int) -> Process:
            now = yield Claim(servers, priority)
            begun.append((name, now))
            now = yield now + HOUR
            servers.release(now)

        for name, priority in [("first", 2), ("second", 2), ("third", 2), ("partner", 1), ("rework", 0)]:
            agenda.start(job(name, priority), 0)
        moments = list(agenda.run(until=DAY))
        assert begun == [
            ("first", 0),
            ("rework", HOUR),
            ("partner", 2 * HOUR),
            ("second", 3 * HOUR),
            ("third", 4 * HOUR),
        ]
        assert moments == sorted(moments)
