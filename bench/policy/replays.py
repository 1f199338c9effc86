"""Whether every answer can be made again from its log line: a service decides while its model is swapped twice and its campaigns
are changed, then all that it logged is read from Kafka and replayed."""

import functools
import time
from collections import Counter
from random import Random
from typing import Final

import grpc
import redis

from bench.measured import Figure
from bench.policy.random_listeners import random_contacts, random_state
from bench.population import publish_model
from bench.servers import Scene
from interlude.contacts.ledger import contacts_key, encode_contact
from interlude.features.codec import encode_hot, hot_key
from interlude.models.scorer import load_scorer
from interlude.models.store import ModelStore
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import decision_pb2_grpc
from services.decision.champion import Serving
from services.decision.logged import campaigns_in, decisions_in
from services.decision.replay import differences, replay

DECISIONS: Final = 100_000
CUSTOMERS: Final = 20_000
_BATCH: Final = 250
_SEED: Final = 13
_DEADLINE_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.03
"""Between batches: some 5,000 decisions a second, which the log keeps up with on a machine that does all of this."""
_SETTLED_SECONDS: Final = 3.0
"""Longer than the service takes to notice another model or another document."""

_FIRST: Final = """
campaigns:
  - {campaign_id: main, contacts_per_day: 9, minimum_gap_minutes: 0, exploration_rate: 0.05, holdout_share: 0.1}
  - {campaign_id: scarce, contacts_per_day: 60, minimum_gap_minutes: 0, budget: {discounts: 500}}
  - {campaign_id: careful, contacts_per_session: 1, contacts_per_listening_hour: 1, minimum_gap_tracks: 2,
     first_tracks_without_offer: 2, spare_streaks: true, cool_down_after_dismiss_hours: 24}
"""
_SECOND: Final = """
campaigns:
  - {campaign_id: main, contacts_per_day: 2, minimum_gap_minutes: 5, exploration_rate: 0.2, holdout_share: 0.1,
     arms: [{name: bold, share: 0.5, threshold: 0.3}, {name: plain, share: 0.5}]}
  - {campaign_id: scarce, contacts_per_day: 60, minimum_gap_minutes: 0, budget: {discounts: 700}}
  - {campaign_id: careful, enabled: false}
"""


def measure(front: str) -> dict[str, Figure]:
    """`replay_differences`, and what was decided."""
    with Scene.start(_FIRST, CUSTOMERS) as scene:
        _vary(redis.Redis.from_url(scene.redis_url))
        with scene.service(front) as server:
            _decide_all(scene, server.target)
        # The service has ended, hence written everything.
        documents = campaigns_in(scene.stack.kafka)
        store = ModelStore(str(scene.model_store_directory))

        @functools.cache
        def serving_of(version: str) -> Serving:
            stored = store.load(version, scene.keys.model_public_key)
            return Serving(version, load_scorer(stored), stored.manifest.threshold)

        count, differing = 0, 0
        reasons: Counter[str] = Counter()
        seen: set[tuple[str, str]] = set()
        for logged in decisions_in(scene.stack.kafka):
            count += 1
            reasons[pb.Reason.Name(logged.response.reason)] += 1
            seen.add((logged.response.model_version, logged.campaigns_version))
            replayed = replay(logged, lambda version: documents[version], serving_of)
            found = differences(logged.response, replayed)
            differing += bool(found)
            if found and differing <= 3:
                print(f"{logged.decision_id}: {found}", flush=True)
    print(f"{count:,} lines: {dict(reasons.most_common())}", flush=True)
    models, campaigns = len({model for model, _ in seen}), len({version for _, version in seen})
    under = f"{count:,} logged decisions of {models} models and {campaigns} campaign documents, {len(reasons)} reasons"
    return {
        "replay_differences": Figure(differing, "decisions", under),
        "replay_missing": Figure(DECISIONS - count, "decisions", f"of {DECISIONS:,} that are not in the log"),
    }


def _vary(client: "redis.Redis") -> None:
    """Other listeners in the place of half of the population, and contacts for some."""
    source, now_ms = Random(_SEED), time.time_ns() // 1_000_000
    pipeline = client.pipeline(transaction=False)
    for customer_id in range(0, CUSTOMERS, 2):
        pipeline.set(hot_key(customer_id), encode_hot(random_state(source, now_ms)))
        contacts = random_contacts(source, now_ms)
        if contacts:
            pipeline.set(contacts_key(customer_id), b"".join(map(encode_contact, contacts)))
    pipeline.execute()


def _decide_all(scene: Scene, target: str) -> None:
    """Every decision, with another model after each third and another document in the middle."""
    source = Random(_SEED)
    store = ModelStore(str(scene.model_store_directory))
    changes = {
        DECISIONS // 3: lambda: _promote(scene, store, 0.3),
        DECISIONS // 2: lambda: _write(scene, _SECOND),
        2 * DECISIONS // 3: lambda: _promote(scene, store, 0.6),
    }
    with grpc.insecure_channel(target) as channel:
        stub = decision_pb2_grpc.DecisionServiceStub(channel)
        for first in range(0, DECISIONS, _BATCH):
            due = [at for at in changes if first >= at]
            for at in due:
                changes.pop(at)()
                time.sleep(_SETTLED_SECONDS)
            requests = [_request(source, number) for number in range(first, first + _BATCH)]
            stub.DecideBatch(pb.DecideBatchRequest(requests=requests), timeout=_DEADLINE_SECONDS)
            time.sleep(_PAUSE_SECONDS)


def _promote(scene: Scene, store: ModelStore, show_share: float) -> None:
    store.promote(publish_model(store, scene.keys.model_private_key, scene.vectors, show_share))


def _write(scene: Scene, document: str) -> None:
    scene.campaigns.write_text(document)


def _request(source: Random, number: int) -> pb.DecideRequest:
    return pb.DecideRequest(
        request_id=f"replayed-{number}",
        customer_id=source.randrange(CUSTOMERS + 100),
        next_track_id=source.choice((0, 7, 8)),
        campaign_id=source.choice(("", "scarce", "careful")),
    )
