"""What the enricher is told from outside."""

import pytest

from interlude.servicekit.settings import InvalidSettings, load_settings
from services.enricher.settings import EnricherSettings

GOOD = {
    "ENRICHER_METRICS_PORT": "9000",
    "ENRICHER_KAFKA_BOOTSTRAP": "kafka:9092",
    "ENRICHER_REDIS_URL": "redis://redis:6379/0",
}


def test_three_variables_are_enough() -> None:
    settings = load_settings(EnricherSettings, GOOD)
    assert (settings.group_id, settings.batch_records) == ("enricher", 10_000)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ENRICHER_KAFKA_BOOTSTRAP", ""),
        ("ENRICHER_REDIS_URL", "http://redis"),
        ("ENRICHER_GROUP_ID", "Enricher!"),
        ("ENRICHER_GROUP_ID", ""),
        ("ENRICHER_BATCH_RECORDS", "0"),
        ("ENRICHER_BATCH_RECORDS", "20001"),
        ("ENRICHER_SESSION_TIMEOUT_MS", "999"),
        ("ENRICHER_REDIS_TIMEOUT_MS", "9"),
        ("ENRICHER_FLUSH_TIMEOUT_MS", "99"),
        ("ENRICHER_SPEED", "high"),
    ],
)
def test_a_bad_variable_is_named(variable: str, value: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(EnricherSettings, {**GOOD, variable: value})
    [problem] = caught.value.problems
    assert problem.startswith(variable)
