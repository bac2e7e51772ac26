"""The settings of alerts (``settings.yaml``): whom they go to, and what is demanded of services."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, HttpUrl, ValidationError, model_validator

from collectors.promise.document import read_document
from collectors.promise.model import Name, Section
from collectors.promise.values import Duration, Share  # noqa: TC001 - pydantic reads the annotations
from instrumentation.conventions import REQUEST_DURATION_BUCKETS
from instrumentation.errors import BadInput

DEFAULT_SETTINGS: Final = Path(__file__).parent / "settings.yaml"


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


class Links(Section):
    """What stands before the paths that alerts point to."""

    grafana: str
    collector: str
    prometheus: str
    runbooks: str = ""


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
        within = self.latency.within
        if within is None or within.total_seconds() not in REQUEST_DURATION_BUCKETS:
            known = ", ".join(f"{bound:g}" for bound in REQUEST_DURATION_BUCKETS)
            raise ValueError(f"latency.within must be a bucket of its histogram, in seconds: {known}")
        if self.price.within is None:
            raise ValueError("price needs `within`, such as 1m")
        return self


class PriceAge(Section):
    """How long the oldest unanswered request of each class may wait."""

    shop: Duration
    partner: Duration
    heavy: Duration


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

    @model_validator(mode="after")
    def _reachable(self) -> Settings:
        if self.owners.services not in self.receivers:
            raise ValueError(f"`receivers` lacks {self.owners.services}, who is told whatever nobody else is")
        mails = [name for name, one in {**self.receivers, "deadman": self.deadman}.items() if one.email]
        if mails and self.smtp is None:
            raise ValueError(f"{mails[0]} has an `email`, so `smtp: {{smarthost: ..., from: ...}}` is needed")
        return self


def load_settings(path: Path = DEFAULT_SETTINGS) -> Settings:
    """Read the settings. Raises BadInput that lists every mistake with its line."""
    document = read_document(path)
    if not isinstance(document.data, dict):
        raise BadInput(f"{path}: is no mapping of keys to values; it begins with `touchstone: 1`")
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
