"""Whether the policy's tests would notice a fault: `python -m bench.policy.mutation`.

Faults are made one at a time in the source of services/decision/policy: comparisons turned or moved by one, operands left out,
numbers changed, conditions turned. Each is tried in a forked process that has everything imported but the policy and its tests,
and that ends at the first test to fail. A fault that no test notices has survived.
"""

import ast
import copy
import importlib.abc
import importlib.util
import os
import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec
from itertools import islice
from types import ModuleType
from typing import Final, NamedTuple

import hypothesis  # noqa: F401  imported once here, not by every mutant
import pytest

from bench.measured import Figure, write_figures
from devstack.places import REPOSITORY
from interlude.contacts import budget, experiment  # noqa: F401
from interlude.v1 import decision_pb2  # noqa: F401

_PACKAGE: Final = "services.decision.policy"
_DIRECTORY: Final = REPOSITORY / "services" / "decision" / "policy"
_TESTS: Final = (
    "golden_decisions",
    "policy",
    "policy_contacts",
    "policy_changes",
    "policy_texts",
    "policy_nearest",
    "policy_chance",
)
_LEFT_OUT: Final = ("every_combination", "whatever_its_shortcuts", "turns_the_answer", "each_way", "realised_shares")
"""Tests that take seconds: a fault that only they notice counts as survived."""
_CPU_SECONDS: Final = 10
"""A mutant that takes more has been made to loop, which is noticed; the tests take one."""
_AT_ONCE: Final = 2

_OTHERS: Final[dict[type[ast.AST], tuple[type[ast.AST], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
_NOT_RUN: Final = {"annotation", "returns", "decorator_list"}


class Mutant(NamedTuple):
    """One fault; `source` is the whole module with it."""

    module: str
    line: int
    change: str
    source: str


def mutants() -> Iterator[Mutant]:
    """Every fault in every module of the policy."""
    for path in sorted(_DIRECTORY.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for place, node in enumerate(_nodes(tree)):
            for variant in range(len(list(_faults(node)))):
                mutated = copy.deepcopy(tree)
                target = next(islice(_nodes(mutated), place, None))
                before = ast.unparse(target)
                for name, value in list(_faults(target))[variant].items():
                    setattr(target, name, value)
                ast.fix_missing_locations(mutated)
                change = f"{before.splitlines()[0]} -> {ast.unparse(target).splitlines()[0]}"
                yield Mutant(path.stem, getattr(node, "lineno", 0), change, ast.unparse(mutated))


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All that is run: no annotation, no decorator."""
    yield node
    for name, value in ast.iter_fields(node):
        if name not in _NOT_RUN:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _nodes(child)


def _faults(node: ast.AST) -> Iterator[Mapping[str, object]]:
    """New values of the node's fields, one set for each fault."""
    match node:
        case ast.Compare(ops=[operator]):
            yield from ({"ops": [other()]} for other in _OTHERS[type(operator)])
        case ast.BinOp(op=operator):
            yield from ({"op": other()} for other in _OTHERS.get(type(operator), ()))
        case ast.BoolOp(op=operator, values=values):
            yield from ({"op": other()} for other in _OTHERS[type(operator)])
            yield from ({"values": values[:place] + values[place + 1 :]} for place in range(len(values)))
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield {"test": ast.UnaryOp(ast.Not(), test)}
        case ast.Constant(value=bool() as value):
            yield {"value": not value}
        case ast.Constant(value=int() | float() as value):
            yield {"value": value + 1}


class _Loader(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module as its mutant has it."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._name = _PACKAGE if mutant.module == "__init__" else f"{_PACKAGE}.{mutant.module}"

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.source, self._name, "exec"), module.__dict__)


def _try(mutant: Mutant | None) -> int:
    """The id of a process that exits with 0 when no test notices; None: nothing is changed."""
    process = os.fork()
    if process:
        return process
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    if mutant is not None:
        sys.meta_path.insert(0, _Loader(mutant))
    files = [f"tests/unit/decision/test_{name}.py" for name in _TESTS]
    left_out = " and ".join(f"not {name}" for name in _LEFT_OUT)
    try:
        os._exit(pytest.main(["-x", "--assert=plain", "-p", "no:cacheprovider", "-k", left_out, *files]))
    finally:
        os._exit(70)


def measure() -> dict[str, Figure]:
    """`mutation_killed`, with every survivor printed. Nothing may have imported the policy before."""
    assert _PACKAGE not in sys.modules, "a mutant has to import the policy itself"
    os.chdir(REPOSITORY)
    if os.waitpid(_try(None), 0)[1] != 0:
        raise SystemExit("the tests fail without any fault")
    waiting = mutants()
    running: dict[int, Mutant] = {}
    tried = survived = 0
    while True:
        for mutant in islice(waiting, _AT_ONCE - len(running)):
            running[_try(mutant)] = mutant
            tried += 1
        if not running:
            break
        process, status = os.wait()
        ended = running.pop(process)
        if status == 0:
            survived += 1
            print(f"survived: {ended.module}.py:{ended.line}: {ended.change}", flush=True)
    killed = round(100 * (tried - survived) / tried, 1)
    under = f"of {tried} faults in services/decision/policy, noticed by its unit and golden tests; {survived} survived"
    return {"mutation_killed": Figure(killed, "%", under)}


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name} {figure.value} {figure.unit} {figure.compared_to}")
        write_figures("mutation", {name: figure})
