"""`python -m demo`: starts the whole system, does the main job on it, shows what was measured, and ends.

Exit code 0: every step was done and every promise kept. 1: one was not, and a sentence says which. 130: Ctrl-C.
"""

import logging
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException

from demo.errors import DemoFailed
from demo.history import History, real_history, simulated_history
from demo.listeners import bayes_error
from demo.live import LivePlan
from demo.main_job import MainJob, Measured, TrainingPlan
from demo.options import Options, parse_options
from demo.screen import Screen, open_screen
from demo.setup_time import take_setup_seconds
from demo.simulator import World
from demo.summary import Summary, to_table, write_summary
from demo.trainer import TrainerSession
from demo.training import AGAIN, CLICKS, IMPRESSIONS, QUICKLY, TENFOLD, features_file
from devstack.endpoints import ENDPOINTS, describe_system
from devstack.environment import Environments, choose_addresses
from devstack.jars import JarsFailed
from devstack.java import JavaMissing
from devstack.keys import generate_keys
from devstack.process import ProcessFailed
from devstack.stack import Stack
from devstack.supervisor import AlreadyRunning, announced
from devstack.system import System
from interlude.servicekit.errors import Unavailable

FEATURES_FILE: Final = "features.libsvm"

_CAMPAIGNS: Final = Path(__file__).with_name("campaigns.yaml")

_FAILED: Final = 1
_INTERRUPTED: Final = 130


def main() -> int:
    """Run what the command line asks for; returns the exit code."""
    options = parse_options()
    # What librdkafka says while Kafka comes and goes; a failure of ours is told in a sentence.
    logging.getLogger("kafka").addHandler(logging.NullHandler())
    try:
        broken = run(options, open_screen())
    except (DemoFailed, ProcessFailed, JarsFailed, JavaMissing) as error:
        print(f"demo: {error}", file=sys.stderr)
        return _FAILED
    except (Unavailable, KafkaException) as error:
        print(f"demo: Kafka did not take what was sent ({error}); see var/log.", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        print("demo: ended by Ctrl-C.", file=sys.stderr)
        return _INTERRUPTED
    for sentence in broken:
        print(f"demo: broken promise: {sentence}.", file=sys.stderr)
    return _FAILED if broken else 0


def run(options: Options, screen: Screen) -> tuple[str, ...]:
    """The whole demo; returns a sentence for each broken promise. Raises `DemoFailed` and what keeps the system from starting."""
    began, setup_seconds = time.monotonic(), take_setup_seconds()
    now_ms = time.time_ns() // 1_000_000
    world = World(options.seed, options.customers, now_ms)
    training = _training_plan(options)
    with ExitStack() as cleanup:
        cleanup.enter_context(screen)
        pool = cleanup.enter_context(ThreadPoolExecutor(1))
        past = pool.submit(_history, options, world)
        if options.data:
            past.result()  # files that are not there are told before anything starts
        system, trainer = _start(screen, cleanup)
        ready_seconds = time.monotonic() - began
        history = _await(screen, past)
        job = MainJob(system, trainer, screen, history, training, _live_plan(options, history))
        measured = job.run(None if options.data else bayes_error(world.listeners()))
        seconds = {"setup": setup_seconds, "ready": ready_seconds, "total": setup_seconds + time.monotonic() - began}
        _tell(screen, measured, seconds, options.summary)
        if options.keep:
            _stay(screen, system)
    return measured.broken


def _history(options: Options, world: World) -> History:
    return real_history(options.data, world.until_ms) if options.data else simulated_history(world)


def _start(screen: Screen, cleanup: ExitStack) -> tuple[System, TrainerSession]:
    with screen.step("start Kafka, Redis, SMS operator") as step:
        stack = cleanup.enter_context(Stack.start())
        step.tell(f"logs in {stack.log_directory}")
    keys, store = generate_keys(), stack.directory / "models"
    trainer = TrainerSession(stack, Environments(stack, keys, store, choose_addresses(), _CAMPAIGNS).trainer())
    cleanup.callback(trainer.stop)
    trainer.start()
    with screen.step("create topics, start services"):
        system = cleanup.enter_context(System.start(stack, keys=keys, model_store=store, campaign_file=_CAMPAIGNS))
    return system, trainer


def _await(screen: Screen, past: "Future[History]") -> History:
    with screen.step("imagine or read the past") as step:
        history = past.result()
        bad_lines = f", {len(history.bad_lines)} bad lines left out" if history.bad_lines else ""
        step.tell(f"{len(history.customers):,} customers, {len(history.events):,} events{bad_lines}")
    for bad_line in history.bad_lines[:20]:
        print(bad_line, file=sys.stderr)
    return history


def _training_plan(options: Options) -> TrainingPlan:
    if options.data is None:
        return TrainingPlan(first=(*IMPRESSIONS, *QUICKLY), second=(*IMPRESSIONS, *QUICKLY))
    features = options.data / FEATURES_FILE
    if not features.is_file():
        raise DemoFailed(f"{features} is not there: name the directory of the real logs and their features file.")
    return TrainingPlan(
        first=(*features_file(features), *TENFOLD),
        second=(*features_file(features), *AGAIN),
        replayed=(*CLICKS, *QUICKLY, "--another-population"),
    )


def _live_plan(options: Options, history: History) -> LivePlan:
    return LivePlan(options.seed, history.customer_ids_end, options.rate, options.seconds)


def _tell(screen: Screen, measured: Measured, seconds: dict[str, float], path: Path) -> None:
    summary = Summary(
        events=measured.events,
        training=measured.training,
        decisions=measured.decisions,
        freshness=measured.freshness,
        sms=measured.sms,
        seconds=seconds,
    )
    write_summary(summary, path)
    screen.show(to_table(summary, measured.aside))
    screen.show(f"written to {path}")


def _stay(screen: Screen, system: System) -> None:
    described = describe_system(system)
    for name in ("kafka", "redis", "decision", "metrics"):
        screen.show(f"{name}: {described[name]}")
    with ExitStack() as cleanup:
        try:
            cleanup.enter_context(announced(system))
            screen.show(f"Addresses: {ENDPOINTS}, where the command line looks.")
            screen.show("Staying up until Ctrl-C or `make down`.")
        except AlreadyRunning:
            screen.show("What `make up` started runs too: the command line asks that, unless told these addresses.")
            screen.show("Staying up until Ctrl-C.")
        while True:
            time.sleep(1)


if __name__ == "__main__":
    raise SystemExit(main())
