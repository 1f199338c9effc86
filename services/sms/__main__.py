"""Wires the sms service together and runs it: `python -m services.sms`."""

import os
import secrets
import threading
import time
from typing import Final, NamedTuple

import redis
import smpp34
import structlog
from redis.exceptions import RedisError

from interlude.contacts.campaign_file import CampaignFile, InvalidCampaigns
from interlude.contacts.leases import BudgetLeases
from interlude.contacts.ledger import ContactLedger
from interlude.events.topics import PARTITIONER, Topic
from interlude.servicekit.consumer_settings import ConsumerSettings
from interlude.servicekit.consuming import ConsumerLoop
from interlude.servicekit.dead_letter_limit import DeadLetterLimit
from interlude.servicekit.dead_letters import DeadLetters
from interlude.servicekit.equal_partitions import UnequalPartitions
from interlude.servicekit.lifecycle import refuse_to_start, stop_on_signals
from interlude.servicekit.logs import configure_logs
from interlude.servicekit.producing import RecordProducer
from interlude.servicekit.redis import ConnectionPerThread, connect
from interlude.servicekit.settings import InvalidSettings, load_settings
from interlude.servicekit.telemetry import Health, TelemetryServer
from services.sms.directory import CustomerDirectory, PhoneSeal
from services.sms.dispatch import Dispatcher
from services.sms.gateway import Gateway
from services.sms.handler import TOPICS, SmsHandler
from services.sms.journal import Journal
from services.sms.messages import long_texts
from services.sms.metrics import SmsMetrics
from services.sms.outbox import KafkaOutbox
from services.sms.receipt_desk import ReceiptDesk
from services.sms.receipts import parse_receipt
from services.sms.settings import SmsSettings
from services.sms.smpp import SmppLink, SmppSettings

SERVICE: Final = "sms"
_START_POLL_SECONDS: Final = 0.2
_BATCH_SECONDS: Final = 10.0
"""A batch of requests takes no longer than this at the allowed rate, so that stopping does not either."""
_BUDGET_SECONDS: Final = 1.0
"""How often it is looked whether units of a budget lie idle here."""

log = structlog.get_logger()


class Service(NamedTuple):
    """What runs: the loop in the main thread, the gateway, the desk and the budgets in threads of their own."""

    loop: ConsumerLoop
    gateway: Gateway
    desk: ReceiptDesk
    budgets: BudgetLeases


def build_service(settings: SmsSettings, campaigns: CampaignFile, metrics: SmsMetrics, health: Health) -> Service:
    """The whole service, ready to run."""
    desk = ReceiptDesk(
        Journal(connect(settings.redis_url, timeout_ms=settings.redis_timeout_ms, single_connection=True)),
        _build_outbox(settings, metrics),
        metrics,
        now_ms=_now_ms,
    )
    gateway = Gateway(SmppLink(_smpp_settings(settings), lambda event: _deliver(desk, event), metrics))
    consumer = ConsumerSettings(
        bootstrap=settings.kafka_bootstrap,
        group_id=settings.group_id,
        topics=TOPICS,
        client_id=SERVICE,
        max_records=max(
            settings.window, min(settings.batch_records, int(settings.messages_per_second * _BATCH_SECONDS))
        ),
        # Whoever opted out before a request was read must not be texted.
        first_topics=(Topic.CUSTOMERS,),
    )
    budgets = _build_budgets(settings, metrics)
    handler = _build_handler(settings, campaigns, metrics, gateway, budgets)
    return Service(ConsumerLoop(consumer, handler, health), gateway, desk, budgets)


def _build_budgets(settings: SmsSettings, metrics: SmsMetrics) -> BudgetLeases:
    return BudgetLeases(
        ConnectionPerThread(settings.redis_url, timeout_ms=settings.redis_timeout_ms),
        holder=secrets.token_hex(8),
        now_ms=_now_ms,
        timeout_seconds=settings.redis_timeout_ms / 1000,
        on_units=lambda campaign_id, flow, units: metrics.budget_units.labels(campaign_id, flow).inc(units),
    )


def _build_handler(
    settings: SmsSettings, campaigns: CampaignFile, metrics: SmsMetrics, gateway: Gateway, budgets: BudgetLeases
) -> SmsHandler:
    client = connect(settings.redis_url, timeout_ms=settings.redis_timeout_ms, single_connection=True)
    directory = CustomerDirectory(client)
    seal = PhoneSeal(settings.phone_key_bytes)
    outbox = _build_outbox(settings, metrics)
    dispatcher = Dispatcher(
        campaigns=campaigns,
        profiles=directory,
        phones=seal,
        budgets=budgets,
        ledger=ContactLedger(ConnectionPerThread(settings.redis_url, timeout_ms=settings.redis_timeout_ms)),
        journal=Journal(client),
        operator=gateway,
        outbox=outbox,
        metrics=metrics,
        now_ms=_now_ms,
        token=secrets.token_bytes(8),
        throttle_limit_ms=settings.throttle_limit_ms,
    )
    return SmsHandler(
        directory=directory,
        seal=seal,
        dispatcher=dispatcher,
        outbox=outbox,
        metrics=metrics,
        limit=DeadLetterLimit(
            settings.dead_letter_limit,
            window_records=settings.dead_letter_limit_records,
            minimum_records=settings.dead_letter_limit_minimum,
            on_stopped=lambda topic, stopped: metrics.dead_letter_limit_reached.labels(topic).set(stopped),
        ),
        now_ms=_now_ms,
        window=settings.window,
    )


def _build_outbox(settings: SmsSettings, metrics: SmsMetrics) -> KafkaOutbox:
    producer = RecordProducer(
        settings.kafka_bootstrap,
        client_id=SERVICE,
        partitioner=PARTITIONER,
        on_undelivered=lambda topic: metrics.undelivered.labels(topic).inc(),
    )
    return KafkaOutbox(
        producer,
        DeadLetters(producer, settings.group_id),
        settings.flush_timeout_ms,
        on_dead_letter=lambda topic, stage: metrics.dead_letters.labels(topic, stage).inc(),
    )


def _smpp_settings(settings: SmsSettings) -> SmppSettings:
    return SmppSettings(
        host=settings.smpp_host,
        port=settings.smpp_port,
        tls=settings.smpp_tls,
        system_id=settings.smpp_system_id,
        password=settings.smpp_password.get_secret_value(),
        source_address=settings.source_address,
        window=settings.window,
        messages_per_second=settings.messages_per_second,
        response_timeout_ms=settings.response_timeout_ms,
    )


def _deliver(desk: ReceiptDesk, event: smpp34.DeliverSmEvent) -> None:
    desk.take(parse_receipt(event.esm_class, event.short_message, {tlv.tag: tlv.value for tlv in event.tlvs}))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def follow_campaigns(settings: SmsSettings, metrics: SmsMetrics) -> CampaignFile:
    """The campaigns, each with a text that fits one message part. Raises `InvalidCampaigns` with every problem."""
    results = metrics.campaign_documents
    campaigns = CampaignFile(
        settings.campaign_file,
        on_loaded=lambda _: results.labels("loaded").inc(),
        on_refused=lambda _: results.labels("refused").inc(),
        check=long_texts,
    )
    metrics.campaign_file_refused.set_function(lambda: campaigns.is_refused)
    return campaigns


def await_parts(settings: SmsSettings, gateway: Gateway, health: Health, stop: threading.Event) -> None:
    """Wait until Redis and the operator are there, or `stop`. Kafka is waited for by the loop."""
    client = connect(settings.redis_url, timeout_ms=settings.redis_timeout_ms)
    while not stop.is_set():
        health.beat()
        missing = "" if _answers(client) else "Redis"
        missing = missing or ("" if gateway.is_bound else "the SMS operator")
        if not missing:
            break
        if missing != health.missing:
            log.warning("waiting", reason=missing)
            health.unready(missing)
        stop.wait(_START_POLL_SECONDS)
    health.unready("Kafka")


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def run(settings: SmsSettings, campaigns: CampaignFile, metrics: SmsMetrics, stop: threading.Event) -> None:
    """Until `stop`: then end what is in flight, tell Kafka, unbind. Raises `UnequalPartitions`."""
    health = Health()
    telemetry = TelemetryServer(settings.metrics_host, settings.metrics_port, metrics.registry, health)
    telemetry.start()
    service = build_service(settings, campaigns, metrics, health)
    end_desk = threading.Event()
    desk = threading.Thread(target=service.desk.run, args=(end_desk,), name="receipts", daemon=True)
    desk.start()
    budgets = threading.Thread(
        target=service.budgets.run_until, args=(stop, _BUDGET_SECONDS), name="budgets", daemon=True
    )
    budgets.start()
    poll_seconds = settings.campaign_poll_ms / 1000
    threading.Thread(target=campaigns.watch, args=(stop, poll_seconds), name="campaigns", daemon=True).start()
    service.gateway.start()
    try:
        await_parts(settings, service.gateway, health, stop)
        service.loop.run(stop)
    finally:
        service.budgets.return_all()
        service.gateway.stop()
        end_desk.set()
        desk.join(settings.flush_timeout_ms / 1000 + 1)
        telemetry.stop()


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    metrics = SmsMetrics()
    try:
        settings = load_settings(SmsSettings, os.environ)
        configure_logs(SERVICE, settings.log_level)
        campaigns = follow_campaigns(settings, metrics)
    except (InvalidSettings, InvalidCampaigns) as error:
        refuse_to_start(SERVICE, error)
    try:
        run(settings, campaigns, metrics, stop_on_signals())
    except UnequalPartitions as error:
        refuse_to_start(SERVICE, error)
    log.info("stopped")


if __name__ == "__main__":
    main()
