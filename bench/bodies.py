"""The requests of a load, in a file: what `bench/load` sends, and what the loader in Python takes its customers from."""

import random
import struct
from pathlib import Path
from typing import Final

import numpy as np

from interlude.v1 import decision_pb2 as pb

BODIES: Final = 100_000
_SEED: Final = 20_141_001
_REQUEST_NUMBER: Final = "<request-number>"
"""Where the load generator puts a number of its own into each call."""


def write_bodies(path: Path, customers: int) -> Path:
    """`BODIES` requests of customers at random, each preceded by its length (4 bytes, little-endian)."""
    with path.open("wb") as file:
        for customer_id in _drawn(customers):
            request = pb.DecideRequest(request_id=_REQUEST_NUMBER, customer_id=customer_id)
            body = request.SerializeToString()
            file.write(struct.pack("<I", len(body)) + body)
    return path


def write_scores(path: Path, scores: np.ndarray) -> Path:
    """What the answers to the same requests are scored with: of `scores`, shape (customers,), one float32 for each body."""
    path.write_bytes(scores[_drawn(len(scores))].astype("<f4").tobytes())
    return path


def _drawn(customers: int) -> list[int]:
    source = random.Random(_SEED)
    return [source.randrange(customers) for _ in range(BODIES)]
