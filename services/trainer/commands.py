"""The commands that run Spark (those of the lake apart), from their arguments to their report."""

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from interlude.contacts.campaign import Campaign
from interlude.contacts.campaign_file import read_campaigns
from interlude.models.manifest import RefusedModel
from interlude.models.store import ModelStore, StoredModel
from services.trainer.arguments import HOUR_MS, to_decision_rule, to_request, to_row_rule, to_uplift_request
from services.trainer.audience import Audience, Verdict, score_audience
from services.trainer.dataset import TrainingSet, UnusableRows, read_features_file
from services.trainer.decision_rows import read_decision_rows
from services.trainer.history import RowKind
from services.trainer.lake.commands import require_lake
from services.trainer.lake_rows import read_lake_rows
from services.trainer.log_rows import read_log_rows
from services.trainer.publishing import champion_of
from services.trainer.settings import TrainerSettings
from services.trainer.sms_requests import Mailing, Producer, write_requests
from services.trainer.training import Outcome, Stopwatch, Trainer
from services.trainer.uplifting import judge_uplift


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What they are given; `open_spark` lends a session for one of them."""

    settings: TrainerSettings
    store: ModelStore
    public_key: str
    now_ms: Callable[[], int]
    open_spark: Callable[[], AbstractContextManager[SparkSession]]


class NoSuchAudience(Exception):
    """Nobody may be texted for this campaign now, or nobody can be told who is; the message says why."""


def find_campaign(path: str, campaign_id: str, now_ms: int) -> Campaign:
    """The campaign to text for. Raises `NoSuchAudience` where every text would be suppressed, `InvalidCampaigns`."""
    campaign = read_campaigns(path).find(campaign_id) if campaign_id else None
    if campaign is None:
        raise NoSuchAudience(f"there is no campaign {campaign_id!r} in {path or 'the built-in document'}")
    if not campaign.enabled:
        raise NoSuchAudience(f"campaign {campaign_id} is switched off")
    if not campaign.is_running(now_ms):
        raise NoSuchAudience(
            f"campaign {campaign_id} runs from {campaign.starts_at} to {campaign.ends_at}, which is not now"
        )
    return campaign


def run_train(arguments: argparse.Namespace, around: Surroundings) -> Outcome:
    """Train as asked. Raises `UnusableRows`, `NoLake`."""
    watch = Stopwatch()
    trainer = Trainer(around.store, around.settings.model_private_key, around.now_ms)
    start = time.perf_counter()
    with watch.step("total"), around.open_spark() as spark:
        watch.seconds["start"] = round(time.perf_counter() - start, 3)
        return trainer.train(lambda: _read(spark, arguments, around), to_request(arguments), watch)


def run_audience(
    arguments: argparse.Namespace, around: Surroundings, open_producer: Callable[[], Producer]
) -> dict[str, Any]:
    """Score everybody and, unless it is a dry run, ask for the texts. Raises `RefusedModel`, `UnusableRows`, `NoSuchAudience`,
    `InvalidCampaigns`, `Unavailable`."""
    settings, watch = around.settings, Stopwatch()
    _require_kafka(settings)
    campaign = find_campaign(settings.campaign_file, arguments.campaign, around.now_ms())
    champion = _champion(around)
    with watch.step("score"), told_to(arguments.who) as tell, around.open_spark() as spark:
        audience = score_audience(
            spark, settings.kafka_bootstrap, champion, campaign, arguments.limit, around.now_ms(), tell
        )
    written = 0
    if not arguments.dry_run:
        with watch.step("request"):
            mailing = _mailing(arguments, champion.version, around.now_ms())
            written = write_requests(open_producer(), audience.members, mailing)
    return _audience_report(arguments, campaign, champion, audience, written, watch)


def run_uplift(arguments: argparse.Namespace, around: Surroundings) -> dict[str, Any]:
    """Judge whether choosing by uplift sells more. Raises `UnusableRows`, `NoLake`."""
    lake, watch = arguments.lake or require_lake(around.settings), Stopwatch()
    champion = champion_of(around.store, around.settings.model_private_key)
    with watch.step("total"), around.open_spark() as spark:
        report = judge_uplift(spark, lake, to_uplift_request(arguments, around.now_ms()), champion)
    return report | {"seconds": watch.seconds}


def _read(spark: SparkSession, arguments: argparse.Namespace, around: Surroundings) -> TrainingSet:
    training_set = _read_rows(spark, arguments, around)
    if arguments.decisions is None:
        return training_set
    return replace(training_set, decisions=spark.read.parquet(arguments.decisions))


def _read_rows(spark: SparkSession, arguments: argparse.Namespace, around: Surroundings) -> TrainingSet:
    if arguments.features_file is not None:
        return read_features_file(spark, arguments.features_file, arguments.features)
    if not arguments.campaign:
        raise UnusableRows("rows of the log need --campaign")
    if arguments.rows == RowKind.DECISIONS or arguments.lake is not None:
        lake = arguments.lake or require_lake(around.settings)
        if arguments.rows == RowKind.DECISIONS:
            return read_decision_rows(spark, lake, to_decision_rule(arguments, around.now_ms()), arguments.features)
        return read_lake_rows(spark, lake, to_row_rule(arguments), arguments.features)
    _require_kafka(around.settings)
    rule, bootstrap = to_row_rule(arguments), around.settings.kafka_bootstrap
    return read_log_rows(spark, bootstrap, rule, around.now_ms(), arguments.features)


def _require_kafka(settings: TrainerSettings) -> None:
    if not settings.kafka_bootstrap:
        raise UnusableRows("TRAINER_KAFKA_BOOTSTRAP is not set, and the log is in Kafka")


def _champion(around: Surroundings) -> StoredModel:
    champion = around.store.champion()
    if champion is None:
        raise RefusedModel("champion", "there is no champion to score with; train and promote one")
    return around.store.load(champion.version, around.public_key)


@contextmanager
def told_to(path: Path | None) -> Iterator[Callable[[Verdict], None] | None]:
    """Writes verdicts as lines of CSV; None where nobody wants them."""
    if path is None:
        yield None
        return
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise NoSuchAudience(f"--who {path} cannot be written: {error.strerror}") from error
    with file:
        lines = csv.writer(file)
        lines.writerow(Verdict._fields)
        yield lambda one: lines.writerow(
            (one.customer_id, "" if one.score is None else f"{one.score:.6f}", one.reason.value)
        )


def _mailing(arguments: argparse.Namespace, model_version: str, now_ms: int) -> Mailing:
    return Mailing(arguments.campaign, model_version, now_ms, now_ms + round(arguments.expires_hours * HOUR_MS))


def _audience_report(
    arguments: argparse.Namespace,
    campaign: Campaign,
    champion: StoredModel,
    audience: Audience,
    written: int,
    watch: Stopwatch,
) -> dict[str, Any]:
    return {
        "campaign": campaign.campaign_id,
        "holdout_share": campaign.holdout_share,
        "model_version": champion.version,
        "threshold": champion.manifest.threshold,
        "dry_run": arguments.dry_run,
        "reasons": audience.reasons,
        "written": written,
        "skipped": audience.skipped,
        "seconds": watch.seconds,
    }
