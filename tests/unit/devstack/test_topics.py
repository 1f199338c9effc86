from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from devstack import topics
from devstack.topics import create, plan_topics


class Kafka:
    """Hears its clients from the `hears_from`th on; the others wait for an answer in vain."""

    def __init__(self, hears_from: int) -> None:
        self.hears_from = hears_from
        self.clients = 0

    def client(self, _settings: object) -> SimpleNamespace:
        self.clients += 1
        answer: Future[None] = Future()
        if self.clients >= self.hears_from:
            answer.set_result(None)
        partitions = {0: SimpleNamespace(leader=1)}
        found = SimpleNamespace(topics={"listens": SimpleNamespace(error=None, partitions=partitions)})
        return SimpleNamespace(create_topics=lambda *_, **__: {"listens": answer}, list_topics=lambda *_, **__: found)


def _create(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "AdminClient", kafka.client)
    monkeypatch.setattr(topics, "_ANSWER_S", 0.01)
    create("nowhere:1", plan_topics()[:1])


def test_a_client_that_has_no_answer_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = Kafka(hears_from=2)
    _create(kafka, monkeypatch)
    assert kafka.clients == 2


def test_a_kafka_that_answers_no_client_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = Kafka(hears_from=9)
    with pytest.raises(TimeoutError):
        _create(kafka, monkeypatch)
    assert kafka.clients == 3


def test_every_topic_about_customers_has_the_same_number_of_partitions() -> None:
    partitions = {plan.partitions for plan in plan_topics(6) if not plan.name.endswith(".dlq")}
    assert partitions == {6}


def test_what_is_a_table_is_compacted() -> None:
    assert [plan.name for plan in plan_topics() if plan.compacted] == ["customers", "campaigns"]


def test_each_reader_has_dead_letters_for_what_it_reads_with_room_for_the_reason() -> None:
    dead_letters = {plan.name: plan.max_message_bytes for plan in plan_topics() if plan.name.endswith(".dlq")}
    assert set(dead_letters) == {
        "listens.enricher.dlq",
        "ad-events.enricher.dlq",
        "customers.enricher.dlq",
        "sms-events.enricher.dlq",
        "sms-requests.sms.dlq",
        "customers.sms.dlq",
    }
    assert min(dead_letters.values()) > max(plan.max_message_bytes for plan in plan_topics() if plan.name == "listens")


def test_a_prefix_goes_before_every_name() -> None:
    assert all(plan.name.startswith("mine-") for plan in plan_topics(prefix="mine-"))
