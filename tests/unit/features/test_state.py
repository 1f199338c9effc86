"""Hashes of ids, which lie in stored states and may never change."""

from interlude.features.state import hash_id


def test_the_hash_of_an_id_is_the_same_everywhere_and_for_ever() -> None:
    assert hash_id("listen-1") == 0xE66F61733EE893AE
    assert hash_id("") != hash_id("listen-1")


def test_a_hash_fits_eight_bytes() -> None:
    assert max(hash_id(str(number)) for number in range(200)).bit_length() <= 64
