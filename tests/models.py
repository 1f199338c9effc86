"""Models of the tests, signed with a pair of keys of their own."""

from typing import Final

from devstack.keys import Keys, generate_keys
from devstack.models import GENEROUS, STINGY, ModelSpec
from interlude.models.manifest import sign
from interlude.models.store import ModelStore

__all__ = ["GENEROUS", "KEYS", "STINGY", "ModelSpec", "promote", "publish"]

KEYS: Final[Keys] = generate_keys()
"""The pair that models are signed with unless a test says otherwise."""


def publish(store: ModelStore, spec: ModelSpec | None = None, keys: Keys = KEYS) -> str:
    """Write the model into the store, signed with `keys`; returns its version."""
    spec = spec or ModelSpec()
    manifest = spec.manifest
    return store.publish(manifest, sign(manifest.to_json(), keys.model_private_key), spec.file)


def promote(store: ModelStore, spec: ModelSpec | None = None, keys: Keys = KEYS) -> str:
    """Publish the model and make it the champion; returns its version."""
    version = publish(store, spec, keys)
    store.promote(version)
    return version
