"""(b) The figures in the sentences about stages that their own expressions don't hold: asked as the alert is told."""

from __future__ import annotations

from typing import Final

# What may stand in `$labels.stage` is a name that a person chose: %q puts it safely into the query.
EXPECTED: Final = (
    "open orders expected to miss their promise: "
    '{{ with query (printf "max(touchstone_stage_expected_breaks{stage=%q})" $labels.stage) }}'
    '{{ . | first | value | printf "%.0f" }}{{ else }}?{{ end }}.'
)
LATE: Final = (
    "orders in it for longer than their budget: "
    '{{ with query (printf "max(touchstone_stage_over_budget_orders{stage=%q})" $labels.stage) }}'
    '{{ . | first | value | printf "%.0f" }}{{ else }}?{{ end }}.'
)
# What stands for the segment in a query, and the labels that it takes: all orders, or those that the alert names.
_ALL: Final = (r"\"all\"", "$labels.stage")
_ONE: Final = ("%q", "$labels.stage $labels.segment")
# Nothing where the collector does not tell it. How long ago would be another sentence at every turn; and no hour,
# because where few orders pass, it is days off.
_SINCE: Final = (
    '{{{{ with query (printf "max(touchstone_stage_slow_since_timestamp_seconds{{stage=%q,segment={}}})" {}) }}}}, '
    'since about {{{{ (. | first | value | toTime).Format "Mon 2 Jan 2006" }}}}{{{{ end }}}}'
)
_TAKES: Final = (
    'takes {{{{ with query (printf "max(touchstone_stage_budget_ratio{{stage=%q,segment={}}})" {}) }}}}'
    '{{{{ . | first | value | printf "%.1f" }}}}x{{{{ else }}}}longer than{{{{ end }}}}'
)
SINCE: Final = _SINCE.format(*_ALL)
SEGMENT_SINCE: Final = _SINCE.format(*_ONE)
TAKES: Final = _TAKES.format(*_ALL)
SEGMENT_TAKES: Final = _TAKES.format(*_ONE)
