"""Which store an address names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from instrumentation.errors import BadInput
from pricing.storage.folder import FolderStore

if TYPE_CHECKING:
    from pricing.storage.store import ModelStore

FORMS: Final = "a folder, file:///folder, or s3://bucket?endpoint=http://..."


def create_store(address: str | Path) -> ModelStore:
    """Return the store at an address: a folder (a path or `file:///...`), or `s3://bucket?endpoint=...`.

    The keys of S3 are read from TOUCHSTONE_S3_ACCESS_KEY and TOUCHSTONE_S3_SECRET. Raises BadInput where the address
    or the keys cannot be used.
    """
    scheme = urlsplit(str(address)).scheme
    if isinstance(address, Path) or not scheme:
        return FolderStore(Path(address))
    if scheme == "file":
        return FolderStore(_folder(address))
    if scheme == "s3":
        from pricing.storage.s3 import s3_store  # boto3 takes a while to import, and a folder needs none of it

        return s3_store(address)
    raise BadInput(f"models cannot be kept at `{scheme}:`; give {FORMS}")


def _folder(address: str) -> Path:
    parts = urlsplit(address)
    if parts.netloc not in {"", "localhost"} or not parts.path or parts.query or parts.fragment:
        raise BadInput(f"`{address}` names no folder of this machine; give {FORMS}")
    return Path(unquote(parts.path))
