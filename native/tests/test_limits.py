"""Who is refused, who is let go, and what it costs."""

import time
from typing import Any

import grpc
import pytest
from conftest import ECHO, FIXED, Run
from rich_status import Info, Rich
from test_batches import failure


def retry_after_ms(error: grpc.Call) -> int:
    """From the RetryInfo in the trailers."""
    details = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    rich = Rich.FromString(details)
    assert (rich.code, rich.message) == (8, error.details())
    assert rich.details[0].type_url == "type.googleapis.com/google.rpc.RetryInfo"
    return int(Info.FromString(rich.details[0].value).retry_delay.ToMilliseconds())


def test_an_expired_request_never_reaches_python(run: Run) -> None:
    front = run(queue_limit_ms=10_000)
    busy = front.hold()
    late = front.call().future(b"late", timeout=0.1)
    assert failure(late).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    front.gate.set()
    assert busy.result() == b"busy"
    front.counted("expired", 1)
    assert [bodies for _, bodies, _ in front.calls] == [[b"busy"]]
    front.until(lambda: front.front.counters()["in_flight"] == 0)


def test_a_cancelled_request_never_reaches_python(run: Run) -> None:
    front = run(queue_limit_ms=10_000)
    busy = front.hold()
    gone = [front.call().future(b"gone", timeout=20) for _ in range(50)]
    stays = front.call().future(b"stays", timeout=20)
    front.counted("in_flight", 52)
    for call in gone:
        call.cancel()
    assert front.say(b"after", method=FIXED) == b"fixed"  # behind the cancels on the same connection
    front.gate.set()
    assert (busy.result(), stays.result()) == (b"busy", b"stays")
    assert [bodies for _, bodies, _ in front.calls] == [[b"busy"], [b"stays"]]
    assert front.front.counters()["cancelled"] == 50


def test_an_answer_after_the_deadline_is_late(run: Run) -> None:
    front = run()
    front.gate.clear()
    assert failure(front.call().future(b"x", timeout=0.1)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    front.gate.set()
    front.counted("late", 1)
    assert front.front.counters()["answered"] == 0


def test_the_limit_in_flight_refuses_with_retry_info(run: Run) -> None:
    front = run(in_flight_limit=2, retry_after_ms=250, queue_limit_ms=10_000)
    busy = front.hold()
    waits = front.call().future(b"waits", timeout=20)
    front.counted("in_flight", 2)
    error = failure(front.call().future(b"third", timeout=20))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert retry_after_ms(error) == 250
    front.gate.set()
    assert (busy.result(), waits.result()) == (b"busy", b"waits")
    assert front.say(b"again") == b"again"
    assert front.front.counters()["refused_in_flight"] == 1


def test_nobody_joins_a_line_that_stands_still(run: Run) -> None:
    front = run(queue_limit_ms=50, batch_limit=1)
    front.hold()
    first = front.call().future(b"first", timeout=20)
    front.counted("in_flight", 2)
    time.sleep(0.06)
    error = failure(front.call().future(b"too late", timeout=20))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert retry_after_ms(error) == 100
    front.gate.set()
    assert first.result() == b"first"
    assert front.say(b"again") == b"again"
    assert front.front.counters()["refused_queue"] == 1


def test_thousands_of_refusals_leave_the_connection_whole(run: Run) -> None:
    front = run(in_flight_limit=1)
    busy = front.hold()
    errors = [failure(future) for future in [front.call().future(b"x" * 500, timeout=20) for _ in range(5000)]]
    assert {error.code() for error in errors} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    front.gate.set()
    assert busy.result() == b"busy"
    assert front.front.counters()["connections"] == 1


def test_thousands_of_cancels_leave_the_connection_whole(run: Run) -> None:
    front = run(in_flight_limit=512, queue_limit_ms=10_000)
    busy = front.hold()
    for _ in range(20):
        calls = [front.call().future(b"x", timeout=20) for _ in range(250)]
        for call in calls:
            call.cancel()
    front.gate.set()
    assert busy.result() == b"busy"
    assert front.say(b"whole") == b"whole"
    assert front.front.counters()["connections"] == 1
    front.until(lambda: front.front.counters()["in_flight"] == 0)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_beyond_the_limit_is_resource_exhausted(run: Run, compression: grpc.Compression) -> None:
    front = run(message_bytes_limit=1000)
    assert front.say(b"x" * 1000) == b"x" * 1000
    for size in (1001, 10_000_000):
        future = front.call().future(b"x" * size, timeout=20, compression=compression)
        assert failure(future).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert front.say(b"on the same connection") == b"on the same connection"
    assert front.front.counters()["refused_message"] == 2


def test_gzip_is_read(run: Run) -> None:
    front = run()
    assert front.call()(b"x" * 5000, timeout=10, compression=grpc.Compression.Gzip) == b"x" * 5000


def test_deflate_is_unimplemented_and_told_what_is_not(run: Run) -> None:
    front = run()
    error = failure(front.call().future(b"x" * 5000, timeout=10, compression=grpc.Compression.Deflate))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_method_or_service_that_is_not_there_is_unimplemented(run: Run) -> None:
    front = run()
    for path in ("/test.v1.Echo/Shout", "/no.Such/Thing", "/x", "/grpc.health.v1.Health/Nothing"):
        assert failure(front.call(path).future(b"", timeout=10)).code() is grpc.StatusCode.UNIMPLEMENTED
    assert front.front.counters()["unknown"] == 3


def test_a_large_answer_arrives(run: Run) -> None:
    front = run(lambda _, bodies, __: [b"x" * 3_000_000 for _ in bodies])
    assert len(front.say(b"")) == 3_000_000


def test_a_stream_of_two_messages_is_unimplemented(run: Run) -> None:
    front = run()
    stream: Any = front.channel.stream_unary(ECHO)
    with pytest.raises(grpc.RpcError) as raised:
        stream(iter([b"a", b"b"]), timeout=10)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
