"""S3 on loopback: versitygw over a folder, with keys and one bucket of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, Final

import httpx

from deploy.servers.ports import free_port
from deploy.servers.processes import Child, Server
from deploy.servers.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PROGRAM: Final = "versitygw"
_HEALTH: Final = "/health"
_BUCKET: Final = "models"


class S3Server(Server):
    """An S3 server that refuses whoever has not its keys."""

    name = "versitygw"
    bucket = _BUCKET
    region = "us-east-1"

    def __init__(self, home: Path, port: int) -> None:
        super().__init__(home)
        self.port = port
        self._root = home / "buckets"
        self.access_key, self.secret = secrets.token_hex(10), secrets.token_hex(20)
        self._program = program(_PROGRAM, "the S3 server")
        self._http = httpx.Client(base_url=self.endpoint, timeout=10, trust_env=False)

    @property
    def endpoint(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """The bucket as the services' settings name it."""
        return self.address_of(self.bucket)

    def address_of(self, bucket: str) -> str:
        """Return the address of a bucket, made where there is none."""
        # A folder below the root of the gateway is a bucket.
        (self._root / bucket).mkdir(parents=True, exist_ok=True)
        return f"s3://{bucket}?endpoint={self.endpoint}"

    @property
    def keys(self) -> dict[str, str]:
        """The keys as the services' environment names them."""
        return {"TOUCHSTONE_S3_ACCESS_KEY": self.access_key, "TOUCHSTONE_S3_SECRET": self.secret}

    def close(self) -> None:
        """Stop the server for good."""
        try:
            self.stop()
        finally:
            self._http.close()

    def _launch(self) -> Child:
        (self._root / self.bucket).mkdir(parents=True, exist_ok=True)
        command = [
            self._program,
            "--port",
            f"127.0.0.1:{self.port}",
            "--health",
            _HEALTH,
            "--keep-alive",
            "--quiet",
            "posix",
        ]
        environment = os.environ | {
            "ROOT_ACCESS_KEY": self.access_key,
            "ROOT_SECRET_KEY": self.secret,
            "VGW_REGION": self.region,
        }
        log = self.home / "versitygw.log"
        return Child([*command, str(self._root)], home=self.home, log=log, environment=environment)

    def _ready(self) -> bool:
        try:
            return self._http.get(_HEALTH).is_success
        except httpx.TransportError:
            return False


@contextlib.contextmanager
def s3(home: Path, port: int | None = None) -> Iterator[S3Server]:
    """Run versitygw. Raises Absent where there is none."""
    server = S3Server(home, port or free_port())
    try:
        server.start()
        yield server
    finally:
        server.close()
