"""How values look: unit, limits, colours and links, the same for every kind of panel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from grafana_foundation_sdk.models import dashboard as model

from dashboards.colours import GOOD, STROKES, strokes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

# What stands where there is nothing to show; never a 0, which would be a statement.
NOTHING: Final = "no data"
Limits = tuple[tuple[float | None, str], ...]


@dataclass(frozen=True)
class Look:
    """How a panel, or one column of a table, shows its values.

    ``unit``: one of Grafana's unit ids. ``limits``: (value, colour from it on), the first value None; none means that
    no value is better than another. ``series``: names in the order in which they get their colours. ``colours``: fixed
    colours of names. ``links``: (title, address) offered at a value.
    """

    unit: str
    limits: Limits = ()
    decimals: int | None = None
    least: float | None = None
    most: float | None = None
    series: Sequence[str] = ()
    colours: Mapping[str, str] = field(default_factory=dict)
    links: Sequence[tuple[str, str]] = ()

    def config(self, custom: object | None = None) -> model.FieldConfig:
        """Return it as a panel's default."""
        return model.FieldConfig(
            unit=self.unit,
            decimals=self.decimals,
            min_val=self.least,
            max_val=self.most,
            thresholds=self.thresholds(),
            color=self.colour(),
            links=[model.DashboardLink(title=title, url=url) for title, url in self.links] or None,
            no_value=NOTHING,
            custom=custom,
        )

    def thresholds(self) -> model.ThresholdsConfig:
        """Return the limits; one neutral step where there are none."""
        steps = [model.Threshold(value, colour) for value, colour in self.limits or ((None, GOOD),)]
        return model.ThresholdsConfig(model.ThresholdsMode.ABSOLUTE, steps)

    def colour(self) -> model.FieldColor:
        """Return where a value's colour comes from."""
        if self.limits:
            return model.FieldColor(model.FieldColorModeId.THRESHOLDS)
        return model.FieldColor(model.FieldColorModeId.FIXED, GOOD)

    def properties(self) -> list[DynamicConfigValue]:
        """Return it as the properties of one column."""
        found: dict[str, Any] = {"unit": self.unit, "decimals": self.decimals, "min": self.least, "max": self.most}
        if self.limits:
            found |= {"thresholds": self.thresholds(), "custom.cellOptions": {"type": "color-text"}}
            found["color"] = self.colour()
        if self.links:
            found["links"] = [model.DashboardLink(title=title, url=url) for title, url in self.links]
        return [model.DynamicConfigValue(key, value) for key, value in found.items() if value is not None]

    def overrides(self) -> list[model.DashboardFieldConfigSourceOverrides]:
        """Return the colour, and the stroke where colours run out, of each named series."""
        wanted = {**strokes(self.series), **{name: (colour, STROKES[0]) for name, colour in self.colours.items()}}
        return [override(name, _painted(*paint)) for name, paint in wanted.items()]


def _painted(colour: str, dashes: tuple[float, ...]) -> list[DynamicConfigValue]:
    fixed = model.FieldColor(model.FieldColorModeId.FIXED, colour)
    painted = [model.DynamicConfigValue("color", fixed)]
    if dashes:
        painted.append(model.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": list(dashes)}))
    return painted


def override(name: str, properties: list[DynamicConfigValue]) -> model.DashboardFieldConfigSourceOverrides:
    """Return an override of one field, by its name."""
    return model.DashboardFieldConfigSourceOverrides(model.MatcherConfig("byName", name), properties)
