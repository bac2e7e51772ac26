"""Where models lie: objects by the SHA-256 of what they hold, in a folder or on S3."""

from __future__ import annotations

from pricing.storage.addresses import create_store
from pricing.storage.store import Area, Kept, Mismatch, ModelStore, Stored, StoreUnavailable

__all__ = ["Area", "Kept", "Mismatch", "ModelStore", "StoreUnavailable", "Stored", "create_store"]
