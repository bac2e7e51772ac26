"""The settings of alerts (``settings.yaml``): whom they go to, and what is demanded of services."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, HttpUrl, ValidationError, field_validator, model_validator

from alerts.foreign import CALCULATION_BUCKETS
from collectors.promise.document import read_document
from collectors.promise.model import Name, Section
from collectors.promise.values import Duration, Share  # noqa: TC001 - pydantic reads the annotations
from instrumentation.conventions import REQUEST_DURATION_BUCKETS
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_SETTINGS: Final = Path(__file__).parent / "settings.yaml"
# Receivers that every house has: whoever misses the Watchdog, and whoever is told what is told to no person.
DEADMAN: Final = "deadman"
NOBODY: Final = "nobody"


class Owners(Section):
    """Who answers for what no stage owner answers for."""

    promise: Name = Field(description="For the promise as a whole.")
    services: Name = Field(description="For what is technical.")


class Receiver(Section):
    """Where alerts are sent: at least one of both."""

    webhook: HttpUrl | None = None
    email: str | None = Field(default=None, pattern="^[^@ ]+@[^@ ]+$", description="Needs `smtp`.")

    @model_validator(mode="after")
    def _one_way(self) -> Receiver:
        if self.webhook is None and self.email is None:
            raise ValueError("needs a `webhook` or an `email`")
        return self


class Smtp(Section):
    """The mail server. The password stands in a file on Alertmanager's machine."""

    smarthost: str = Field(pattern="^[^: ]+:[0-9]+$", examples=["mail.example.com:587"])
    sender: str = Field(alias="from", pattern="^[^@ ]+@[^@ ]+$")
    user: Name | None = None
    password_file: Name | None = None


def _to_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "{{" in text:
        raise ValueError(f"`{text}` is no address that a link can begin with; write it as http://HOST:PORT")
    return text.rstrip("/")


Address = Annotated[str, AfterValidator(_to_address)]


class Links(Section):
    """What stands before the paths that alerts point to."""

    grafana: Address
    collector: Address
    prometheus: Address
    runbooks: str = Field(default="", description="Empty: the pages' paths alone are told.")

    @field_validator("runbooks")
    @classmethod
    def _followed(cls, runbooks: str) -> str:
        return f"{_to_address(runbooks)}/" if runbooks else ""


class Objective(Section):
    """The share of good events; ``within`` what an event must take at most to be good."""

    share: Share
    within: Duration | None = None


class Objectives(Section):
    """What ordinary burn rates are measured against."""

    errors: Objective
    latency: Objective
    price: Objective

    @model_validator(mode="after")
    def _buckets(self) -> Objectives:
        _hold_to_a_bucket("latency", self.latency, REQUEST_DURATION_BUCKETS)
        _hold_to_a_bucket("price", self.price, CALCULATION_BUCKETS)
        return self


def _hold_to_a_bucket(name: str, objective: Objective, bounds: Sequence[float]) -> None:
    """Raise ValueError where no bucket ends at an objective's ``within``: its burn rate would be of nothing."""
    if objective.within is None or objective.within.total_seconds() not in bounds:
        known = ", ".join(f"{bound:g}" for bound in bounds)
        raise ValueError(f"{name}.within must be a bucket of its histogram, in seconds: {known}")


class PriceAge(Section):
    """How long the oldest unanswered request of each class may wait."""

    shop: Duration
    partner: Duration
    heavy: Duration

    @model_validator(mode="after")
    def _some(self) -> PriceAge:
        for name, limit in self:
            if limit <= timedelta():
                raise ValueError(f"{name} must be more than nothing: any price would be late")
        return self


class Settings(Section):
    """The whole file."""

    touchstone: Literal[1]
    owners: Owners
    receivers: dict[Name, Receiver]
    deadman: Receiver
    links: Links
    jobs: list[Name] = Field(min_length=1)
    objectives: Objectives
    price_age: PriceAge
    memory: int = Field(gt=0)
    smtp: Smtp | None = None

    @field_validator("jobs")
    @classmethod
    def _once(cls, jobs: list[str]) -> list[str]:
        twice = next((job for place, job in enumerate(jobs) if job in jobs[:place]), None)
        if twice is not None:
            raise ValueError(f"{twice} is named twice")
        return jobs

    @model_validator(mode="after")
    def _reachable(self) -> Settings:
        for name in (DEADMAN, NOBODY):
            if name in self.receivers:
                raise ValueError(f"no receiver may be called {name}: there is one already; choose another name")
        if self.owners.services not in self.receivers:
            raise ValueError(f"`receivers` lacks {self.owners.services}, who is told whatever nobody else is")
        mails = [name for name, one in {**self.receivers, DEADMAN: self.deadman}.items() if one.email]
        if mails and self.smtp is None:
            raise ValueError(f"{mails[0]} has an `email`, so `smtp: {{smarthost: ..., from: ...}}` is needed")
        return self


def load_settings(path: Path = DEFAULT_SETTINGS) -> Settings:
    """Read the settings. Raises BadInput that lists every mistake with its line."""
    document = read_document(path, "begin with a copy of alerts/settings.yaml, which comes with the code")
    if not isinstance(document.data, dict):
        raise BadInput(f"{path}: is no mapping of keys to values; it begins with `touchstone: 1`")
    if document.repeated:
        twice = (
            f"{path}:{line}: the key `{place[-1]}` stands here twice; keep one" for line, place in document.repeated
        )
        raise BadInput("\n".join(twice))
    try:
        return Settings.model_validate(document.data, by_alias=True, by_name=False)
    except ValidationError as error:
        lines = []
        for found in error.errors(include_url=False):
            where = ".".join(map(str, found["loc"])) or "the file"
            lines.append(f"{path}:{document.line(found['loc'])}: {where}: {found['msg'].removeprefix('Value error, ')}")
        raise BadInput("\n".join(lines)) from error


@cache
def default_settings() -> Settings:
    """Return the settings that come with the code."""
    return load_settings()
