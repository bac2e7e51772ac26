"""What `make up` runs natively on loopback: which servers, which processes, and how each is configured."""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST: Final = "127.0.0.1"
PORTS: Final = {
    "collector": 8321,
    "shop": 8401,
    "crm": 8402,
    "mes": 8403,
    "issuer": 8404,
    "pricing": 8405,
    "pricing-2": 8406,
}
SERVICES: Final = ("shop", "crm", "mes", "pricing")
DATABASES: Final = ("collector", *SERVICES)
POSTGRES_PORT: Final = 8432
RABBIT_PORT: Final = 8472
PROMETHEUS_PORT: Final = 8409
ALERTMANAGER_PORT: Final = 8410
CLIENT: Final = "touchstone"
SYSTEMS: Final = Path(__file__).parent / "systems.yaml"
SCRAPING: Final = Path(__file__).parent / "prometheus.yaml"
GENERATED: Final = Path(__file__).parents[1] / "alerts" / "generated"


@dataclass(frozen=True)
class Part:
    """One process: its command, its environment beyond ours, and the address that says when it is ready."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready: str | None


@dataclass(frozen=True)
class House:
    """All processes of the house over one PostgreSQL server and one broker. ``secret``: the machines' own."""

    folder: Path
    postgres: str
    broker: str
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def issuer(self) -> str:
        """Where staff sign in."""
        return f"http://{HOST}:{PORTS['issuer']}"

    def environment(self) -> dict[str, str]:
        """Return what every process, and the command line, needs to know."""
        known = {
            "TOUCHSTONE_OIDC_ISSUER": self.issuer,
            "TOUCHSTONE_OIDC_CLIENT_ID": CLIENT,
            "TOUCHSTONE_OIDC_CLIENT_SECRET": self.secret,
            "TOUCHSTONE_DATABASE": f"{self.postgres}/collector",
            "TOUCHSTONE_BUS": self.broker,
            "TOUCHSTONE_SYSTEMS": str(SYSTEMS),
        }
        for service in SERVICES:
            prefix = f"TOUCHSTONE_{service.upper()}_"
            known |= {
                f"{prefix}DATABASE": f"{self.postgres}/{service}",
                f"{prefix}BUS": self.broker,
                f"{prefix}MODELS": str(self.folder / "models"),
                f"{prefix}RELAY": "false",
            }
        return known

    def parts(self) -> list[Part]:
        """Return the processes in the order in which they start."""
        served = [self._serve(name) for name in ("issuer", *SERVICES, "pricing-2", "collector")]
        return [*served, *(self._relay(name) for name in SERVICES)]

    def _serve(self, name: str) -> Part:
        """Return a process of a service; `-2` stands behind the name of its second one."""
        service = name.partition("-")[0]
        command = (sys.executable, "-m", "touchstone", "serve", service, "--port", str(PORTS[name]))
        path = "/.well-known/openid-configuration" if name == "issuer" else "/readyz"
        return Part(name, command, self.environment(), f"http://{HOST}:{PORTS[name]}{path}")

    def _relay(self, service: str) -> Part:
        command = (sys.executable, "-m", "touchstone", "serve", "relay", service)
        return Part(f"relay-{service}", command, self.environment(), None)


def prometheus_configuration(broker: str, generated: Path = GENERATED, *, alertmanager: bool) -> dict[str, Any]:
    """Return what the house's Prometheus does. ``broker``: host:port of its metrics.

    ``generated``: where the rules lie, if there are any; ``alertmanager``: whether there is one to tell.
    """
    config: dict[str, Any] = yaml.safe_load(SCRAPING.read_text(encoding="utf-8"))
    rules = [generated / Path(file).name for file in config["rule_files"]]
    config["rule_files"] = [str(file) for file in rules if file.exists()]
    if not alertmanager:
        del config["alerting"]
        config["scrape_configs"] = [job for job in config["scrape_configs"] if job["job_name"] != "alertmanager"]
    for job in config["scrape_configs"]:
        if job["job_name"].startswith("rabbitmq"):
            job["static_configs"] = [{"targets": [broker]}]
    return config


def alertmanager_configuration(generated: Path = GENERATED) -> Path | None:
    """Return the file that says who is told of what; None where there is none yet."""
    path = generated / "alertmanager.yaml"
    return path if path.exists() else None
