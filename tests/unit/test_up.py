"""`make up`: one supervisor at a time, told apart from what it left behind; what ends is started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.house import Part
from deploy.place import Place, usual_folder
from deploy.servers import Server, free_port
from deploy.servers.processes import Child
from deploy.supervisor import Supervisor, await_ready
from deploy.up import main, require_free
from instrumentation.errors import TouchstoneError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
HOLD = """
import pathlib, sys, time
from deploy.place import Place
place = Place(pathlib.Path(sys.argv[1]))
with place.held():
    place.tell({"SECRET": "s"}, {"shop": "http://127.0.0.1:1"})
    print("held", flush=True)
    time.sleep(600)
"""


def until(true: Callable[[], bool]) -> bool:
    """Wait until something is so."""
    deadline = time.monotonic() + 30
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_killed_supervisor_holds_nothing_whoever_has_its_process_id_now(tmp_path: Path) -> None:
    """And what it had told is not taken for the state of the next one."""
    place = Place(tmp_path)
    assert place.holder() is None
    supervisor = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"held\n"
        assert place.holder() == supervisor.pid
        assert place.addresses() == {"shop": "http://127.0.0.1:1"}
        with pytest.raises(TouchstoneError, match="another supervisor"), place.held():
            pytest.fail("two supervisors hold one house")
    finally:
        supervisor.kill()
        supervisor.communicate()
    (tmp_path / "lock").write_text(str(os.getpid()), encoding="ascii")
    assert place.holder() is None
    assert place.addresses() is not None
    with place.held():
        assert place.holder() == os.getpid()
        assert place.addresses() is None


def test_only_the_owner_reads_the_file_that_holds_the_secret(tmp_path: Path) -> None:
    """Also where a file that was left half written could be read by everybody."""
    (tmp_path / "environment.new").touch(mode=0o644)
    place = Place(tmp_path)
    place.tell({"SECRET": "it's"}, {})
    assert place.environment.stat().st_mode & 0o077 == 0
    assert place.environment.read_text(encoding="utf-8") == "export SECRET='it'\"'\"'s'\n"


def test_root_keeps_the_house_where_other_users_can_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert usual_folder(tmp_path, root=False) == tmp_path / "build" / "up"
    elsewhere = usual_folder(tmp_path, root=True)
    assert elsewhere.parent == Path("/var/lib/touchstone")
    assert usual_folder(tmp_path / "other", root=True) != elsewhere
    assert usual_folder(Path("/"), root=True) == Path("/build/up")


def test_a_port_that_is_taken_is_named_with_who_needs_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TouchstoneError, match=rf"port {port} of 127.0.0.1, which the shop needs, is taken"):
            require_free({"crm": free_port(), "shop": port}, patience_s=0)
    require_free({"shop": port}, patience_s=0)


def _part(name: str, *command: str, ready: str | None = None) -> Part:
    return Part(name, command, {}, ready)


def test_a_part_that_ends_is_started_again_and_all_of_them_end_with_the_supervisor(tmp_path: Path) -> None:
    supervisor = Supervisor([_part("a", "sleep", "600"), _part("b", "sleep", "600")], tmp_path, tmp_path, calm_s=0)
    supervisor.start()
    try:
        first = supervisor.children["a"]
        os.kill(first.pid, signal.SIGKILL)
        assert until(lambda: not first.running())
        supervisor.look()
        again = supervisor.children["a"]
        assert again.running()
        assert again.pid != first.pid
    finally:
        supervisor.stop()
    assert not any(child.running() for child in supervisor.children.values())


class Sleeping(Server):
    """A server that answers at once."""

    name = "Sleeping"

    def _launch(self) -> Child:
        return Child(["sleep", "600"], home=self.home, log=self.home / "log")

    def _ready(self) -> bool:
        return self.running()


def test_a_server_that_ends_is_started_again(tmp_path: Path) -> None:
    server = Sleeping(tmp_path)
    server.start()
    try:
        supervisor = Supervisor([], tmp_path, tmp_path, [server], calm_s=0)
        supervisor.look()
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        assert until(lambda: not server.running())
        supervisor.look()
        assert server.running()
    finally:
        server.stop()


def test_a_part_that_ended_is_not_ready_though_somebody_else_answers_at_its_address(tmp_path: Path) -> None:
    port = free_port()
    stranger = Child(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], home=tmp_path, log=tmp_path / "other"
    )
    try:
        assert until(lambda: b"Serving" in (tmp_path / "other").read_bytes() or _listens(port))
        part = _part("shop", "sh", "-c", "echo the port is taken", ready=f"http://127.0.0.1:{port}/")
        child = Child(part.command, home=tmp_path, log=tmp_path / "shop.log")
        assert until(lambda: not child.running())
        with pytest.raises(TouchstoneError, match="the port is taken"):
            await_ready(part, child)
        child.end()
    finally:
        stranger.end()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("what", ["start", "stop"])
def test_a_folder_that_cannot_be_made_is_said_in_one_sentence(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "build").touch()
    with pytest.raises(SystemExit) as ended:
        main([what], Place(tmp_path / "build" / "up"))
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said == f"make {'down' if what == 'stop' else 'up'}: {tmp_path / 'build' / 'up' / 'lock'}: Not a directory\n"
