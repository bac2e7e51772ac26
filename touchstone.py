"""The command line: one verb a job, no logic."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer

from alerts.verbs import app as alerts_app
from collectors.output import opened, spare
from collectors.promise_verbs import app as promise_app
from dashboards.verbs import app as dashboards_app
from instrumentation.errors import BadInput, TouchstoneError
from pricing.units import Unit  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from alerts.drills.parts import Parts
    from collectors.promise import PromiseFile
    from services.bus.dead_letters import DeadLetterClient

app = typer.Typer(
    name="touchstone",
    help="Which order will be late, which stage makes orders late, since when, and what would fix it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
serve_app = typer.Typer(no_args_is_help=True, help="Run one part of a real deployment.")
dlq_app = typer.Typer(no_args_is_help=True, help="Messages that a service gave up: list, show, try again.")
app.add_typer(promise_app, name="promise")
app.add_typer(alerts_app, name="alerts")
app.add_typer(dashboards_app, name="dashboards")
app.add_typer(dlq_app, name="dlq")
app.add_typer(serve_app, name="serve")

PromiseOption = Annotated[
    Path | None, typer.Option("--promise", help="The promise file; the jewellery maker's own if left out.")
]
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]
DatabaseUrl = Annotated[
    str | None, typer.Option("--database", help="SQLAlchemy URL of its database; SQLite here, PostgreSQL for real.")
]
Broker = Annotated[str | None, typer.Option("--bus", help="RabbitMQ's amqp:// address; embedded if left out.")]


class Sender(StrEnum):
    """The services that have an outbox."""

    shop = "shop"
    crm = "crm"
    mes = "mes"
    pricing = "pricing"

    @property
    def package(self) -> str:
        """Where its code is."""
        return "pricing.workers" if self == Sender.pricing else f"services.{self}"


@app.command()
def replay(
    log: Annotated[Path, typer.Argument(help="The log; - for a pipe.")],
    promise: PromiseOption = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Judge as of this moment, ISO 8601; a naive one is in the log's time zone."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write a self-contained HTML report.")] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option("--quarantine", help="Write the records that could not be used, as JSON lines."),
    ] = None,
) -> None:
    """Replay a log against a promise: who kept it, who broke it, which stage is the culprit, since when."""
    import orjson

    from collectors.replay import replay as run
    from collectors.report.progress import progress_bar
    from collectors.sources.quarantine import Quarantine

    spare((log, promise), (html, quarantine))
    terms = _promise(promise)
    moment = _moment(as_of, ZoneInfo(terms.log.timezone))
    with Quarantine(quarantine) as bad, progress_bar(shown=not as_json) as progress:
        if as_json and html is None:
            document = run(log, terms, as_of=moment, quarantine=bad, progress=progress).document()
            sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
            return
        from collectors.report import Gathering

        gathering = Gathering(terms)
        result = run(log, terms, as_of=moment, quarantine=bad, observers=(gathering,), progress=progress)
    report = gathering.report(result)
    if html is not None:
        from collectors.report import write_html

        write_html(report, html)
    if as_json:
        sys.stdout.write(orjson.dumps(result.document(), option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    from rich.console import Console

    from collectors.report import print_report

    print_report(report, Console())
    if html is not None:
        typer.echo(f"The whole report: {html}")


@app.command()
def simulate(
    days: Annotated[int, typer.Option(help="Length of the log in days.")] = 100,
    orders_per_day: Annotated[float, typer.Option(help="Orders begun a day, in the mean.")] = 20,
    slow: Annotated[
        list[str] | None,
        typer.Option(help="Slow a stage from a day on: `approval=1.6x@60` or `approval=+8d@60`."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same log.")] = 0,
    start: Annotated[str | None, typer.Option(help="The log's first day, ISO 8601.")] = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="CSV, or JSON lines of CloudEvents if it ends in .jsonl; - for a pipe."),
    ] = Path("-"),
) -> None:
    """Simulate a made-to-order jewellery shop as a queueing network and write its order log."""
    from collectors.simulation import Scenario, parse_slowdown, write_cloudevents, write_csv
    from collectors.simulation import simulate as run

    slowdowns = tuple(parse_slowdown(text) for text in slow or [])
    moment = _moment(start)
    begin = {} if moment is None else {"start": moment}
    scenario = Scenario(days=days, orders_per_day=orders_per_day, seed=seed, slowdowns=slowdowns, **begin)
    write = write_cloudevents if output.suffix in {".jsonl", ".ndjson"} else write_csv
    if output == Path("-"):
        write(run(scenario), sys.stdout)
        return
    with opened(output) as stream:
        count = write(run(scenario), stream)
    typer.echo(f"{output}: {count:,} status changes of {days} days", err=True)


@serve_app.command("collector")
def serve_collector(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; a token is needed unless it is loopback.")
    ] = None,
    port: Port = None,
    database: DatabaseUrl = None,
    bus: Broker = None,
    promise: PromiseOption = None,
    follow: Annotated[Path | None, typer.Option(help="A growing log to follow.")] = None,
    systems: Annotated[Path | None, typer.Option(help="A file of systems to poll and to reconcile.")] = None,
) -> None:
    """Run the live collector: events in by HTTP or a growing log, orders, stages and metrics out."""
    from collectors.live.app import serve
    from collectors.live.settings import Settings

    given = _given(host=host, port=port, database=database, bus=bus, promise=promise, follow=follow, systems=systems)
    serve(_settings(Settings, **given))


def _serve_service(name: Sender, summary: str) -> None:
    @serve_app.command(name.value, help=summary)
    def run(host: Host = None, port: Port = None, database: DatabaseUrl = None, bus: Broker = None) -> None:
        from importlib import import_module

        settings = import_module(f"{name.package}.settings").Settings
        given = _given(host=host, port=port, database=database, bus=bus)
        import_module(f"{name.package}.app").serve(_settings(settings, **given))


_serve_service(Sender.shop, "Run the shop: catalogue, customers' models, orders.")
_serve_service(Sender.crm, "Run the sales managers' desk.")
_serve_service(Sender.mes, "Run the workshop's system and its adapter.")
_serve_service(Sender.pricing, "Run a worker that prices 3D models; any number may run.")


@serve_app.command("relay")
def serve_relay(service: Annotated[Sender, typer.Argument(help="Whose outbox it sends.")]) -> None:
    """Run the relay of one service's outbox as a process of its own."""
    import asyncio
    from importlib import import_module

    from instrumentation import log_as_json
    from services.bus import BUS_MIGRATIONS
    from services.bus.relaying import serve_relay as run
    from services.contract import CONSUMERS

    settings = _settings(import_module(f"{service.package}.settings").Settings)
    versions = (BUS_MIGRATIONS, import_module(f"{service.package}.app").MIGRATIONS)
    log_as_json(f"relay-{service}")
    asyncio.run(run(service, settings.database, versions, settings.bus, dict.fromkeys(CONSUMERS, settings.queues)))


@serve_app.command("issuer")
def serve_issuer(port: Annotated[int, typer.Option(help="Port to listen on, on loopback.")] = 8404) -> None:
    """Run the demo's issuer of sign-ins: whoever reaches it may be anybody."""
    import asyncio

    from instrumentation import log_as_json
    from services.auth import AuthSettings, DemoIssuer, create_issuer_app
    from services.resilience.serving import serve

    settings = _settings(AuthSettings)
    machines = {settings.client_id: settings.secret} if settings.secret else {}
    log_as_json("issuer")
    issuer = DemoIssuer(f"http://127.0.0.1:{port}", machines=machines)
    asyncio.run(serve(create_issuer_app(issuer), "127.0.0.1", port))


@app.command()
def quote(
    models: Annotated[
        list[Path], typer.Argument(help="3D models: STL, OBJ, 3MF, PLY, GLB or glTF.", metavar="MODEL...")
    ],
    alloy: Annotated[str, typer.Option(help="What it is cast in, by its name in the materials.")] = "sterling-silver",
    unit: Annotated[Unit | None, typer.Option(help="What it is drawn in; else what the file says, else mm.")] = None,
    quantity: Annotated[int, typer.Option(help="How many pieces alike.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Price 3D models: measures, castability, and a breakdown line by line."""
    from pricing import command

    documents = command.run_quote(models, alloy, unit, quantity)
    if as_json:
        sys.stdout.write(command.as_json(documents) + "\n")
    else:
        from rich.console import Console

        command.print_quotes(documents, Console())
    if command.refused(documents):
        raise typer.Exit(BadInput.exit_code)


@app.command()
def order(
    order: Annotated[str, typer.Argument(help="The order's id.", metavar="ID")],
    collector: Annotated[
        str, typer.Option(envvar="TOUCHSTONE_COLLECTOR", help="The live collector's address.")
    ] = "http://127.0.0.1:8321",
) -> None:
    """Print one order's journey: every status, who said so, how long it took, when it will be ready."""
    import os

    from rich.console import Console

    from collectors.journeys import run_order

    run_order(order, collector, Console(), token=os.environ.get("TOUCHSTONE_TOKEN"))


@app.command()
def reconcile(
    systems: Annotated[
        Path, typer.Option(envvar="TOUCHSTONE_SYSTEMS", help="The file that names the watched systems.")
    ],
    repair: Annotated[bool, typer.Option("--repair", help="Have the owners replay what others lack.")] = False,
    promise: PromiseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Compare what shop, CRM and MES say of every order: mismatches, lost orders, stuck ones."""
    import orjson

    from collectors.promise import DEFAULT_PROMISE
    from collectors.reconciliation import print_reconciliation, run_reconcile

    report = run_reconcile(systems, repair=repair, promise=promise or DEFAULT_PROMISE)
    if as_json:
        sys.stdout.write(orjson.dumps(report.document(), option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    from rich.console import Console

    print_reconciliation(report, Console())


Service = Annotated[
    str,
    typer.Option("--service", envvar="TOUCHSTONE_SERVICE", help="The address of the service whose letters they are."),
]


@dlq_app.command("list")
def dlq_list(
    service: Service,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """List dead letters: which message, why, how often it was tried."""
    from rich.console import Console

    from services.bus.dead_letters import print_letters

    with _dead_letters(service) as client:
        letters = list(client.every())
    if as_json:
        import orjson

        sys.stdout.write(orjson.dumps(letters, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    print_letters(Console(), letters)


@dlq_app.command("show")
def dlq_show(message: Annotated[str, typer.Argument(help="Its id.", metavar="ID")], service: Service) -> None:
    """Show one dead letter and what it says."""
    from rich.console import Console

    from services.bus.dead_letters import print_letter

    with _dead_letters(service) as client:
        print_letter(Console(), client.one(message))


@dlq_app.command("replay")
def dlq_replay(
    service: Service,
    messages: Annotated[list[str] | None, typer.Argument(help="Their ids.", metavar="[ID]...")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Try dead letters again, once what killed them is mended; what waited behind them follows."""
    if bool(messages) == every:
        raise BadInput("name the dead letters to replay, or say --all")
    with _dead_letters(service) as client:
        count = client.replay(None if every else messages)
    typer.echo(f"{count} dead letter{'s' if count != 1 else ''} will be tried again now")


@app.command()
def drill(
    names: Annotated[list[str] | None, typer.Argument(help="Which; all if left out.", metavar="[NAME]...")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    seed: Annotated[int, typer.Option(help="Of the chances of the simulated flows of orders.", min=0)] = 1,
    only_list: Annotated[bool, typer.Option("--list", help="Say what there is, and play nothing.")] = False,
) -> None:
    """Break things on purpose, and say whether the right alert fired, how soon, and cleared."""
    # For small products of matrices a second thread only gets in the way of what else runs here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from alerts.drills.command import list_drills, run_drills

    if only_list:
        list_drills(names or [], typer.echo)
    elif not run_drills(names or [], drill_parts(), typer.echo, as_json=as_json, seed=seed):
        raise typer.Exit(1)


def drill_parts() -> Parts:
    """Return the real programs of this machine that drills start. Raises TouchstoneError outside of a checkout."""
    from alerts.drills.parts import Parts

    try:
        from deploy import servers
        from deploy.servers.processes import Child
        from deploy.servers.prometheus import configuration
    except ModuleNotFoundError as error:
        raise TouchstoneError("drills start real servers by deploy/, which a checkout has; run this in one") from error

    return Parts(
        prometheus=servers.prometheus,
        alertmanager=servers.alertmanager,
        rabbitmq=servers.rabbitmq,
        configuration=configuration,
        process=Child,
        free_port=servers.free_port,
    )


@app.command()
def demo(
    length: Annotated[str, typer.Option("--for", help="How long it goes on, such as 60s; 0s for until stopped.")] = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same history.", min=0)] = 7,
    fault: Annotated[str | None, typer.Option(help="What goes wrong; `list` says what can.")] = None,
    port: Annotated[int, typer.Option(help="Port of the collector and the report.", min=1, max=65_000)] = 8321,
) -> None:
    """Show the whole system on one machine: six weeks of history, the report, and people who act in real time."""
    from collectors.demo import Watcher
    from collectors.promise.durations import parse_duration
    from services.demo.faults import fault_of, listed
    from services.demo.running import Plan, run_demo

    if fault == "list":
        typer.echo(listed())
        return
    try:
        lasting = parse_duration(length or ("0s" if sys.stdout.isatty() else "60s"))
    except ValueError as error:
        raise BadInput(f"--for: {error}") from error
    run_demo(Plan(lasting=lasting, seed=seed, port=port, fault=fault_of(fault)), Watcher(), typer.echo)


def _dead_letters(address: str) -> DeadLetterClient:
    from services.auth import AuthSettings, command_token
    from services.bus.dead_letters import DeadLetterClient

    return DeadLetterClient(address, command_token(_settings(AuthSettings)))


def _given(**options: Any) -> dict[str, Any]:
    """Return the options that were given: what is left out comes from the environment, or is the default."""
    return {name: value for name, value in options.items() if value is not None}


def _settings(kind: Any, **given: Any) -> Any:
    """Return settings. Raises BadInput that names each option or environment variable that cannot be used."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    try:
        return kind(**given)
    except SettingsError as error:
        raise BadInput(f"{kind.model_config.get('env_prefix', '')}...: {error}; write JSON there") from error
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        found = []
        for one in error.errors(include_url=False, include_input=False):
            name, *inside = map(str, one["loc"] or ("...",))
            told = f"--{name}" if name in given else f"{prefix}{name}".upper()
            found.append(f"{'.'.join((told, *inside))}: {one['msg']}")
        raise BadInput("; ".join(found)) from error


def _promise(path: Path | None) -> PromiseFile:
    from collectors.promise import DEFAULT_PROMISE, load_promise

    return load_promise(path or DEFAULT_PROMISE)


def _moment(text: str | None, zone: tzinfo = UTC) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"`{text}` is no moment; write it as 2026-03-01 or 2026-03-01T10:00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


BROKEN_PIPE: Final = 141


def main() -> None:
    """Run the command line; what went wrong is one sentence and an exit status (2: bad input, 1: a failed job)."""
    try:
        app(standalone_mode=True)
    except TouchstoneError as error:
        sys.stderr.write(f"touchstone: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has gone; nothing more can be said to it.
        sys.stderr.close()
        sys.exit(BROKEN_PIPE)


if __name__ == "__main__":
    main()
