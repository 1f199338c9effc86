"""The requests of a load, in a file: what `bench/load` sends, and what the loader in Python takes its customers from."""

import random
import struct
from pathlib import Path
from typing import Final

from interlude.v1 import decision_pb2 as pb

BODIES: Final = 100_000
_SEED: Final = 20_141_001
_REQUEST_NUMBER: Final = "<request-number>"
"""Where the load generator puts a number of its own into each call."""


def write_bodies(path: Path, customers: int) -> Path:
    """`BODIES` requests of customers at random, each preceded by its length (4 bytes, little-endian)."""
    source = random.Random(_SEED)
    with path.open("wb") as file:
        for _ in range(BODIES):
            request = pb.DecideRequest(request_id=_REQUEST_NUMBER, customer_id=source.randrange(customers))
            body = request.SerializeToString()
            file.write(struct.pack("<I", len(body)) + body)
    return path
