"""From a candidate that passed to a version in the model store, and the champion, which a candidate is compared with."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final, Protocol

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlude.features.schema import FINGERPRINTS, STATE_FEATURE_NAMES
from interlude.models.manifest import GoldenRow, Manifest, RefusedModel, sign
from interlude.models.scorer import Scorer, load_scorer
from interlude.models.store import Champion, StoredModel
from services.trainer.card import CARD, model_card
from services.trainer.dataset import Rows, UnusableRows
from services.trainer.linear import Matrix, Vector
from services.trainer.parity import onnx_probabilities

GOLDEN_ROWS: Final = 32
LIBRARIES: Final = ("pyspark", "scikit-learn", "skl2onnx", "onnx", "onnxruntime")


class Versions(Protocol):
    """What the trainer needs of the model store."""

    def publish(self, manifest: Manifest, signature: bytes, model: bytes, papers: Mapping[str, bytes] = ...) -> str:
        """Write one version, with `papers` for people, and return its name."""

    def load(self, version: str, public_key_base64: str) -> StoredModel:
        """Read one version."""

    def champion(self) -> Champion | None:
        """The pointer, None while nothing was promoted."""

    def promote(self, version: str) -> Champion:
        """Make `version` the champion."""


@dataclass(frozen=True, slots=True)
class ServingModel:
    """A version as it serves."""

    version: str
    scorer: Scorer
    threshold: float
    features: tuple[str, ...] = STATE_FEATURE_NAMES

    def probabilities(self, features: Matrix, names: tuple[str, ...] = STATE_FEATURE_NAMES) -> Vector:
        """Shape (rows,), for features of shape (rows, one column per name). Raises `UnusableRows` where one that it takes is not
        among them: a candidate that cannot be compared must not replace it."""
        missing = [name for name in self.features if name not in names]
        if missing:
            raise UnusableRows(
                f"the champion takes {', '.join(missing)} as well: train with --features that include it"
            )
        places = [names.index(name) for name in self.features]
        return self.scorer.score(np.ascontiguousarray(features[:, places])).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Release:
    """Everything of a version that is not derived from something else in it."""

    algorithm: str
    model_file: bytes
    threshold: float
    metrics: dict[str, float]
    trained_at_ms: int
    training_source: str
    training_summary: dict[str, dict[str, list[float]]] = field(default_factory=dict)


def public_key_of(private_key_base64: str) -> str:
    """The base64 of the public key that verifies what this private key signs. Raises ValueError for another key."""
    seed = base64.b64decode(private_key_base64, validate=True)
    return base64.b64encode(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()).decode()


def publish(versions: Versions, release: Release, rows: Rows, private_key_base64: str) -> str:
    """Sign and write the version; returns its name."""
    manifest = to_manifest(release, rows)
    signature = sign(manifest.to_json(), private_key_base64)
    return versions.publish(manifest, signature, release.model_file, {CARD: model_card(manifest).encode()})


def to_manifest(release: Release, rows: Rows) -> Manifest:
    """The manifest of a release that was trained on `rows`."""
    return Manifest(
        algorithm=release.algorithm,
        model_sha256=hashlib.sha256(release.model_file).hexdigest(),
        features=rows.names,
        fingerprints=tuple(FINGERPRINTS[name] for name in rows.names),
        threshold=release.threshold,
        golden=golden_rows(release.model_file, rows.features),
        metrics=release.metrics,
        trained_at_ms=release.trained_at_ms,
        training_rows=len(rows.labels),
        training_source=release.training_source,
        training_summary=release.training_summary,
        libraries={name: version(name) for name in LIBRARIES},
    )


def golden_rows(model_file: bytes, features: Matrix) -> tuple[GoldenRow, ...]:
    """At most `GOLDEN_ROWS` training rows, spread evenly from the lowest to the highest probability."""
    probabilities = onnx_probabilities(model_file, features)
    order = np.argsort(probabilities, kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, GOLDEN_ROWS).astype(int))
    return tuple(_golden_row(features, probabilities, order[place]) for place in places)


def champion_of(versions: Versions, private_key_base64: str) -> ServingModel | None:
    """The champion; None when there is none, or when it would not serve any more either."""
    champion = versions.champion()
    if champion is None:
        return None
    try:
        stored = versions.load(champion.version, public_key_of(private_key_base64))
        return ServingModel(champion.version, load_scorer(stored), stored.manifest.threshold, stored.manifest.features)
    except RefusedModel:
        return None


def champion_summary(versions: Versions, private_key_base64: str) -> dict[str, dict[str, list[float]]]:
    """How features were spread in the rows that the champion was trained on; empty when nobody can tell."""
    champion = versions.champion()
    if champion is None:
        return {}
    try:
        return versions.load(champion.version, public_key_of(private_key_base64)).manifest.training_summary
    except RefusedModel:
        return {}


def _golden_row(features: Matrix, probabilities: Vector, place: int) -> GoldenRow:
    return GoldenRow(tuple(float(value) for value in features[place]), float(probabilities[place]))
