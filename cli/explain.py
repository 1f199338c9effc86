"""`interlude explain CUSTOMER`: every rule for one listener, as the running service applies it, and what would show the offer."""

import argparse
import sys
from typing import TYPE_CHECKING, Final

import grpc

from cli import exits
from cli.places import NoPlace, find
from cli.table import render
from cli.target import TARGET, add_arguments, open_channel
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import decision_pb2_grpc

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_DEADLINE_SECONDS: Final = 5.0
_MARKS: Final = {True: "✗", False: "✓"}
"""By whether a rule speaks against the offer."""


def add_to(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the parser of this command."""
    parser = commands.add_parser("explain", help="why a listener would get the offer now or not, rule by rule")
    parser.add_argument("customer_id", type=int, metavar="CUSTOMER")
    parser.add_argument("--campaign", default="", metavar="ID", help="without it the default campaign")
    parser.add_argument("--track", type=int, default=0, metavar="ID", help="the track about to play")
    parser.add_argument("--request", default="", metavar="ID", help="explain this very question, with its chance")
    parser.add_argument("--features", action="store_true", help="print the features too")
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Asks the service and prints its answer."""
    try:
        target = find(arguments, TARGET)
        with open_channel(target, arguments) as channel:
            explanation = _ask(channel, arguments)
    except (NoPlace, OSError) as error:
        print(f"interlude: {error}", file=sys.stderr)
        return exits.USAGE
    except grpc.RpcError as error:
        code, details = error.code(), error.details()
        print(f"interlude: {target} answered {code.name}: {details}", file=sys.stderr)
        return exits.PROBLEMS
    print(to_text(explanation, arguments.customer_id, with_features=arguments.features))
    return exits.OK


def _ask(channel: grpc.Channel, arguments: argparse.Namespace) -> pb.ExplainResponse:
    request = pb.ExplainRequest(
        customer_id=arguments.customer_id,
        campaign_id=arguments.campaign,
        next_track_id=arguments.track,
        request_id=arguments.request,
    )
    return decision_pb2_grpc.DecisionServiceStub(channel).Explain(request, timeout=_DEADLINE_SECONDS)


def to_text(explanation: pb.ExplainResponse, customer_id: int, *, with_features: bool = False) -> str:
    """The explanation for a person: the answer, the rules in their order, and the nearest way to a shown offer."""
    parts = [_answer(explanation.answer, customer_id), render([_rule_row(rule) for rule in explanation.rules])]
    parts += [_nearest_yes(explanation)] if not explanation.answer.show else []
    if with_features and explanation.features:
        parts.append(render([(one.name, f"{one.value:g}", one.unit) for one in explanation.features]))
    return "\n\n".join(parts)


def _answer(answer: pb.DecideResponse, customer_id: int) -> str:
    facts = [_name(pb.Reason.Name(answer.reason)), f"rung {_name(pb.Rung.Name(answer.rung))}"]
    facts += [f"score {answer.score:.3f}"] if answer.HasField("score") else []
    facts += [f"arm {answer.arm}"] if answer.arm else []
    facts += [f"model {answer.model_version}"] if answer.model_version else []
    shown = "offer" if answer.show else "no offer"
    return f"customer {customer_id}, campaign {answer.campaign_id}: {shown} ({', '.join(facts)})"


def _rule_row(rule: pb.RuleOutcome) -> tuple[str, str, str, str]:
    change = f"→ {rule.to_change}" if rule.to_change else ""
    return _MARKS[rule.matched], _name(pb.Reason.Name(rule.reason)), rule.detail, change


def _nearest_yes(explanation: pb.ExplainResponse) -> str:
    if not explanation.nearest_yes:
        return "nothing would show the offer"
    rows = [(change.text, change.field, change.value) for change in explanation.nearest_yes]
    return f"the offer would be shown with\n{render(rows)}"


def _name(enumerator: str) -> str:
    """FREQUENCY_CAP of REASON_FREQUENCY_CAP."""
    return enumerator.partition("_")[2]
