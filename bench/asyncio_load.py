"""Load on one method, in a process of its own: `python -m bench.asyncio_load TARGET METHOD closed IN_FLIGHT SECONDS CUSTOMERS`
or `… open RATE SECONDS CUSTOMERS`. Prints one JSON object.

For machines without a Rust compiler: it ends near 4,700 calls a second, and its sleeping adds up to 1 ms to an open loop.

Closed: as many calls in flight as asked, each followed by the next. Open: calls at fixed times whatever happens, latency
counted from the intended time, so that a slow answer cannot hide the calls that it delayed.
"""

import asyncio
import gc
import json
import random
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import grpc
import numpy as np

from interlude.v1 import decision_pb2 as pb

DEADLINE_SECONDS = 0.05
WARM_UP_CALLS = 300

Call = grpc.aio.UnaryUnaryMultiCallable[Any, pb.DecideResponse]


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a load measured. Latencies in ms; `late` calls passed their deadline, `failed` ended with another error."""

    calls: int
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    late: int
    failed: int
    shown: int
    cpu_seconds: float


class Recorder:
    """Makes calls and remembers how they went."""

    def __init__(self, call: Call, customers: int, *, deadline_seconds: float | None) -> None:
        self._call = call
        self._customers = customers
        self._deadline_seconds = deadline_seconds
        self._random = random.Random(time.time_ns())
        self._prefix = f"{self._random.getrandbits(48):012x}"
        self._number = 0
        self.latencies_seconds: list[float] = []
        self.late = self.failed = self.shown = 0

    async def ask(self, intended_seconds: float | None = None) -> None:
        """One call; its latency counts from `intended_seconds` (perf_counter), by default from now."""
        self._number += 1
        request = pb.DecideRequest(
            request_id=f"{self._prefix}-{self._number}", customer_id=self._random.randrange(self._customers)
        )
        started = time.perf_counter() if intended_seconds is None else intended_seconds
        try:
            response = await self._call(request, timeout=self._deadline_seconds)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                self.late += 1
            else:
                self.failed += 1
        else:
            self.shown += response.show
            self.latencies_seconds.append(time.perf_counter() - started)

    def result(self, seconds: float) -> LoadResult:
        """The measurements so far, taken in `seconds`."""
        ms = np.array(self.latencies_seconds) * 1000
        p50, p99, p999, worst = (float(value) for value in np.percentile(ms, [50, 99, 99.9, 100]))
        return LoadResult(
            len(ms),
            seconds,
            len(ms) / seconds,
            p50,
            p99,
            p999,
            worst,
            self.late,
            self.failed,
            self.shown,
            time.process_time(),
        )


async def closed_loop(recorder: Recorder, in_flight: int, seconds: float) -> LoadResult:
    """`in_flight` callers, each asking again as soon as it is answered."""
    started = time.perf_counter()
    end = started + seconds

    async def caller() -> None:
        while time.perf_counter() < end:
            await recorder.ask()

    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return recorder.result(time.perf_counter() - started)


async def open_loop(recorder: Recorder, rate: float, seconds: float) -> LoadResult:
    """`rate` calls a second at fixed times."""
    started = time.perf_counter()
    tasks = []
    for number in range(int(rate * seconds)):
        intended = started + number / rate
        await asyncio.sleep(max(0.0, intended - time.perf_counter()))
        tasks.append(asyncio.create_task(recorder.ask(intended)))
    await asyncio.gather(*tasks)
    return recorder.result(time.perf_counter() - started)


async def run(target: str, method: str, shape: str, amount: float, seconds: float, customers: int) -> LoadResult:
    """One load, after a warm-up that is not counted."""
    async with grpc.aio.insecure_channel(target) as channel:
        call = channel.unary_unary(
            method,
            request_serializer=pb.DecideRequest.SerializeToString,
            response_deserializer=pb.DecideResponse.FromString,
        )
        warm_up = Recorder(call, customers, deadline_seconds=None)
        for _ in range(WARM_UP_CALLS):
            await warm_up.ask()
        gc.collect()
        gc.freeze()
        if shape == "closed":
            return await closed_loop(Recorder(call, customers, deadline_seconds=None), int(amount), seconds)
        return await open_loop(Recorder(call, customers, deadline_seconds=DEADLINE_SECONDS), amount, seconds)


def main() -> None:
    """Run the load that the command line names."""
    target, method, shape, amount, seconds, customers = sys.argv[1:]
    result = asyncio.run(run(target, method, shape, float(amount), float(seconds), int(customers)))
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
