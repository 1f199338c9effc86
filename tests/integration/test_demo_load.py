"""`python -m demo.load` on real Kafka: bad lines named, good ones folded, the same however often it is run."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from devstack.places import REPOSITORY
from devstack.stack import Stack
from devstack.topics import TopicPlan, create, delete_topics
from interlude.events.topics import dead_letter_topic
from interlude.features.codec import decode_hot, decode_state
from interlude.v1 import events_pb2 as pb
from tests.integration.enricher_scene import (
    DEADLINE_S,
    READ_TOPICS,
    EnricherProcess,
    Progress,
    empty,
    launch_enricher,
    values_in,
)

DATABASE: Final = 48
CUSTOMERS: Final = """CustID,Name,Gender,Address,zip,SignDate,Status,Level,Campaign,LinkedWithApps\r
3,"Ada Brook",0,"1 Gate Bend","66216","01/13/2013",1,1,4,1\r
4,"Ben Field",1,"2 Gate Bend","66216","13/13/2013",1,1,4,1\r
"""
LISTENS: Final = """0,3,453,"2014-10-23 03:26:20",1,"72132"
1,3,453,"2014-10-23 03:30:20",1,"72132"
1,3,453,"2014-10-23 03:30:20",1,"72132"
2,3,x,"2014-10-23 03:33:20",0,"72132"
3,3,7,"2014-10-23 03:31:00",0,"72132"
"""
CLICKS: Final = '305,3,"ADV_FREE_REFERRAL","2014-11-26 22:24:21"\r\nno click\r\n'


@pytest.fixture
def enricher(stack: Stack, system_topics: str, group_id: str) -> Iterator[EnricherProcess]:
    """One that runs, with dead letters for its group."""
    plans = [TopicPlan(dead_letter_topic(topic, group_id), 1, 4 * 1024 * 1024) for topic in READ_TOPICS]
    create(system_topics, plans)
    empty(stack, DATABASE)
    running = launch_enricher(stack, group_id, DATABASE)
    yield running
    running.process.terminate()
    delete_topics(system_topics, [plan.name for plan in plans])


def _load(kafka: str, directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "demo.load", "--kafka", kafka, "--data", str(directory)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def test_made_up_logs_load_and_load_again(
    stack: Stack, enricher: EnricherProcess, group_id: str, tmp_path: Path
) -> None:
    for name, text in (("cust.csv", CUSTOMERS), ("tracks.csv", LISTENS), ("clicks.csv", CLICKS)):
        (tmp_path / name).write_bytes(text.encode())
    hot: list[bytes] = []
    for _ in range(2):
        loaded = _load(stack.kafka, tmp_path)
        assert loaded.returncode == 0, loaded.stderr
        assert loaded.stdout.startswith("1 customers, 4 listens, 1 ad-events in ")
        assert loaded.stdout.endswith("3 bad lines left out\n")
        assert [line.partition(": ")[0] for line in loaded.stderr.splitlines()] == [
            "cust.csv:3",
            "tracks.csv:4",
            "clicks.csv:2",
        ]
        progress = Progress(stack.kafka, group_id)
        progress.reach(1.0)
        progress.close()
        hot.append(values_in(stack, DATABASE)[b"f:{3}"])
    assert hot[0] == hot[1]
    assert decode_hot(hot[0]).level == pb.LEVEL_SILVER
    state = decode_state(values_in(stack, DATABASE)[b"s:{3}"])
    assert (len(state.listens.marks), len(state.ad_events.kinds)) == (4, 1)
    # A profile as old as the known one is taken again, which changes nothing.
    assert enricher.sample("interlude_enricher_events_total", topic="listens", outcome="applied") == 4
    assert enricher.sample("interlude_enricher_events_total", topic="listens", outcome="duplicate") == 4
