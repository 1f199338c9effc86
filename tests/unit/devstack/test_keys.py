from base64 import b64decode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devstack.keys import generate_keys


def test_the_public_key_belongs_to_the_private_one() -> None:
    keys = generate_keys()
    private = Ed25519PrivateKey.from_private_bytes(b64decode(keys.model_private_key))
    assert private.public_key().public_bytes_raw() == b64decode(keys.model_public_key)


def test_every_run_has_keys_of_its_own() -> None:
    one, other = generate_keys(), generate_keys()
    assert len({one.token_key, other.token_key, one.phone_key, other.phone_key}) == 4


def test_no_secret_shows_in_a_repr() -> None:
    keys = generate_keys()
    assert not any(secret in repr(keys) for secret in (keys.model_private_key, keys.token_key, keys.phone_key))
