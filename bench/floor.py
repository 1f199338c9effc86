"""What one read of Redis costs: from Python on a held connection, as the service reads, and from Redis' own benchmark."""

import random
import re
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlparse

from bench.servers import CUSTOMERS
from devstack.valkey import find_server
from interlude.contacts.ledger import contacts_key
from interlude.features.codec import hot_key
from interlude.features.generation import GENERATION_KEY
from interlude.servicekit.redis import ConnectionPerThread

READS: Final = 3000
_BENCHMARKS: Final = ("valkey-benchmark", "redis-benchmark")
_P50: Final = re.compile(r"p50=([\d.]+) msec")


def read_p50_ms(redis_url: str) -> float:
    """Median of reading the keys of one listener, with nothing else going on in this process."""
    connections = ConnectionPerThread(redis_url, timeout_ms=1000)
    seconds = []
    for _ in range(READS):
        customer_id = random.randrange(CUSTOMERS)
        started = time.perf_counter()
        connections.call("MGET", GENERATION_KEY, hot_key(customer_id), contacts_key(customer_id))
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1000


def benchmark_p50_ms(redis_url: str) -> float | None:
    """The same read, as Redis' own benchmark measures it with one connection; None where there is no such program."""
    program = _find_benchmark()
    if program is None:
        return None
    port = str(urlparse(redis_url).port)
    read = ["MGET", GENERATION_KEY, hot_key(1), contacts_key(1)]
    command = [program, "-p", port, "-c", "1", "-n", str(READS), "-q", *read]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = _P50.search(done.stdout)
    return float(found.group(1)) if found else None


def _find_benchmark() -> str | None:
    beside = Path(find_server()).parent
    for name in _BENCHMARKS:
        found = shutil.which(name) or shutil.which(name, path=str(beside))
        if found:
            return found
    return None
