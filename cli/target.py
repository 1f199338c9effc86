"""How the decision service is reached."""

import argparse
from pathlib import Path
from typing import Final

import grpc

from cli.places import Place, add_place
from interlude.client.connection import options_for

TARGET: Final = Place("the decision service", "--target", "INTERLUDE_TARGET", "decision", "HOST:PORT")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what a connection needs."""
    add_place(parser, TARGET)
    parser.add_argument("--ca", type=Path, metavar="FILE", help="speak TLS and trust this authority (PEM)")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="with --ca and --key: our own, for mutual TLS")
    parser.add_argument("--key", type=Path, metavar="FILE", help="private key of --certificate")


def open_channel(target: str, arguments: argparse.Namespace) -> grpc.Channel:
    """A connection as the arguments want it. Raises `OSError` for files that cannot be read."""
    if arguments.ca is None:
        return grpc.insecure_channel(target, options_for(target))
    key, certificate = (path and path.read_bytes() for path in (arguments.key, arguments.certificate))
    credentials = grpc.ssl_channel_credentials(arguments.ca.read_bytes(), key, certificate)
    return grpc.secure_channel(target, credentials, options_for(target))
