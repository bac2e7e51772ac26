"""Moments as integers of microseconds since 1970 in UTC, so that sums and comparisons are exact."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def moment_of(time: datetime, zone: ZoneInfo) -> int:
    """Return the moment of a time; a naive one is on the wall clock of the zone."""
    aware = time if time.tzinfo else time.replace(tzinfo=zone)
    return (aware - EPOCH) // MICROSECOND


def read(value: str, zone: ZoneInfo, time_format: str | None) -> int | None:
    """Return the moment that a text names, or None where it names none.

    Without a format the text is ISO 8601; digits beyond microseconds are cut off.
    """
    try:
        if time_format is None:
            return moment_of(datetime.fromisoformat(value), zone)
        # A naive time is zoned by moment_of.
        return moment_of(datetime.strptime(value, time_format), zone)  # noqa: DTZ007
    except (ValueError, OverflowError):
        return None


def local_day(moment: int, zone: ZoneInfo) -> date:
    """Return the day of a moment in the zone."""
    return (EPOCH + moment * MICROSECOND).astimezone(zone).date()


def end_of_day(moment: int, zone: ZoneInfo) -> int:
    """Return the last microsecond of the moment's day in the zone."""
    following = local_day(moment, zone) + timedelta(days=1)
    midnight = datetime(following.year, following.month, following.day, tzinfo=zone)
    return moment_of(midnight, zone) - 1


def iso(moment: int) -> str:
    """ISO 8601 in UTC, to the microsecond."""
    return (EPOCH + moment * MICROSECOND).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
