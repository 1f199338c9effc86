"""The life of a text message is counted once per request, and the operator's book is checked against the profiles."""

from demo.simulator import phone_of
from demo.texting import Texted, wrongly_texted
from devstack.smsc.record import AcceptedMessage
from interlude.v1 import events_pb2 as pb


def event(request_id: str, status: pb.SmsStatus, reason: pb.SmsReason = pb.SMS_REASON_UNSPECIFIED) -> pb.SmsEvent:
    return pb.SmsEvent(request_id=request_id, status=status, reason=reason)


def message(destination: str) -> AcceptedMessage:
    return AcceptedMessage("id", "Interlude", destination, "text", 0, "DELIVRD", 1)


def customer(
    customer_id: int, *, level: pb.Level = pb.LEVEL_FREE, active: bool = True, consent: bool = True
) -> pb.Customer:
    return pb.Customer(customer_id=customer_id, level=level, active=active, consent_sms=consent)


def test_repeated_events_count_once() -> None:
    texted = Texted()
    for request_id in ("a", "a", "b"):
        texted.take_request(pb.SmsRequest(request_id=request_id))
    for status in (pb.SMS_STATUS_ACCEPTED, pb.SMS_STATUS_SENT, pb.SMS_STATUS_SENT, pb.SMS_STATUS_DELIVERED):
        texted.take_event(event("a", status))
    texted.take_event(event("b", pb.SMS_STATUS_SUPPRESSED, pb.SMS_REASON_NO_PHONE))
    texted.take_event(event("b", pb.SMS_STATUS_SUPPRESSED, pb.SMS_REASON_NO_PHONE))
    assert texted.to_summary() == {"requested": 2, "sent": 1, "delivered": 1, "suppressed": {"no_phone": 1}}
    assert texted.finished == 2


def test_a_message_on_its_way_is_not_finished() -> None:
    texted = Texted()
    texted.take_request(pb.SmsRequest(request_id="a"))
    texted.take_event(event("a", pb.SMS_STATUS_SENT))
    assert texted.finished == 0


def test_a_clean_book_raises_no_complaint() -> None:
    assert (
        wrongly_texted([message(phone_of(1)), message(phone_of(2).lstrip("+"))], {1: customer(1), 2: customer(2)}) == []
    )


def test_every_kind_of_wrong_is_found() -> None:
    customers = {
        1: customer(1),
        2: customer(2, level=pb.LEVEL_GOLD),
        3: customer(3, consent=False),
        4: customer(4, active=False),
    }
    book = [message(phone_of(customer_id)) for customer_id in (1, 1, 2, 3, 4, 99)]
    wrong = wrongly_texted(book, customers)
    assert len(wrong) == 5
    assert all(sentence.startswith("1 ") for sentence in wrong)
