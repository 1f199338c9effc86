"""What judging costs: CPU time of everything between "the batch was read" and "the answers are known", in batches of 32."""

import random
import statistics
import time
from typing import Final

from bench.measured import Figure
from bench.population import hot_values
from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Arm, Budget, Campaign
from interlude.contacts.caps import Channel, Contact
from interlude.contacts.ledger import encode_contact
from interlude.features.codec import decode_hot
from services.decision.answers import Question, facts_of
from services.decision.policy import decide

BATCH: Final = 32
ROUNDS: Final = 2_000
_SEED: Final = 7
_HOUR_MS: Final = 3_600_000

_CAMPAIGN: Final = Campaign(
    campaign_id="every-rule",
    contacts_per_hour=2,
    contacts_per_week=9,
    contacts_per_session=2,
    contacts_per_listening_hour=2,
    minimum_gap_tracks=3,
    first_tracks_without_offer=2,
    spare_streaks=True,
    cool_down_after_dismiss_hours=24,
    cool_down_after_conversion_days=30,
    budget=Budget(discounts=1_000_000),
    exploration_rate=0.02,
    holdout_share=0.05,
    arms=(Arm(name="a", share=0.5), Arm(name="b", share=0.5)),
)
"""Asks for every rule there is."""


def measure() -> dict[str, Figure]:
    """`policy_us` with every rule in use, `policy_us_plain` with the default campaign."""
    now_ms = time.time_ns() // 1_000_000
    under = f"µs of CPU a request in a batch of {BATCH}: features and contacts decoded, assignment, chance, every rule"
    plain = Campaign(campaign_id="plain")
    return {
        "policy_us": Figure(_microseconds(_CAMPAIGN, now_ms), "µs", f"{under}; a campaign that uses all of them"),
        "policy_us_plain": Figure(_microseconds(plain, now_ms), "µs", f"{under}; a campaign of defaults"),
    }


def _microseconds(campaign: Campaign, now_ms: int) -> float:
    source = random.Random(_SEED)
    values = hot_values(BATCH, now_ms)
    contacts = [
        b"".join(
            encode_contact(Contact(now_ms - source.randrange(48 * _HOUR_MS), source.getrandbits(64), 1, Channel.PLAYER))
            for _ in range(source.randrange(4))
        )
        for _ in range(BATCH)
    ]
    questions = [Question(f"request-{place}", place, campaign) for place in range(BATCH)]
    scores = [source.random() for _ in range(BATCH)]
    taken = []
    for _ in range(ROUNDS):
        began = time.thread_time_ns()
        for question, value, contact, score in zip(questions, values, contacts, scores, strict=True):
            decide(
                facts_of(
                    question,
                    decode_hot(value),
                    contact,
                    now_ms=now_ms,
                    score=score,
                    model_threshold=0.5,
                    budget=BudgetState.OPEN,
                )
            )
        taken.append((time.thread_time_ns() - began) / 1000 / BATCH)
    return round(statistics.median(taken), 2)
