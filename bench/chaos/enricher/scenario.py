"""The two measurements of the enricher, one after the other on the same parts."""

import time

import redis

from bench.chaos.enricher import kills, outages
from bench.chaos.findings import Finding
from bench.chaos.ground import say
from bench.chaos.sizes import EnricherSizes
from devstack.stack import Part, Stack
from devstack.topics import recreate_topics


def measure(sizes: EnricherSizes) -> list[Finding]:
    """Kills, then outages, each on empty topics and an empty Redis."""
    findings: list[Finding] = []
    with Stack.start({Part.KAFKA, Part.REDIS}, durable_redis=True) as stack:
        for name, one in (("kills", kills.measure), ("outages", outages.measure)):
            began = time.perf_counter()
            recreate_topics(stack.kafka, sizes.partitions)
            with redis.Redis.from_url(stack.redis) as client:
                client.flushall()
            findings += one(stack, sizes)
            say("", f"enricher: {name} done in {time.perf_counter() - began:.0f} s")
    return findings
