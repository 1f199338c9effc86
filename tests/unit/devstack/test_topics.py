from devstack.topics import plan_topics


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
