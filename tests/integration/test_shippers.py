"""Log files through a real rsyslog into Kafka: the same features as the loader gives, once per line, bad lines kept."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from google.protobuf import json_format

from demo.load import BadLines, load
from demo.replay import replay_producer
from demo.simulator import World, campaign_of, history_of, profile
from devstack.process import ChildProcess
from devstack.stack import Part, Stack
from devstack.topics import TopicPlan, create, recreate_topics
from interlude.events.topics import Topic, dead_letter_topic
from interlude.v1 import events_pb2 as pb
from tests.integration.enricher_scene import (
    DEADLINE_S,
    READ_TOPICS,
    Progress,
    empty,
    launch_enricher,
    until,
    values_in,
)

ROOT: Final = Path(__file__).resolve().parents[2]
PUBLIC_DATA: Final = Path(os.environ.get("DATA") or ROOT.parent / "shared" / "data")
CONFIGURATION: Final = ROOT / "deploy" / "shippers" / "rsyslog" / "interlude.conf"
RSYSLOGD: Final = shutil.which("rsyslogd") or shutil.which("rsyslogd", path="/usr/sbin:/sbin")
OMKAFKA: Final = [*Path("/usr/lib").glob("**/rsyslog/omkafka.so"), *Path("/usr/lib64").glob("rsyslog/omkafka.so")]
NOBODY: Final = 65534
STOP_S: Final = 40.0
"""Without Kafka it waits for its queues' workers and for Kafka's client."""
DATABASE: Final = 44
DEAD_LETTER_BYTES: Final = 4 * 1024 * 1024

pytestmark = [
    pytest.mark.skipif(RSYSLOGD is None, reason="shippers: no rsyslogd on this machine"),
    pytest.mark.skipif(not OMKAFKA, reason="shippers: rsyslog has no omkafka (Debian: rsyslog-kafka)"),
]

JSON_LINE: Final = (
    b'{"eventId": "play-1", "customerId": 42, "trackId": 7, "playedAtMs": 1700000000000, "device": "DEVICE_PC"}'
)
BAD_LINES: Final = (
    b'9,42,7,"2014-10-23 03:26",0,"72132"',
    b'9,42,7,"2014-13-23 03:26:20",0,"72132"',
    b'9,42,7,"2014-02-31 03:26:20",0,"72132"',
    b"no listen at all \xff\xc3\t%msg%",
    b'{"eventId": "cut off',
    b'{"eventId": "play-2", "customerId": 42, "trackId": 7}',
)


@contextmanager
def _rsyslog(kafka: str, directory: Path, listens: Path, clicks: Path, work: Path | None = None) -> Iterator[int]:
    """One that reads both files, from where the one before with that work directory stopped, else from their beginning; as a
    user without rights where we have them. Gives its process id."""
    work = work or directory / f"work-{time.monotonic_ns()}"
    work.mkdir(exist_ok=True)
    command = [RSYSLOGD or "", "-n", "-i", str(work / "pid"), "-f", str(CONFIGURATION)]
    if os.getuid() == 0:
        for path in (directory, *directory.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
    # Only what pytest made for us may have to be entered by that user.
    for parent in list(directory.parents)[:2]:
        parent.chmod(parent.stat().st_mode | 0o011)
    environment = {
        **os.environ,
        "INTERLUDE_KAFKA": kafka,
        "INTERLUDE_LISTENS": str(listens),
        "INTERLUDE_CLICKS": str(clicks),
        "INTERLUDE_WORK": str(work),
    }
    shipper = ChildProcess("rsyslog", command, log=directory / "rsyslog.log", environment=environment)
    shipper.start()
    try:
        yield shipper.pid
        assert shipper.alive, shipper.log_tail()
    finally:
        shipper.terminate(STOP_S)


def _records(kafka: str, topic: str, partitions: int = 4) -> list[Message]:
    """All that the topic holds."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "reader"})
    places = [TopicPartition(topic, partition, 0) for partition in range(partitions)]
    total = sum(consumer.get_watermark_offsets(place, timeout=DEADLINE_S)[1] for place in places)
    consumer.assign(places)
    found: list[Message] = []
    while len(found) < total:
        found += consumer.consume(total - len(found), DEADLINE_S)
    consumer.close()
    return found


def _records_in(kafka: str) -> int:
    """Records of all topics that the enricher reads; topics made anew may not have their leaders yet."""
    counts: list[int] = []

    def counted() -> bool:
        try:
            progress = Progress(kafka, "counter")
        except KafkaException:
            return False
        progress.close()
        counts.append(progress.end)
        return True

    until(counted, "Kafka did not say how many records it has")
    return counts[0]


def _ship(kafka: str, directory: Path, listens: Path, clicks: Path) -> None:
    """Both files from their beginning; returns when Kafka has every line of them once more."""
    lines = len(listens.read_bytes().splitlines()) + len(clicks.read_bytes().splitlines())
    wanted = _records_in(kafka) + lines

    def arrived() -> bool:
        return _records_in(kafka) >= wanted

    with _rsyslog(kafka, directory, listens, clicks):
        until(arrived, f"{lines} lines did not arrive")


def _folded(stack: Stack, group_id: str) -> dict[bytes, bytes]:
    """What an enricher that reads all there is leaves in an empty Redis."""
    empty(stack, DATABASE)
    letters = [TopicPlan(dead_letter_topic(topic, group_id), 1, DEAD_LETTER_BYTES) for topic in READ_TOPICS]
    create(stack.kafka, letters)
    enricher = launch_enricher(stack, group_id, DATABASE)
    progress = Progress(stack.kafka, group_id)
    progress.reach(1.0)
    progress.close()
    enricher.process.terminate()
    return {key: value for key, value in values_in(stack, DATABASE).items() if key.startswith(b"f:")}


def _wall_clock(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _write_simulated(directory: Path) -> None:
    """Weeks of 40 listeners in the public format; the first lines twice and CR LF after clicks, as it is there."""
    world = World(seed=5, customers=40, until_ms=1_700_000_000_000)
    listens: list[str] = []
    clicks: list[str] = []
    for person in world.listeners():
        for play in history_of(world, person):
            mobile = int(play.device == pb.DEVICE_MOBILE)
            when = _wall_clock(play.played_at_ms)
            listens.append(f'{len(listens)},{play.customer_id},{play.track_id},"{when}",{mobile},"{play.postal_code}"')
        for event in campaign_of(world, person, profile(world, person)):
            if event.kind == pb.AD_EVENT_KIND_CLICK:
                clicks.append(f'{len(clicks)},{event.customer_id},"ADV_GOLD","{_wall_clock(event.at_ms)}"')
    (directory / "tracks.csv").write_text("\n".join([*listens, *listens[:5]]) + "\n")
    (directory / "clicks.csv").write_bytes(b"".join(line.encode() + b"\r\n" for line in clicks))
    (directory / "cust.csv").write_text(
        "CustID,Name,Gender,Address,zip,SignDate,Status,Level,Campaign,LinkedWithApps\n"
    )


def _copy_public(directory: Path) -> None:
    """The public listens, and clicks enough to prove the format."""
    if not PUBLIC_DATA.is_dir():
        pytest.skip("shippers: the public logs are not beside this repository")
    shutil.copyfile(PUBLIC_DATA / "tracks.csv", directory / "tracks.csv")
    clicks = (PUBLIC_DATA / "clicks.csv").read_bytes().splitlines(keepends=True)[:2000]
    (directory / "clicks.csv").write_bytes(b"".join(clicks))
    header = (PUBLIC_DATA / "cust.csv").read_bytes().splitlines(keepends=True)[0]
    (directory / "cust.csv").write_bytes(header)


@pytest.mark.parametrize("write", [_write_simulated, _copy_public], ids=["simulated", "public"])
def test_shipped_files_give_the_features_of_the_loader_however_often(
    stack: Stack, system_topics: str, group_id: str, tmp_path: Path, write: Callable[[Path], None]
) -> None:
    write(tmp_path)
    listens, clicks = tmp_path / "tracks.csv", tmp_path / "clicks.csv"
    bad_lines = BadLines()
    loaded = load(tmp_path, time.time_ns() // 1_000_000, replay_producer(system_topics), bad_lines)
    assert bad_lines.count == 0
    partitions = {m.key(): m.partition() for t in (Topic.LISTENS, Topic.AD_EVENTS) for m in _records(stack.kafka, t)}
    expected = _folded(stack, f"{group_id}-loader")
    recreate_topics(stack.kafka)

    _ship(stack.kafka, tmp_path, listens, clicks)
    shipped = [m for t in (Topic.LISTENS, Topic.AD_EVENTS) for m in _records(stack.kafka, t)]
    assert {m.key(): m.partition() for m in shipped} == partitions, "not where our own producers put it"
    once = _folded(stack, f"{group_id}-once")
    assert once.keys() == expected.keys() != set()
    assert [key for key in expected if once[key] != expected[key]] == []

    _ship(stack.kafka, tmp_path, listens, clicks)
    assert len(_records(stack.kafka, Topic.LISTENS)) == 2 * loaded[Topic.LISTENS]
    assert _folded(stack, f"{group_id}-twice") == expected


def test_json_lines_go_out_as_they_are_and_bad_lines_end_as_dead_letters(
    stack: Stack, system_topics: str, group_id: str, tmp_path: Path
) -> None:
    listens, clicks = tmp_path / "listens.log", tmp_path / "clicks.log"
    listens.write_bytes(b"\n".join([*BAD_LINES, JSON_LINE]) + b"\n")
    clicks.write_bytes(b"not,a,click\n")
    _ship(system_topics, tmp_path, listens, clicks)
    good = [m for m in _records(stack.kafka, Topic.LISTENS) if m.value() == JSON_LINE + b"\n"]
    assert [m.key() for m in good] == [b"42"]
    assert list(_folded(stack, group_id)) == [b"f:{42}"]
    letters = _records(stack.kafka, dead_letter_topic(Topic.LISTENS, group_id), partitions=1)
    assert sorted(letter.value() or b"" for letter in letters) == sorted(line + b"\n" for line in BAD_LINES)
    (letter,) = _records(stack.kafka, dead_letter_topic(Topic.AD_EVENTS, group_id), partitions=1)
    assert letter.value() == b"not,a,click\n"


_CSV_LINE: Final = b'%(n)d,7,%(n)d,"2014-10-23 03:26:20",0,"72132"'
_JSON_LINE: Final = (
    b'{"eventId": "play-%(n)d", "customerId": 7, "trackId": %(n)d, "playedAtMs": 1700000000000, "device": "DEVICE_PC"}'
)


class _GrowingLog:
    """A file of listens to which lines come."""

    def __init__(self, directory: Path) -> None:
        self.listens, self.clicks = directory / "listens.log", directory / "clicks.log"
        self.listens.touch()
        self.clicks.touch()
        self.lines = 0

    def grow(self, lines: int) -> None:
        """So many more, JSON and CSV in turn; each is about a track of its own."""
        begin = self.lines
        new = [(_CSV_LINE if number % 2 else _JSON_LINE) % {b"n": number} for number in range(begin, begin + lines)]
        with self.listens.open("ab") as file:
            file.write(b"\n".join(new) + b"\n")
        self.lines += lines


def _has_read(pid: int, log: Path) -> bool:
    """Whether the process is at the end of `log` with one of the descriptors under which it has it open."""
    opened = [number for number in Path(f"/proc/{pid}/fd").iterdir() if number.resolve() == log]
    places = [Path(f"/proc/{pid}/fdinfo/{number.name}").read_text().split()[1] for number in opened]
    return str(log.stat().st_size) in places


def _event_ids(kafka: str) -> dict[int, set[str]]:
    """By track, the ids of the events about it that Kafka has. Whatever is no event of ours fails."""
    found: dict[int, set[str]] = {}
    for record in _records(kafka, Topic.LISTENS):
        listen = json_format.Parse(record.value() or b"", pb.Listen())
        assert record.key() == b"%d" % listen.customer_id
        found.setdefault(listen.track_id, set()).add(listen.event_id)
    return found


def _missing(kafka: str, log: _GrowingLog) -> int:
    """How many of the lines are not in Kafka."""
    try:
        return len(set(range(log.lines)) - _event_ids(kafka).keys())
    except KafkaException:
        return log.lines


def test_nothing_is_lost_when_kafka_hangs_or_dies_and_rsyslog_is_restarted_meanwhile(
    stack: Stack, system_topics: str, tmp_path: Path
) -> None:
    log, work = _GrowingLog(tmp_path), tmp_path / "work"

    def all_there() -> bool:
        return _missing(stack.kafka, log) == 0

    log.grow(500)
    with _rsyslog(system_topics, tmp_path, log.listens, log.clicks, work) as pid:
        until(all_there, "the first lines did not arrive")
        stack.pause(Part.KAFKA)
        log.grow(3000)
        until(lambda: _has_read(pid, log.listens), "what came while Kafka hung was not read")
    with _rsyslog(system_topics, tmp_path, log.listens, log.clicks, work) as pid:
        log.grow(500)
        until(lambda: _has_read(pid, log.listens), "what came after the restart was not read")
        stack.resume(Part.KAFKA)
        until(all_there, "lines of the time when Kafka hung did not arrive", 120)
        stack.kill(Part.KAFKA)
        log.grow(3000)
        until(lambda: _has_read(pid, log.listens), "what came while Kafka was dead was not read")
    with _rsyslog(system_topics, tmp_path, log.listens, log.clicks, work):
        log.grow(500)
        stack.restart(Part.KAFKA)
        until(all_there, "lines of the time when Kafka was dead did not arrive", 120)
        log.grow(100)
        until(all_there, "lines of afterwards did not arrive")
    found = _event_ids(stack.kafka)
    assert found.keys() == set(range(log.lines))
    assert [track_id for track_id, event_ids in found.items() if len(event_ids) > 1] == [], "a line has got a second id"
    assert len(_records(stack.kafka, Topic.LISTENS)) < 3 * log.lines
