"""Every command block of README and docs/ runs as it stands, in a folder of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
# `make` in a document is what CI itself runs, or what is run by hand before a release; running it here would recurse.
MAKE = re.compile(r"^(make|git clone|cd touchstone)\b")


def commands(document: Path) -> str:
    blocks = BLOCK.findall(document.read_text(encoding="utf-8"))
    return "\n".join(line for block in blocks for line in block.splitlines() if not MAKE.match(line))


WITH_COMMANDS = [document for document in DOCUMENTS if commands(document).strip()]


def test_there_are_documents_with_commands() -> None:
    assert ROOT / "README.md" in WITH_COMMANDS


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_document_run(document: Path, tmp_path: Path) -> None:
    script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + commands(document)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "TERM": "dumb"},
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, f"{document}:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = [
        f"{document.name}: {target}"
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]
    assert broken == []
