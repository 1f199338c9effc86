"""Keys lie where Kafka's clients put them."""

import pytest

from interlude.servicekit.partitioning import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ],
)
def test_the_hash_is_that_of_kafkas_own_test(key: bytes, expected: int) -> None:
    """org.apache.kafka.common.utils.UtilsTest.testMurmur2"""
    assert murmur2(key) == expected & 0xFFFFFFFF


def test_a_partition_is_one_of_those_there_are() -> None:
    assert {partition_of(b"%d" % number, 4) for number in range(100)} == {0, 1, 2, 3}
