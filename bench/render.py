"""`docs/measured.md` from what lies in `var/measured`: `python -m bench.render`."""

import json
from pathlib import Path
from typing import Any

from bench.measured import DIRECTORY

TARGET = Path("docs/measured.md")
HEADER = """# Measured

Made by `make measured` from the newest run of each measurement on one machine; ratios were taken side by side in one run.
"""
PEERS = """
Figures `*_vs_peers`: Feast and MLServer beside us, on the same Redis process and ONNX file, with the same 100,000 listeners written
through Feast's own API. Their caller reads one listener's six features from Feast, then asks MLServer (gRPC, V2 protocol) for
the probability, and has checked that it is ours; ours is the whole decision with caps, consent and log. Each of their servers is
one process, as ours is; nothing is pinned to a processor. The caller reads with Feast's SDK in its own process (`sdk`,
`async_sdk`) and from Feast's server (`server`), and what is faster counts in each round. Their caller is in Python, because
Feast's SDK is; ours is in Rust where there is cargo, so `*_from_python` has our p50 for a caller in Python as well.
"""
FRESHNESS = """
Listens are produced at a steady rate by a process of its own; a subscriber to Redis' keyspace notifications reads what was
written and notes which listens it includes. Every listen counts, from when it was due, in an HDR histogram of three digits.
Enricher and Spark run one after the other on the same topic and Redis, each with the machine to itself, after a warm-up, for other
listeners with equally full states. Spark gets `local[4]` for 4 partitions, the smallest trigger, no waiting for locality, and the
enricher's own decode, fold and encode in its Python workers: `spark_microbatch` keeps the same state in Spark's state store and
must come to the same bytes (`spark_equal_share`); `spark_stateless` and `spark_real_time` are easier than what the enricher does:
each listen becomes the features of a listener who has but that one. Kafka has both its compilers, as in production. Some listens
close an interest, which is in Kafka before it is in Redis (`steady_interests`; until 30 November most did, as every listener of
this benchmark played one track for ever). `events_per_second`: all enrichers stand before the backlog
with their partitions when it begins; counted from 20 to 90 % of it.
"""


def render(documents: list[dict[str, Any]]) -> str:
    """The page for these measurements."""
    parts = [HEADER]
    for document in documents:
        parts.append(
            f"\n## {document['name']}\n\n{document['machine']}; commit {document['commit']}; {document['at']}\n"
        )
        if "p50_vs_peers" in document["figures"]:
            parts.append(PEERS)
        if "events_per_second" in document["figures"]:
            parts.append(FRESHNESS)
        parts.append("\n| figure | value | unit | compared to, or under |\n|---|---:|---|---|\n")
        for name, figure in document["figures"].items():
            parts.append(f"| `{name}` | {figure['value']} | {figure['unit']} | {figure['compared_to']} |\n")
    return "".join(parts)


def main() -> None:
    """Write the page."""
    documents = [json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.json"))]
    if not documents:
        raise SystemExit("nothing was measured yet: run `make bench`, `make bench-freshness` or `make chaos`")
    TARGET.write_text(render(documents))
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()
