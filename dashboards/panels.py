"""The kinds of panels: each a function that takes its number, title, meaning, queries and look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from grafana_foundation_sdk.builders import barchart, common, heatmap, logs, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as model

from dashboards.colours import GREY
from dashboards.conventions import TRACES
from dashboards.look import Look, override
from dashboards.queries import Sql, TraceSearch, reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.variants import Dataquery

PLAIN: Final = Look("none")
COUNT: Final = Look("short", decimals=0)


def single(number: int, title: str, about: str, query: Dataquery, look: Look, *, named: bool = False) -> model.Panel:
    """Return one number; ``named``: the name of the series instead."""
    reduce = common.ReduceDataOptions().calcs(["lastNotNull"])
    if isinstance(query, Sql):
        reduce = reduce.fields("/.*/")
    shape = stat.Panel().reduce_options(reduce).graph_mode(kinds.BigValueGraphMode.NONE)
    shape = shape.color_mode(kinds.BigValueColorMode.VALUE)
    shape = shape.text_mode(kinds.BigValueTextMode.NAME if named else kinds.BigValueTextMode.VALUE)
    return _finished(number, title, about, shape, [query], look)


def lines(
    number: int,
    title: str,
    about: str,
    queries: Sequence[Dataquery],
    look: Look,
    *,
    stacked: bool = False,
    steps: bool = False,
) -> model.Panel:
    """Return lines over time. Where nothing is known there is a gap. ``steps``: values hold until the next one."""
    shape = timeseries.Panel().span_nulls(span_nulls=False).line_width(2).fill_opacity(20 if stacked else 0)
    shape = shape.show_points(kinds.VisibilityMode.AUTO)
    shape = shape.legend(_legend(table=len(queries) > 1 or bool(look.series))).tooltip(_tooltip())
    if steps:
        shape = shape.line_interpolation(kinds.LineInterpolation.STEP_AFTER)
    if stacked:
        shape = shape.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL))
    if look.limits:
        style = common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED)
        shape = shape.thresholds_style(style)
    panel = _finished(number, title, about, shape, queries, look)
    # Lines are told apart by series, never by value: the limits are drawn as lines of their own.
    _defaults(panel).color = model.FieldColor(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)
    return panel


def bars(number: int, title: str, about: str, query: Dataquery, look: Look, *, stacked: bool = False) -> model.Panel:
    """Return bars over the first column of a table, one for each other column."""
    shape = barchart.Panel().legend(_legend(table=False)).tooltip(_tooltip()).fill_opacity(85)
    shape = shape.stacking(kinds.StackingMode.NORMAL if stacked else kinds.StackingMode.NONE)
    return _finished(number, title, about, shape, [query], look)


def rows(
    number: int,
    title: str,
    about: str,
    queries: Sequence[Dataquery],
    columns: Mapping[str, Look],
    *,
    transformations: Sequence[model.DataTransformerConfig] = (),
    look: Look = PLAIN,
) -> model.Panel:
    """Return a table; ``columns``: how each column looks, by its name."""
    shape = table.Panel().filterable(filterable=True).show_header(show_header=True)
    for transformation in transformations:
        shape = shape.with_transformation(transformation)
    panel = _finished(number, title, about, shape, queries, look)
    _defaults(panel).color = None
    _config(panel).overrides += [override(name, shown.properties()) for name, shown in columns.items()]
    return panel


def timeline(
    number: int, title: str, about: str, queries: Sequence[Dataquery], colours: Mapping[str, str]
) -> model.Panel:
    """Return states over time; ``colours``: of each state."""
    shape = statetimeline.Panel().merge_values(merge_values=True).show_value(kinds.VisibilityMode.AUTO).row_height(0.8)
    shape = shape.legend(_legend(table=False)).tooltip(_tooltip())
    panel = _finished(number, title, about, shape, queries, Look("string"))
    texts = {
        name: model.ValueMappingResult(text=name, color=colour, index=place)
        for place, (name, colour) in enumerate(colours.items())
    }
    _defaults(panel).mappings = [model.ValueMap(texts)]
    _defaults(panel).color = model.FieldColor(model.FieldColorModeId.FIXED, GREY)
    return panel


def heat(number: int, title: str, about: str, query: Dataquery, unit: str) -> model.Panel:
    """Return a heat map of a histogram's buckets; ``unit``: of the bucket's limits. Exemplars lie on it."""
    # One hue from dark to light: lightness is told apart by everybody.
    colour = heatmap.HeatmapColorOptions().scheme("Blues").steps(64)
    shape = heatmap.Panel().calculate(calculate=False).color(colour).y_axis(heatmap.YAxisConfig().unit(unit))
    return _finished(number, title, about, shape, [query], Look(unit))


def traces(number: int, title: str, about: str, query: TraceSearch) -> model.Panel:
    """Return the traces that a search finds, as a table whose ids open them."""
    return _finished(number, title, about, table.Panel().show_header(show_header=True), [query], PLAIN)


def log(number: int, title: str, about: str, query: Dataquery) -> model.Panel:
    """Return log lines, whose trace ids open the trace."""
    shape = (
        logs.Panel()
        .show_time(show_time=True)
        .wrap_log_message(wrap_log_message=True)
        .enable_log_details(enable_log_details=True)
    )
    shape = shape.sort_order(kinds.LogsSortOrder.ASCENDING).dedup_strategy(kinds.LogsDedupStrategy.NONE)
    return _finished(number, title, about, shape, [query], PLAIN)


def change(kind: str, **options: Any) -> model.DataTransformerConfig:
    """Return a transformation of a panel's tables."""
    return model.DataTransformerConfig(kind, options=options)


def _finished(
    number: int, title: str, about: str, shape: Builder[model.Panel], queries: Sequence[Dataquery], look: Look
) -> model.Panel:
    panel = shape.build()
    custom = _config(panel).defaults.custom
    panel.id_val, panel.title, panel.description = number, title, about
    panel.targets = list(queries)
    if queries:
        panel.datasource = _source(queries[0])
    panel.field_config = model.FieldConfigSource(look.config(custom), look.overrides())
    return panel


def _source(query: Any) -> model.DataSourceRef:
    if isinstance(query, Sql):
        return reference(query.source)
    found: model.DataSourceRef = reference(TRACES) if isinstance(query, TraceSearch) else query.datasource
    return found


def _config(panel: model.Panel) -> model.FieldConfigSource:
    panel.field_config = panel.field_config or model.FieldConfigSource()
    return panel.field_config


def _defaults(panel: model.Panel) -> model.FieldConfig:
    return _config(panel).defaults


def _legend(*, table: bool) -> common.VizLegendOptions:
    mode = kinds.LegendDisplayMode.TABLE if table else kinds.LegendDisplayMode.LIST
    legend = (
        common.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(mode)
        .placement(kinds.LegendPlacement.BOTTOM)
    )
    return legend.calcs(["lastNotNull", "max"] if table else [])


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING)
