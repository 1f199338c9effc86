"""Where the parts of a running system are: as the command line says, else the environment, else what `make up` left running."""

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ENDPOINTS: Final = Path(__file__).resolve().parents[1] / "var" / "run" / "endpoints.json"
"""What `make up` writes."""


@dataclass(frozen=True, slots=True)
class Place:
    """One thing that a command has to be told; `endpoint` is its name in `make up`'s file."""

    what: str
    option: str
    variable: str
    endpoint: str
    form: str


@dataclass(eq=False)
class NoPlace(Exception):
    """Nobody says where that is."""

    place: Place

    def __str__(self) -> str:
        place = self.place
        return f"where is {place.what}? Give {place.option} {place.form}, set {place.variable}, or run `make up`"


KAFKA: Final = Place("Kafka", "--kafka", "INTERLUDE_KAFKA", "kafka", "HOST:PORT")
MODEL_STORE: Final = Place("the model store", "--model-store", "INTERLUDE_MODEL_STORE", "model_store", "URL")
MODEL_KEY: Final = Place(
    "the public key of models", "--model-key", "INTERLUDE_MODEL_PUBLIC_KEY", "model_public_key", "BASE64"
)


def add_place(parser: argparse.ArgumentParser, place: Place) -> None:
    """Adds the option that says where `place` is."""
    parser.add_argument(
        place.option,
        metavar=place.form,
        dest=place.endpoint,
        help=f"{place.what} (${place.variable}, else `make up`'s)",
    )


def find(arguments: argparse.Namespace, place: Place) -> str:
    """Where `place` is for this command line. Raises `NoPlace`."""
    return find_place(place, getattr(arguments, place.endpoint))


def find_place(
    place: Place, given: str | None, environment: Mapping[str, str] = os.environ, endpoints: Path = ENDPOINTS
) -> str:
    """Where `place` is: as given, else from the environment, else what runs here. Raises `NoPlace`."""
    found = given or environment.get(place.variable, "")
    if not found and endpoints.is_file():
        found = json.loads(endpoints.read_text(encoding="utf-8")).get(place.endpoint, "")
    if not found:
        raise NoPlace(place)
    return str(found)
