"""docs/features.md: every feature of the schema, as the code has it."""

from typing import Final

from docs.markdown import NOTE, cell
from interlude.features.schema import FEATURES, SCHEMA_VERSION, Feature, FeatureKind

_HEAD: Final = """# Features

{note}

What a model may take, in the order of the schema (version `{version}`). A **state** feature lies in the vector of `f:{{id}}`,
worked out by the enricher from what is kept of the listener. A **moment** feature is worked out when it is asked for, from
`f:{{id}}`, the time and the campaign, by one function (`interlude/features/moment_features.py`): the decision service asks it
at the decision, only when a model in memory names such a feature, the trainer at the instant of each impression. The decision log
then has the whole vector, else the state features alone.

A model's manifest names its features with their fingerprints. One that names an unknown or changed feature is refused; one that
takes fewer is fine: `python -m services.trainer train --rows impressions --campaign ID --features morning,mobile,recency`. A
fingerprint is a hash over name, unit, default, version and parameters; a better sentence does not change it. `f:{{id}}` carries
a mark of the schema's version, and a decision takes a listener whose features are of another schema for unknown: after a change,
rebuild (services/enricher/README.md).

| feature | unit | default | kind | what it says | parameters | from `f:{{id}}` | version | fingerprint |
|---|---|---:|---|---|---|---|---:|---|"""

_FOOT: Final = """
## Adding one

1. An entry in `FEATURES` of `interlude/features/schema.py`: a state feature behind the last of its kind, a moment feature at the
   end. Numbers that its definition takes (a half-life, a limit) go into `parameters`.
2. A line that gives its value: a moment feature in `DEFINITIONS` of `moment_features.py`, a state feature in `vector.py`. Where
   `f:{id}` does not say enough yet: a field in `moment.py`, its bytes in `codec.py`, and the next `HOT_LAYOUT_VERSION`.
3. The slow way to the same value in `tests/unit/features/oracle.py`, compared in `test_moment_features.py` or `test_vector.py`.
4. `python -m docs.generate`.
"""


def render_features() -> str:
    """The whole of docs/features.md."""
    head = _HEAD.format(note=NOTE, version=SCHEMA_VERSION)
    return "\n".join((head, *map(_row, FEATURES))) + "\n" + _FOOT


def _row(feature: Feature) -> str:
    parameters = ", ".join(f"{name} {value:,}" for name, value in feature.parameters) or "–"
    kind = "state" if feature.kind is FeatureKind.STATE else "moment"
    cells = (
        f"`{feature.name}`",
        feature.unit,
        f"{feature.default:g}",
        kind,
        cell(feature.doc),
        cell(parameters),
        feature.source,
        str(feature.version),
        f"`{feature.fingerprint}`",
    )
    return f"| {' | '.join(cells)} |"
