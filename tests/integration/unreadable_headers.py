"""Records with header names that are not UTF-8: no Kafka client for Python can write them, the C library beneath it can."""

import ctypes
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import confluent_kafka

_LIBRARIES: Final = [*Path(confluent_kafka.__file__).parent.parent.glob("confluent_kafka.libs/librdkafka*.so*")]
IS_POSSIBLE: Final = bool(_LIBRARIES)
"""Whether the wheel brings its library as a file of its own."""

_TOPIC, _VALUE, _KEY, _COPY, _HEADERS, _END = 1, 4, 5, 7, 10, 0
_FLUSH_MS: Final = 30_000


def produce(bootstrap: str, topic: str, key: bytes, values: Iterable[bytes]) -> None:
    """Each value under `key` in that topic, with a header whose name is the bytes ff fe."""
    library = ctypes.CDLL(str(_LIBRARIES[0]))
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_headers_new"):
        getattr(library, function).restype = ctypes.c_void_p
    problem = ctypes.create_string_buffer(512)
    settings = ctypes.c_void_p(library.rd_kafka_conf_new())
    for name, value in ((b"bootstrap.servers", bootstrap.encode()), (b"partitioner", b"murmur2_random")):
        assert library.rd_kafka_conf_set(settings, name, value, problem, len(problem)) == 0, problem.value
    client = ctypes.c_void_p(library.rd_kafka_new(0, settings, problem, len(problem)))
    for value in values:
        headers = ctypes.c_void_p(library.rd_kafka_headers_new(1))
        size = ctypes.c_ssize_t
        library.rd_kafka_header_add(headers, b"\xff\xfe", size(2), b"v", size(1))
        length = ctypes.c_size_t
        record = (_TOPIC, topic.encode(), _KEY, key, length(len(key)), _VALUE, value, length(len(value)))
        assert library.rd_kafka_producev(client, *record, _COPY, 2, _HEADERS, headers, _END) == 0
    assert library.rd_kafka_flush(client, _FLUSH_MS) == 0
    library.rd_kafka_destroy(client)
