"""Stopping on signals, and refusing to start with a sentence."""

import signal
from collections.abc import Iterator

import pytest

from interlude.servicekit.lifecycle import REFUSED_TO_START, refuse_to_start, stop_on_signals


@pytest.fixture(autouse=True)
def restored_signals() -> Iterator[None]:
    """Puts back what the runner of the tests does on signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, action in before.items():
        signal.signal(number, action)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_event(number: signal.Signals) -> None:
    stop = stop_on_signals()
    assert not stop.is_set()
    signal.raise_signal(number)
    assert stop.wait(10)


def test_a_refusal_is_a_sentence_and_a_code_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        refuse_to_start("kettle", ValueError("there is no water"))
    assert caught.value.code == REFUSED_TO_START
    assert capsys.readouterr().err == "kettle does not start: there is no water\n"
