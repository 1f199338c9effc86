"""How far back a command looks."""

import time
from typing import Final

HOUR_MS: Final = 60 * 60 * 1000


def hours_type(text: str) -> float:
    """For argparse: a number of hours above 0. Raises `ValueError`."""
    hours = float(text)
    if not hours > 0:
        raise ValueError(text)
    return hours


def hours_ago_ms(hours: float) -> int:
    """That moment, epoch ms; not before 1970, where Kafka's times begin."""
    return max(0, int(time.time() * 1000 - min(hours, 1e9) * HOUR_MS))
