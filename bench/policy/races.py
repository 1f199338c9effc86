"""Whether caps and budgets hold when two replicas are asked about the same customers at the same time."""

import random
from collections import Counter
from typing import Final

from bench.measured import Figure
from bench.policy.asking import ask_all
from bench.servers import Scene, Server
from interlude.v1 import decision_pb2 as pb

DECISIONS: Final = 10_000
CUSTOMERS: Final = 30_000
IN_FLIGHT: Final = 64
_SEED: Final = 5
_CAP, _BUDGET = 3, 1_000
# Each race has customers of its own: caps count the contacts of all campaigns.
_CAPPED, _SCARCE, _NEXT = range(100), range(100, 200), range(1_000, 1_000 + DECISIONS)

CAMPAIGNS: Final = f"""
campaigns:
  - {{campaign_id: capped, contacts_per_day: {_CAP}, minimum_gap_minutes: 0}}
  - {{campaign_id: scarce, contacts_per_day: 60, minimum_gap_minutes: 0, budget: {{discounts: {_BUDGET}}}}}
  - {{campaign_id: once, contacts_per_day: 1, minimum_gap_minutes: 0}}
"""


def measure(fronts: list[str]) -> dict[str, Figure]:
    """`over_cap`, `over_budget`, `cap_seen_next_call`: by two replicas, one behind each front where both are installed."""
    replicas = (fronts * 2)[:2]
    under = f"{DECISIONS:,} decisions on 100 customers, two replicas ({' and '.join(replicas)}), {IN_FLIGHT} in flight"
    with Scene.start(CAMPAIGNS, CUSTOMERS, show_share=1.0) as scene, scene.servers(*replicas) as servers:
        capped = _shown_by_customer(servers, "capped", _CAPPED)
        scarce = _shown_by_customer(servers, "scarce", _SCARCE)
        seen = _seen_by_next_call(servers)
    given = scarce.total()
    return {
        "over_cap": Figure(sum(max(0, shown - _CAP) for shown in capped.values()), "offers", f"{under}, cap {_CAP}"),
        "at_cap": Figure(sum(shown == _CAP for shown in capped.values()), "customers", "of 100, the same decisions"),
        "over_budget": Figure(max(0, given - _BUDGET), "discounts", f"{under}, budget {_BUDGET:,}"),
        "budget_given": Figure(given, "discounts", f"of {_BUDGET:,}; the rest is in leases of the replicas"),
        "cap_seen_next_call": Figure(
            seen / len(_NEXT), "share", f"{len(_NEXT):,} customers, shown by one replica, then asked of the other"
        ),
    }


def _shown_by_customer(servers: list[Server], campaign_id: str, customers: range) -> Counter[int]:
    source = random.Random(_SEED)
    requests = [
        pb.DecideRequest(
            request_id=f"{campaign_id}-{number}", customer_id=source.choice(customers), campaign_id=campaign_id
        )
        for number in range(DECISIONS)
    ]
    answers = ask_all([server.target for server in servers], requests, in_flight=IN_FLIGHT)
    shown = Counter(request.customer_id for request, answer in zip(requests, answers, strict=True) if answer.show)
    degraded = sum(answer.degraded for answer in answers)
    print(f"{campaign_id}: {shown.total():,} of {len(answers):,} shown, {degraded} degraded", flush=True)
    return shown


def _seen_by_next_call(servers: list[Server]) -> int:
    """How many customers were shown the offer by one replica and found capped by the other, the very next call."""
    there, back = [server.target for server in servers], [server.target for server in reversed(servers)]
    first = ask_all(there, [_once(customer_id, "first") for customer_id in _NEXT], in_flight=IN_FLIGHT)
    second = ask_all(back, [_once(customer_id, "second") for customer_id in _NEXT], in_flight=IN_FLIGHT)
    seen = sum(one.show and other.reason == pb.REASON_FREQUENCY_CAP for one, other in zip(first, second, strict=True))
    print(f"once: {sum(answer.show for answer in first):,} shown, {seen:,} of them seen by the next call", flush=True)
    return seen


def _once(customer_id: int, which: str) -> pb.DecideRequest:
    return pb.DecideRequest(request_id=which, customer_id=customer_id, campaign_id="once")
