"""How fast messages may go out."""

from itertools import islice

import pytest

from services.sms.pace import TokenBucket, pauses


@pytest.mark.parametrize("per_second", [0.5, 10.0, 1000.0])
def test_messages_leave_at_the_allowed_rate(per_second: float) -> None:
    bucket = TokenBucket(per_second, now_seconds=0.0)
    taken = 0
    while bucket.take(now_seconds=0.0) < 10.0:
        taken += 1
    assert taken == pytest.approx(10 * per_second + max(0.1 * per_second, 1), abs=2)


def test_idle_time_is_saved_up_to_the_burst_only() -> None:
    bucket = TokenBucket(100.0, now_seconds=0.0)
    waits = [bucket.take(now_seconds=60.0) for _ in range(20)]
    assert waits[:10] == [0.0] * 10
    assert waits[-1] == pytest.approx(0.1, abs=0.011)


def test_pauses_double_up_to_two_seconds() -> None:
    assert list(islice(pauses(), 7)) == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
