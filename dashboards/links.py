"""Links from a value to where it is explained; they keep what was chosen, and the time where that makes sense."""

from __future__ import annotations

from dashboards.conventions import OPERATIONS, ORDER


def to_order(column: str = "order") -> tuple[str, str]:
    """Return the link from a row to the journey of the order in one of its columns; no time: a journey has its own."""
    return "The order's journey", f"/d/{ORDER}?var-order=${{__data.fields.{column}:percentencode}}"


def to_stage(column: str = "stage") -> tuple[str, str]:
    """Return the link from a row of the operations dashboard to the stage in one of its columns, all else as it is."""
    kept = "&".join(f"${{{name}:queryparam}}" for name in ("prometheus", "collector", "segment"))
    stage = f"var-stage=${{__data.fields.{column}:percentencode}}"
    return "The stage alone", f"/d/{OPERATIONS}?${{__url_time_range}}&{kept}&{stage}"
