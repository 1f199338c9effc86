"""How far the enricher is, from its own metrics."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from demo.errors import DemoFailed

_EVENTS: Final = "interlude_enricher_events_total"
_SCRAPE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.05
_STALLED_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Enriched:
    """Events by outcome since the enricher started, over all topics."""

    applied: int = 0
    duplicate: int = 0
    dead_lettered: int = 0

    @property
    def seen(self) -> int:
        """Events that the enricher is done with."""
        return self.applied + self.duplicate + self.dead_lettered


def parse_enriched(exposition: str) -> Enriched:
    """The counts in the text of /metrics."""
    counts = dict.fromkeys(("applied", "duplicate", "dead_lettered"), 0)
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            # What was returned comes again, here or elsewhere.
            if sample.name == _EVENTS and sample.labels["outcome"] in counts:
                counts[sample.labels["outcome"]] += int(sample.value)
    return Enriched(**counts)


def read_enriched(metrics_url: str) -> Enriched:
    """The counts now. Raises `DemoFailed` when the enricher does not answer."""
    try:
        with urlopen(metrics_url, timeout=_SCRAPE_SECONDS) as answer:
            return parse_enriched(answer.read().decode())
    except OSError as error:
        raise DemoFailed(f"the enricher does not answer at {metrics_url} ({error}); see its log.") from error


def wait_until_seen(metrics_url: str, produced: int, tell: Callable[[str], None]) -> Enriched:
    """Poll until the enricher is done with `produced` events. Raises `DemoFailed` when it makes no progress any more."""
    newest = read_enriched(metrics_url)
    progressed = time.monotonic()
    while newest.seen < produced:
        if time.monotonic() - progressed > _STALLED_SECONDS:
            raise DemoFailed(
                f"the enricher stopped at {newest.seen:,} of {produced:,} events and made no progress "
                f"for {_STALLED_SECONDS:.0f} s; see its log."
            )
        time.sleep(_POLL_SECONDS)
        before, newest = newest, read_enriched(metrics_url)
        if newest.seen > before.seen:
            progressed = time.monotonic()
            tell(f"{newest.seen:,} of {produced:,} events")
    return newest
