"""What the service accepts from its environment."""

import base64

import pytest

from interlude.servicekit.settings import InvalidSettings, load_settings
from services.sms.settings import SmsSettings

KEY = base64.b64encode(bytes(range(32))).decode()
GOOD = {
    "SMS_METRICS_PORT": "9100",
    "SMS_KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "SMS_REDIS_URL": "redis://127.0.0.1:6379/0",
    "SMS_SMPP_HOST": "127.0.0.1",
    "SMS_SMPP_PORT": "2775",
    "SMS_SMPP_SYSTEM_ID": "interlude",
    "SMS_SMPP_PASSWORD": "open-sesame",
    "SMS_SOURCE_ADDRESS": "Interlude",
    "SMS_PHONE_KEY": KEY,
}


def test_the_key_comes_out_as_bytes_and_secrets_do_not_show() -> None:
    settings = load_settings(SmsSettings, GOOD)
    assert settings.phone_key_bytes == bytes(range(32))
    assert KEY not in repr(settings)
    assert "open-sesame" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SMS_PHONE_KEY", "not base64!"),
        ("SMS_PHONE_KEY", base64.b64encode(bytes(31)).decode()),
        ("SMS_SOURCE_ADDRESS", "longer than eleven"),
        ("SMS_SMPP_PORT", "0"),
        ("SMS_MESSAGES_PER_SECOND", "0"),
        ("SMS_WINDOW", "0"),
        ("SMS_NO_SUCH", "1"),
    ],
)
def test_bad_values_are_named_and_never_repeated(variable: str, value: str) -> None:
    with pytest.raises(InvalidSettings) as refusal:
        load_settings(SmsSettings, {**GOOD, variable: value})
    [problem] = refusal.value.problems
    assert problem.startswith(variable)
    assert variable != "SMS_PHONE_KEY" or value not in problem


def test_all_problems_are_told_together() -> None:
    with pytest.raises(InvalidSettings) as refusal:
        load_settings(SmsSettings, {"SMS_PHONE_KEY": "x"})
    assert len(refusal.value.problems) == len(GOOD)
