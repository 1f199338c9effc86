"""`interlude lift`: who counts on which side, and how the comparison reads."""

import pytest

from cli.exposures import converted_customers, count_sides, first_exposures, sample_ratio
from cli.lift import to_report
from interlude.contacts.lift import Group
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from services.decision.tokens import VALID_MS

NOW_MS = 1_700_000_000_000
SHARES = {"v1": 0.5, "v0": 0.0, "v2": 0.25}


def _logged(
    customer_id: int,
    reason: pb.Reason,
    at_ms: int = NOW_MS,
    *,
    campaign_id: str = "spring",
    version: str = "v1",
    arm: str = "",
) -> pb.DecisionLogged:
    show = reason in (pb.REASON_SHOW, pb.REASON_EXPLORED)
    return pb.DecisionLogged(
        request=pb.DecideRequest(customer_id=customer_id),
        response=pb.DecideResponse(show=show, reason=reason, campaign_id=campaign_id, arm=arm),
        decided_at_ms=at_ms,
        campaigns_version=version,
    )


def _conversion(customer_id: int, at_ms: int, kind: int = events_pb2.AD_EVENT_KIND_CONVERSION) -> events_pb2.AdEvent:
    return events_pb2.AdEvent(customer_id=customer_id, kind=kind, at_ms=at_ms)  # type: ignore[arg-type]


def test_the_first_offer_of_the_campaign_puts_a_customer_on_a_side() -> None:
    exposures = first_exposures(
        [
            _logged(1, pb.REASON_LOW_SCORE, NOW_MS - 9),
            _logged(1, pb.REASON_SHOW, NOW_MS + 5),
            _logged(1, pb.REASON_HOLDOUT, NOW_MS),
            _logged(2, pb.REASON_EXPLORED, NOW_MS),
            _logged(2, pb.REASON_HOLDOUT, NOW_MS + 1),
            _logged(3, pb.REASON_SHOW, campaign_id="autumn"),
            _logged(4, pb.REASON_SHOW, version="v0"),
            _logged(5, pb.REASON_SHOW, version="lost"),
        ],
        "spring",
        SHARES,
    )
    assert {customer: (each.at_ms, each.withheld) for customer, each in exposures.items()} == {
        1: (NOW_MS, True),
        2: (NOW_MS, False),
        5: (NOW_MS, False),
    }
    assert exposures[5].holdout_share is None


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        (_conversion(1, NOW_MS), True),
        (_conversion(1, NOW_MS + VALID_MS), True),
        (_conversion(1, NOW_MS - 1), False),
        (_conversion(1, NOW_MS + VALID_MS + 1), False),
        (_conversion(1, NOW_MS, events_pb2.AD_EVENT_KIND_CLICK), False),
        (_conversion(2, NOW_MS), False),
    ],
)
def test_a_conversion_counts_within_the_attribution_window(event: events_pb2.AdEvent, counts: bool) -> None:
    exposures = first_exposures([_logged(1, pb.REASON_SHOW)], "spring", SHARES)
    converted = converted_customers([event, event], exposures)
    assert converted == ({1} if counts else set())
    assert count_sides(exposures.values(), converted) == (Group(1, int(counts)), Group(0, 0))


def test_the_size_of_the_holdout_is_compared_with_the_share_of_each_moment() -> None:
    lines = [_logged(number, pb.REASON_HOLDOUT, version="v1") for number in range(8)]
    lines += [_logged(100 + number, pb.REASON_SHOW, version="v2") for number in range(16)]
    ratio = sample_ratio(first_exposures(lines, "spring", SHARES).values())
    assert ratio is not None
    assert (ratio.reached, ratio.withheld, ratio.expected) == (24, 8, 8.0)
    assert ratio.standard_errors == 0.0
    assert sample_ratio(first_exposures(lines, "spring", {}).values()) is None


def test_a_certain_lift_by_arm() -> None:
    lines = [_logged(number, pb.REASON_SHOW, arm="a" if number % 4 else "b") for number in range(400)]
    lines += [_logged(number, pb.REASON_HOLDOUT, arm="a" if number % 4 else "b") for number in range(400, 800)]
    exposures = first_exposures(lines, "spring", SHARES)
    converted = {number for number in range(800) if number % 10 == 0 or (number < 400 and number % 10 == 1)}
    parts = to_report("spring", exposures, converted, NOW_MS + VALID_MS).split("\n\n")
    assert parts[0] == "campaign spring, 800 customers by their first offer, shown or withheld"
    assert parts[1].splitlines() == [
        "  group     customers  converted  rate",
        "  shown     400        80         20.00%",
        "  withheld  400        40         10.00%",
        "lift +10.00% (95 % interval +5.08% to +14.92%), relative +100.0%",
    ]
    assert [part.splitlines()[0] for part in parts[2:4]] == ["arm a", "arm b"]
    assert parts[4] == "sample ratio: 50.00% withheld, 50.00% promised, +0.0 standard errors"
    assert len(parts) == 6, "nobody was reached lately, and the share never changed"


def test_what_is_not_certain_or_not_in_order_is_said() -> None:
    lines = [_logged(number, pb.REASON_SHOW, version="v1" if number % 2 else "v2") for number in range(100)]
    report = to_report("spring", first_exposures(lines, "spring", SHARES), set(), NOW_MS + 1)
    assert "no lift: one of the groups is empty" in report
    assert "do not trust the lift" in report
    assert "100 customers were reached less than 24 h ago" in report
    assert "holdout_share changed in this time (0.25, 0.5)" in report
    lines.append(_logged(1000, pb.REASON_HOLDOUT))
    assert "not certain" in to_report("spring", first_exposures(lines, "spring", SHARES), {1}, NOW_MS)
    assert "sample ratio: not known" in to_report("spring", first_exposures(lines, "spring", {}), set(), NOW_MS)
