"""Many calls at a time to several replicas."""

import asyncio
from collections.abc import Sequence

import grpc

from interlude.v1 import decision_pb2 as pb
from interlude.v1 import decision_pb2_grpc

_DEADLINE_SECONDS = 30.0
"""What is measured here is what is answered, not how soon."""


def ask_all(targets: Sequence[str], requests: Sequence[pb.DecideRequest], *, in_flight: int) -> list[pb.DecideResponse]:
    """The answers, in the order of `requests`, which go to `targets` in turn, `in_flight` of them at any time."""
    return asyncio.run(_ask_all(targets, requests, in_flight))


async def _ask_all(
    targets: Sequence[str], requests: Sequence[pb.DecideRequest], in_flight: int
) -> list[pb.DecideResponse]:
    answers: list[pb.DecideResponse | None] = [None] * len(requests)
    places = iter(range(len(requests)))
    channels = [grpc.aio.insecure_channel(target) for target in targets]
    stubs = [decision_pb2_grpc.DecisionServiceStub(channel) for channel in channels]

    async def ask() -> None:
        for place in places:
            answers[place] = await stubs[place % len(stubs)].Decide(requests[place], timeout=_DEADLINE_SECONDS)

    await asyncio.gather(*(ask() for _ in range(in_flight)))
    for channel in channels:
        await channel.close()
    return [answer for answer in answers if answer is not None]
