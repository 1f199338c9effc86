"""What the log says of a trial: both models' decisions since it began, and the clicks on what they showed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np

from interlude.events.errors import InvalidEvent
from interlude.events.reading import content_type_of, parse
from interlude.events.topics import Topic
from interlude.features.schema import SCHEMA_VERSION
from interlude.models.scorer import Scorer
from interlude.models.store import Candidate
from interlude.servicekit.topic_reading import read_topic
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from services.trainer.trial import CustomerCounts, Side

_SHADOWED_ROWS: Final = 100_000
"""Decisions that a candidate in shadow is asked about: the first so many; more say no more."""


class Shadow(NamedTuple):
    """A model to be asked about decisions of another."""

    scorer: Scorer
    threshold: float


def decisions_since(bootstrap: str, since_ms: int) -> Iterator[pb.DecisionLogged]:
    """Decisions for which a model was asked, in no particular order, each once. Raises `Unavailable`."""
    seen: set[str] = set()
    for record in read_topic(bootstrap, Topic.DECISIONS, since_ms=since_ms):
        try:
            logged = parse(pb.DecisionLogged, record.value() or b"", content_type_of(record.headers()))
        except InvalidEvent:
            continue
        if logged.decided_at_ms >= since_ms and logged.response.HasField("score") and logged.decision_id not in seen:
            seen.add(logged.decision_id)
            yield logged


def clicks_since(bootstrap: str, since_ms: int) -> set[str]:
    """The decisions whose offers were clicked. Raises `Unavailable`."""
    clicked = set()
    for record in read_topic(bootstrap, Topic.AD_EVENTS, since_ms=since_ms):
        try:
            event = parse(events_pb2.AdEvent, record.value() or b"", content_type_of(record.headers()))
        except InvalidEvent:
            continue  # a dead letter of the enricher
        if event.kind == events_pb2.AD_EVENT_KIND_CLICK and event.decision_id:
            clicked.add(event.decision_id)
    return clicked


def sides_of(
    decisions: Iterable[pb.DecisionLogged], clicked: set[str], champion: str, candidate: Candidate
) -> tuple[Side, Side]:
    """The champion's listeners and the candidate's."""
    counts: dict[str, dict[int, list[int]]] = {champion: {}, candidate.version: {}}
    for logged in decisions:
        customers = counts.get(logged.response.model_version)
        if customers is not None:
            mine = customers.setdefault(logged.request.customer_id, [0, 0, 0])
            mine[0] += 1
            mine[1] += logged.response.show
            mine[2] += logged.response.show and logged.decision_id in clicked
    return _side(counts[champion]), _side(counts[candidate.version])


def shadow_sides(decisions: Iterable[pb.DecisionLogged], champion: str, shadow: Shadow) -> tuple[Side, Side]:
    """On the champion's decisions: where its score is above its threshold, and where the shadow's would be above its own.

    Caps, consent and chance are left out of both: they do not depend on the model.
    """
    rows = []
    theirs: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for logged in decisions:
        if logged.response.model_version != champion or logged.schema_version != SCHEMA_VERSION:
            continue
        customer = theirs[logged.request.customer_id]
        customer[0] += 1
        customer[1] += logged.response.score >= logged.threshold
        rows.append((logged.request.customer_id, logged.features))
        if len(rows) >= _SHADOWED_ROWS:
            break
    mine: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    if rows:
        vectors = np.array([features for _, features in rows], np.float32)
        above = shadow.scorer.score_vectors(vectors) >= shadow.threshold
        for (customer_id, _), is_above in zip(rows, above.tolist(), strict=True):
            mine[customer_id][0] += 1
            mine[customer_id][1] += is_above
    return _side(theirs), _side(mine)


def _side(customers: dict[int, list[int]]) -> Side:
    return Side(CustomerCounts(*counts) for counts in customers.values())
