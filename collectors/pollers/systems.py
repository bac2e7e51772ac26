"""The file of watched systems (``systems.yaml``): where each is asked, how it is polled, what they owe each other."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, HttpUrl, ValidationError, model_validator

from collectors.promise.document import read_document
from collectors.promise.model import Calendar, Name, Section
from collectors.promise.values import Duration  # noqa: TC001 - pydantic reads the annotations
from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path


def _without_password(address: HttpUrl) -> HttpUrl:
    if address.password is not None:
        raise ValueError("holds a password, which logs would tell; name an environment variable with a token or a key")
    return address


Address = Annotated[HttpUrl, AfterValidator(_without_password)]


class Columns(Section):
    """Where a status history keeps what: the defaults are those of a service's own ``bus_outbox``."""

    position: Name = Field(default="position", description="A whole number that grows by one a row, such as a serial.")
    order: Name = Field(default="subject", description="The order's id.")
    time: Name = Field(default="time", description="When the status was reached.")
    id: Name | None = Field(default="id", description="The event's id; without it, the position is one.")
    type: Name | None = Field(default="type", description="The event's type; rows of other types are passed over.")
    source: Name | None = Field(default="source", description="Who says so; without it, the system's own `source`.")
    sequence: Name | None = Field(default="sequence", description="The event's number within order and source.")
    data: Name | None = Field(default="data", description="JSON with `status` and `order`, as events have it.")
    status: Name | None = Field(default=None, description="The status, where it has a column of its own.")
    attributes: dict[Name, Name] = Field(default={}, description="Columns of the order's attributes.")

    def wanted(self) -> list[str]:
        """Return every column that is read, once."""
        single = (self.position, self.order, self.time, self.id, self.type, self.source, self.sequence, self.data)
        named = [*single, self.status, *self.attributes.values()]
        return list(dict.fromkeys(name for name in named if name is not None))

    @model_validator(mode="after")
    def _tells_a_status(self) -> Columns:
        if (self.data is None) == (self.status is None):
            raise ValueError("name either `data` or `status`, and set the other to null")
        return self


class SqlPoll(Section):
    """A system that lets its status history be read by SQL."""

    kind: Literal["sql"]
    url: str | None = Field(default=None, description="SQLAlchemy URL (SQLite or PostgreSQL).")
    url_env: str | None = Field(default=None, description="The environment variable that holds the URL.")
    table: Name = Field(default="bus_outbox", description="The table of the history.")
    select: str | None = Field(default=None, description="A SELECT that gives the history, instead of a table.")
    columns: Columns = Columns()
    time_unit: Literal["us", "ms", "s"] = Field(default="us", description="The unit of times that are numbers.")
    every: Duration = timedelta(seconds=5)
    at_once: int = Field(default=5_000, gt=0, le=10_000)
    timeout: Duration = timedelta(minutes=1)
    longest_transaction: Duration = Field(
        default=timedelta(minutes=10), description="How long a missing position may still be committed."
    )

    @model_validator(mode="after")
    def _one_url(self) -> SqlPoll:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("needs either `url` or `url_env`")
        return self

    def address(self, system: str) -> str:
        """Return the database's URL. Raises BadInput where the environment lacks it."""
        return self.url or from_environment(self.url_env, system) or ""


class Paging(Section):
    """How a further page is asked for."""

    field: Name = Field(default="next", description="Where an answer names the next page; null or absent: none.")
    parameter: Name = Field(default="cursor", description="The query parameter that asks for it.")


class Keyset(Section):
    """How a further page is asked for where an answer names none: from the last order of a full page on."""

    updated: Name = Field(description="The field by which orders come, whose last value `since` then takes.")
    number: Name = Field(description="The field that parts orders that changed at one moment.")
    after: Name = Field(description="The query parameter that takes the last value of `number`.")
    limit: Name = Field(default="limit", description="The query parameter of a page's size.")
    size: int = Field(default=1_000, gt=0)


class Fields(Section):
    """Where an answer's order says what."""

    order: Name = "order"
    status: Name = "status"
    time: Name | None = Field(default=None, description="When the status was reached, if the system tells it.")
    attributes: dict[Name, Name] = Field(default={}, description="Fields of the order's attributes.")


class HttpPoll(Section):
    """A system that shows by HTTP which orders changed since a moment, and their current status only."""

    kind: Literal["http"]
    url: Address = Field(examples=["http://127.0.0.1:8403/v1/orders"])
    since: Name = Field(default="updated_since", description="The query parameter that takes the moment.")
    since_format: Literal["ms", "s", "iso"] = "ms"
    time_unit: Literal["us", "ms", "s"] = Field(default="ms", description="The unit of times that are numbers.")
    key_header: Name = "X-Api-Key"
    key_env: str | None = Field(default=None, description="The environment variable that holds the API key.")
    items: Name | None = Field(default="orders", description="The field that holds the list; null: the answer is one.")
    fields: Fields = Fields()
    statuses: dict[str, Name | None] = Field(
        default={}, description="The system's own statuses -> those of the promise; null: none of them."
    )
    paging: Paging | None = None
    keyset: Keyset | None = None
    every: Duration = timedelta(minutes=1)
    first_look: Duration = Field(default=timedelta(days=1), description="How far back the first poll reaches.")
    overlap: Duration = Field(default=timedelta(minutes=1), description="How far the two clocks may differ.")
    timeout: Duration = timedelta(seconds=30)


Poll = Annotated[SqlPoll | HttpPoll, Field(discriminator="kind")]


class System(Section):
    """A watched system."""

    name: Name
    source: Name = Field(description="What it is called as the source of events.", examples=["/crm"])
    address: Address | None = Field(default=None, description="Where it answers GET /statuses; null: it does not.")
    consumer: Name | None = Field(default=None, description="Its name as a consumer of events; its own if left out.")
    owns: list[Name] = Field(default=[], description="The statuses that only this system decides.")
    token_env: str | None = Field(default=None, description="The environment variable with a bearer token for it.")
    poll: Poll | None = None

    @property
    def queue(self) -> str:
        """The name under which events are replayed to it."""
        return self.consumer or self.name


class Debt(Section):
    """Who must know of an order, once another system has it in a status."""

    status: Name = Field(description="From this status on (by its rank on the main line).")
    known_to: Name = Field(alias="from")
    owed_to: list[Name] = Field(alias="to", min_length=1)


class Silence(Section):
    """How long a source may say nothing while people work."""

    after: Duration = timedelta(hours=2)
    sources: list[Name] = Field(default=[], description="The sources that speak daily; empty: those of all systems.")
    hours: Calendar = Calendar()


class SignIn(Section):
    """How the collector gets the tokens that it shows to systems: OAuth 2.0 client credentials."""

    issuer: Address
    client_id: Name
    secret_env: Name = Field(description="The environment variable that holds the client's secret.")


class Systems(Section):
    """A whole file of watched systems."""

    touchstone: Literal[1] = Field(description="The version of this format.")
    systems: list[System] = Field(min_length=1)
    flow: list[Debt] = Field(default=[])
    tolerance: Duration = Field(
        default=timedelta(minutes=15), description="How long two systems may name different statuses."
    )
    lost_after: Duration = Field(default=timedelta(minutes=30), description="How long an order may take to arrive.")
    every: Duration = Field(default=timedelta(minutes=5), description="How often systems are reconciled.")
    sign_in: SignIn | None = Field(default=None, description="For systems that have no `token_env` of their own.")
    collector: Address = Field(default=HttpUrl("http://127.0.0.1:8321"), description="Where the collector answers.")
    collector_token_env: str = "TOUCHSTONE_TOKEN"  # noqa: S105 - the name of a variable
    oldest_pending: Duration = Field(default=timedelta(minutes=5), description="How old an unsent event may get.")
    oldest_gap: Duration = Field(default=timedelta(minutes=15), description="How long a sequence number may lack.")
    silence: Silence | None = None

    @model_validator(mode="after")
    def _names_fit(self) -> Systems:
        names = [system.name for system in self.systems]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two systems are called `{name}`; give each a name of its own")
        for debt in self.flow:
            for name in (debt.known_to, *debt.owed_to):
                if name not in names:
                    raise ValueError(f"`flow` speaks of `{name}`, which is none of the systems: {', '.join(names)}")
        owned = [status for system in self.systems for status in system.owns]
        for status in owned:
            if owned.count(status) > 1:
                raise ValueError(f"two systems own `{status}`; only one can")
        return self

    @property
    def asked(self) -> list[System]:
        """The systems that can be asked for what they believe."""
        return [system for system in self.systems if system.address is not None]


def load_systems(path: Path) -> Systems:
    """Read a file of watched systems. Raises BadInput that lists every mistake with its line."""
    document = read_document(path)
    if not isinstance(document.data, dict):
        raise BadInput(f"{path}: is no mapping of keys to values; it begins with `touchstone: 1` and `systems:`")
    try:
        return Systems.model_validate(document.data, by_alias=True, by_name=False)
    except ValidationError as error:
        lines = []
        for found in error.errors(include_url=False):
            # pydantic names the kind of poll within the path; the file has no such key.
            place = tuple(part for part in found["loc"] if part not in ("sql", "http"))
            where = ".".join(str(part) for part in place) or "the file"
            lines.append(f"{path}:{document.line(place)}: {where}: {found['msg'].removeprefix('Value error, ')}")
        raise BadInput("\n".join(lines)) from error


def from_environment(name: str | None, wanted_by: str) -> str | None:
    """Return a secret from the environment, None without a name. Raises BadInput where it is not set."""
    if name is None:
        return None
    found = os.environ.get(name)
    if not found:
        raise BadInput(f"the environment lacks {name}, which `{wanted_by}` in the file of systems names; set it")
    return found
