"""What a model says of itself, and the signature that says it is ours."""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FORMAT_VERSION: Final = 1


@dataclass(eq=False)
class RefusedModel(Exception):
    """A model that must not serve. `check` is a short name for the metric's label, `problem` a sentence."""

    check: str
    problem: str

    def __str__(self) -> str:
        return f"{self.check}: {self.problem}"


@dataclass(frozen=True, slots=True)
class GoldenRow:
    """One input in the model's feature order, and the probability that the trainer computed for it."""

    features: tuple[float, ...]
    probability: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything about a model but its weights.

    `features` and `fingerprints` run in the order of the model's input columns; `threshold` is a probability: at or above
    it the offer is worth showing; `golden` is checked before the model serves. `training_summary` tells how each feature was
    spread in the training rows, for whoever compares later ones with them; what serves does not look at it.
    """

    algorithm: str
    model_sha256: str
    features: tuple[str, ...]
    fingerprints: tuple[str, ...]
    threshold: float
    golden: tuple[GoldenRow, ...]
    metrics: dict[str, float]
    trained_at_ms: int
    training_rows: int
    training_source: str
    libraries: dict[str, str] = field(default_factory=dict)
    training_summary: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    @property
    def version(self) -> str:
        """Content address: sixteen hex digits over the manifest, which itself holds the model file's hash."""
        return hashlib.sha256(self.to_json()).hexdigest()[:16]

    def to_json(self) -> bytes:
        """Canonical JSON: equal manifests give equal bytes."""
        fields = asdict(self)
        if not self.training_summary:
            del fields["training_summary"]  # versions from before it was there keep their name
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def from_json(cls, document: bytes) -> "Manifest":
        """The manifest in `document`. Raises `RefusedModel`."""
        try:
            fields: dict[str, Any] = json.loads(document)
            if fields["format_version"] != FORMAT_VERSION:
                raise RefusedModel("format", f"format version {fields['format_version']}, expected {FORMAT_VERSION}")
            golden = tuple(GoldenRow(tuple(row["features"]), row["probability"]) for row in fields.pop("golden"))
            features, fingerprints = tuple(fields.pop("features")), tuple(fields.pop("fingerprints"))
            manifest = cls(features=features, fingerprints=fingerprints, golden=golden, **fields)
            manifest.to_json()  # ValueError for numbers that JSON does not have and Python reads all the same
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise RefusedModel("manifest", f"manifest does not read: {type(error).__name__}") from error
        return manifest

    def check(self) -> None:
        """Raises `RefusedModel` for values that no training gives, whoever signed them."""
        if not _is_probability(self.threshold):
            raise RefusedModel("threshold", f"threshold is {self.threshold!r}, expected 0 to 1")
        if not (isinstance(self.training_rows, int) and self.training_rows > 0):
            raise RefusedModel("manifest", f"training_rows is {self.training_rows!r}, expected 1 or more")
        if not all(isinstance(name, str) for name in (*self.features, *self.fingerprints)):
            raise RefusedModel("features", "features and fingerprints have to be texts")
        if len(set(self.features)) != len(self.features):
            raise RefusedModel("features", "a feature is named twice")
        if not all(_is_probability(row.probability) for row in self.golden):
            raise RefusedModel("golden", "a golden row's probability is not between 0 and 1")


def _is_probability(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value <= 1


def sign(document: bytes, private_key_base64: str) -> bytes:
    """The Ed25519 signature of `document`; the key is the base64 of its 32-byte seed. Raises ValueError for another key."""
    seed = base64.b64decode(private_key_base64, validate=True)
    return Ed25519PrivateKey.from_private_bytes(seed).sign(document)


def verify(document: bytes, signature: bytes, public_key_base64: str) -> None:
    """Raise `RefusedModel` unless `signature` is `document`'s by the key whose 32 bytes are given in base64."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key_base64, validate=True))
    try:
        key.verify(signature, document)
    except InvalidSignature as error:
        raise RefusedModel("signature", "the manifest was not signed by the expected key") from error
