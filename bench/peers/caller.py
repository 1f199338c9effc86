"""The peers' caller: reads one listener's features from Feast, then asks MLServer, over and over.

`python -m bench.peers.caller SETTINGS`, in Feast's environment. SETTINGS is a JSON object with the fields of `Settings`. Each
line on standard input is a load (a JSON object with the fields of `Load`) and is answered by one line, its result in JSON.
"""

import asyncio
import gc
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import aiohttp
import grpc
import numpy as np
import uvloop
from feast import FeatureStore
from tritonclient.grpc import service_pb2, service_pb2_grpc

from bench.peers.ways import Read, all_ways

WARM_UP_CALLS: Final = 300
_TOLERANCE: Final = 1e-5
"""Between what MLServer predicts from Feast's values and what our scorer does from ours: the bound of our golden rows."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is. `vectors` and `expected` are .npy files: shape (customers, features), (customers,)."""

    repository: str
    feast: str
    mlserver: str
    model: str
    names: list[str]
    vectors: str
    expected: str


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask: features in a `way` (empty: none are read, MLServer gets known ones), predicted or not."""

    way: str
    predict: bool
    in_flight: int
    seconds: float


class Caller:
    """Makes whole calls and checks what comes back."""

    def __init__(self, settings: Settings, ways: dict[str, Read], channel: grpc.aio.Channel) -> None:
        self._ways = ways
        self._vectors = np.load(settings.vectors)
        self._expected = np.load(settings.expected)
        self._model = settings.model
        self._infer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer

    async def measure(self, load: Load) -> dict[str, float]:
        """One closed loop after a warm-up whose answers are compared with ours. Raises SystemExit where they differ."""
        for _ in range(WARM_UP_CALLS):
            await self._check(load, self._any_customer())
        gc.collect()
        gc.freeze()
        return await _closed_loop(lambda: self._call(load, self._any_customer()), load.in_flight, load.seconds)

    async def _call(self, load: Load, customer_id: int) -> np.ndarray | float:
        """The click probability, or the vector where nothing is to be predicted."""
        way = self._ways.get(load.way)
        vector = self._vectors[customer_id : customer_id + 1] if way is None else await way(customer_id)
        return await self._predict(vector) if load.predict else vector

    async def _predict(self, vector: np.ndarray) -> float:
        request = service_pb2.ModelInferRequest(model_name=self._model)
        request.inputs.add(name="features", datatype="FP32", shape=vector.shape)
        request.raw_input_contents.append(vector.tobytes())
        answer = await self._infer(request)
        return float(np.frombuffer(answer.raw_output_contents[0], "<f4")[1])

    async def _check(self, load: Load, customer_id: int) -> None:
        got = await self._call(load, customer_id)
        wanted = self._expected[customer_id] if load.predict else self._vectors[customer_id]
        if not np.allclose(got, wanted, rtol=0, atol=_TOLERANCE):
            sys.exit(f"{load}: customer {customer_id} gives {got}, ours is {wanted}")

    def _any_customer(self) -> int:
        return random.randrange(len(self._vectors))


async def _closed_loop(call: Callable[[], Awaitable[object]], in_flight: int, seconds: float) -> dict[str, float]:
    latencies_seconds: list[float] = []
    begun = time.perf_counter()
    end = begun + seconds

    async def one_after_another() -> None:
        while (started := time.perf_counter()) < end:
            await call()
            latencies_seconds.append(time.perf_counter() - started)

    await asyncio.gather(*(one_after_another() for _ in range(in_flight)))
    took = time.perf_counter() - begun
    return {"per_second": len(latencies_seconds) / took, "p50_ms": float(np.median(latencies_seconds)) * 1000}


async def _serve(settings: Settings) -> None:
    connector = aiohttp.TCPConnector(limit=0)  # connections are kept, and there are as many as calls in flight
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        grpc.aio.insecure_channel(settings.mlserver) as channel,
    ):
        store = FeatureStore(repo_path=settings.repository)
        caller = Caller(settings, all_ways(store, http, settings.feast, settings.names), channel)
        # In a thread, so that connections which servers close between two loads are found closed by the next.
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await caller.measure(Load(**json.loads(line)))), flush=True)


def main() -> None:
    """Answer loads until standard input ends."""
    uvloop.run(_serve(Settings(**json.loads(sys.argv[1]))))


if __name__ == "__main__":
    main()
