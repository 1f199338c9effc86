"""The sms service on real parts: who gets a message, who does not, and never two of them, whatever is killed."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from devstack.keys import generate_keys
from devstack.ports import LOOPBACK, free_port
from devstack.service import ServiceProcess
from devstack.smsc.behaviour import SmscSettings
from devstack.smsc.part import SmscServer
from devstack.smsc.record import read_messages
from devstack.stack import Part, Stack
from interlude.contacts.campaign import Campaign
from interlude.contacts.experiment import assign
from interlude.contacts.leases import LEASED_PART, budget_key
from interlude.contacts.ledger import contacts_key, decode_contacts
from interlude.events.topics import Topic
from interlude.servicekit.lifecycle import REFUSED_TO_START
from interlude.v1 import events_pb2 as pb
from tests.integration.sms_scene import (
    CAMPAIGN,
    DEADLINE_S,
    PLAIN,
    WINDOW,
    Events,
    Scene,
    kind_of,
    new_customer,
    new_request,
    new_scene,
    phone_of,
    read_dead_letters,
)


@pytest.fixture
def operator() -> Iterator[SmscServer]:
    settings = SmscSettings(throttle_every=9, refuse_suffix="66", undeliverable_suffix="77")
    with Stack.start({Part.SMSC}, smsc=settings) as own:
        yield own.smsc


@pytest.mark.usefixtures("system_topics", "redis_url")
def test_everyone_who_may_gets_one_message_and_nobody_else(
    stack: Stack, operator: SmscServer, group_id: str, tmp_path: Path
) -> None:
    scene = new_scene(stack, operator, group_id, tmp_path)
    audience = list(range(1, 161))
    known = [one for one in audience if kind_of(one) != "unknown"]
    withdrawn = {one for one in known if kind_of(one) == PLAIN and one % 20 == 1}
    requests = [new_request(one) for one in audience] + [new_request(one) for one in audience[:30]]
    requests += [new_request(one, f"again/{one}") for one in audience[:10]]
    # Requests are in Kafka first: what the customers said since then must count all the same.
    scene.put_requests(requests)
    scene.put_customers([new_customer(one) for one in known])
    scene.put_customers([new_customer(one, consent=False) for one in sorted(withdrawn)])
    scene.put_customers([new_customer(one, updated_at_ms=1_000, consent=True) for one in sorted(withdrawn)])
    scene.put_raw(Topic.SMS_REQUESTS, b"7", b"\xff\xff no request")
    scene.put_raw(Topic.CUSTOMERS, b"7", new_customer(8).SerializeToString())

    expected = {f"{CAMPAIGN}/{one}" for one in audience} | {f"again/{one}" for one in audience[:10]}
    plain = {one for one in audience if kind_of(one) == PLAIN} - withdrawn
    undeliverable = {one for one in audience if kind_of(one) == "undeliverable"}
    scene.service.start()
    scene.service.wait_until_ready()
    with scene.events() as events:
        scene.wait_for(lambda: events.read() and events.ends().keys() == expected)
        scene.wait_for(lambda: events.read() and events.count(pb.SMS_STATUS_DELIVERED) == len(plain))
        failed = (pb.SMS_STATUS_FAILED, pb.SMS_REASON_UNDELIVERABLE)
        scene.wait_for(lambda: events.read() and events.count(*failed) == len(undeliverable))
        assert scene.service.terminate(20) == 0
        events.read()

    reasons = Counter((kind_of(event.customer_id), event.reason) for event in events.ends().values() if event.reason)
    assert scene.destinations() == Counter(phone_of(one) for one in plain | undeliverable)
    assert reasons["refused", pb.SMS_REASON_OPERATOR_REFUSED] == 16
    assert reasons["gold", pb.SMS_REASON_LEVEL] == 16 + 1
    assert reasons["unknown", pb.SMS_REASON_UNKNOWN_CUSTOMER] == 16 + 1
    assert reasons["inactive", pb.SMS_REASON_INACTIVE] == 16 + 1
    assert reasons["opted out", pb.SMS_REASON_NO_CONSENT] == 16 + 1
    assert reasons[PLAIN, pb.SMS_REASON_NO_CONSENT] == len(withdrawn) + 1
    assert sum(count for (_, reason), count in reasons.items() if reason == pb.SMS_REASON_ALREADY_SENT) == 5
    assert not any(reason == pb.SMS_REASON_UNCERTAIN for _, reason in reasons)
    _assert_no_phone_in_clear(stack, scene, events)
    assert read_dead_letters(stack.kafka, group_id) == {Topic.CUSTOMERS: "validate", Topic.SMS_REQUESTS: "parse"}


@pytest.mark.usefixtures("system_topics", "redis_url")
def test_killed_in_the_middle_nobody_gets_two_messages(
    stack: Stack, operator: SmscServer, group_id: str, tmp_path: Path
) -> None:
    scene = new_scene(stack, operator, group_id, tmp_path, SMS_MESSAGES_PER_SECOND="60")
    audience = [one for one in range(1, 401) if kind_of(one) == PLAIN]
    scene.put_customers([new_customer(one) for one in audience])
    scene.put_requests([new_request(one) for one in audience])

    kills = 2
    for kill in range(1, kills + 1):
        scene.service.start()
        scene.wait_for(lambda enough=kill * 40: len(read_messages(operator.record)) >= enough)  # type: ignore[misc]
        scene.service.kill()
    scene.service.start()
    with scene.events() as events:
        expected = {f"{CAMPAIGN}/{one}" for one in audience}
        scene.wait_for(lambda: events.read() and events.ends().keys() == expected)
        assert scene.service.terminate(20) == 0
        events.read()

    sent, uncertain = events.count(pb.SMS_STATUS_SENT), events.count(pb.SMS_STATUS_FAILED, pb.SMS_REASON_UNCERTAIN)
    assert sent + uncertain == len(audience)
    assert uncertain <= kills * WINDOW
    destinations = scene.destinations()
    assert max(destinations.values()) == 1
    assert sent <= len(destinations) <= sent + uncertain


@pytest.mark.usefixtures("system_topics", "redis_url")
def test_without_an_operator_requests_wait_and_go_out_when_it_is_back(
    stack: Stack, group_id: str, tmp_path: Path
) -> None:
    audience = [one for one in range(1, 41) if kind_of(one) == PLAIN]
    with Stack.start({Part.SMSC}) as own:
        scene = new_scene(stack, own.smsc, group_id, tmp_path)
        scene.put_customers([new_customer(one) for one in audience])
        scene.service.start()
        scene.service.wait_until_ready()
        own.kill(Part.SMSC)
        scene.put_requests([new_request(one) for one in audience])
        scene.wait_for(lambda: not scene.service.is_ready())
        own.restart(Part.SMSC)
        scene.wait_for(lambda: scene.destinations() == Counter(phone_of(one) for one in audience))
        scene.service.wait_until_ready()
        assert scene.service.terminate(20) == 0


@pytest.mark.usefixtures("system_topics", "redis_url")
def test_an_instance_that_stops_in_the_middle_leaves_the_rest_to_the_other(
    stack: Stack, operator: SmscServer, group_id: str, tmp_path: Path
) -> None:
    scene = new_scene(stack, operator, group_id, tmp_path, SMS_MESSAGES_PER_SECOND="40")
    audience = [one for one in range(1, 401) if kind_of(one) == PLAIN]
    scene.put_customers([new_customer(one) for one in audience])
    scene.put_requests([new_request(one) for one in audience])
    other = scene.new_service("other")
    scene.service.start()
    scene.wait_for(lambda: len(read_messages(operator.record)) >= 20)
    other.start()
    try:
        other.wait_until_ready()
        assert scene.service.terminate(30) == 0
        with scene.events() as events:
            other.wait_ready(lambda: events.read() and len(events.ends()) == len(audience), DEADLINE_S)
    finally:
        assert other.terminate(30) == 0
    assert scene.destinations() == Counter(phone_of(one) for one in audience)
    assert events.count(pb.SMS_STATUS_SENT) == len(audience)


@pytest.mark.usefixtures("system_topics", "redis_url")
def test_instances_that_come_and_go_share_a_budget_and_stay_within_it(
    stack: Stack, operator: SmscServer, group_id: str, tmp_path: Path
) -> None:
    discounts = 60
    campaigns = tmp_path / "campaigns.json"
    campaigns.write_text(json.dumps({"campaigns": [{"campaign_id": CAMPAIGN, "budget": {"discounts": discounts}}]}))
    scene = new_scene(
        stack, operator, group_id, tmp_path, SMS_MESSAGES_PER_SECOND="40", SMS_CAMPAIGN_FILE=str(campaigns)
    )
    audience = [one for one in range(1, 301) if kind_of(one) == PLAIN]
    scene.put_customers([new_customer(one) for one in audience])
    scene.put_requests([new_request(one) for one in audience])
    other = scene.new_service("other")
    scene.service.start()
    scene.wait_for(lambda: len(read_messages(operator.record)) >= 20)
    other.start()
    try:
        other.wait_until_ready()
        assert scene.service.terminate(30) == 0
        with scene.events() as events:
            other.wait_ready(lambda: events.read() and len(events.ends()) == len(audience), DEADLINE_S)
    finally:
        assert other.terminate(30) == 0
    sent = events.count(pb.SMS_STATUS_SENT)
    # What the first instance has in hand when the other finds nothing left comes back too late.
    assert discounts - discounts // LEASED_PART <= sent <= discounts
    assert sum(scene.destinations().values()) == sent
    assert events.count(pb.SMS_STATUS_SUPPRESSED, pb.SMS_REASON_BUDGET_SPENT) == len(audience) - sent
    with redis.Redis.from_url(stack.redis) as client:
        assert client.get(budget_key(Campaign(campaign_id=CAMPAIGN))) == b"%d" % sent


@pytest.mark.usefixtures("system_topics", "redis_url")
def test_an_operator_that_hangs_leaves_a_window_uncertain_and_gets_the_rest_later(
    stack: Stack, group_id: str, tmp_path: Path
) -> None:
    audience = [one for one in range(1, 101) if kind_of(one) == PLAIN]
    with Stack.start({Part.SMSC}) as own:
        scene = new_scene(stack, own.smsc, group_id, tmp_path, SMS_RESPONSE_TIMEOUT_MS="500")
        scene.put_customers([new_customer(one) for one in audience])
        scene.service.start()
        scene.service.wait_until_ready()
        own.pause(Part.SMSC)
        scene.put_requests([new_request(one) for one in audience])
        with scene.events() as events:
            scene.wait_for(lambda: events.read() and len(events.ends()) >= 1)
            own.resume(Part.SMSC)
            scene.wait_for(lambda: events.read() and len(events.ends()) == len(audience))
            assert scene.service.terminate(20) == 0
        uncertain = events.count(pb.SMS_STATUS_FAILED, pb.SMS_REASON_UNCERTAIN)
        assert 1 <= uncertain <= 2 * WINDOW
        assert events.count(pb.SMS_STATUS_SENT) == len(audience) - uncertain
        destinations = scene.destinations()
        assert max(destinations.values()) == 1
        assert len(destinations) >= len(audience) - uncertain


@pytest.mark.usefixtures("system_topics", "redis_url")
def test_a_campaign_file_is_followed_and_its_holdout_is_not_texted(
    stack: Stack, operator: SmscServer, group_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "campaigns.yaml"
    path.write_text(f"campaigns: [{{campaign_id: {CAMPAIGN}, enabled: false}}]")
    scene = new_scene(stack, operator, group_id, tmp_path, SMS_CAMPAIGN_FILE=str(path), SMS_CAMPAIGN_POLL_MS="100")
    audience = [one for one in range(1, 101) if kind_of(one) == PLAIN]
    early, late = audience[:5], audience[5:]
    scene.put_customers([new_customer(one) for one in audience])
    scene.put_requests([new_request(one) for one in early])
    scene.service.start()
    with scene.events() as events:
        scene.wait_for(lambda: events.read() and len(events.ends()) == len(early))
        path.write_text("campaigns: [{campaign_id: Not Valid}]")
        scene.wait_for(lambda: b"campaigns refused" in scene.service.log.read_bytes())
        path.write_text(f"campaigns: [{{campaign_id: {CAMPAIGN}, holdout_share: 0.5}}]")
        scene.wait_for(lambda: scene.service.log.read_bytes().count(b"campaigns loaded") == 2)
        scene.put_requests([new_request(one) for one in late])
        scene.wait_for(lambda: events.read() and len(events.ends()) == len(audience))
        assert scene.service.terminate(20) == 0
        events.read()
    campaign = Campaign(campaign_id=CAMPAIGN, holdout_share=0.5)
    held_out = {one for one in late if assign(campaign, one).holdout}
    assert 0 < len(held_out) < len(late)
    reasons = {event.customer_id: event.reason for event in events.ends().values()}
    assert {one for one in audience if reasons[one] == pb.SMS_REASON_UNKNOWN_CAMPAIGN} == set(early)
    assert {one for one in audience if reasons[one] == pb.SMS_REASON_HOLDOUT} == held_out
    assert scene.destinations() == Counter(phone_of(one) for one in late if one not in held_out)
    with redis.Redis.from_url(stack.redis) as client:
        for one in late:
            (contact,) = decode_contacts(client.get(contacts_key(one)))
            assert contact.withheld == (one in held_out)


def test_the_service_names_every_problem_and_does_not_start(tmp_path: Path) -> None:
    campaigns = tmp_path / "campaigns.json"
    campaigns.write_text('{"campaigns": [{"campaign_id": "a", "sms_text": "' + "я" * 71 + '"}]}')
    good = {
        "SMS_METRICS_PORT": str(free_port()),
        "SMS_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "SMS_REDIS_URL": "redis://127.0.0.1:1/0",
        "SMS_SMPP_HOST": LOOPBACK,
        "SMS_SMPP_PORT": "1",
        "SMS_SMPP_SYSTEM_ID": "interlude",
        "SMS_SMPP_PASSWORD": "secret",
        "SMS_SOURCE_ADDRESS": "Interlude",
        "SMS_PHONE_KEY": generate_keys().phone_key,
    }
    cases = (
        ({"SMS_PHONE_KEY": "x"}, ("SMS_KAFKA_BOOTSTRAP is missing", "SMS_PHONE_KEY: ")),
        ({**good, "SMS_CAMPAIGN_FILE": str(campaigns)}, ("campaigns[0].sms_text: takes 71 units in UCS_2",)),
    )
    for place, (environment, problems) in enumerate(cases):
        service = ServiceProcess(
            f"sms-{place}", "services.sms", environment, ready=lambda: False, log_directory=tmp_path
        )
        service.start()
        assert service.wait(30) == REFUSED_TO_START
        assert all(problem in service.log_tail() for problem in problems), service.log_tail()


def _assert_no_phone_in_clear(stack: Stack, scene: Scene, events: Events) -> None:
    needle = b"1555"
    log = scene.service.log.read_bytes()
    assert b"bound to the operator" in log
    assert not any(phone_of(one).encode()[1:] in log for one in range(1, 161))
    with redis.Redis.from_url(stack.redis) as client:
        keys = list(client.scan_iter("p:*"))
        values = [client.get(key) for key in keys]
    assert len(keys) == 144
    assert not any(needle in value for value in values if isinstance(value, bytes))
    assert not any(phone_of(one).encode()[1:] in value for one in range(1, 161) for value in events.raw)
