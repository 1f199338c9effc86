import pytest

from devstack.smsc.behaviour import SmscSettings, Verdict, judge, receipt_text, wants_receipt

_SETTINGS = SmscSettings(throttle_every=3, refuse_suffix="66", undeliverable_suffix="77")


@pytest.mark.parametrize(
    ("destination", "submission", "verdict"),
    [
        ("1555000", 1, Verdict.DELIVERED),
        ("1555066", 1, Verdict.REFUSED),
        ("1555077", 1, Verdict.UNDELIVERABLE),
        ("1555000", 3, Verdict.THROTTLED),
        ("1555077", 6, Verdict.THROTTLED),
        ("1555066", 3, Verdict.REFUSED),
    ],
)
def test_the_verdict_follows_the_settings(destination: str, submission: int, verdict: Verdict) -> None:
    assert judge(_SETTINGS, destination, submission) is verdict


def test_by_default_everything_is_delivered() -> None:
    assert {judge(SmscSettings(), "1555066", n) for n in range(1, 20)} == {Verdict.DELIVERED}


@pytest.mark.parametrize(
    ("registered_delivery", "verdict", "wanted"),
    [
        (0, Verdict.DELIVERED, False),
        (1, Verdict.DELIVERED, True),
        (2, Verdict.DELIVERED, False),
        (2, Verdict.UNDELIVERABLE, True),
        (0x11, Verdict.DELIVERED, True),
    ],
)
def test_a_receipt_is_sent_only_when_it_was_asked_for(registered_delivery: int, verdict: Verdict, wanted: bool) -> None:
    assert wants_receipt(registered_delivery, verdict) is wanted


def test_a_receipt_reads_like_the_standard_says() -> None:
    text = receipt_text("7f", Verdict.UNDELIVERABLE, 0, 60_000, "A text of more than twenty characters")
    assert text == (
        b"id:7f sub:001 dlvrd:000 submit date:7001010000 done date:7001010001 stat:UNDELIV err:001 text:A text of more than "
    )
