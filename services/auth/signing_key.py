"""The demo issuer's key: Ed25519 (RFC 8037), made at start or kept in a file that only its owner reads."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from instrumentation.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class SigningKey:
    """A private key, and the id that its public half is published under."""

    private: Ed25519PrivateKey
    kid: str
    public: dict[str, str]


def new_key() -> SigningKey:
    """Make a key."""
    return _described(Ed25519PrivateKey.generate())


def kept_key(path: Path) -> SigningKey:
    """Load the key in a file, which is made if missing. Raises BadInput where others may read it, or it holds none."""
    if not path.exists():
        _write(path, new_key())
    try:
        others = path.stat().st_mode & 0o077
        private = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{path}: cannot be read as a key ({error}); remove it, and a new one is made") from error
    if others:
        raise BadInput(f"{path}: others can read this key; run `chmod 600 {path}`")
    if not isinstance(private, Ed25519PrivateKey):
        raise BadInput(f"{path}: holds another kind of key than Ed25519; remove it, and a new one is made")
    return _described(private)


def _write(path: Path, key: SigningKey) -> None:
    text = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror}); name another key file") from error


def _described(private: Ed25519PrivateKey) -> SigningKey:
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    public = {"crv": "Ed25519", "kty": "OKP", "x": _base64(raw)}
    # The key's thumbprint (RFC 7638): the same key has the same id, on whatever machine.
    kid = _base64(hashlib.sha256(orjson.dumps(public, option=orjson.OPT_SORT_KEYS)).digest())
    return SigningKey(private, kid, {**public, "kid": kid, "use": "sig", "alg": "EdDSA"})


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
