"""The dashboards have the types that Grafana itself has for them: @grafana/schema 11.6, checked by TypeScript."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, Final

from collectors.promise import load_promise
from dashboards.building import documents
from tests.parts import grafana_schema

if TYPE_CHECKING:
    from pathlib import Path

PANELS: Final = {
    "barchart": "BarChart",
    "heatmap": "Heatmap",
    "logs": "Logs",
    "stat": "Stat",
    "state-timeline": "StateTimeline",
    "table": "Table",
    "timeseries": "TimeSeries",
}
# Not every panel has field options of its own.
WITH_FIELDS: Final = {"barchart", "heatmap", "state-timeline", "table", "timeseries"}
# JSON holds the values of enums, and each enum's values as a type are its template.
JSON_OF: Final = """
type Json<T> = 0 extends (1 & T) ? any
  : T extends string ? `${T}`
  : T extends number | boolean | null | undefined ? T
  : T extends Array<infer U> ? Json<U>[]
  : T extends object ? { [K in keyof T]: Json<T[K]> }
  : T;
"""


def program(folder: Path, dashboards: dict[str, dict[str, Any]]) -> str:
    """Return a TypeScript program that assigns each dashboard, its panels' options to their types."""
    base = (folder / "node_modules" / "@grafana" / "schema" / "dist" / "esm").as_posix()
    lines = [f'import type {{ Dashboard }} from "{base}/index";']
    for kind, name in PANELS.items():
        path = f"{base}/raw/composable/{kind.replace('-', '')}/panelcfg/x/{name}PanelCfg_types.gen"
        fields = f", FieldConfig as {name}FieldConfig" if kind in WITH_FIELDS else ""
        lines.append(f'import type {{ Options as {name}Options{fields} }} from "{path}";')
    lines.append(JSON_OF)
    for number, document in enumerate(dashboards.values()):
        lines.append(f"const d{number}: Json<Dashboard> = {json.dumps(document)};")
        for panel in document["panels"]:
            lines += _parts(panel)
    return "\n".join(lines) + "\nexport {};\n"


def _parts(panel: dict[str, Any]) -> list[str]:
    name = PANELS[panel["type"]]
    options, custom = panel.get("options"), panel["fieldConfig"]["defaults"].get("custom")
    lines = []
    if options is not None:
        lines.append(f"({json.dumps(options)}) satisfies Partial<Json<{name}Options>>;")
    if custom is not None:
        lines.append(f"({json.dumps(custom)}) satisfies Partial<Json<{name}FieldConfig>>;")
    return lines


def compiled(folder: Path, home: Path, text: str) -> str:
    """Type-check a program; return what the compiler complains of."""
    source = home / "dashboards.ts"
    source.write_text(text, encoding="utf-8")
    compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
    options = {"noEmit": True, "strict": True, "skipLibCheck": True, "module": "esnext", "target": "es2022"}
    modules = {"moduleResolution": "bundler", "types": []}
    project = {"compilerOptions": {**options, **modules}, "files": [str(source)]}
    (home / "tsconfig.json").write_text(json.dumps(project), encoding="utf-8")
    command = ["node", str(compiler), "--project", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or done.stdout, done.stderr
    return "\n".join(line[:400] for line in done.stdout.splitlines())


def test_every_dashboard_has_grafanas_own_types(tmp_path: Path) -> None:
    folder = grafana_schema()
    assert compiled(folder, tmp_path, program(folder, documents(load_promise()))) == ""


def test_a_wrong_type_is_noticed(tmp_path: Path) -> None:
    """A word for a number, a mode that Grafana does not know, a key that is none: each is refused."""
    folder, (uid, good) = grafana_schema(), next(iter(documents(load_promise()).items()))
    panel, *others = good["panels"]
    defaults = panel["fieldConfig"]["defaults"]
    modes = {**defaults, "color": {"mode": "by-mood"}}
    wrong = {
        "word": {**good, "schemaVersion": "forty-one"},
        "mode": {**good, "panels": [{**panel, "fieldConfig": {"defaults": modes, "overrides": []}}, *others]},
        "key": {**good, "titel": "a slip of the pen"},
    }
    assert compiled(folder, tmp_path, program(folder, {uid: good})) == ""
    for name, document in wrong.items():
        bare = {**document, "panels": document["panels"][:1]}
        said = compiled(folder, tmp_path, program(folder, {name: bare}))
        assert "error TS" in said, name
