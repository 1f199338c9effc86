"""The loop as a process, on real Kafka: what a round does with a trial, and a round that trains."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from devstack.stack import Stack
from devstack.topics import create_topics
from interlude.events.topics import PARTITIONER, Topic
from interlude.features.schema import SCHEMA_VERSION
from interlude.models.store import Champion, ModelStore, Stage
from interlude.servicekit.producing import RecordProducer
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from tests.models import KEYS, ModelSpec, publish

_ROOT = Path(__file__).parents[2]
_TIMEOUT_S = 200


@pytest.fixture(scope="module")
def kafka(stack: Stack) -> str:
    """Brokers with all topics."""
    create_topics(stack.kafka)
    return stack.kafka


def _loop(directory: Path, kafka: str, *words: str) -> tuple[int, list[dict[str, object]], str]:
    """Exit code, what each round printed, and the complaints."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TRAINER_")},
        "TRAINER_MODEL_STORE": str(directory / "models"),
        "TRAINER_MODEL_PRIVATE_KEY": KEYS.model_private_key,
        "TRAINER_KAFKA_BOOTSTRAP": kafka,
    }
    done = subprocess.run(
        [sys.executable, "-m", "services.trainer", "loop", "--rounds", "1", *words],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def _log(kafka: str, version: str, customers: range, clicks: int) -> None:
    """One shown decision for each customer, scored by `version`; the first `clicks` are clicked. All of it is there
    twice, as after a crash."""
    store_ms = int(np.datetime64("now", "ms").astype(np.int64)) + 1000
    producer = RecordProducer(kafka, client_id="test", partitioner=PARTITIONER)
    for _ in range(2):
        for customer_id in customers:
            decision_id = f"{version}-{customer_id}"
            logged = pb.DecisionLogged(
                decision_id=decision_id,
                request=pb.DecideRequest(customer_id=customer_id),
                response=pb.DecideResponse(show=True, model_version=version, score=0.9),
                decided_at_ms=store_ms,
                features=[0.0] * 6,
                schema_version=SCHEMA_VERSION,
                threshold=0.5,
            )
            key = str(customer_id).encode()
            producer.send(Topic.DECISIONS, key, logged.SerializeToString())
            if customer_id - customers[0] < clicks:
                click = events_pb2.AdEvent(
                    event_id=f"click-{decision_id}",
                    customer_id=customer_id,
                    decision_id=decision_id,
                    kind=events_pb2.AD_EVENT_KIND_CLICK,
                    at_ms=store_ms + 1,
                )
                producer.send(Topic.AD_EVENTS, key, click.SerializeToString())
    producer.flush(30)


_NO_TRAINING = ("--", "train", "--rows", "impressions", "--campaign", "premium-day")


def test_a_trial_goes_through_its_stages_by_what_is_in_kafka(tmp_path: Path, kafka: str) -> None:
    store = ModelStore(str(tmp_path / "models"))
    first, second = publish(store), publish(store, ModelSpec(intercept=3.5))
    store.promote(first)
    store.try_out(second, Stage.SHADOW, 0.0)
    in_shadow = ("--shadow", "0s")
    as_canary = ("--canary", "0s", "--canary-decisions", "500", "--canary-share", "0.4")
    on_probation = ("--probation", "0s", "--control-share", "0.3")
    timing = (*in_shadow, *as_canary, *on_probation)

    code, (line,), complaints = _loop(tmp_path, kafka, *timing, *_NO_TRAINING)
    assert (code, line["step"], complaints) == (0, "canary", "")
    pointer = store.champion()
    assert pointer is not None
    assert pointer.candidate is not None
    assert (pointer.candidate.stage, pointer.candidate.share) == (Stage.CANARY, 0.4)

    code, (line,), _ = _loop(tmp_path, kafka, *timing, *_NO_TRAINING)
    assert (code, line["step"]) == (0, "wait")

    _log(kafka, first, range(1000, 1600), clicks=120)
    _log(kafka, second, range(2000, 2600), clicks=150)
    code, (line,), _ = _loop(tmp_path, kafka, *timing, *_NO_TRAINING)
    assert (code, line["step"]) == (0, "promote")
    assert line["champion_side"] == {
        "customers": 600, "decisions": 600, "shown": 600, "clicks": 120, "clicks_per_decision": 0.2
    }  # fmt: skip
    assert line["candidate_side"]["clicks"] == 150  # type: ignore[index]
    pointer = store.champion()
    assert pointer is not None
    assert pointer.candidate is not None
    assert (pointer.version, pointer.candidate.version, pointer.candidate.stage) == (second, first, Stage.CONTROL)
    assert pointer.candidate.share == 0.3

    _log(kafka, first, range(3000, 4000), clicks=200)
    _log(kafka, second, range(4000, 5000), clicks=100)
    code, (line,), _ = _loop(tmp_path, kafka, *timing, *_NO_TRAINING)
    assert (code, line["step"]) == (0, "take_back")
    assert store.champion() == Champion(first, second, barred=(second,))


def test_a_round_trains_and_the_first_model_serves(tmp_path: Path, kafka: str) -> None:
    chance = np.random.default_rng(3)
    rows = chance.random((600, 6)).round(3)
    labels = (rows[:, 2] > 0.55).astype(int)
    lines = [
        f"{label} " + " ".join(f"{place + 1}:{value}" for place, value in enumerate(row))
        for label, row in zip(labels, rows, strict=True)
    ]
    (tmp_path / "rows.libsvm").write_text("\n".join(lines) + "\n")
    quick = ("--folds", "3", "--regularisations", "0", "--algorithms", "logistic")
    train = ("--", "train", "--features-file", str(tmp_path / "rows.libsvm"), *quick)
    code, (line,), complaints = _loop(tmp_path, kafka, *train)
    assert code == 0, complaints
    champion = ModelStore(str(tmp_path / "models")).champion()
    assert champion is not None
    assert (line["step"], line["version"]) == ("train", champion.version)
    card = (tmp_path / "models" / "versions" / champion.version / "card.md").read_text()
    assert f"# Model {champion.version}" in card


def test_a_round_that_fails_says_why(tmp_path: Path, kafka: str) -> None:
    code, (line,), complaints = _loop(tmp_path, kafka, "--", "train", "--features-file", str(tmp_path / "none"))
    assert (code, line["step"]) == (1, "failed")
    assert "loop: train: there is no features file" in complaints


@pytest.mark.parametrize(
    ("words", "says"),
    [(("--every", "often", *_NO_TRAINING), "no duration"), (("--", "list"), "comes what each round trains")],
)
def test_a_loop_that_cannot_be_run_is_refused(tmp_path: Path, kafka: str, words: tuple[str, ...], says: str) -> None:
    code, lines, complaints = _loop(tmp_path, kafka, *words)
    assert (code, lines) == (64, [])
    assert says in complaints
