"""The registry's commands: thin words over the model store."""

from typing import Any, Protocol

from interlude.models.manifest import Manifest
from interlude.models.store import Champion, StoredModel


class Registry(Protocol):
    """What these commands need of the model store."""

    def versions(self) -> list[str]:
        """Every complete version."""

    def load(self, version: str, public_key_base64: str) -> StoredModel:
        """Read one version, checked."""

    def champion(self) -> Champion | None:
        """The pointer."""


def list_versions(registry: Registry, public_key: str) -> list[dict[str, Any]]:
    """One line per version, newest first, saying which serves. Raises `RefusedModel` for a version that was tampered with."""
    champion = registry.champion()
    serving, previous = (champion.version, champion.previous) if champion else ("", "")
    candidate = champion.candidate.version if champion and champion.candidate else ""
    manifests = [(version, registry.load(version, public_key).manifest) for version in registry.versions()]
    manifests.sort(key=lambda pair: (-pair[1].trained_at_ms, pair[0]))
    return [
        {
            **_summary(version, manifest),
            "champion": version == serving,
            "candidate": version == candidate,
            "previous": version == previous,
        }
        for version, manifest in manifests
    ]


def describe(registry: Registry, version: str, public_key: str) -> dict[str, Any]:
    """Everything a manifest says but its golden rows. Raises `RefusedModel`."""
    manifest = registry.load(version, public_key).manifest
    return {
        **_summary(version, manifest),
        "features": list(manifest.features),
        "threshold": manifest.threshold,
        "metrics": manifest.metrics,
        "libraries": manifest.libraries,
        "model_sha256": manifest.model_sha256,
        "golden_rows": len(manifest.golden),
    }


def _summary(version: str, manifest: Manifest) -> dict[str, Any]:
    return {
        "version": version,
        "algorithm": manifest.algorithm,
        "trained_at_ms": manifest.trained_at_ms,
        "training_rows": manifest.training_rows,
        "training_source": manifest.training_source,
        "error": manifest.metrics.get("error"),
        "log_loss": manifest.metrics.get("log_loss"),
    }
