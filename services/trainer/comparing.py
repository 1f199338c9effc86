"""How two versions differ: what they say of themselves, and what they answer."""

from typing import Any

import numpy as np

from interlude.features.schema import FEATURE_NAMES
from interlude.models.manifest import Manifest
from interlude.models.scorer import Matrix, load_scorer
from interlude.models.store import StoredModel


def compare(one: StoredModel, other: StoredModel) -> dict[str, Any]:
    """From `one` to `other`: settings and measures that differ, and their answers to the golden rows of both.

    Raises `RefusedModel` for a version that this release cannot run.
    """
    before, after = one.manifest, other.manifest
    return {
        "from": one.version,
        "to": other.version,
        "changed": {
            name: [getattr(before, name), getattr(after, name)]
            for name in ("algorithm", "threshold", "training_rows", "training_source", "trained_at_ms", "libraries")
            if getattr(before, name) != getattr(after, name)
        },
        "features": {
            "added": [name for name in after.features if name not in before.features],
            "removed": [name for name in before.features if name not in after.features],
            "redefined": _redefined(before, after),
        },
        "metrics": {
            name: [before.metrics.get(name), after.metrics.get(name)]
            for name in sorted({*before.metrics, *after.metrics})
            if before.metrics.get(name) != after.metrics.get(name)
        },
        "answers": _answers(one, other),
    }


def _redefined(before: Manifest, after: Manifest) -> list[str]:
    old = dict(zip(before.features, before.fingerprints, strict=True))
    new = dict(zip(after.features, after.fingerprints, strict=True))
    return [name for name in new if name in old and old[name] != new[name]]


def _answers(one: StoredModel, other: StoredModel) -> dict[str, Any]:
    rows = np.concatenate([_golden_vectors(one.manifest), _golden_vectors(other.manifest)])
    scores = [load_scorer(stored).score_vectors(rows).astype(np.float64) for stored in (one, other)]
    shown = [score >= stored.manifest.threshold for score, stored in zip(scores, (one, other), strict=True)]
    difference = np.abs(scores[1] - scores[0])
    return {
        "rows": len(rows),
        "mean_abs": float(difference.mean()),
        "max_abs": float(difference.max()),
        "on_the_other_side": int((shown[0] != shown[1]).sum()),
    }


def _golden_vectors(manifest: Manifest) -> Matrix:
    """The golden rows in the schema's order; a feature that the model does not take is 0."""
    vectors = np.zeros((len(manifest.golden), len(FEATURE_NAMES)), np.float32)
    for column, name in enumerate(manifest.features):
        if name in FEATURE_NAMES:
            vectors[:, FEATURE_NAMES.index(name)] = [row.features[column] for row in manifest.golden]
    return vectors
