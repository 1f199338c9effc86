"""Records on disk: kept in order, bounded, whole after a kill, and never more than one process' own."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.decision.spill import SEGMENT_BYTES, Spill, SpilledRecord, SpillTaken

_BIG = 100 * SEGMENT_BYTES


def _record(number: int, size: int = 10, topic: str = "decisions") -> SpilledRecord:
    return SpilledRecord(topic, b"%d" % number, b"%08d" % number + b"\0" * (size - 8))


class _Scene:
    """A spill with what it counted as lost."""

    def __init__(self, directory: Path, bytes_limit: int = _BIG) -> None:
        self.dropped: Counter[str] = Counter()
        self.spill = Spill(directory, bytes_limit, lambda topic, count: self.dropped.update({topic: count}))

    def take_all(self) -> list[int]:
        """The numbers of all records, as if all were sent."""
        numbers: list[int] = []
        while (segment := self.spill.oldest()) is not None:
            numbers += [int(record.key) for record in self.spill.read(segment)]
            self.spill.remove(segment)
        return numbers


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[_Scene]:
    """A spill with room for everything."""
    opened = _Scene(tmp_path)
    yield opened
    opened.spill.close()


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[_Scene]:
    """A spill with room for three full segments."""
    opened = _Scene(tmp_path, bytes_limit=3 * SEGMENT_BYTES)
    yield opened
    opened.spill.close()


def test_records_come_back_in_order_and_once(scene: _Scene) -> None:
    for start in range(0, 9, 3):
        scene.spill.append([_record(number) for number in range(start, start + 3)])
    assert scene.take_all() == list(range(9))
    assert scene.take_all() == []
    assert scene.spill.bytes_held() == 0
    scene.spill.append([_record(9)])
    assert scene.take_all() == [9]


_RECORDS = st.lists(
    st.builds(
        SpilledRecord,
        topic=st.sampled_from(["decisions", "ad-events"]),
        key=st.binary(max_size=20).filter(lambda key: b"\0" not in key),
        value=st.binary(max_size=300),
    ),
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(batches=st.lists(_RECORDS, max_size=4))
def test_every_record_survives_a_restart_as_it_was(
    batches: list[list[SpilledRecord]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("spill")
    for batch in batches:
        spill = Spill(directory, _BIG, lambda _topic, _count: None)
        spill.append(batch)
        spill.close()
    later, found = Spill(directory, _BIG, lambda _topic, _count: None), []
    while (segment := later.oldest()) is not None:
        found += later.read(segment)
        later.remove(segment)
    assert found == [record for batch in batches for record in batch]
    later.close()


def test_a_segment_waits_until_it_is_removed(scene: _Scene) -> None:
    scene.spill.append([_record(1)])
    first = scene.spill.oldest()
    assert first is not None
    scene.spill.append([_record(2)])
    assert scene.spill.oldest() == first
    assert [int(record.key) for record in scene.spill.read(first)] == [1]
    assert scene.take_all() == [1, 2]


def test_a_full_segment_is_followed_by_another(scene: _Scene, tmp_path: Path) -> None:
    for number in range(5):
        scene.spill.append([_record(number, SEGMENT_BYTES // 2)])
    assert len(list(tmp_path.glob("*.spill"))) == 3
    assert scene.take_all() == list(range(5))


def test_the_oldest_go_when_the_space_is_used_up_and_are_counted(narrow: _Scene) -> None:
    narrow.spill.append([_record(0, 10, topic="ad-events")])
    for number in range(1, 10):
        narrow.spill.append([_record(number, SEGMENT_BYTES // 2)])
        assert narrow.spill.bytes_held() <= 3 * SEGMENT_BYTES
    kept = narrow.take_all()
    assert kept == list(range(10 - len(kept), 10))
    assert len(kept) >= 4
    assert narrow.dropped == {"ad-events": 1, "decisions": 9 - len(kept)}


def test_a_segment_dropped_while_it_is_sent_has_no_records_and_may_be_removed(narrow: _Scene) -> None:
    narrow.spill.append([_record(0)])
    segment = narrow.spill.oldest()
    assert segment is not None
    for number in range(1, 8):
        narrow.spill.append([_record(number, SEGMENT_BYTES)])
    assert narrow.spill.read(segment) == []
    held = narrow.spill.bytes_held()
    narrow.spill.remove(segment)
    assert narrow.spill.bytes_held() == held


@pytest.mark.parametrize("cut", [1, 5, 9, 20])
def test_a_record_that_a_kill_cut_off_ends_its_segment_and_no_other(scene: _Scene, tmp_path: Path, cut: int) -> None:
    scene.spill.append([_record(number) for number in range(3)])
    scene.spill.close()
    path = next(tmp_path.glob("*.spill"))
    path.write_bytes(path.read_bytes()[:-cut])
    later = _Scene(tmp_path)
    later.spill.append([_record(7)])
    with capture_logs() as logs:
        assert later.take_all() == [0, 1, 7]
    later.spill.close()
    assert [line["event"] for line in logs] == ["the rest of a spilled segment is damaged"]


def test_every_flipped_bit_is_noticed(scene: _Scene) -> None:
    scene.spill.append([_record(0), _record(1)])
    segment = scene.spill.oldest()
    assert segment is not None
    whole = segment.read_bytes()
    for place in range(len(whole) * 8):
        broken = bytearray(whole)
        broken[place // 8] ^= 1 << place % 8
        segment.write_bytes(bytes(broken))
        with capture_logs():
            found = scene.spill.read(segment)
        assert len(found) < 2
        assert found in ([], [_record(0)])


def test_a_directory_belongs_to_one_process_until_it_ends(scene: _Scene, tmp_path: Path) -> None:
    with pytest.raises(SpillTaken, match="used by another process"):
        _Scene(tmp_path)
    scene.spill.close()
    _Scene(tmp_path).spill.close()


def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpillTaken, match="cannot write to"):
        _Scene(tmp_path / "file")


def test_what_a_broken_disk_does_not_take_is_counted_and_the_next_is_tried_again(scene: _Scene, tmp_path: Path) -> None:
    (tmp_path / "lock").unlink()
    tmp_path.rmdir()
    with capture_logs() as logs:
        scene.spill.append([_record(0), _record(1)])
    assert scene.dropped == {"decisions": 2}
    assert [line["event"] for line in logs] == ["cannot spill"]
    tmp_path.mkdir()
    scene.spill.append([_record(2)])
    assert scene.take_all() == [2]
