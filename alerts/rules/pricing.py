"""(e) Pricing: how long requests wait, workers that die, prices that the vendor calculates after all."""

from __future__ import annotations

from typing import Final

from alerts.model import COUNT, SERVICES, Alert, Cause, Edge, Firing, Scene, Severity

GROUP: Final = "pricing"
_MUTED: Final = (Cause.MAINTENANCE,)
_CALCULATION: Final = "touchstone_pricing_calculation_seconds_bucket"


def _twice(refused_before: int, refused: int, answered: int) -> dict[str, str]:
    """Return ten requests in the first hour, so many of them refused, and more in the ninth."""
    values = "0+0x60 {}+0x419 {}+0x300"
    return {
        'touchstone_pricing_refusals_total{reason="too_large"}': values.format(
            refused_before, refused_before + refused
        ),
        'touchstone_pricing_answers_total{class="shop"}': values.format(10, 10 + answered),
    }


ALERTS: Final = (
    Alert(
        name="PriceWaits",
        group=GROUP,
        expr="""
            max by (class) (touchstone_pricing_oldest_request_age_seconds)
              > on (class) group_left () touchstone:price_age_limit:seconds
        """,
        for_="2m",
        severity=Severity.PAGE,
        owner=SERVICES,
        summary="Prices of the class {{ $labels.class }} are waited for",
        description=(
            "The oldest request of the class {{ $labels.class }} has waited for {{ $value | humanizeDuration }} for "
            "its price; requests that wait: "
            '{{ with query (printf "max(touchstone_pricing_waiting_requests{class=%q})" $labels.class) }}'
            '{{ . | first | value | printf "%.0f" }}{{ else }}?{{ end }}.'
        ),
        dashboard="touchstone-pricing",
        panel="Oldest unanswered request",
        traces=(_CALCULATION,),
        drill="pricing-workers-down",
        muted_by=(*_MUTED, Cause.BROKER, Cause.PRICING),
        scenes=(
            Edge(
                {
                    'touchstone_pricing_oldest_request_age_seconds{class="shop"}': "X",
                    'touchstone_pricing_oldest_request_age_seconds{class="heavy"}': "301",
                    'touchstone:price_age_limit:seconds{class="shop"}': "300",
                    'touchstone:price_age_limit:seconds{class="heavy"}': "7200",
                    'touchstone_pricing_waiting_requests{class="shop"}': "12",
                },
                quiet=("300",),
                loud="301",
                firing=(
                    Firing(
                        "The oldest request of the class shop has waited for 5m 1s for its price; requests that wait: "
                        "12.",
                        {"class": "shop"},
                    ),
                ),
            ),
        ),
    ),
    Alert(
        name="PricingChildrenKilled",
        group=GROUP,
        # A hostile model now and then is killed and refused, as it should be.
        expr='sum by (reason) (increase(touchstone_pricing_children_killed_total{reason!="ended"}[1h])) > 5',
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Calculations of prices do not end well ({{ $labels.reason }})",
        description=f"{COUNT} calculations of the last hour were ended for {{{{ $labels.reason }}}}.",
        dashboard="touchstone-pricing",
        panel="Child processes that did not end well",
        traces=(_CALCULATION,),
        drill="poison-model",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {
                    'touchstone_pricing_children_killed_total{reason="memory",instance="a"}': "X",
                    'touchstone_pricing_children_killed_total{reason="memory",instance="b"}': "0+0x60 2+0x200",
                    'touchstone_pricing_children_killed_total{reason="ended"}': "0+0x60 50+0x200",
                    'touchstone_pricing_children_killed_total{reason="time"}': "4",
                },
                quiet=("3",),
                loud="4",
                firing=(Firing("6 calculations of the last hour were ended for memory.", {"reason": "memory"}),),
                window="1h",
            ),
        ),
    ),
    Alert(
        name="PricingLeasesLost",
        group=GROUP,
        expr="sum(increase(touchstone_pricing_leases_lost_total[1h])) > 0",
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="A pricing worker fell silent at its work",
        description=f"Pieces of work taken over in the last hour from workers that fell silent: {COUNT}.",
        dashboard="touchstone-pricing",
        panel="Work taken over from silent workers",
        drill="pricing-worker-killed",
        muted_by=_MUTED,
        scenes=(
            Edge(
                {
                    'touchstone_pricing_leases_lost_total{instance="a"}': "X",
                    'touchstone_pricing_leases_lost_total{instance="b"}': "X",
                },
                quiet=("0",),
                loud="1.003",  # what one is where scrapes do not fall on the minute
                firing=(Firing("Pieces of work taken over in the last hour from workers that fell silent: 2."),),
                window="1h",
            ),
            Edge(
                {'touchstone_pricing_leases_lost_total{instance="a"}': "X"},
                quiet=("0",),
                loud="1",
                firing=(Firing("Pieces of work taken over in the last hour from workers that fell silent: 1."),),
                window="1h",
            ),
        ),
    ),
    Alert(
        name="PriceFallbacks",
        group=GROUP,
        # What somebody decided (cause `decided`) is no failure.
        expr='sum(increase(touchstone_mes_pricing_fallbacks_total{cause!="decided"}[1h])) > 2',
        for_="5m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="The vendor calculates prices that our workers should",
        description=f"{COUNT} prices of the last hour fell back to the vendor: our workers were late or failed.",
        dashboard="touchstone-pricing",
        panel="Prices left to the vendor",
        traces=(_CALCULATION,),
        muted_by=(*_MUTED, Cause.PRICING),
        scenes=(
            Edge(
                {
                    'touchstone_mes_pricing_fallbacks_total{cause="late"}': "X",
                    'touchstone_mes_pricing_fallbacks_total{cause="failed"}': "0+0x60 1+0x200",
                    'touchstone_mes_pricing_fallbacks_total{cause="decided"}': "X",
                },
                quiet=("1",),
                loud="2",
                firing=(Firing("3 prices of the last hour fell back to the vendor: our workers were late or failed."),),
                window="1h",
            ),
        ),
    ),
    Alert(
        name="PricesRefused",
        group=GROUP,
        expr="""
            sum(increase(touchstone_pricing_refusals_total[6h]))
              / sum(increase(touchstone_pricing_answers_total[6h])) > 0.5
            and sum(increase(touchstone_pricing_answers_total[6h])) >= 20
        """,
        for_="30m",
        severity=Severity.TICKET,
        owner=SERVICES,
        summary="Most models get no price",
        description=(
            "{{ $value | humanizePercentage }} of the requests of the last six hours were answered without a price."
        ),
        dashboard="touchstone-pricing",
        panel="Share of models without a price",
        traces=(_CALCULATION,),
        muted_by=_MUTED,
        scenes=(
            Edge(
                {
                    'touchstone_pricing_refusals_total{reason="too_large"}': "X",
                    'touchstone_pricing_refusals_total{reason="open_surface"}': "0+0x360 5+0x800",
                    'touchstone_pricing_answers_total{class="shop"}': "0+0x360 30+0x800",
                    'touchstone_pricing_answers_total{class="partner"}': "0+0x360 10+0x800",
                },
                quiet=("15",),
                loud="16",
                firing=(Firing("52.5% of the requests of the last six hours were answered without a price."),),
                window="6h",
            ),
            Edge(
                {
                    'touchstone_pricing_refusals_total{reason="too_large"}': "0+0x360 19+0x800",
                    'touchstone_pricing_answers_total{class="shop"}': "X",
                    'touchstone_pricing_answers_total{class="partner"}': "0+0x360 10+0x800",
                },
                quiet=("9",),
                loud="10",
                firing=(Firing("95% of the requests of the last six hours were answered without a price."),),
                window="6h",
            ),
            # What was before the six hours counts in neither figure: ten answers, of which ten or none were refusals.
            Scene("12 of 25 were refused, and ten before", _twice(10, 12, 25), {"600m": ()}),
            Scene(
                "13 of 25 were refused, and none before",
                _twice(0, 13, 25),
                {"600m": (Firing("52% of the requests of the last six hours were answered without a price."),)},
            ),
            Scene("15 of 19 were refused: too few to speak", _twice(0, 15, 19), {"600m": ()}),
        ),
    ),
)
