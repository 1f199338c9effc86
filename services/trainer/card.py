"""A model in words: what it is, what it was made from, what it is good for. Markdown, beside the model in the store."""

from datetime import UTC, datetime
from typing import Final

from interlude.features.schema import FEATURES
from interlude.models.manifest import Manifest

CARD: Final = "card.md"
_DOCS: Final = {feature.name: feature.doc for feature in FEATURES}


def model_card(manifest: Manifest) -> str:
    """The card of a version; everything in it is in the manifest, which is signed."""
    trained = datetime.fromtimestamp(manifest.trained_at_ms / 1000, UTC)
    lines = [
        f"# Model {manifest.version}",
        "",
        f"A {manifest.algorithm} model of the probability that a listener clicks the upgrade offer just before the next track.",
        "",
        f"- Trained {trained:%Y-%m-%d %H:%M} UTC on {manifest.training_rows} rows: {manifest.training_source}.",
        f"- The offer is worth showing from a probability of {manifest.threshold:g} on, before rules, caps, budget and holdout.",
        f"- Made with {', '.join(f'{name} {version}' for name, version in sorted(manifest.libraries.items()))}.",
        "",
        "## Measures, on rows that the fit had not seen",
        "",
        "| measure | value |",
        "|---|---|",
        *(f"| {name} | {value:.6g} |" for name, value in sorted(manifest.metrics.items())),
        "",
        "## Features",
        "",
        "| feature | fingerprint | meaning |",
        "|---|---|---|",
        *(
            f"| {name} | {fingerprint} | {_DOCS.get(name, 'not in the schema of this release')} |"
            for name, fingerprint in zip(manifest.features, manifest.fingerprints, strict=True)
        ),
        "",
        "## What it must not be used for",
        "",
        "It knows listening habits and earlier offers. It says nothing of a person's means, health or opinions, and no price may "
        "depend on it. Its numbers hold for listeners like those of its training rows.",
        "",
    ]
    return "\n".join(lines)
