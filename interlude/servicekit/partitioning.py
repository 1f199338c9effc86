"""In which partition Kafka's clients put a key with the partitioner `murmur2_random`, so that a reader need not look into all."""

from typing import Final

_WORD: Final = 0xFFFFFFFF
_SEED: Final = 0x9747B28C
_FACTOR: Final = 0x5BD1E995
_SHIFT: Final = 24
_POSITIVE: Final = 0x7FFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key` in a topic of that many."""
    return (murmur2(key) & _POSITIVE) % partitions


def murmur2(key: bytes) -> int:
    """MurmurHash2 of 32 bits, as Kafka's Java client seeds and finishes it
    (org.apache.kafka.common.utils.Utils.murmur2)."""
    whole = len(key) // 4 * 4
    state = _SEED ^ len(key)
    for place in range(0, whole, 4):
        word = int.from_bytes(key[place : place + 4], "little") * _FACTOR & _WORD
        word = (word ^ word >> _SHIFT) * _FACTOR & _WORD
        state = state * _FACTOR & _WORD ^ word
    if whole < len(key):
        state = (state ^ int.from_bytes(key[whole:], "little")) * _FACTOR & _WORD
    state = (state ^ state >> 13) * _FACTOR & _WORD
    return state ^ state >> 15
