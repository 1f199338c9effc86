"""Where the decision service is, and how to talk to it."""

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import grpc

from interlude.client.connection import options_for

TARGET_VARIABLE: Final = "INTERLUDE_TARGET"
ENDPOINTS: Final = Path(__file__).resolve().parents[1] / "var" / "run" / "endpoints.json"
"""What `make up` writes."""


class NoTarget(Exception):
    """Nobody says where the service is."""

    def __str__(self) -> str:
        return f"where is the decision service? Give --target HOST:PORT, set {TARGET_VARIABLE}, or run `make up`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what a connection needs."""
    parser.add_argument(
        "--target", metavar="HOST:PORT", help=f"the decision service (${TARGET_VARIABLE}, else `make up`'s)"
    )
    parser.add_argument("--ca", type=Path, metavar="FILE", help="speak TLS and trust this authority (PEM)")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="with --ca and --key: our own, for mutual TLS")
    parser.add_argument("--key", type=Path, metavar="FILE", help="private key of --certificate")


def find_target(given: str | None, environment: Mapping[str, str] = os.environ, endpoints: Path = ENDPOINTS) -> str:
    """The address to ask: as given, else from the environment, else what runs here. Raises `NoTarget`."""
    target = given or environment.get(TARGET_VARIABLE, "")
    if not target and endpoints.is_file():
        target = json.loads(endpoints.read_text(encoding="utf-8")).get("decision", "")
    if not target:
        raise NoTarget
    return str(target)


def open_channel(target: str, arguments: argparse.Namespace) -> grpc.Channel:
    """A connection as the arguments want it. Raises `OSError` for files that cannot be read."""
    if arguments.ca is None:
        return grpc.insecure_channel(target, options_for(target))
    key, certificate = (path and path.read_bytes() for path in (arguments.key, arguments.certificate))
    credentials = grpc.ssl_channel_credentials(arguments.ca.read_bytes(), key, certificate)
    return grpc.secure_channel(target, credentials, options_for(target))
