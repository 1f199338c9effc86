"""How requests gather and how answers find their way back."""

import math
import threading
from typing import Any

import grpc
import pytest
from conftest import ECHO, FIXED, OTHER, Run


def failure(future: Any) -> grpc.Call:
    with pytest.raises(grpc.RpcError) as raised:
        future.result(20)
    return raised.value  # type: ignore[return-value]


def test_a_lone_request_is_a_batch_of_one_with_its_remaining_time(run: Run) -> None:
    front = run()
    assert front.say(b"a", timeout=None) == b"a"
    assert front.say(b"b", timeout=5) == b"b"
    (first, second) = front.calls
    assert first == (ECHO, [b"a"], [math.inf])
    assert 4 < second[2][0] < 5.1  # grpcio rounds timeouts up


def test_an_empty_message_is_a_message(run: Run) -> None:
    assert run().say(b"") == b""


def test_requests_gather_while_python_is_busy_in_order_and_by_method(run: Run) -> None:
    front = run(batch_limit=3, queue_limit_ms=10_000)
    busy = front.hold()
    sent = [(ECHO, b"0"), (OTHER, b"1"), (ECHO, b"2"), (ECHO, b"3"), (OTHER, b"4"), (ECHO, b"5")]
    futures = []
    for count, (method, body) in enumerate(sent):
        futures.append(front.call(method).future(body, timeout=20))
        front.counted("in_flight", count + 2)
    front.gate.set()
    assert [future.result() for future in futures] == [body for _, body in sent]
    assert busy.result() == b"busy"
    assert [(method, bodies) for method, bodies, _ in front.calls[1:]] == [
        (ECHO, [b"0", b"2", b"3"]),
        (OTHER, [b"1", b"4"]),
        (ECHO, [b"5"]),
    ]
    counters = front.front.counters()
    assert (counters["batches"], counters["batched_requests"], counters["answered"]) == (4, 7, 7)


def test_an_answer_may_be_a_status_and_fails_its_request_alone(run: Run) -> None:
    def handle(_: str, bodies: list[bytes], __: list[float]) -> list[Any]:
        return [(3, "50 % of é, ∂ and\n🎵") if body == b"bad" else body for body in bodies]

    front = run(handle, queue_limit_ms=10_000)
    front.hold()
    futures = [front.call().future(body, timeout=20) for body in (b"good", b"bad", b"fine")]
    front.counted("in_flight", 4)
    front.gate.set()
    assert (futures[0].result(), futures[2].result()) == (b"good", b"fine")
    error = failure(futures[1])
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "50 % of é, ∂ and\n🎵")
    assert [len(bodies) for _, bodies, _ in front.calls] == [1, 3]


def test_every_code_arrives_and_a_long_text_is_cut(run: Run) -> None:
    front = run(lambda _, bodies, __: [(int(body), "x" * 100_000) for body in bodies])
    for code in grpc.StatusCode:
        if code is not grpc.StatusCode.OK:
            error = failure(front.call().future(str(code.value[0]).encode(), timeout=10))
            assert (error.code(), error.details()) == (code, "x" * 2048)


@pytest.mark.parametrize(
    "answer",
    [None, "text", 7, (3,), (3, 3), ("3", "x"), (0, "ok"), (17, "x"), (-1, "x"), (2**70, "x"), bytearray(b"x")],
)
def test_an_answer_of_another_kind_is_internal_for_its_request_alone(
    run: Run, caplog: pytest.LogCaptureFixture, answer: object
) -> None:
    front = run(lambda _, bodies, __: [answer if body == b"secret" else body for body in bodies], queue_limit_ms=10_000)
    front.hold()
    futures = [front.call().future(body, timeout=20) for body in (b"secret", b"fine")]
    front.counted("in_flight", 3)
    front.gate.set()
    error = failure(futures[0])
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    assert futures[1].result() == b"fine"
    assert [record.name for record in caplog.records] == ["batchfront"]
    assert "secret" not in caplog.text
    assert front.front.counters()["failed"] == 1


@pytest.mark.parametrize("answers", [[], [b"1"] * 3, None, (b"1",), b"1", "xx"])
def test_a_wrong_number_of_answers_fails_the_batch(run: Run, caplog: pytest.LogCaptureFixture, answers: object) -> None:
    front = run(lambda *_: answers)
    error = failure(front.call().future(b"a", timeout=10))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert front.front.counters()["failed_batches"] == 1
    assert "a batch of 1 failed" in caplog.text


def test_an_exception_fails_the_batch_and_says_nothing_of_the_request(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(_: str, bodies: list[bytes], __: list[float]) -> list[Any]:
        if b"fine" in bodies:
            return list(bodies)
        raise ValueError(bodies[0].decode())

    front = run(handle)
    error = failure(front.call().future(b"+4915112345678", timeout=10))
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    assert front.say(b"fine") == b"fine"
    assert "raised ValueError" in caplog.text
    assert "in handle" in caplog.text
    assert "4915112345678" not in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_exception_that_ends_threads_ends_work_after_failing_the_batch(run: Run) -> None:
    def handle(*_: object) -> list[Any]:
        raise SystemExit

    front = run(handle)
    assert failure(front.call().future(b"a", timeout=10)).code() is grpc.StatusCode.INTERNAL
    front.workers[0].join(5)
    assert not front.workers[0].is_alive()


def test_several_workers_take_batches_at_once(run: Run) -> None:
    both = threading.Barrier(2, timeout=10)

    def handle(_: str, bodies: list[bytes], __: list[float]) -> list[Any]:
        both.wait()
        return list(bodies)

    front = run(handle, workers=2, batch_limit=1)
    futures = [front.call().future(body, timeout=10) for body in (b"a", b"b")]
    assert [future.result() for future in futures] == [b"a", b"b"]


def test_an_echo_never_sees_python(run: Run) -> None:
    front = run(workers=0)
    assert front.say(b"anything", method=FIXED) == b"fixed"
    assert front.front.counters()["answered_in_rust"] == 1


def test_thousands_of_calls_get_their_own_answers(run: Run) -> None:
    front = run(queue_limit_ms=60_000, in_flight_limit=10_000)
    futures = [(str(number).encode() * 50, number) for number in range(3000)]
    sent = [(body, front.call().future(body, timeout=60)) for body, _ in futures]
    assert all(future.result() == body for body, future in sent)
    front.until(lambda: front.front.counters()["in_flight"] == 0)
    assert front.front.counters()["batches"] < 3000
