"""The listeners and the model that a measurement runs on, made from nothing but a seed."""

import hashlib
import random
from typing import Final

import numpy as np
import redis
from sklearn.linear_model import LogisticRegression

from interlude.features.codec import decode_hot, encode_hot, hot_key
from interlude.features.fold import fold
from interlude.features.schema import FINGERPRINTS, STATE_FEATURE_NAMES
from interlude.features.state import Level, Listen, ListenerState, Profile
from interlude.models.manifest import GoldenRow, Manifest, sign
from interlude.models.store import ModelStore
from services.trainer.export import to_onnx_file, to_sklearn
from services.trainer.linear import Linear

SEED: Final = 20_141_001
LISTENS_EACH: Final = 20
CAMPAIGNS: Final = "campaigns: [{campaign_id: bench, contacts_per_day: 60, minimum_gap_minutes: 0}]"
"""Caps that a measurement does not reach, so that the mix of answers stays the same."""
DAY_MS: Final = 24 * 60 * 60 * 1000
WEIGHTS: Final = (4.0, -2.0, 1.5, 0.5, 3.0, -1.0)
INTERCEPT: Final = -1.0


def hot_values(count: int, newest_ms: int) -> list[bytes]:
    """The values of `f:{id}` of the first `count` listeners."""
    random_source = random.Random(SEED)
    return [encode_hot(_listener(random_source, newest_ms)) for _ in range(count)]


def fill_redis(client: "redis.Redis", customers: int, newest_ms: int) -> np.ndarray:
    """Write `customers` listeners with a profile and a history; returns their vectors, shape (customers, features)."""
    random_source = random.Random(SEED)
    vectors = np.empty((customers, len(STATE_FEATURE_NAMES)), np.float32)
    pipeline = client.pipeline(transaction=False)
    for customer_id in range(customers):
        hot = encode_hot(_listener(random_source, newest_ms))
        vectors[customer_id] = np.frombuffer(decode_hot(hot).vector, "<f4")
        pipeline.set(hot_key(customer_id), hot)
        if customer_id % 1000 == 999:
            pipeline.execute()
    pipeline.execute()
    return vectors


def scores_of(vectors: np.ndarray, intercept: float = INTERCEPT) -> np.ndarray:
    """Click probabilities by the published model, shape (customers,), float32."""
    probabilities: np.ndarray = _model(intercept).predict_proba(vectors)[:, 1]
    return probabilities.astype(np.float32)


def publish_model(
    store: ModelStore, private_key: str, vectors: np.ndarray, show_share: float, intercept: float = INTERCEPT
) -> str:
    """Publish a logistic regression whose threshold lets `show_share` of the listeners pass; returns its version."""
    model = _model(intercept)
    onnx = to_onnx_file(model)
    probabilities = model.predict_proba(vectors)[:, 1]
    golden = tuple(
        GoldenRow(tuple(map(float, row)), float(probability))
        for row, probability in zip(vectors[:16], probabilities[:16], strict=True)
    )
    manifest = Manifest(
        algorithm="logistic_regression",
        model_sha256=hashlib.sha256(onnx).hexdigest(),
        features=STATE_FEATURE_NAMES,
        fingerprints=tuple(FINGERPRINTS[name] for name in STATE_FEATURE_NAMES),
        threshold=float(np.quantile(probabilities, 1 - show_share)),
        golden=golden,
        metrics={},
        trained_at_ms=1,
        training_rows=len(vectors),
        training_source="bench",
    )
    return store.publish(manifest, sign(manifest.to_json(), private_key), onnx)


def _model(intercept: float) -> LogisticRegression:
    return to_sklearn(Linear(np.array(WEIGHTS), intercept))


def _listener(random_source: random.Random, newest_ms: int) -> ListenerState:
    profile = Profile(1, Level.FREE, active=True, consent_player_offers=True, consent_sms=False)
    state = fold(ListenerState(), profile).state
    mobile_share = random_source.random()
    for place in range(LISTENS_EACH):
        listen = Listen(
            played_at_ms=newest_ms - random_source.randrange(30 * DAY_MS),
            event_hash=place,
            track_id=random_source.randrange(40),
            mobile=random_source.random() < mobile_share,
            utc_offset_minutes=0,
        )
        state = fold(state, listen).state
    return state
