import hashlib
from pathlib import Path

import pytest

from devstack.jars import KAFKA, LOCK, SPARK, Jar, JarsFailed, cached_directory, ensure_jars, read_lock, verify

_CONTENT = b"a jar"
_JAR = Jar(KAFKA, "org.example", "example", "1.0", hashlib.sha256(_CONTENT).hexdigest())


def _deliver(directory: Path, content: bytes) -> None:
    (directory / KAFKA).mkdir()
    (directory / KAFKA / "example-1.0.jar").write_bytes(content)


def test_the_lock_has_both_configurations_and_sound_hashes() -> None:
    jars = read_lock()
    assert {jar.configuration for jar in jars} == {KAFKA, SPARK}
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in jars)
    assert len({(jar.configuration, jar.file_name) for jar in jars}) == len(jars)


def test_spark_gets_nothing_that_pyspark_carries() -> None:
    modules = {jar.module for jar in read_lock() if jar.configuration == SPARK}
    assert modules == {
        "commons-pool2",
        "kafka-clients",
        "spark-sql-kafka-0-10_2.13",
        "spark-token-provider-kafka-0-10_2.13",
    }


def test_a_line_that_is_no_lock_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "jars.lock"
    lock.write_text("kafka org.example example\n")
    with pytest.raises(ValueError, match="five fields"):
        read_lock(lock)


def test_the_right_jar_passes(tmp_path: Path) -> None:
    _deliver(tmp_path, _CONTENT)
    verify([_JAR], tmp_path)


def test_another_file_under_the_same_name_is_refused(tmp_path: Path) -> None:
    _deliver(tmp_path, b"another jar")
    with pytest.raises(JarsFailed, match="its hash differs"):
        verify([_JAR], tmp_path)


def test_a_jar_that_did_not_come_says_that_the_network_is_needed(tmp_path: Path) -> None:
    with pytest.raises(JarsFailed, match="network is needed once"):
        verify([_JAR], tmp_path)


def test_what_is_in_the_cache_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")  # a fetch would need Java
    monkeypatch.delenv("JAVA_HOME", raising=False)
    cached_directory(LOCK).mkdir(parents=True)
    assert ensure_jars() == cached_directory(LOCK)
