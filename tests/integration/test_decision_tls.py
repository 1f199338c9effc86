"""TLS on both fronts: whom they serve, and certificates that are renewed while they do."""

import json
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol
from urllib.request import urlopen

import grpc
import pytest
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

from devstack.service import ServiceProcess
from devstack.stack import Stack
from interlude.client import Outcome
from tests.certificates import Authority, MountedSecret
from tests.clients import Connect
from tests.integration.decision_scene import FRONTS, UNHURRIED, DecisionScene, running, until

_PATIENT_MS: Final = 20_000
_RENEWED_WITHIN_S: Final = 5.0
_RENEWALS: Final = "interlude_decision_front_certificates_total"
_EXPIRES: Final = "interlude_decision_front_certificate_expires_timestamp_seconds"

_OURS: Final = Authority("ours")
_THEIRS: Final = Authority("theirs")


class _Start(Protocol):
    def __call__(self, *, mutual: bool = False) -> AbstractContextManager[DecisionScene]: ...


@pytest.fixture
def secret(tmp_path: Path) -> MountedSecret:
    """Where the service finds its certificate."""
    directory = tmp_path / "tls"
    directory.mkdir()
    secret = MountedSecret(directory)
    secret.issue(_OURS)
    return secret


@pytest.fixture(params=FRONTS)
def start(request: pytest.FixtureRequest, stack: Stack, tmp_path: Path, secret: MountedSecret) -> _Start:
    """Starts a service with the certificates of `secret`, on each front in turn."""

    def start(*, mutual: bool = False) -> AbstractContextManager[DecisionScene]:
        settings = {
            **UNHURRIED,
            "DECISION_TLS_CERTIFICATE": str(secret.certificate),
            "DECISION_TLS_KEY": str(secret.key),
            **({"DECISION_TLS_CLIENT_CA": str(secret.client_ca)} if mutual else {}),
        }
        credentials = _credentials(_OURS, _OURS if mutual else None)
        return running(stack, tmp_path, front=request.param, settings=settings, credentials=credentials)

    return start


@pytest.fixture
def scene(start: _Start) -> Iterator[DecisionScene]:
    """A service with TLS."""
    with start() as running_scene:
        yield running_scene


def _credentials(trusted: Authority, identity: Authority | None = None) -> grpc.ChannelCredentials:
    if identity is None:
        return grpc.ssl_channel_credentials(trusted.pem)
    own = identity.issue()
    return grpc.ssl_channel_credentials(trusted.pem, own.key, own.certificate)


def _served_serial(scene: DecisionScene) -> int:
    """The serial number of the certificate that a new connection is shown."""
    host, _, port = scene.target.rpartition(":")
    return x509.load_pem_x509_certificate(ssl.get_server_certificate((host, int(port))).encode()).serial_number


def _wait_for_serial(scene: DecisionScene, serial: int) -> None:
    until(lambda: _served_serial(scene) == serial, "the new certificate is not served", _RENEWED_WITHIN_S)


def _wait_for_renewals(scene: DecisionScene, result: str, count: int) -> None:
    what = f"not {count} renewals were {result}"
    until(lambda: scene.sample(_RENEWALS, result=result) == count, what, _RENEWED_WITHIN_S)


def _logged(process: ServiceProcess, event: str) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if event in line["event"]]


def test_those_who_trust_the_certificate_are_served_and_nobody_else(scene: DecisionScene, connect: Connect) -> None:
    customer_id = scene.new_listener()
    for credentials in (None, _credentials(_THEIRS)):
        with connect(scene.target, deadline_ms=500, credentials=credentials) as stranger:
            assert not stranger.warm_up(0.5)
            assert stranger.decide(customer_id).reason == "NOT_ASKED"
    with connect(scene.target, deadline_ms=_PATIENT_MS, credentials=_credentials(_OURS)) as client:
        assert client.warm_up()
        decision = client.decide(customer_id)
        assert (decision.show, decision.reason, decision.error) == (True, "SHOW", "")
        assert client.report(decision, Outcome.IMPRESSION)


def test_mutual_tls_serves_only_callers_with_a_certificate_of_the_right_authority(
    start: _Start, connect: Connect
) -> None:
    with start(mutual=True) as scene:
        customer_id = scene.new_listener()
        for identity in (None, _THEIRS):
            with connect(scene.target, deadline_ms=500, credentials=_credentials(_OURS, identity)) as stranger:
                assert stranger.decide(customer_id).reason == "NOT_ASKED"
        credentials = _credentials(_OURS, _OURS)
        with connect(scene.target, deadline_ms=_PATIENT_MS, credentials=credentials) as client:
            assert client.decide(customer_id).reason == "SHOW"
        assert _logged(scene.process, "serving")[0]["tls"] == "mutual"


def test_a_list_of_addresses_is_served_where_the_certificate_names_the_service(
    scene: DecisionScene, connect: Connect
) -> None:
    target = f"ipv4:{scene.target},{scene.target}"
    with connect(target, deadline_ms=_PATIENT_MS, credentials=_credentials(_OURS)) as client:
        assert client.decide(scene.new_listener()).reason == "SHOW"


def test_credentials_that_are_none_mean_no_ad(scene: DecisionScene, connect: Connect) -> None:
    garbage = grpc.ssl_channel_credentials(b"garbage", b"garbage", b"garbage")
    with connect(scene.target, deadline_ms=500, credentials=garbage) as client:
        assert not client.warm_up(0.5)
        assert client.decide(1).reason == "NOT_ASKED"


class _Asking:
    """One caller on one connection, until the end of the block."""

    def __init__(self, scene: DecisionScene) -> None:
        self.ends: Counter[str] = Counter()
        self._scene, self._customer_id = scene, scene.new_listener()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> "_Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stop.wait(0.01):
            try:
                self._scene.decide(self._customer_id)
                self.ends["OK"] += 1
            except grpc.RpcError as error:
                self.ends[repr(error)] += 1


def test_a_renewed_certificate_serves_new_connections_and_old_ones_go_on(
    scene: DecisionScene, secret: MountedSecret
) -> None:
    with _Asking(scene) as caller:
        for count in (1, 2):
            renewed = secret.issue(_OURS)
            _wait_for_serial(scene, renewed.serial)
            assert scene.sample(_RENEWALS, result="reloaded") == count
            assert scene.sample(_EXPIRES) == renewed.expires_seconds
    assert set(caller.ends) == {"OK"}
    assert scene.sample(_RENEWALS, result="refused") == 0
    assert len(_logged(scene.process, "new certificates are in use")) == 2


def test_a_renewal_that_is_broken_is_told_and_the_old_certificate_serves_on(
    scene: DecisionScene, secret: MountedSecret
) -> None:
    good = secret.issue(_OURS)
    _wait_for_serial(scene, good.serial)
    assert scene.sample(_EXPIRES) == good.expires_seconds
    broken = (b"half a file", _OURS.issue().key, b"")
    for count, key in enumerate(broken, start=1):
        secret.write(_OURS.issue().certificate, key, _OURS.pem)
        _wait_for_renewals(scene, "refused", count)
        assert _served_serial(scene) == good.serial
        assert scene.sample(_EXPIRES) == good.expires_seconds
    secret.key.unlink()
    mended = _OURS.issue()
    secret.write(mended.certificate, mended.key, _OURS.pem)
    secret.key.symlink_to(Path("..data") / secret.key.name)
    _wait_for_serial(scene, mended.serial)
    assert scene.sample(_RENEWALS, result="refused") == len(broken)
    assert len(_logged(scene.process, "new certificates are not used")) == len(broken)
    assert b"half a file" not in scene.process.log.read_bytes()


def test_callers_of_a_new_authority_are_served_once_it_is_in_the_files(
    start: _Start, secret: MountedSecret, connect: Connect
) -> None:
    with start(mutual=True) as scene:
        renewed = _OURS.issue()
        secret.write(renewed.certificate, renewed.key, _THEIRS.pem)
        _wait_for_renewals(scene, "reloaded", 1)
        for identity, reason in ((_THEIRS, "UNKNOWN_CUSTOMER"), (_OURS, "NOT_ASKED")):
            with connect(scene.target, deadline_ms=2000, credentials=_credentials(_OURS, identity)) as client:
                assert client.decide(1).reason == reason


def test_health_is_told_over_tls_and_the_probes_of_kubernetes_speak_http(scene: DecisionScene) -> None:
    answer = health_pb2_grpc.HealthStub(scene.channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    for path in ("readyz", "healthz"):
        with urlopen(scene.metrics_url.replace("metrics", path), timeout=5) as probed:
            assert probed.status == 200
