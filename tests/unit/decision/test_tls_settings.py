"""TLS in the settings: every combination that makes no server is refused, with every problem in it."""

from pathlib import Path
from typing import Final

import pytest

from interlude.servicekit.settings import InvalidSettings, load_settings
from services.decision.certificates import CertificateFiles
from services.decision.settings import DecisionSettings
from tests.certificates import Authority
from tests.models import KEYS

_CERTIFICATE, _KEY, _CLIENT_CA = "DECISION_TLS_CERTIFICATE", "DECISION_TLS_KEY", "DECISION_TLS_CLIENT_CA"
_OTHERS: Final = {
    "DECISION_METRICS_PORT": "9464",
    "DECISION_KAFKA_BOOTSTRAP": "kafka:9092",
    "DECISION_REDIS_URL": "redis://redis:6379/0",
    "DECISION_MODEL_STORE": "models",
    "DECISION_MODEL_PUBLIC_KEY": KEYS.model_public_key,
    "DECISION_TOKEN_KEY": KEYS.token_key,
}
_AUTHORITY: Final = Authority("ours")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Settings that make a server with mutual TLS."""
    issued = _AUTHORITY.issue()
    contents = {_CERTIFICATE: issued.certificate, _KEY: issued.key, _CLIENT_CA: _AUTHORITY.pem}
    for variable, content in contents.items():
        (tmp_path / variable).write_bytes(content)
    return {variable: str(tmp_path / variable) for variable in contents}


def _problems(tls: dict[str, str]) -> dict[str, str]:
    """What is wrong, by variable."""
    with pytest.raises(InvalidSettings) as caught:
        load_settings(DecisionSettings, {**_OTHERS, **tls})
    told = [problem.partition(": ") for problem in caught.value.problems]
    problems = {variable: sentence for variable, _, sentence in told}
    assert len(problems) == len(told)
    return problems


def test_without_any_there_is_no_tls() -> None:
    settings = load_settings(DecisionSettings, _OTHERS)
    assert (settings.certificates, settings.tls) == (None, "off")
    empty = dict.fromkeys((_CERTIFICATE, _KEY, _CLIENT_CA), "")
    assert load_settings(DecisionSettings, {**_OTHERS, **empty}) == settings


def test_certificate_and_key_make_tls_and_an_authority_makes_it_mutual(files: dict[str, str]) -> None:
    settings = load_settings(DecisionSettings, {**_OTHERS, **files})
    assert settings.certificates == CertificateFiles(files[_CERTIFICATE], files[_KEY], files[_CLIENT_CA])
    assert settings.tls == "mutual"
    one_sided = load_settings(DecisionSettings, {**_OTHERS, **files, _CLIENT_CA: ""})
    assert one_sided.certificates == CertificateFiles(files[_CERTIFICATE], files[_KEY])
    assert one_sided.tls == "server"


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ((_CERTIFICATE,), {_KEY: "missing"}),
        ((_CERTIFICATE, _CLIENT_CA), {_KEY: "missing"}),
        ((_KEY,), {_KEY: "without DECISION_TLS_CERTIFICATE"}),
        ((_CLIENT_CA,), {_CLIENT_CA: "without DECISION_TLS_CERTIFICATE"}),
        (
            (_KEY, _CLIENT_CA),
            {_KEY: "without DECISION_TLS_CERTIFICATE", _CLIENT_CA: "without DECISION_TLS_CERTIFICATE"},
        ),
    ],
)
def test_one_without_the_other_is_refused(files: dict[str, str], given: tuple[str, ...], wrong: dict[str, str]) -> None:
    problems = _problems({variable: files[variable] for variable in given})
    assert problems.keys() == wrong.keys()
    assert all(part in problems[variable] for variable, part in wrong.items())


@pytest.mark.parametrize("variable", [_CERTIFICATE, _KEY, _CLIENT_CA])
def test_a_file_that_cannot_be_read_is_named(files: dict[str, str], tmp_path: Path, variable: str) -> None:
    for path, why in ((str(tmp_path / "nowhere"), "No such file"), (str(tmp_path), "Is a directory")):
        problems = _problems({**files, variable: path})
        assert problems.keys() == {variable}
        assert path in problems[variable]
        assert why in problems[variable]


@pytest.mark.parametrize(
    ("variable", "what"),
    [(_CERTIFICATE, "no certificate"), (_KEY, "no private key"), (_CLIENT_CA, "no certificate")],
)
@pytest.mark.parametrize(
    "content", [b"", b"half a file", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_that_holds_something_else_is_refused(
    files: dict[str, str], variable: str, what: str, content: bytes
) -> None:
    Path(files[variable]).write_bytes(content)
    problems = _problems(files)
    assert problems.keys() == {variable}
    assert what in problems[variable]


def test_a_key_of_another_certificate_is_refused(files: dict[str, str]) -> None:
    Path(files[_KEY]).write_bytes(_AUTHORITY.issue().key)
    assert _problems(files) == {_KEY: "Value error, the key does not belong to the certificate"}


def test_all_problems_are_told_at_once(files: dict[str, str]) -> None:
    nowhere = dict.fromkeys(files, "/nowhere")
    assert _problems(nowhere).keys() == files.keys()
    assert _problems({_CERTIFICATE: "/nowhere", "DECISION_LISTEN": "no port"}).keys() == {
        "DECISION_LISTEN",
        _CERTIFICATE,
        _KEY,
    }
