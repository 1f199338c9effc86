"""Generations of what Redis holds of listeners: one is in use, the next can be made beside it.

The key `generation` names the one in use, in a document; without it that is generation 0. States and features of another
schema never lie in one generation.
"""

import json
from typing import Final, NamedTuple

GENERATION_KEY: Final = "generation"
"""Which generation is in use: read by decisions together with the features, and checked by every write of a state."""

GENERATION_OFFSETS_KEY: Final = "generation:offsets"
"""Where the log goes on after what was in the generation when it came into use. Written in one step with `GENERATION_KEY`."""


class CorruptGeneration(ValueError):
    """The document under `generation` is not ours."""


class Generation(NamedTuple):
    """A generation. `schema` is the `VALUES_MARK` of what it holds."""

    number: int = 0
    schema: str = ""
    began_at_ms: int = 0
    """When it was begun, epoch ms: with the number it tells generations apart even where a Redis lost what it knew."""

    @property
    def identity(self) -> str:
        """What is committed to Kafka beside offsets that were reached in this generation."""
        return f"{self.number}:{self.began_at_ms}"


def encode_generation(generation: Generation) -> bytes:
    """The document. Equal generations give equal bytes."""
    return json.dumps(generation._asdict(), separators=(",", ":")).encode()


def decode_generation(document: bytes | None) -> Generation:
    """The generation in a document; 0 for None. Raises `CorruptGeneration`."""
    if document is None:
        return Generation()
    try:
        fields = json.loads(document)
        generation = Generation(fields["number"], fields["schema"], fields["began_at_ms"])
    except (ValueError, LookupError, TypeError) as error:
        raise CorruptGeneration(f"{GENERATION_KEY} of {len(document)} bytes is not ours") from error
    if not (_is_count(generation.number) and _is_count(generation.began_at_ms) and isinstance(generation.schema, str)):
        raise CorruptGeneration(f"{GENERATION_KEY} has a field of the wrong kind")
    return generation


def encode_offsets(offsets: dict[str, int]) -> bytes:
    """The next offset of each partition, by "topic/partition"."""
    return json.dumps(offsets, separators=(",", ":"), sort_keys=True).encode()


def decode_offsets(document: bytes | None) -> dict[str, int]:
    """The reverse; nothing for None: everything begins at the beginning. Raises `CorruptGeneration`."""
    if document is None:
        return {}
    try:
        offsets = json.loads(document)
    except ValueError as error:
        raise CorruptGeneration(f"{GENERATION_OFFSETS_KEY} of {len(document)} bytes is not ours") from error
    if not isinstance(offsets, dict) or not all(map(_is_count, offsets.values())):
        raise CorruptGeneration(f"{GENERATION_OFFSETS_KEY} is not offsets by partition")
    return offsets


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0
