"""`interlude replay DECISION_ID`: makes a logged decision again from Kafka and the model store. Is it the same?"""

import argparse
import sys
from functools import cache
from typing import TYPE_CHECKING

from cli import exits
from cli.explain import to_text
from cli.places import KAFKA, MODEL_KEY, MODEL_STORE, NoPlace, add_place, find
from cli.table import render
from interlude.contacts.campaign_file import InvalidCampaigns
from interlude.models.manifest import RefusedModel
from interlude.models.scorer import load_scorer
from interlude.models.store import ModelStore
from interlude.servicekit.errors import Unavailable
from interlude.v1 import decision_pb2 as pb
from services.decision.champion import Serving
from services.decision.explanation import to_explanation
from services.decision.logged import campaigns_in, decisions_in
from services.decision.policy.texts import moment
from services.decision.replay import CannotReplay, Replayed, ServingOf, differences, make_again
from services.decision.requests import InvalidRequest

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_to(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the parser of this command."""
    parser = commands.add_parser("replay", help="make a logged decision again; exit code 1 where it is not the same")
    parser.add_argument("decision_id", metavar="DECISION_ID", help="32 hex digits, as in the answer")
    parser.add_argument(
        "--customer", type=int, metavar="ID", help="whose it is: only that customer's partition is read"
    )
    for place in (KAFKA, MODEL_STORE, MODEL_KEY):
        add_place(parser, place)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Finds every log line of the decision, makes each again and says what differs."""
    try:
        bootstrap = find(arguments, KAFKA)
        lines = _lines(bootstrap, arguments)
        if not lines:
            print(f"interlude: decision {arguments.decision_id} is not in the log", file=sys.stderr)
            return exits.PROBLEMS
        campaigns, serving_of = campaigns_in(bootstrap), _models(arguments)
        again = [make_again(line, campaigns.__getitem__, serving_of) for line in lines]
    except NoPlace as error:
        print(f"interlude: {error}", file=sys.stderr)
        return exits.USAGE
    except KeyError as error:
        print(f"interlude: campaign document {error} is not in Kafka", file=sys.stderr)
        return exits.PROBLEMS
    except (CannotReplay, InvalidRequest, InvalidCampaigns, RefusedModel, Unavailable, OSError) as error:
        print(f"interlude: cannot replay: {error}", file=sys.stderr)
        return exits.PROBLEMS
    print("\n\n".join(to_report(line, made) for line, made in zip(lines, again, strict=True)))
    differ = any(differences(line.response, made.response) for line, made in zip(lines, again, strict=True))
    return exits.PROBLEMS if differ else exits.OK


def to_report(logged: pb.DecisionLogged, made: Replayed) -> str:
    """The replayed decision for a person: what it was made from, every rule with its values, and what is not as logged."""
    explanation = to_explanation(made.facts, made.response)
    return "\n\n".join(
        [
            f"decision {logged.decision_id}\n{render(_circumstances(logged))}",
            to_text(explanation, logged.request.customer_id),
            _differences(logged.response, made.response),
        ]
    )


def _circumstances(logged: pb.DecisionLogged) -> list[tuple[str, str]]:
    return [
        ("decided at", moment(logged.decided_at_ms)),
        ("request", logged.request.request_id),
        ("campaigns", logged.campaigns_version),
        ("model", logged.response.model_version or "none"),
        ("budget", pb.BudgetState.Name(logged.budget).removeprefix("BUDGET_STATE_")),
        ("reservation", pb.ReservationState.Name(logged.reservation).removeprefix("RESERVATION_STATE_")),
    ]


def _differences(logged: pb.DecideResponse, replayed: pb.DecideResponse) -> str:
    found = differences(logged, replayed)
    if not found:
        return "replayed from the log: the same, bit for bit"
    rows = [("field", "logged", "replayed"), *((each.field, each.logged, each.replayed) for each in found)]
    return f"replayed from the log: not the same\n{render(rows)}"


def _lines(bootstrap: str, arguments: argparse.Namespace) -> list[pb.DecisionLogged]:
    """The lines of the decision: more than one where the question was asked again."""
    found = decisions_in(bootstrap, customer_id=arguments.customer)
    return [line for line in found if line.decision_id == arguments.decision_id]


def _models(arguments: argparse.Namespace) -> ServingOf:
    """Reads the model of a version; where the store is, is asked only when a model is needed."""

    @cache
    def read(version: str) -> Serving:
        stored = ModelStore(find(arguments, MODEL_STORE)).load(version, find(arguments, MODEL_KEY))
        return Serving(version, load_scorer(stored), stored.manifest.threshold)

    return read
