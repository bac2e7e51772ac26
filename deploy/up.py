"""`make up` and `make down`: the house as native processes on loopback, over real servers, watched and started again.

``python -m deploy.up start`` returns when everything answers; a supervisor in the background holds it up until
``python -m deploy.up stop``. Data stays in ``build/up`` from one time to the next.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.house import ALERTMANAGER_PORT, HOST, PORTS, POSTGRES_PORT, PROMETHEUS_PORT, RABBIT_PORT
from deploy.place import Place, usual_folder
from deploy.servers import Absent
from deploy.servers.alertmanager import program as alertmanager_program
from deploy.servers.prometheus import program as prometheus_program
from deploy.supervisor import run
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ALL_PORTS: Final = {
    **PORTS,
    "PostgreSQL": POSTGRES_PORT,
    "RabbitMQ": RABBIT_PORT,
    "Prometheus": PROMETHEUS_PORT,
    "Alertmanager": ALERTMANAGER_PORT,
}
# What a killed supervisor leaves behind ends by itself within these seconds.
LEFTOVERS_S: Final = 10.0
LOOK_S: Final = 0.2


def start(place: Place) -> None:
    """Start the supervisor in the background, and return once everything answers."""
    process, heading = None, "The house is up:"
    if place.holder() is None:
        place.logs.mkdir(parents=True, exist_ok=True)
        place.forget()
        require_free(ALL_PORTS)
        process = _in_background(place)
    elif place.addresses() is not None:
        heading = "The house is up already:"
    try:
        _say(_directions(place, heading, _await_up(place, process)))
    except KeyboardInterrupt:
        if process is not None:
            process.terminate()
            process.wait()
        raise


def require_free(ports: Mapping[str, int], patience_s: float = LEFTOVERS_S) -> None:
    """Raise TouchstoneError where somebody listens on a port that the house needs, and goes on to."""
    until = time.monotonic() + patience_s
    for name, port in ports.items():
        while not _free(port):
            if time.monotonic() > until:
                raise TouchstoneError(
                    f"port {port} of {HOST}, which the {name} needs, is taken; stop what listens there"
                    " (a `touchstone demo`, another house?) and try again"
                )
            time.sleep(LOOK_S)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _in_background(place: Place) -> subprocess.Popen[bytes]:
    with _log(place).open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.up", "run"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _await_up(place: Place, process: subprocess.Popen[bytes] | None) -> dict[str, str]:
    """Return where everything listens, once it does. ``process``: the supervisor, None where it ran before."""
    while (addresses := place.addresses()) is None:
        gone = place.holder() is None if process is None else process.poll() is not None
        if gone:
            said = _log(place).read_text(encoding="utf-8", errors="replace").strip()
            raise TouchstoneError(
                f"the house did not start; {_log(place)} says:\n{said}"
                if said
                else "the house was stopped before it was up"
            )
        time.sleep(LOOK_S)
    return addresses


def _log(place: Place) -> Path:
    return place.folder / "supervisor.log"


def _directions(place: Place, heading: str, addresses: Mapping[str, str]) -> str:
    return "\n".join(
        [
            heading,
            *(f"  {name:<14}{address}" for name, address in addresses.items()),
            *(f"Goes on without: {reason}" for name, reason in absences().items() if name not in addresses),
            f"Logs are in {place.logs}. For the command line: source {place.environment}",
            f"`make down` stops it; data stays in {place.folder}.",
        ]
    )


def absences() -> dict[str, str]:
    """Return what the house goes without on this machine, and why."""
    found = {}
    for name, program in (("Prometheus", prometheus_program), ("Alertmanager", alertmanager_program)):
        try:
            program()
        except Absent as reason:
            found[name] = str(reason)
    return found


def stop(place: Place) -> None:
    """Stop the supervisor and all that it holds up, also one that is still starting."""
    pid = place.holder()
    if pid is None:
        _say("The house is down.")
        return
    os.kill(pid, signal.SIGTERM)
    while place.holder() == pid:
        time.sleep(LOOK_S)
    _say(f"The house is down; its data is in {place.folder}.")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main(arguments: Sequence[str] | None = None, place: Place | None = None) -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m deploy.up", description="The house as native processes.")
    parser.add_argument("what", choices=("start", "stop", "run"))
    what = parser.parse_args(arguments).what
    verb = "make down" if what == "stop" else "make up"
    try:
        place = place or Place(usual_folder(Path.cwd(), root=os.geteuid() == 0))
        {"start": start, "stop": stop, "run": run}[what](place)
    except TouchstoneError as error:
        sys.stderr.write(f"{verb}: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        sys.stderr.write(f"{verb}: {error.filename or place}: {error.strerror}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
