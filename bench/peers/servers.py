"""The peers' processes: Feast with its server, MLServer, and the caller that asks both."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlparse

import numpy as np

from bench.peers.environments import ensure_environment
from bench.peers.figures import PeerSample
from bench.servers import Scene
from devstack.conversation import ConversingProcess
from devstack.places import REPOSITORY
from devstack.ports import LOOPBACK, free_port
from devstack.process import ChildProcess, ProcessFailed
from devstack.service import http_ready
from interlude.features.schema import STATE_FEATURE_NAMES
from interlude.models.scorer import load_scorer

WAYS: Final = ("sdk", "async_sdk", "server")
_MODEL: Final = "listener"
_DATABASE: Final = 1
"""Of the same Redis process; ours is 0."""
_READY_TIMEOUT_S: Final = 60.0
_FILL_TIMEOUT_S: Final = 300.0
_ANSWER_TIMEOUT_S: Final = 60.0
_RUNTIME: Final = "bench.peers.onnx_runtime.OnnxRuntime"


@dataclass(frozen=True, slots=True)
class PeerLoad:
    """The fields of `bench.peers.caller.Load`."""

    way: str
    predict: bool
    in_flight: int
    seconds: float


class Peers:
    """Both servers and their caller, ready."""

    def __init__(self, caller: ConversingProcess) -> None:
        self._caller = caller

    @classmethod
    @contextmanager
    def start(cls, scene: Scene) -> Iterator["Peers"]:
        """Until the end of the block. Raises PeersMissing, and ProcessFailed where one does not come up."""
        feast, mlserver = ensure_environment("feast"), ensure_environment("mlserver")
        with ExitStack() as cleanup:
            yield cls(_start_all(scene, feast, mlserver, cleanup))

    def measure(self, load: PeerLoad) -> PeerSample:
        """One load. Raises ProcessFailed when an answer differs from ours, or none comes."""
        self._caller.say(json.dumps(asdict(load)))
        line = self._caller.hear(load.seconds + _ANSWER_TIMEOUT_S)
        if line is None:
            raise ProcessFailed(f"{load} was not measured in time; {self._caller.log} may say why")
        return PeerSample(**json.loads(line))


def _start_all(scene: Scene, feast: Path, mlserver: Path, cleanup: ExitStack) -> ConversingProcess:
    directory = scene.directory / "peers"
    repository, model = directory / "feast", directory / "mlserver" / _MODEL
    for place in (repository, model):
        place.mkdir(parents=True)
    vectors, expected = _write_arrays(scene, directory)
    feast_target = _start_feast(scene, feast, repository, vectors, cleanup)
    mlserver_target = _start_mlserver(scene, mlserver, model, cleanup)
    settings = {
        "repository": str(repository),
        "feast": feast_target,
        "mlserver": mlserver_target,
        "model": _MODEL,
        "names": list(STATE_FEATURE_NAMES),
        "vectors": str(vectors),
        "expected": str(expected),
    }
    command = [str(feast / "python"), "-m", "bench.peers.caller", json.dumps(settings)]
    caller = ConversingProcess("peers-caller", command, log=_log(scene, "peers-caller"), environment=_environment())
    _start(caller, cleanup)
    return caller


def _write_arrays(scene: Scene, directory: Path) -> tuple[Path, Path]:
    """The vectors, and what our scorer makes of them."""
    vectors, expected = directory / "vectors.npy", directory / "expected.npy"
    np.save(vectors, scene.vectors)
    np.save(expected, load_scorer(scene.model).score_vectors(scene.vectors))
    return vectors, expected


def _start_feast(scene: Scene, programs: Path, repository: Path, vectors: Path, cleanup: ExitStack) -> str:
    """Fills its online store, which takes half a minute, and starts `feast serve`; returns host:port."""
    redis = urlparse(scene.redis_url)
    online_store = f"{redis.hostname}:{redis.port},db={_DATABASE}"
    arguments = [str(repository), online_store, str(vectors), ",".join(STATE_FEATURE_NAMES)]
    fill = _child(scene, "feast-fill", [str(programs / "python"), "-m", "bench.peers.feast_repository", *arguments])
    _start(fill, cleanup)
    if fill.wait(_FILL_TIMEOUT_S) != 0:
        raise ProcessFailed(f"Feast's store cannot be filled:\n{fill.log_tail()}")
    port = free_port()
    command = [str(programs / "feast"), "--chdir", str(repository), "serve", "--host", LOOPBACK, "--port", str(port)]
    command += ["--no-access-log", "--max-requests", "0", "--max-requests-jitter", "0"]
    server = _child(scene, "feast-serve", command)
    _start(server, cleanup)
    server.wait_ready(http_ready(f"http://{LOOPBACK}:{port}/health"), _READY_TIMEOUT_S)
    return f"{LOOPBACK}:{port}"


def _start_mlserver(scene: Scene, programs: Path, model: Path, cleanup: ExitStack) -> str:
    """Starts it with our model's file; returns host:port of its gRPC."""
    http_port, grpc_port, metrics_port = free_port(), free_port(), free_port()
    ports = {"http_port": http_port, "grpc_port": grpc_port, "metrics_port": metrics_port}
    server_settings = {"host": LOOPBACK, **ports, "debug": False, "parallel_workers": 0}
    onnx = model / "model.onnx"
    model_settings = {"name": _MODEL, "implementation": _RUNTIME, "parameters": {"uri": str(onnx)}}
    onnx.write_bytes(scene.model.model)
    (model / "model-settings.json").write_text(json.dumps(model_settings))
    (model.parent / "settings.json").write_text(json.dumps(server_settings))
    server = _child(scene, "mlserver", [str(programs / "mlserver"), "start", str(model.parent)])
    _start(server, cleanup)
    server.wait_ready(http_ready(f"http://{LOOPBACK}:{http_port}/v2/models/{_MODEL}/ready"), _READY_TIMEOUT_S)
    return f"{LOOPBACK}:{grpc_port}"


def _child(scene: Scene, name: str, command: list[str]) -> ChildProcess:
    return ChildProcess(name, command, log=_log(scene, name), environment=_environment())


def _log(scene: Scene, name: str) -> Path:
    return scene.stack.log_directory / f"{name}.log"


def _environment(caller: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The caller's, with this repository on the import path of Pythons that do not have it."""
    return {**caller, "PYTHONPATH": str(REPOSITORY)}


def _start(process: ChildProcess, cleanup: ExitStack) -> None:
    process.start()
    cleanup.callback(process.terminate, 10)
