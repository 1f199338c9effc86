"""What is done to enrichers and what is made of it, without any of the parts."""

from collections import Counter
from dataclasses import replace
from itertools import islice

from bench.chaos.enricher import kills, outages
from bench.chaos.enricher.expected import Difference
from bench.chaos.enricher.history import history
from bench.chaos.enricher.outages import Memory, Recovery
from bench.chaos.findings import Finding
from bench.chaos.sizes import ENRICHER_FULL, ENRICHER_TINY
from interlude.events.topics import Topic

NOTHING_WRONG = Difference(lost=0, twice=0, values=0, interests_lost=0, interests_repeated=3)
COUNTS = kills.Counts(kills=ENRICHER_FULL.kills, left=10, hung=5, joined=63, seconds=1.0)


def _missed(findings: list[Finding]) -> set[str]:
    return {each.name for each in findings if each.goal and not each.goal.is_met_by(each.value)}


def test_a_history_is_the_same_each_time_and_holds_what_is_late_doubled_and_deleted() -> None:
    records = list(history(50, 3000, seed=1))
    assert records == list(history(50, 3000, seed=1)) != list(history(50, 3000, seed=2))
    topics = Counter(record.topic for record in records)
    assert topics[Topic.LISTENS] > topics[Topic.AD_EVENTS] > topics[Topic.CUSTOMERS] - 50 > 0
    assert len(set(records)) < len(records)
    assert any(record.value is None for record in records)
    assert {record.customer_id for record in islice(records, 50)} == set(range(50))


def test_everybody_is_killed_at_fifty_points_of_the_two_hundred_thousand_events() -> None:
    points = kills.points(ENRICHER_FULL)
    assert points == sorted(set(points))
    assert len(points) == ENRICHER_FULL.kills == 50
    assert ENRICHER_FULL.customers <= points[0]
    assert points[-1] < ENRICHER_FULL.events == 200_000


def test_all_goals_are_met_where_nothing_is_lost() -> None:
    events = ENRICHER_FULL.events
    assert _missed(kills.findings_of(ENRICHER_FULL, COUNTS, events, NOTHING_WRONG)) == set()


def test_each_way_to_go_wrong_misses_its_goal() -> None:
    def missed(difference: Difference) -> set[str]:
        return _missed(kills.findings_of(ENRICHER_FULL, COUNTS, ENRICHER_FULL.events, difference))

    assert missed(replace(NOTHING_WRONG, lost=1)) == {"enricher_kills_lost"}
    assert missed(replace(NOTHING_WRONG, twice=1)) == {"enricher_kills_applied_twice"}
    assert missed(replace(NOTHING_WRONG, values=1)) == {"enricher_kills_differing"}
    assert missed(replace(NOTHING_WRONG, interests_lost=1)) == {"enricher_kills_interests_lost"}
    assert _missed(kills.findings_of(ENRICHER_FULL, COUNTS, 7, NOTHING_WRONG)) == {"enricher_kills_events"}


def test_memory_is_that_of_the_enricher_that_grew_most() -> None:
    memory = Memory([])
    memory.before_mib, memory.highest_mib = [100.0, 90.0], [110.0, 90.0 + outages.GROWTH_MIB + 1]
    memory.after_mib = [100.0, 95.0]
    recoveries = [Recovery("redis_stop", 2.0, 0.5)]
    findings = outages.findings_of(ENRICHER_TINY, recoveries, memory, 10, NOTHING_WRONG)
    values = {each.name: each.value for each in findings}
    assert values["enricher_outages_memory_growth_mib"] == outages.GROWTH_MIB + 1
    assert values["enricher_redis_stop_recovery_seconds"] == 0.5
    assert _missed(findings) == {"enricher_outages_memory_growth_mib"}
