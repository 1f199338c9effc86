"""`lake run`, `lake compact` and `lake status`, from their settings to their documents."""

import argparse
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from pyspark.sql import SparkSession

from interlude.servicekit.telemetry import Health, TelemetryServer
from services.trainer.lake.compaction import MEBIBYTE, Compaction, CompactionRules
from services.trainer.lake.files import LakeFiles
from services.trainer.lake.status import lake_status
from services.trainer.lake.streaming import LakeStreams, StreamPlan, run
from services.trainer.metrics import LakeMetrics
from services.trainer.settings import TrainerSettings

MINUTE_MS: Final = 60_000


class LakeCommand(StrEnum):
    """What can be done with the lake."""

    RUN = "run"
    COMPACT = "compact"
    STATUS = "status"


class NoLake(Exception):
    """A setting that the lake needs is missing; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class LakeSurroundings:
    """What the commands are given; `stopping` gives the event that ends `run`."""

    settings: TrainerSettings
    now_ms: Callable[[], int]
    open_spark: Callable[[], AbstractContextManager[SparkSession]]
    stopping: Callable[[], threading.Event]


def require_lake(settings: TrainerSettings) -> str:
    """The lake's URL. Raises `NoLake`."""
    if not settings.lake:
        raise NoLake("TRAINER_LAKE is not set: it says where the lake is")
    return settings.lake


def run_lake(arguments: argparse.Namespace, around: LakeSurroundings) -> dict[str, Any]:
    """Do what was asked for; the document of it. Raises `NoLake` and whatever ends a stream."""
    url = require_lake(around.settings)
    command = LakeCommand(arguments.lake_command)
    if command is LakeCommand.RUN and not around.settings.kafka_bootstrap:
        raise NoLake("TRAINER_KAFKA_BOOTSTRAP is not set, and the log is in Kafka")
    with around.open_spark() as spark:
        files = LakeFiles(spark, url)
        if command is LakeCommand.RUN:
            _stream(spark, files, around, once=arguments.once)
        elif command is LakeCommand.COMPACT:
            rules = _rules(around.settings, open_days=arguments.open_days)
            reports = Compaction(spark, files, rules, around.now_ms()).run()
            return {name: asdict(report) for name, report in reports.items()}
        return lake_status(spark, files, around.now_ms())


def _stream(spark: SparkSession, files: LakeFiles, around: LakeSurroundings, *, once: bool) -> None:
    settings, metrics, health = around.settings, LakeMetrics(), Health()
    plan = StreamPlan(settings.kafka_bootstrap, settings.lake_trigger_seconds, settings.lake_batch_records, once=once)
    streams = LakeStreams(spark, files, plan, metrics)
    stop = around.stopping()
    health.ready()
    if not settings.metrics_port:
        run(streams, stop.wait, health.beat)
        return
    telemetry = TelemetryServer(settings.metrics_host, settings.metrics_port, metrics.registry, health)
    telemetry.start()
    try:
        run(streams, stop.wait, health.beat)
    finally:
        telemetry.stop()


def _rules(settings: TrainerSettings, *, open_days: bool) -> CompactionRules:
    return CompactionRules(
        keep_days=settings.lake_days,
        grace_ms=settings.lake_grace_minutes * MINUTE_MS,
        file_bytes=settings.lake_file_megabytes * MEBIBYTE,
        open_days=open_days,
    )
