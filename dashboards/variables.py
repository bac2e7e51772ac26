"""Variables of dashboards: the data sources, and choices, each of which narrows those after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models.dashboard import VariableModel, VariableOption, VariableRefresh, VariableSort

from dashboards.conventions import POSTGRES, PROMETHEUS
from dashboards.queries import reference

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog.builder import Builder

    from dashboards.conventions import Source

_ALL: Final = VariableOption(selected=True, text=["All"], value=["$__all"])


def source(chosen: Source) -> VariableModel:
    """Return the choice of a data source; of several databases, only those whose name says that it is this one."""
    variable = builders.DatasourceVariable(chosen.variable).label(chosen.name.removeprefix("Touchstone "))
    if chosen.kind == POSTGRES:
        variable = variable.regex(f"/{chosen.name.split()[-1]}/i")
    current = VariableOption(selected=True, text=chosen.name, value=chosen.uid)
    return _plain(variable.type(chosen.kind).current(current))


def labels(name: str, label: str, selector: str, *, first: str | None = None) -> VariableModel:
    """Return a choice among the values of a label in the series that a selector finds.

    ``first``: what is chosen until somebody chooses; then one value at a time, which queries compare by `=`: Grafana
    escapes a value for a regular expression only where several can be chosen.
    """
    query = {"query": f"label_values({selector}, {name})", "refId": f"{PROMETHEUS.variable}-{name}"}
    return _choice(name, label, query, PROMETHEUS, first=first)


def found(name: str, label: str, source: Source, sql: str) -> VariableModel:
    """Return a choice among what a query of a database finds."""
    return _choice(name, label, sql, source)


def one_of(name: str, label: str, values: list[str]) -> VariableModel:
    """Return a choice of one among given values."""
    options = [VariableOption(selected=place == 0, text=value, value=value) for place, value in enumerate(values)]
    variable = builders.CustomVariable(name).label(label).values(",".join(values)).options(options)
    return _plain(variable.current(options[0]))


def typed(name: str, label: str, about: str) -> VariableModel:
    """Return a field to type into."""
    empty = VariableOption(selected=True, text="", value="")
    return _plain(builders.TextBoxVariable(name).label(label).description(about).default_value("").current(empty))


def _choice(
    name: str, label: str, query: str | dict[str, str], source: Source, *, first: str | None = None
) -> VariableModel:
    asked: str | dict[str, object] = query if isinstance(query, str) else dict(query)
    variable = builders.QueryVariable(name).label(label).query(asked).datasource(reference(source))
    variable = variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    if first is None:
        return _plain(variable.multi(multi=True).include_all(include_all=True).current(_ALL))
    chosen = VariableOption(selected=True, text=first, value=first)
    return _plain(variable.multi(multi=False).include_all(include_all=False).current(chosen))


def _plain(built: Builder[VariableModel]) -> VariableModel:
    """Return a variable without what only intervals have: the builder gives it to all, Grafana's types refuse it."""
    variable = built.build()
    variable.auto = variable.auto_min = variable.auto_count = None
    return variable
