"""Where a command looks for the system."""

import json
from pathlib import Path

import pytest

from cli.places import KAFKA, NoPlace, find_place
from cli.target import TARGET


def test_a_place_is_what_is_given_then_the_environment_then_what_runs_here(tmp_path: Path) -> None:
    endpoints = tmp_path / "endpoints.json"
    with pytest.raises(NoPlace, match="--target HOST:PORT, set INTERLUDE_TARGET, or run `make up`"):
        find_place(TARGET, None, {}, endpoints)
    endpoints.write_text(json.dumps({"decision": "here:1", "kafka": "here:9"}))
    assert find_place(TARGET, None, {}, endpoints) == "here:1"
    assert find_place(KAFKA, None, {}, endpoints) == "here:9"
    assert find_place(TARGET, None, {"INTERLUDE_TARGET": "there:2"}, endpoints) == "there:2"
    assert find_place(TARGET, "given:3", {"INTERLUDE_TARGET": "there:2"}, endpoints) == "given:3"


def test_a_stack_without_our_services_is_no_target(tmp_path: Path) -> None:
    endpoints = tmp_path / "endpoints.json"
    endpoints.write_text(json.dumps({"kafka": "here:1"}))
    with pytest.raises(NoPlace, match="where is the decision service"):
        find_place(TARGET, None, {}, endpoints)
