"""What would turn an answer into a shown offer."""

import heapq
from typing import Final, NamedTuple

from services.decision.policy.changes import BUDGET, NOW_MS, SCORE, TRACKS, Change, Way, apply, play, wait_until
from services.decision.policy.facts import Facts
from services.decision.policy.rules import RULES

_DISTANCE: Final = {NOW_MS: 0, TRACKS: 1, BUDGET: 2, "campaign": 2, "profile": 3, SCORE: 4}
"""How far away a change is: time passes and tracks are played anyhow, the operator has the campaign in hand, then comes what
only the customer can do, then the score, which follows from what the customer does."""
_LOOKED_AT: Final = 500
"""Sets of changes tried before nothing is named; 8,000 random cases, the worst of ten changes, needed 77 at most."""


class _Candidate(NamedTuple):
    """A set of changes, ordered by its size, its distance, its wait, and then by name so that the answer is always the same."""

    size: int
    distance: int
    wait_ms: int
    changes: Way


def nearest_yes(facts: Facts) -> Way:
    """The smallest set of changes that turns the answer into a shown offer; empty where it is one, or where nothing would.

    Smallest: the fewest changes; among as many those that are nearest (see `_DISTANCE`, added up), then those with the shortest
    wait. Of a set only the first rule that still matches is asked for its ways, each of which makes a larger set: every set
    that helps contains one of them, so the first that is found to show the offer is the smallest that the ways make.
    """
    candidates = [_Candidate(0, 0, 0, ())]
    seen: set[Way] = set()
    for _ in range(_LOOKED_AT):
        if not candidates:
            break
        changes = heapq.heappop(candidates).changes
        then = apply(changes, facts)
        against = next((rule for rule in RULES if rule.matches(then)), None)
        if against is None:
            return changes
        for way in against.ways(then):
            merged = _merged(changes, way, facts)
            if merged not in seen:
                seen.add(merged)
                heapq.heappush(candidates, _candidate(merged, facts))
    return ()


def _candidate(changes: Way, facts: Facts) -> _Candidate:
    wait_ms = next((change.value - facts.now_ms for change in changes if change.field == NOW_MS), 0)
    return _Candidate(len(changes), sum(map(_distance, changes)), wait_ms, changes)


def _merged(changes: Way, way: Way, facts: Facts) -> Way:
    """Both: the longer wait, the tracks of one after the other, and of two values of one field the later found."""
    found = {change.field: change for change in changes}
    for change in way:
        before = found.get(change.field)
        if change.field == NOW_MS:
            # Said from now, not from where the way begins.
            found[NOW_MS] = wait_until(change.value, facts)
        elif change.field == TRACKS and before is not None:
            found[TRACKS] = play(before.value + change.value)
        else:
            found[change.field] = change
    return tuple(sorted(found.values(), key=lambda change: (_distance(change), change.field)))


def _distance(change: Change) -> int:
    return _DISTANCE[change.field.partition(".")[0]]
