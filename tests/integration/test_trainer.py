"""The trainer on real Spark and real Kafka: from the log to a signed champion and to requests for texts."""

import base64
import json
import os
import random
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from confluent_kafka import Consumer, Producer
from google.protobuf.message import Message
from pyspark.sql import SparkSession

from devstack.jars import connector_jars
from interlude.contacts.campaign import Campaign
from interlude.contacts.experiment import assign
from interlude.events.conversion import to_ad_event, to_listen
from interlude.events.topics import PARTITIONER, Topic
from interlude.events.writing import to_record
from interlude.features.state import Level
from interlude.features.vector import vector
from interlude.models.scorer import load_scorer
from interlude.models.store import ModelStore
from interlude.servicekit.producing import RecordProducer
from interlude.v1 import events_pb2 as pb
from services.sms.policy import Reason as SmsReason
from services.sms.policy import TextProfile, TextRequest, judge
from services.trainer.arguments import build_parser, to_request
from services.trainer.audience import Verdict, score_audience
from services.trainer.audience_policy import Reason
from services.trainer.dataset import TrainingSet, UnusableRows, cached, read_features_file, to_rows
from services.trainer.history import CustomerEvents, LoggedAdEvent, RowKind, RowRule, final_state, rows_of
from services.trainer.log_rows import read_log_rows
from services.trainer.publishing import public_key_of
from services.trainer.session import spark_session
from services.trainer.sms_requests import Mailing, write_requests
from services.trainer.splitting import Split
from services.trainer.training import Outcome, Stopwatch, Trainer

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")

ROOT: Final = Path(__file__).resolve().parents[2]
PUBLIC_DATA: Final = ROOT.parent / "shared" / "data" / "features.libsvm"
PRIVATE_KEY: Final = base64.b64encode(b"k" * 32).decode()
NOW_MS: Final = 1_700_000_000_000
DAY_MS: Final = 86_400_000
CAMPAIGN: Final = "upgrade"
LISTENERS: Final = 120
QUICK: Final = ["--folds", "2", "--tuning-folds", "2", "--regularisations", "0.001", "--svm-iterations", "15"]


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    """One session for all tests of this file, with the Kafka connector."""
    jars = ",".join(str(jar) for jar in connector_jars())
    with spark_session("local[2]", jars) as session:
        yield session


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """An empty model store."""
    return ModelStore(str(tmp_path / "models"))


def write_libsvm(path: Path, rows: int, *, shuffled: bool = False) -> None:
    """Rows whose label follows from the mobile and unique shares, or, shuffled, from nothing."""
    generator = random.Random(7)
    lines, labels = [], []
    for _ in range(rows):
        features = [generator.uniform(0, 0.4) for _ in range(4)] + [generator.random(), generator.random()]
        labels.append(int(features[4] + features[5] + generator.gauss(0, 0.05) > 1.2))
        lines.append(" ".join(f"{place}:{value:.3f}" for place, value in enumerate(features, 1)))
    if shuffled:
        generator.shuffle(labels)
    path.write_text("".join(f"{label} {line}\n" for label, line in zip(labels, lines, strict=True)))


def train(store: ModelStore, training_set: TrainingSet, *options: str) -> Outcome:
    """Train on rows that were read already, with little effort."""
    arguments = build_parser().parse_args(["train", "--features-file", "-", *QUICK, *options])
    trainer = Trainer(store, PRIVATE_KEY, lambda: NOW_MS)
    return trainer.train(lambda: training_set, to_request(arguments), Stopwatch())


def listener_events(customer_id: int) -> tuple[list[pb.Listen], list[pb.AdEvent]]:
    """Seeded history of one listener: even ids listen on mobile and click, odd ones do neither."""
    generator = random.Random(customer_id)
    likes = customer_id % 2 == 0
    listens = [
        pb.Listen(
            event_id=f"l-{customer_id}-{place}",
            customer_id=customer_id,
            track_id=generator.randrange(50),
            played_at_ms=NOW_MS - DAY_MS * 5 + generator.randrange(DAY_MS * 4),
            device=pb.DEVICE_MOBILE if generator.random() < (0.9 if likes else 0.1) else pb.DEVICE_PC,
            utc_offset_minutes=60,
        )
        for place in range(12)
    ]
    ads = []
    for place in range(3):
        decision, at_ms = f"d-{customer_id}-{place}", NOW_MS - DAY_MS * 3 + place * DAY_MS
        kinds = [pb.AD_EVENT_KIND_IMPRESSION] + [pb.AD_EVENT_KIND_CLICK] * (likes and generator.random() < 0.9)
        ads += [ad_event(customer_id, decision, kind, at_ms + kind * 1000) for kind in kinds]
    return listens, ads


def ad_event(customer_id: int, decision_id: str, kind: pb.AdEventKind, at_ms: int) -> pb.AdEvent:
    """What happened to one offer."""
    return pb.AdEvent(
        event_id=f"{decision_id}/{kind}",
        customer_id=customer_id,
        kind=kind,
        at_ms=at_ms,
        decision_id=decision_id,
        campaign_id=CAMPAIGN,
    )


def profile(customer_id: int) -> pb.Customer:
    """Every third is Gold, every fifth does not want texts."""
    return pb.Customer(
        customer_id=customer_id,
        updated_at_ms=NOW_MS - DAY_MS * 9,
        level=pb.LEVEL_GOLD if customer_id % 3 == 0 else pb.LEVEL_FREE,
        active=True,
        consent_sms=customer_id % 5 != 0,
    )


def produce_history(bootstrap: str) -> None:
    """The history of all listeners, one bad record, one in JSON."""
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": PARTITIONER})
    for customer_id in range(1, LISTENERS + 1):
        listens, ads = listener_events(customer_id)
        messages: list[tuple[Topic, Message]] = [(Topic.CUSTOMERS, profile(customer_id))]
        messages += [(Topic.LISTENS, listen) for listen in listens]
        messages += [(Topic.AD_EVENTS, ad) for ad in ads]
        for topic, message in messages:
            record = to_record(message, customer_id=customer_id, event_id="e", at_ms=NOW_MS, source="test")
            producer.produce(topic, record.value, record.key, headers=[*record.headers])
    producer.produce(Topic.LISTENS, b"\xff\xff", b"1")
    stranger = {"eventId": "j", "customerId": "9999", "trackId": "1", "playedAtMs": str(NOW_MS), "device": "DEVICE_PC"}
    producer.produce(Topic.LISTENS, json.dumps(stranger).encode(), b"9999")
    assert producer.flush(30) == 0


def expected_rows() -> list[tuple[int, float, tuple[float, ...]]]:
    """What the rows of the log must be, by the pure function and without Spark."""
    rule = RowRule(RowKind.IMPRESSIONS, CAMPAIGN, DAY_MS)
    rows = []
    for customer_id in range(1, LISTENERS + 1):
        listens, ads = listener_events(customer_id)
        logged = [LoggedAdEvent(to_ad_event(ad), ad.decision_id) for ad in ads]
        events = CustomerEvents(listens=[to_listen(listen) for listen in listens], ad_events=logged)
        rows += [(customer_id, row.label, row.features) for row in rows_of(events, rule) if row is not None]
    return sorted(rows)


def test_log_rows_are_those_of_the_online_code(spark: SparkSession, system_topics: str) -> None:
    produce_history(system_topics)
    rule = RowRule(RowKind.IMPRESSIONS, CAMPAIGN, DAY_MS)
    training_set = read_log_rows(spark, system_topics, rule, NOW_MS)
    collected = training_set.frame.collect()
    got = sorted((row["group"], row["label"], tuple(row["features"].toArray())) for row in collected)
    expected = expected_rows()
    assert [row[:2] for row in got] == [row[:2] for row in expected]
    np.testing.assert_allclose([row[2] for row in got], [row[2] for row in expected], rtol=0, atol=1e-7)
    assert training_set.skipped == {"invalid_parse": 1}


def test_log_to_champion_to_requests(spark: SparkSession, system_topics: str, store: ModelStore) -> None:
    produce_history(system_topics)
    rule = RowRule(RowKind.IMPRESSIONS, CAMPAIGN, DAY_MS)
    outcome = train(store, read_log_rows(spark, system_topics, rule, NOW_MS), "--promote")
    assert outcome.promoted, outcome.chosen.verdict.refusals
    champion = store.load(outcome.published, public_key_of(PRIVATE_KEY))

    campaign = Campaign(campaign_id=CAMPAIGN, holdout_share=0.3)
    audience = score_audience(spark, system_topics, champion, campaign, limit=10, now_ms=NOW_MS)
    worth_it = best_of_all(champion)
    treated = [customer_id for customer_id in worth_it if not assign(campaign, customer_id).holdout]
    assert [member.customer_id for member in audience.members] == treated[:10]
    assert audience.reasons["holdout"] == len(worth_it) - len(treated) > 0
    assert audience.reasons["requested"] == 10
    assert audience.reasons["level"] == LISTENERS // 3
    assert audience.reasons["no_consent"] == LISTENERS // 5 - LISTENERS // 15
    assert audience.reasons["unknown_customer"] == 1
    assert sum(audience.reasons.values()) == LISTENERS + 1
    told: list[Verdict] = []
    again = score_audience(spark, system_topics, champion, campaign, 10, NOW_MS, told.append)
    assert again == audience
    assert [(one.customer_id, one.score) for one in told[:10]] == [tuple(member) for member in audience.members]
    assert [one.customer_id for one in told if one.reason is Reason.OVER_LIMIT] == treated[10:]
    assert Counter(one.reason.value for one in told) == audience.reasons
    assert {one.customer_id for one in told if one.reason is Reason.HOLDOUT} == {*worth_it} - {*treated}
    assert {one.score is None for one in told if one.reason is Reason.NO_CONSENT} == {True}
    assert len({one.customer_id for one in told}) == len(told) == LISTENERS + 1

    producer = RecordProducer(system_topics, client_id="test", partitioner=PARTITIONER)
    mailing = Mailing(CAMPAIGN, champion.version, NOW_MS, NOW_MS + DAY_MS)
    assert write_requests(producer, audience.members, mailing) == 10
    requests = read_requests(system_topics, 10)
    assert {request.customer_id for request in requests} == {member.customer_id for member in audience.members}
    assert {request.request_id for request in requests} == {f"{CAMPAIGN}/{m.customer_id}" for m in audience.members}


def best_of_all(champion: Any) -> list[int]:
    """Those worth a text without Spark: folded, scored and sorted here."""
    scored = []
    for customer_id in range(1, LISTENERS + 1):
        if customer_id % 3 == 0 or customer_id % 5 == 0:
            continue
        listens, _ = listener_events(customer_id)
        events = CustomerEvents(listens=[to_listen(listen) for listen in listens])
        features = np.array([vector(final_state(events))], np.float32)
        scored.append((-float(load_scorer(champion).score_vectors(features)[0]), customer_id))
    return [customer_id for score, customer_id in sorted(scored) if -score >= champion.manifest.threshold]


MILLION = 1_000_000


def held_out_in(batches: Iterator[pa.RecordBatch], campaign: Campaign) -> Iterator[pa.RecordBatch]:
    """Spark's workers draw the holdout."""
    for batch in batches:
        drawn = [one for one in batch.column("id").to_pylist() if assign(campaign, one).holdout]
        yield pa.RecordBatch.from_arrays([pa.array(drawn, pa.int64())], names=["id"])


def test_spark_the_sms_service_and_the_player_hold_out_the_same_million(spark: SparkSession) -> None:
    campaign = Campaign(campaign_id=CAMPAIGN, holdout_share=0.1)
    profile = TextProfile(1, Level.FREE, active=True, consent_sms=True, sealed_phone=b"sealed")
    drawn = spark.range(MILLION).mapInArrow(partial(held_out_in, campaign=campaign), "id bigint")
    of_spark = set(drawn.toArrow().column("id").to_pylist())
    of_player = {one for one in range(MILLION) if assign(campaign, one).holdout}
    of_sms = {
        one
        for one in range(MILLION)
        if judge(TextRequest("a", one, CAMPAIGN, 0), campaign, profile, NOW_MS) is SmsReason.HOLDOUT
    }
    assert of_spark == of_player == of_sms
    assert len(of_player) == pytest.approx(MILLION / 10, rel=0.01)


def read_requests(bootstrap: str, count: int) -> list[pb.SmsRequest]:
    """The first `count` requests in Kafka."""
    settings = {"bootstrap.servers": bootstrap, "group.id": "test-requests", "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    consumer.subscribe([Topic.SMS_REQUESTS])
    messages = consumer.consume(count, timeout=30)
    consumer.close()
    return [pb.SmsRequest.FromString(message.value() or b"") for message in messages]


def test_shuffled_labels_are_refused(spark: SparkSession, store: ModelStore, tmp_path: Path) -> None:
    write_libsvm(tmp_path / "rows.libsvm", 600, shuffled=True)
    outcome = train(store, read_features_file(spark, tmp_path / "rows.libsvm"), "--promote")
    assert not outcome.published
    assert not outcome.promoted
    assert outcome.chosen.verdict.refusals
    assert store.versions() == []
    assert store.champion() is None


def test_rows_of_one_kind_are_refused_with_a_sentence(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "rows.libsvm").write_text("0 1:0.5\n" * 20)
    splits = {Split(2, 1)}
    frame = cached(read_features_file(spark, tmp_path / "rows.libsvm").frame, splits)
    with pytest.raises(UnusableRows, match="20 rows with 0 clicks are too few"):
        to_rows(frame, splits)


def test_folds_keep_a_listener_together(spark: SparkSession) -> None:
    split = Split(4, 1)
    frame = spark.range(200).selectExpr("id % 20 as group", "id").withColumn("fold", split.expression)
    sides = frame.groupBy("group").agg({"fold": "min"}).join(frame, "group").where("fold <> `min(fold)`")
    assert sides.count() == 0
    assert {row["fold"] for row in frame.collect()} == {0, 1, 2, 3}


@pytest.mark.skipif(not PUBLIC_DATA.exists(), reason="../shared/data is absent")
def test_public_features_error(spark: SparkSession, store: ModelStore) -> None:
    options = ["--folds", "10", "--regularisations", "0", "--algorithms", "logistic"]
    outcome = train(store, read_features_file(spark, PUBLIC_DATA), *options)
    assert outcome.rows == 5000
    assert outcome.chosen.quality.error <= 0.006
    assert outcome.chosen.quality.auc >= 0.999
    assert outcome.chosen.parity_max_abs <= 1e-5


def command_environment(tmp_path: Path) -> dict[str, str]:
    """What the command line is told, for a model store of its own."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("TRAINER_")},
        "TRAINER_MODEL_STORE": str(tmp_path / "models"),
        "TRAINER_MODEL_PRIVATE_KEY": PRIVATE_KEY,
    }


def test_command_line_trains_publishes_promotes_and_tracks(tmp_path: Path) -> None:
    write_libsvm(tmp_path / "rows.libsvm", 600)
    environment = command_environment(tmp_path) | {"TRAINER_TRACKING_URI": f"file:{tmp_path / 'runs'}"}
    options = [
        "train",
        "--features-file",
        str(tmp_path / "rows.libsvm"),
        *QUICK,
        "--promote",
        "--algorithms",
        "logistic",
    ]
    command = [sys.executable, "-m", "services.trainer", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["rows"] == 600
    assert report["gate"]["passed"]
    assert report["parity_max_abs"] <= 1e-5
    champion = ModelStore(str(tmp_path / "models")).champion()
    assert champion is not None
    assert champion.version == report["published"]
    (model,) = (tmp_path / "runs").glob("*/*/artifacts/model.onnx")
    (stored,) = (tmp_path / "models").glob("versions/*/model.onnx")
    assert model.read_bytes() == stored.read_bytes()
    assert json.loads(model.with_name("report.json").read_text()) == report
    assert "<!doctype html>" in model.with_name("page.html").read_text()


def test_a_session_answers_each_line_on_one_spark(tmp_path: Path) -> None:
    write_libsvm(tmp_path / "rows.libsvm", 600)
    training = shlex.join(
        ["train", "--features-file", str(tmp_path / "rows.libsvm"), *QUICK, "--algorithms", "logistic"]
    )
    lines = [training, "fly", f"{training} --promote", "list"]
    done = subprocess.run(
        [sys.executable, "-m", "services.trainer", "session"],
        cwd=ROOT,
        env=command_environment(tmp_path),
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    first, mistake, second, versions = map(json.loads, done.stdout.splitlines())
    assert [answer["exit_code"] for answer in (first, mistake, second, versions)] == [0, 64, 0, 0]
    assert second["report"]["seconds"]["total"] < first["report"]["seconds"]["total"]
    assert second["report"]["logistic"]["error"] == first["report"]["logistic"]["error"]
    assert second["report"]["promoted"]
    assert second["report"]["published"] in {version["version"] for version in versions["report"]}
