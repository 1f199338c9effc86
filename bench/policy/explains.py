"""Whether Explain tells what Decide does: random listeners, contacts and campaigns in a real Redis, each first explained, then
decided under the same request."""

import secrets
import time
from collections.abc import Iterator
from random import Random
from typing import Final

import redis

from bench.measured import Figure
from bench.policy.random_facts import random_campaign
from bench.policy.random_listeners import random_contacts, random_state
from devstack.stack import Part, Stack
from interlude.contacts.leases import BudgetLeases
from interlude.contacts.ledger import ContactLedger, contacts_key, encode_contact
from interlude.features.codec import encode_hot, hot_key
from interlude.servicekit.redis import ConnectionPerThread
from services.decision.answers import Answer, Question
from services.decision.champion import Roster
from services.decision.engine import DecisionEngine
from services.decision.listeners import RedisListeners
from services.decision.reserving import Reserver

CASES: Final = 100_000
_BATCH: Final = 250
_SEED: Final = 11
_DEADLINE_SECONDS: Final = 30.0


class _Champion:
    """No model: each campaign's prior takes its place, so that every rule is reached."""

    roster: Roster = Roster()


def measure() -> dict[str, Figure]:
    """`explain_disagreements`."""
    disagreements = shown = 0
    with Stack.start({Part.REDIS}) as stack:
        now_ms = time.time_ns() // 1_000_000
        engine = _engine(stack.redis, now_ms)
        for questions in _batches(redis.Redis.from_url(stack.redis), now_ms):
            patience = [_DEADLINE_SECONDS] * len(questions)
            explained = engine.judge(questions, patience)
            decided = engine.decide(questions, patience)
            disagreements += sum(map(_differ, explained, decided))
            shown += sum(answer.show for answer in decided)
    under = f"{CASES:,} random cases on a real Redis, {shown:,} of them shown"
    return {"explain_disagreements": Figure(disagreements, "cases", under)}


def _engine(redis_url: str, now_ms: int) -> DecisionEngine:
    connections = ConnectionPerThread(redis_url, timeout_ms=5000)
    budgets = BudgetLeases(connections, holder=secrets.token_hex(8), now_ms=lambda: now_ms, timeout_seconds=5)
    return DecisionEngine(
        RedisListeners(connections, on_corrupt=lambda: None),
        Reserver(ContactLedger(connections), budgets),
        _Champion(),
        now_ms=lambda: now_ms,
        reserve_seconds=0,
    )


def _batches(client: "redis.Redis", now_ms: int) -> Iterator[list[Question]]:
    """Questions about customers who have just been written to Redis, some of them unknown there."""
    source = Random(_SEED)
    for first in range(0, CASES, _BATCH):
        pipeline = client.pipeline(transaction=False)
        questions = []
        for customer_id in range(first, first + _BATCH):
            if source.random() < 0.95:
                pipeline.set(hot_key(customer_id), encode_hot(random_state(source, now_ms)))
            contacts = random_contacts(source, now_ms)
            if contacts:
                pipeline.set(contacts_key(customer_id), b"".join(map(encode_contact, contacts)))
            questions.append(
                Question(f"r{customer_id}", customer_id, random_campaign(source, now_ms), source.choice((0, 7, 8)))
            )
        pipeline.execute()
        yield questions


def _differ(explained: Answer, decided: Answer) -> bool:
    return (explained.reason, explained.propensity, explained.facts) != (
        decided.reason,
        decided.propensity,
        decided.facts,
    )
