"""(c) Multi-window, multi-burn-rate rules (SRE workbook, chapter 5) where volume carries them; decision 010.

An indicator is a share of bad events, recorded over each window for every `of` that it is about. One pair of alerts
covers all indicators: budgets are joined as recorded targets.
"""

from __future__ import annotations

from typing import Final

from alerts.model import Alert, Cause, Firing, Recording, Scene, Severity

GROUP: Final = "burn rates"
INDICATORS: Final = "indicators"
# (burn rate, long window, short window): 2 % of a month's budget in an hour, 5 % in six, 10 % in one day and in three.
FAST: Final = ((14.4, "1h", "5m"), (6.0, "6h", "30m"))
SLOW: Final = ((3.0, "1d", "2h"), (1.0, "3d", "6h"))
# A window speaks only if it holds so many events that more than five bad ones are needed to exceed the burn rate:
# bad / N > burn * budget and N >= 5 / (burn * budget) give bad > 5. One bad event pages nobody.
LEAST_BAD: Final = 5
# Indicator -> (bad events, all events) as counters over a window, and the label that says what they are of.
_REQUESTS: Final = "http_server_request_duration_seconds"
_PRICES: Final = "touchstone_pricing_calculation_seconds"
_VISITS: Final = "touchstone_stage_duration_seconds"
_ALL_REQUESTS: Final = f"sum by (job) (increase({_REQUESTS}_count[{{w}}]))"
_ALL_PRICES: Final = f"sum by (class) (increase({_PRICES}_count[{{w}}]))"
_ALL_VISITS: Final = f"sum by (stage) (increase({_VISITS}_count[{{w}}]))"
# Those in the bucket of the target: the join leaves one `le` of all.
_FAST_REQUESTS: Final = (
    f"sum by (job) (increase({_REQUESTS}_bucket[{{w}}]) * on (le) group_left () touchstone:latency_bucket)"
)
_FAST_PRICES: Final = (
    f"sum by (class) (increase({_PRICES}_bucket[{{w}}]) * on (le) group_left () touchstone:price_bucket)"
)
_FAST_VISITS: Final = (
    f"sum by (stage) (increase({_VISITS}_bucket[{{w}}]) * on (stage, le) group_left () touchstone:stage_bucket)"
)
# Indicator -> (bad events, all events, the label that says what they are of); {w} is the window.
SLIS: Final = {
    "errors": (f'sum by (job) (increase({_REQUESTS}_count{{{{status=~"5.."}}}}[{{w}}]))', _ALL_REQUESTS, "job"),
    "latency": (f"{_ALL_REQUESTS} - {_FAST_REQUESTS}", _ALL_REQUESTS, "job"),
    "price": (f"{_ALL_PRICES} - {_FAST_PRICES}", _ALL_PRICES, "class"),
    "stage": (f"{_ALL_VISITS} - {_FAST_VISITS}", _ALL_VISITS, "stage"),
}


def recordings() -> tuple[Recording, ...]:
    """Return the share of bad events over every window, and the count of all events over the long ones."""
    found = []
    for sli, (bad, total, of) in SLIS.items():
        for window in dict.fromkeys(window for _, *both in (*FAST, *SLOW) for window in both):
            ratio = _named(f"({bad}) / {total}".format(w=window), of)
            found.append(Recording(f"touchstone:bad_events:ratio_{window}", INDICATORS, ratio, {"sli": sli}))
        for _, window, _short in (*FAST, *SLOW):
            count = _named(total.format(w=window), of)
            found.append(Recording(f"touchstone:events:increase_{window}", INDICATORS, count, {"sli": sli}))
    return tuple(found)


def _named(expr: str, of: str) -> str:
    return f'label_replace({expr}, "of", "$1", "{of}", "(.*)")'


def _burning(windows: tuple[tuple[float, str, str], ...]) -> str:
    return "\nor\n".join(
        f"""(
  touchstone:bad_events:ratio_{long} / on (sli, of) group_left (owner) touchstone:sli_budget:ratio > {burn:g}
  and on (sli, of) touchstone:bad_events:ratio_{short} / on (sli, of) touchstone:sli_budget:ratio > {burn:g}
  and on (sli, of) touchstone:events:increase_{long} * on (sli, of) touchstone:sli_budget:ratio
    >= {LEAST_BAD} / {burn:g}
)"""
        for burn, long, short in windows
    )


_SAID: Final = "Of {of} too many events are bad ({sli}): the error budget burns {burn}x as fast as it may."
_DESCRIPTION: Final = (
    "Of {{ $labels.of }} too many events are bad ({{ $labels.sli }}): the error budget burns "
    '{{ $value | printf "%.1f" }}x as fast as it may.'
)


_COUNT: Final = 'http_server_request_duration_seconds_count{{job="{}",route="{}",status="{}"}}'
# The budget of another service is not that of the shop.
_OF_OTHERS: Final = {
    'touchstone:sli_budget:ratio{sli="errors",of="crm",owner="sre"}': "0.05",
}


def _errors(budget: str, good: int, bad: int, flat: int) -> dict[str, str]:
    """Return requests of the shop: none for `flat` steps, then so many at once, in two routes; the CRM is well."""
    return {
        **_OF_OTHERS,
        _COUNT.format("crm", "/a", 200): f"0+0x{flat} 100+0x100",
        'touchstone:sli_budget:ratio{sli="latency",of="shop",owner="sre"}': "0.05",
        _COUNT.format("shop", "/a", 200): f"0+0x{flat} {good}+0x100",
        _COUNT.format("shop", "/a", 500): f"0+0x{flat} {bad - 1}+0x100",
        _COUNT.format("shop", "/b", 502): f"0+0x{flat} 1+0x100",
        'touchstone:sli_budget:ratio{sli="errors",of="shop",owner="sre"}': budget,
    }


def _twice(budget: str, flat: int, first: tuple[int, int], last: tuple[int, int]) -> dict[str, str]:
    """Return requests of the shop (good, bad) at once in the middle of a time, and at its end.

    At the end the CRM fails once, and every answer of the shop is slow: too few to speak, and no errors of the shop.
    """
    (good, bad), half = first, flat // 2
    values = f"0+0x{half} {{}}+0x{flat - half - 1} {{}}+0x100"
    return {
        **_OF_OTHERS,
        _COUNT.format("shop", "/a", 200): values.format(good, good + last[0]),
        _COUNT.format("shop", "/a", 500): values.format(bad, bad + last[1]),
        _COUNT.format("crm", "/a", 500): f"0+0x{flat} 1+0x100",
        _COUNT.format("shop", "/a", 200).replace("_count{", '_bucket{le="1.0",'): "0",
        'touchstone:latency_bucket{le="1.0"}': "1",
        'touchstone:sli_budget:ratio{sli="latency",of="shop",owner="sre"}': "0.01",
        'touchstone:sli_budget:ratio{sli="errors",of="shop",owner="sre"}': budget,
    }


def _fires(sli: str, of: str, label: str, burn: str, owner: str = "sre") -> tuple[Firing, ...]:
    labels = {"sli": sli, "of": of, label: of, "owner": owner}
    return (Firing(_SAID.format(of=of, sli=sli, burn=burn), labels),)


# Eight events are the least that speak, by these budgets: 5 / (burn * budget) = 8. Five bad ones are the limit itself.
_SHOP: Final = _fires("errors", "shop", "job", "17.3")
_SLOWER: Final = _fires("errors", "shop", "job", "7.2")
_FAST_SCENES: Final = (
    Scene(
        "what went well before the hour does not count",
        _twice("0.043402777777777776", 180, (20, 0), (2, 6)),
        {"182m": (), "183m": _SHOP},
    ),
    Scene("360: the long window is at its limit", _twice("0.10416666666666667", 360, (3, 0), (0, 5)), {"364m": ()}),
    Scene("360: the short window is at its limit", _twice("0.10416666666666667", 360, (0, 6), (3, 5)), {"364m": ()}),
    Scene("60: the long window is at its limit", _twice("0.043402777777777776", 60, (3, 0), (0, 5)), {"64m": ()}),
    Scene("60: the short window is at its limit", _twice("0.043402777777777776", 60, (0, 6), (3, 5)), {"64m": ()}),
    Scene(
        "six of eight fail",
        _errors("0.043402777777777776", 2, 6, 60),
        {"62m": (), "63m": _SHOP, "65m": _SHOP, "66m": ()},
    ),
    Scene("five of eight are the limit itself", _errors("0.043402777777777776", 3, 5, 60), {"64m": ()}),
    Scene("seven are too few to speak", _errors("0.043402777777777776", 1, 6, 60), {"64m": ()}),
    Scene("one bad event alone pages nobody", _errors("0.001", 0, 1, 60), {"64m": ()}),
    Scene(
        "over six hours, six of eight",
        _errors("0.10416666666666667", 2, 6, 360),
        {"362m": (), "363m": _SLOWER, "390m": _SLOWER, "391m": ()},
    ),
    Scene(
        "over six hours, 65 of 100 burn a little more than six times as fast as they may",
        _errors("0.10416666666666667", 35, 65, 360),
        {"363m": _fires("errors", "shop", "job", "6.2")},
    ),
    Scene("over six hours, five of eight", _errors("0.10416666666666667", 3, 5, 360), {"364m": ()}),
    Scene("over six hours, seven are too few", _errors("0.10416666666666667", 1, 6, 360), {"364m": ()}),
    Scene(
        "six requests of eight take longer than they may",
        {
            'http_server_request_duration_seconds_count{job="shop",status="404"}': "0+0x60 3+0x20",
            'http_server_request_duration_seconds_bucket{job="shop",status="404",le="1.0"}': "0+0x60 1+0x20",
            'http_server_request_duration_seconds_count{job="shop",status="200"}': "0+0x60 5+0x20",
            'http_server_request_duration_seconds_bucket{job="shop",status="200",le="0.5"}': "0+0x60 1+0x20",
            'http_server_request_duration_seconds_bucket{job="shop",status="200",le="1.0"}': "0+0x60 1+0x20",
            'http_server_request_duration_seconds_bucket{job="shop",status="200",le="2.5"}': "0+0x60 8+0x20",
            'touchstone:latency_bucket{le="1.0"}': "1",
            'touchstone:sli_budget:ratio{sli="latency",of="shop",owner="sre"}': "0.043402777777777776",
        },
        {"62m": (), "63m": _fires("latency", "shop", "job", "17.3")},
    ),
    Scene(
        "six prices of eight take too long; those of the heavy class, which has no budget, may",
        {
            'touchstone_pricing_calculation_seconds_count{class="shop",size="large"}': "0+0x60 3+0x20",
            'touchstone_pricing_calculation_seconds_bucket{class="shop",size="large",le="60.0"}': "0+0x60 1+0x20",
            'touchstone_pricing_calculation_seconds_count{class="shop",size="small"}': "0+0x60 5+0x20",
            'touchstone_pricing_calculation_seconds_bucket{class="shop",size="small",le="30.0"}': "0+0x60 1+0x20",
            'touchstone_pricing_calculation_seconds_bucket{class="shop",size="small",le="60.0"}': "0+0x60 1+0x20",
            'touchstone_pricing_calculation_seconds_count{class="heavy",size="slabbed"}': "0+0x60 8+0x20",
            'touchstone_pricing_calculation_seconds_bucket{class="heavy",size="slabbed",le="60.0"}': "0+0x60 2+0x20",
            'touchstone:price_bucket{le="60.0"}': "1",
            'touchstone:sli_budget:ratio{sli="price",of="shop",owner="sre"}': "0.043402777777777776",
        },
        {"62m": (), "63m": _fires("price", "shop", "class", "17.3")},
    ),
    Scene(
        "six visits of eight outlast the budget of their own stage",
        {
            'touchstone_stage_duration_seconds_count{stage="pricing",instance="a"}': "0+0x60 5+0x20",
            'touchstone_stage_duration_seconds_count{stage="pricing",instance="b"}': "0+0x60 3+0x20",
            'touchstone_stage_duration_seconds_bucket{stage="pricing",instance="a",le="3600.0"}': "0+0x60 1+0x20",
            'touchstone_stage_duration_seconds_bucket{stage="pricing",instance="b",le="3600.0"}': "0+0x60 1+0x20",
            'touchstone_stage_duration_seconds_bucket{stage="pricing",le="14400.0"}': "0+0x60 8+0x20",
            'touchstone_stage_duration_seconds_count{stage="price queue"}': "0+0x60 8+0x20",
            'touchstone_stage_duration_seconds_bucket{stage="price queue",le="3600.0"}': "0+0x60 2+0x20",
            'touchstone_stage_duration_seconds_bucket{stage="price queue",le="14400.0"}': "0+0x60 8+0x20",
            'touchstone:stage_bucket{stage="pricing",le="3600.0"}': "1",
            'touchstone:stage_bucket{stage="price queue",le="14400.0"}': "1",
            'touchstone:sli_budget:ratio{sli="stage",of="pricing",owner="mes"}': "0.043402777777777776",
            'touchstone:sli_budget:ratio{sli="stage",of="price queue",owner="mes"}': "0.043402777777777776",
        },
        {"62m": (), "63m": _fires("stage", "pricing", "stage", "17.3", "mes")},
    ),
)
_DAY: Final = _fires("errors", "shop", "job", "3.6")
_DAYS: Final = _fires("errors", "shop", "job", "1.2")
_SLOW_SCENES: Final = (
    Scene("144: the long window is at its limit", _twice("0.625", 144, (3, 0), (0, 5)), {"4410m": ()}, step="30m"),
    Scene("144: the short window is at its limit", _twice("0.625", 144, (0, 6), (3, 5)), {"4410m": ()}, step="30m"),
    Scene(
        "48: the long window is at its limit",
        _twice("0.20833333333333334", 48, (3, 0), (0, 5)),
        {"1560m": ()},
        step="30m",
    ),
    Scene(
        "48: the short window is at its limit",
        _twice("0.20833333333333334", 48, (0, 6), (3, 5)),
        {"1560m": ()},
        step="30m",
    ),
    Scene(
        "over a day, six of eight",
        _errors("0.20833333333333334", 2, 6, 48),
        {"1500m": (), "1530m": _DAY, "1560m": _DAY, "1590m": ()},
        step="30m",
    ),
    Scene("over a day, five of eight", _errors("0.20833333333333334", 3, 5, 48), {"1560m": ()}, step="30m"),
    Scene("over a day, seven are too few", _errors("0.20833333333333334", 1, 6, 48), {"1560m": ()}, step="30m"),
    Scene(
        "over three days, six of eight",
        _errors("0.625", 2, 6, 144),
        {"4380m": (), "4410m": _DAYS, "4680m": _DAYS, "4710m": ()},
        step="30m",
    ),
    Scene("over three days, five of eight", _errors("0.625", 3, 5, 144), {"4410m": ()}, step="30m"),
    Scene("over three days, seven are too few", _errors("0.625", 1, 6, 144), {"4410m": ()}, step="30m"),
)
_MUTED: Final = (Cause.MAINTENANCE, Cause.SAME_JOB, Cause.OWNER)
# Requests have a job, prices a class: an alert has one of both. How long visits take has no exemplars.
_TRACES: Final = (
    f'{_REQUESTS}_bucket{{job="{{{{ $labels.job | urlquery }}}}"}}',
    f'{_PRICES}_bucket{{class="{{{{ $labels.class | urlquery }}}}"}}',
)

ALERTS: Final = (
    Alert(
        name="BudgetBurnsFast",
        group=GROUP,
        expr=_burning(FAST),
        for_="2m",
        severity=Severity.PAGE,
        owner=None,
        summary="{{ $labels.of }}: the error budget of {{ $labels.sli }} burns fast",
        description=_DESCRIPTION,
        dashboard="touchstone-services",
        panel="Error budgets that burn",
        traces=_TRACES,
        drill="service-answers-errors",
        muted_by=_MUTED,
        scenes=_FAST_SCENES,
    ),
    Alert(
        name="BudgetBurnsSlowly",
        group=GROUP,
        expr=_burning(SLOW),
        for_="1h",
        severity=Severity.TICKET,
        owner=None,
        summary="{{ $labels.of }}: the error budget of {{ $labels.sli }} will not last",
        description=_DESCRIPTION,
        dashboard="touchstone-services",
        panel="Error budgets that burn",
        traces=_TRACES,
        muted_by=_MUTED,
        scenes=_SLOW_SCENES,
    ),
)
