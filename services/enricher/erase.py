"""`python -m services.enricher erase`: customers forgotten, with a receipt."""

import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import redis

from interlude.events.topics import PARTITIONER
from interlude.servicekit.producing import RecordProducer
from interlude.servicekit.topic_retention import retention_of
from services.enricher.erasing import EraseFailed, Eraser
from services.enricher.settings import EnricherSettings

_LARGEST_ID: Final = 2**63 - 1


def erase(
    settings: EnricherSettings,
    client: "redis.Redis",
    customer_ids: Sequence[int],
    stop: threading.Event,
    *,
    is_confirmed: bool,
    wait_seconds: float,
) -> None:
    """Erase, and print the receipt as JSON on standard output. Raises `Unavailable`, `EraseFailed`."""
    if not is_confirmed:
        _confirm(customer_ids)
    topics = retention_of(settings.kafka_bootstrap)
    producer = RecordProducer(settings.kafka_bootstrap, client_id="enricher-erase", partitioner=PARTITIONER)
    eraser = Eraser(client, producer, topics, stop, now_ms=lambda: time.time_ns() // 1_000_000)
    print(json.dumps(eraser.erase(customer_ids, wait_seconds).as_json(), indent=2), flush=True)


def customer_ids_in(customer: str | None, path: Path | None) -> list[int]:
    """The ids that are to be erased, each once: one, or those in the lines of a file. Raises `EraseFailed`."""
    try:
        lines = [customer] if customer is not None else path.read_text().split() if path else []
    except (OSError, UnicodeDecodeError) as error:
        raise EraseFailed(f"{path} cannot be read: {error}") from error
    wrong = [line for line in lines if not line.isdecimal() or not line.isascii() or int(line) > _LARGEST_ID]
    if wrong:
        raise EraseFailed(f"{wrong[0]!r} is not a customer id; nothing was erased")
    if not lines:
        raise EraseFailed("no customer is named; nothing was erased")
    return sorted({int(line) for line in lines})


def _confirm(customer_ids: Sequence[int]) -> None:
    what = f"customer {customer_ids[0]}" if len(customer_ids) == 1 else f"{len(customer_ids)} customers"
    print(f"Erase everything that is known of {what}, for ever? Type yes: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != "yes":
        raise EraseFailed("not confirmed; nothing was erased")
