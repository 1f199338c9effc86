"""What a run of the demo promises. Pure: measurements in, a sentence for each broken promise out."""

from collections.abc import Iterable, Mapping
from typing import Any

from demo.enriching import Enriched


def broken_by_events(produced: int, enriched: Enriched, spoilt: int) -> list[str]:
    """Every event is applied exactly once, but those that were spoilt on purpose, which are dead letters."""
    broken = []
    if enriched.applied + enriched.dead_lettered != produced:
        broken.append(
            f"{produced:,} events were produced, {enriched.applied:,} applied, {enriched.dead_lettered} dead-lettered"
        )
    if enriched.duplicate:
        broken.append(f"{enriched.duplicate:,} events were seen twice")
    if enriched.dead_lettered != spoilt:
        broken.append(f"{enriched.dead_lettered} events are dead letters, {spoilt} were spoilt on purpose")
    return broken


def broken_by_calls(players: Mapping[str, Any], probes_lost: int, refusals: Iterable[str] = ()) -> list[str]:
    """No call fails while the model is swapped, and both models have answered; `refusals`: why the gate kept the second out."""
    broken = []
    refusals = tuple(refusals)
    if players["failed"]:
        broken.append(f"{players['failed']} calls failed ({players['errors']})")
    if len(players["model_versions"]) < 2:
        because = " ".join(("; the gate refused the second:", *refusals)) if refusals else ""
        broken.append(
            f"{len(players['model_versions'])} model versions have answered, two were to{because}".rstrip(".")
        )
    if probes_lost:
        broken.append(f"{probes_lost} listens never became readable in Redis")
    return broken


def broken_by_texts(sms: Mapping[str, Any], wrong: Iterable[str]) -> list[str]:
    """At most one message a number, none to those who must not have one, and a receipt for each."""
    broken = list(wrong)
    if not sms["sent"]:
        broken.append("nobody was texted")
    if sms["delivered"] != sms["sent"]:
        broken.append(f"{sms['sent']:,} messages were sent and {sms['delivered']:,} delivery receipts seen")
    return broken
