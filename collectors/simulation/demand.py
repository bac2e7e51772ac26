"""Who orders what, when: arrivals by hour and weekday, and partners' bursts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from collectors.simulation.calendars import DAY, HOUR
from collectors.simulation.draws import stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from collectors.simulation.settings import House

    Moments = NDArray[np.int64]


class Order(NamedTuple):
    """One order of one piece: its row in the draws, its name, and when it is begun (microseconds)."""

    row: int
    name: str
    begun: int
    channel: str
    product: str
    abandoned: bool


def draw_orders(house: House, seed: int, orders_per_day: float, begin: int, end: int) -> list[Order]:
    """Return the orders begun in [begin, end) (microseconds since a Monday), in the order of time."""
    shop = _shop_arrivals(house, seed, orders_per_day, begin, end)
    b2b = _b2b_arrivals(house, seed, orders_per_day, begin, end)
    moments = np.concatenate([shop, b2b])
    from_partner = np.repeat([False, True], [len(shop), len(b2b)])
    by_time = np.lexsort((from_partner, moments))
    # A burst that begins before the end may reach beyond it.
    by_time = by_time[moments[by_time] < end]
    products = _draw_products(house, seed, len(by_time))
    # A partner's system submits what it begins.
    abandoned = (stream(seed, "abandoned").random(len(by_time)) < house.abandoned) & ~from_partner[by_time]
    return [
        Order(row, f"J{row + 1:06d}", int(moments[i]), "b2b" if from_partner[i] else "shop", product, bool(left))
        for row, (i, product, left) in enumerate(zip(by_time, products, abandoned, strict=True))
    ]


def _draw_products(house: House, seed: int, orders: int) -> list[str]:
    """Draw a product per order, by the products' shares."""
    edges = np.cumsum([product.share for product in house.products])
    # The last edge may be 1 less a rounding error.
    drawn = edges[:-1].searchsorted(stream(seed, "product").random(orders), "right")
    return [house.products[i].name for i in drawn]


def _shop_arrivals(house: House, seed: int, orders_per_day: float, begin: int, end: int) -> Moments:
    """Draw a Poisson process whose rate changes by the hour of the week."""
    per_day = orders_per_day * (1 - house.b2b_share)
    return _poisson(seed, "shop", _hourly(house.shop_by_weekday, house.shop_by_hour, per_day), begin, end)


def _b2b_arrivals(house: House, seed: int, orders_per_day: float, begin: int, end: int) -> Moments:
    """Draw a compound Poisson process: bursts of geometric size, each spread over an hour or two."""
    per_day = orders_per_day * house.b2b_share / house.burst_mean
    bursts = _poisson(seed, "b2b", _hourly(house.b2b_by_weekday, house.b2b_by_hour, per_day), begin, end)
    sizes = stream(seed, "burst size").geometric(1 / house.burst_mean, len(bursts))
    spread = max(1, int(house.burst_spread_h * HOUR))
    offsets = stream(seed, "burst spread").integers(0, spread, int(sizes.sum()))
    return np.repeat(bursts, sizes) + offsets


def _poisson(
    seed: int, concern: str, rate_at: Callable[[Moments], NDArray[np.float64]], begin: int, end: int
) -> Moments:
    """Draw moments in [begin, end) with these hourly rates: a count per hour, then places within the hour."""
    hours = np.arange(begin // HOUR, -(-end // HOUR), dtype=np.int64)
    counts = stream(seed, f"{concern} arrivals").poisson(rate_at(hours))
    offsets = stream(seed, f"{concern} moments").integers(0, HOUR, int(counts.sum()))
    moments = np.repeat(hours, counts) * HOUR + offsets
    return moments[(moments >= begin) & (moments < end)]


def _hourly(
    by_weekday: tuple[float, ...], by_hour: tuple[float, ...], per_day: float
) -> Callable[[Moments], NDArray[np.float64]]:
    """Return the rate of each hour since a Monday, which averages to `per_day` over a week."""
    week = np.outer(by_weekday, by_hour).ravel()
    week *= 7 * per_day / week.sum()
    return lambda hours: week[hours % (7 * DAY // HOUR)]
