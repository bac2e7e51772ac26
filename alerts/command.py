"""`touchstone alerts build` and `touchstone alerts check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from alerts import building, proving, runbooks, tools
from alerts.catalogue import alerts
from alerts.settings import DEFAULT_SETTINGS, load_settings
from collectors.promise import DEFAULT_PROMISE, load_promise
from instrumentation.errors import BadInput, TouchstoneError

if TYPE_CHECKING:
    from alerts.model import Alert
    from alerts.settings import Links

GENERATED: Final = Path(__file__).parent / "generated"


class OutOfDate(TouchstoneError):
    """A generated file is not what it would be if it were built now."""


def run_build(promise: Path | None = None, settings: Path | None = None, output: Path | None = None) -> list[str]:
    """Write every generated file and return a line for each. Raises BadInput where the folder cannot be written.

    The runbooks are brought up to date with the files that come with the code, not with those of another folder.
    """
    folder = output or GENERATED
    files = _built(promise, settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written ({error.strerror}); name another folder with -o") from error
    told = [f"{folder / name}: {len(text.splitlines()):,} lines" for name, text in files.items()]
    return told if output else [*told, *_runbooks_built(promise, settings)]


def run_check(promise: Path | None = None, settings: Path | None = None, output: Path | None = None) -> list[str]:
    """Return what was checked, in sentences. Raises OutOfDate, or Refused where one of Prometheus' programs objects."""
    folder = output or GENERATED
    told = [_compared(folder, _built(promise, settings))]
    if output is None:
        told.append(_runbooks_checked(promise, settings))
    for name, check in (("promtool", _promtool), ("amtool", _amtool), ("pint", _pint)):
        program = tools.found(name)
        told.append(f"{name}: not on this machine, so not asked" if program is None else check(program, folder))
    return told


def _built(promise: Path | None, settings: Path | None) -> dict[str, str]:
    return building.build(load_promise(promise or DEFAULT_PROMISE), load_settings(settings or DEFAULT_SETTINGS))


def _compared(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = folder / name
        try:
            there = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise OutOfDate(f"{path}: cannot be read; run `touchstone alerts build`") from error
        if there != text:
            raise OutOfDate(f"{path}: is not what the promise file gives now; run `touchstone alerts build`")
    return f"{folder}: {len(files)} files are what the promise file gives"


def _runbooks_built(promise: Path | None, settings: Path | None) -> list[str]:
    """Bring the pages up to date; beside an installed package there are none."""
    if not runbooks.PAGES.is_dir():
        return []
    built = runbooks.pages(*_alerts(promise, settings), runbooks.PAGES)
    for name, text in built.items():
        (runbooks.PAGES / name).write_text(text, encoding="utf-8")
    return [f"{runbooks.PAGES}: {len(built) - 1} pages and their index"]


def _runbooks_checked(promise: Path | None, settings: Path | None) -> str:
    if not runbooks.PAGES.is_dir():
        return "runbooks: not beside this installation, so not looked at"
    wrong = list(runbooks.complaints(*_alerts(promise, settings), runbooks.PAGES))
    if wrong:
        raise OutOfDate("\n".join(wrong))
    return f"{runbooks.PAGES}: a page for each alert, and each is up to date"


def _alerts(promise: Path | None, settings: Path | None) -> tuple[tuple[Alert, ...], Links]:
    chosen = load_settings(settings or DEFAULT_SETTINGS)
    return alerts(load_promise(promise or DEFAULT_PROMISE), chosen), chosen.links


def _promtool(program: str, folder: Path) -> str:
    tools.run([program, *tools.CHECK_RULES, building.TARGETS, building.RULES], folder)
    # Scenes hold for every promise file and all settings: the compared files say that these rules are the folder's.
    found, links = alerts(load_promise(DEFAULT_PROMISE)), load_settings(DEFAULT_SETTINGS).links
    for alert in found:
        proving.prove(program, alert, links)
    return f"promtool: {len(found)} alerts keep to all their scenes"


def _amtool(program: str, folder: Path) -> str:
    tools.run([program, "check-config", building.ALERTMANAGER], folder)
    return "amtool: Alertmanager can read its configuration"


def _pint(program: str, folder: Path) -> str:
    options = ["--no-color", "--offline", "--config", str(tools.PINT_CONFIG)]
    tools.run([program, *options, "lint", "--fail-on=warning", building.TARGETS, building.RULES], folder)
    return "pint: no complaint"
