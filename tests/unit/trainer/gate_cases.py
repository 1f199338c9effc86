"""Evidence for the gate's tests: one candidate that passes everything, and evidence from golden files."""

from typing import Any, Final

from services.trainer.gate import (
    Baseline,
    ChampionComparison,
    Evidence,
    Interval,
    OffPolicy,
    PolicyValue,
    Quality,
    SliceQuality,
)

NOTHING: Final = Interval(0.0, -0.001, 0.001)
VALUE: Final = PolicyValue(
    0.15, Interval(0.05, 0.04, 0.06), Interval(0.05, 0.045, 0.055), Interval(0.05, 0.046, 0.054), 900.0
)
SLICE: Final = SliceQuality("gender", "female", 900, 140, 0.05, 0.2, 0.001, 0.02, Interval(-0.2, -0.25, -0.15), NOTHING)
GOOD: Final = Evidence(
    quality=Quality(error=0.05, log_loss=0.2, auc=0.9, calibration_error=0.01, calibration_by_chance=0.01),
    never_show=Baseline(error=0.15, log_loss=0.42),
    gain=Interval(0.22, 0.2, 0.24),
    parity_max_abs=1e-8,
    finite=True,
    champion=ChampionComparison(Baseline(error=0.05, log_loss=0.2), NOTHING, NOTHING, 0.15, 0.14),
    slices=(SLICE,),
    off_policy=OffPolicy(5000, VALUE, VALUE, Interval(0.0, -0.002, 0.002), 0.02, 60.0, -0.01),
)


def to_evidence(fields: dict[str, Any]) -> Evidence:
    """The evidence of a golden case; intervals are lists of value, low and high."""
    champion, off_policy = fields.get("champion"), fields.get("off_policy")
    return Evidence(
        quality=Quality(**fields["quality"]),
        never_show=Baseline(**fields["never_show"]),
        gain=Interval(*fields["gain"]),
        parity_max_abs=fields["parity_max_abs"],
        finite=fields["finite"],
        champion=_champion(champion) if champion else None,
        slices=tuple(_slice(one) for one in fields.get("slices", ())),
        off_policy=_off_policy(off_policy) if off_policy else None,
    )


def _champion(fields: dict[str, Any]) -> ChampionComparison:
    intervals = {name: Interval(*fields[name]) for name in ("log_loss", "error")}
    return ChampionComparison(**{**fields, "champion": Baseline(**fields["champion"]), **intervals})


def _slice(fields: dict[str, Any]) -> SliceQuality:
    over = fields.get("harm_over_champion")
    changed = {"harm": Interval(*fields["harm"]), "harm_over_champion": Interval(*over) if over else None}
    return SliceQuality(**{**fields, **changed})


def _off_policy(fields: dict[str, Any]) -> OffPolicy:
    policies = {name: _value(fields[name]) for name in ("candidate", "champion")}
    return OffPolicy(**{**fields, **policies, "difference": Interval(*fields["difference"])})


def _value(fields: dict[str, Any]) -> PolicyValue:
    return PolicyValue(**{**fields, **{name: Interval(*fields[name]) for name in ("ips", "snips", "doubly_robust")}})
