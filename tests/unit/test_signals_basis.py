"""What a fitted reference depends on: which closed days touch its period, and the texts that are stored of it."""

from __future__ import annotations

from datetime import UTC, datetime

from collectors.signals.basis import Basis, _text


def moment_us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e6)


def test_closed_days_touch_a_period_from_the_day_before_it_to_the_day_after() -> None:
    """In some zone the day before by UTC is not over yet, and in another the day after has begun."""
    days = ("2026-03-08", "2026-03-09", "2026-03-10", "2026-03-20", "2026-04-07", "2026-04-08", "2026-04-09")
    basis = Basis(("one",), "ends", "hours", days)
    found = basis.within(moment_us("2026-03-10T12:00"), moment_us("2026-04-07T12:00"))
    assert found == Basis(("one",), "ends", "hours", days[1:-1])


def test_what_is_stored_is_written_alike_by_every_version() -> None:
    """Else the next one would take what it finds for outdated."""
    assert _text([["fertig", "geprüft"], None]) == '[["fertig","geprüft"],null]'
