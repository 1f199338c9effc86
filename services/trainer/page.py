"""What a training run says of itself, as one page: HTML with its plots inside, to be opened without a server."""

from collections.abc import Iterable
from html import escape
from typing import Final

from services.trainer.charts import Axes, bars, dots, intervals, line, spread
from services.trainer.gate import Check, OffPolicy, SliceQuality
from services.trainer.training import Judged, Outcome

_STYLE: Final = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; } td, th { padding: .25rem .7rem; border-bottom: 1px solid #d0d7de;
  text-align: left; vertical-align: top; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; width: 23rem; } figcaption { font-size: .85rem; }
svg { width: 100%; height: auto; } svg text { font-size: 10px; fill: #57606a; } .grid { stroke: #eaeef2; fill: none; }
polyline { fill: none; stroke-width: 1.8; } polyline.candidate { stroke: #0969da; }
circle.candidate, rect.candidate { fill: #0969da; }
polyline.other { stroke: #8c959f; } circle.other, rect.other { fill: #8c959f; }
polyline.ideal { stroke: #8c959f; stroke-dasharray: 4 3; }
.passed { color: #1a7f37; } .refused { color: #cf222e; font-weight: 600; }
"""


def to_page(outcome: Outcome) -> str:
    """The page of one run: the verdict with its checks, the plots of the chosen candidate, and all candidates."""
    chosen = outcome.chosen
    verdict = _verdict(outcome)
    parts = [
        f"<h1>{escape(verdict)}</h1>",
        f"<p>{outcome.rows:,} rows, {outcome.positives:,} with a click. {escape(_origin(outcome))}</p>",
        _checks(chosen),
        '<div class="plots">',
        *_plots(chosen),
        "</div>",
        _candidates(outcome),
        _slices(chosen.evidence.slices),
    ]
    if chosen.evidence.off_policy is not None:
        parts.append(_off_policy(chosen.evidence.off_policy))
    head = f'<meta charset="utf-8"><title>{escape(verdict)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _verdict(outcome: Outcome) -> str:
    name = outcome.chosen.candidate.algorithm.value
    if not outcome.published:
        return f"Refused: {name}"
    return f"{'Promoted' if outcome.promoted else 'Published'}: {name} {outcome.published}"


def _origin(outcome: Outcome) -> str:
    setting = outcome.chosen.candidate.setting
    told = f"Regularisation {setting.regularisation:g}, class weights {setting.class_weight.value}."
    return f"{told} Compared with champion {outcome.champion_version}." if outcome.champion_version else told


def _checks(judged: Judged) -> str:
    rows = [(_mark(check), _text(check.name.value), _text(check.sentence)) for check in judged.verdict.checks]
    rows += [("<td>not checked</td>", _text(""), _text(sentence)) for sentence in judged.verdict.not_checked]
    return "<h2>Checks</h2>" + _table(("", "check", "what was found"), rows)


def _mark(check: Check) -> str:
    word = "passed" if check.passed else "refused"
    return f'<td class="{word}">{word}</td>'


def _plots(judged: Judged) -> Iterable[str]:
    curves = judged.curves
    unit = (0.0, 1.0)
    calibration = Axes(unit, unit, "promised click rate", "seen click rate")
    points = [
        (promised, seen, f"{rows:,} rows: {promised:.3f}, {seen:.3f}") for promised, seen, rows in curves.calibration
    ]
    ideal = line(calibration, [(0, 0), (1, 1)], "ideal")
    drawn = line(calibration, [point[:2] for point in points], "candidate") + dots(calibration, points, "candidate")
    yield _figure(calibration.svg(ideal, drawn), "Calibration by tenths of the rows; the dashed line is perfect.")
    roc = Axes(unit, unit, "false positive rate", "true positive rate")
    drawn = line(roc, curves.roc, "candidate")
    caption = f"ROC curve; the area under it is {judged.quality.auc:.4f}."
    yield _figure(roc.svg(line(roc, [(0, 0), (1, 1)], "ideal"), drawn), caption)
    most = max((count for pair in curves.scores for count in pair), default=1)
    scores = Axes(unit, (0.0, float(most)), "probability of a click", "rows")
    without, clicked = ([float(pair[side]) for pair in curves.scores] for side in (0, 1))
    drawn = bars(scores, without, "other", lanes=2) + bars(scores, clicked, "candidate", lane=1, lanes=2)
    yield _figure(scores.svg(drawn), "Scores of rows without (grey) and with a click (blue).")
    if judged.evidence.slices:
        yield _slice_plot(judged.evidence.slices)
    if judged.evidence.off_policy is not None:
        yield _value_plot(judged.evidence.off_policy)


def _slice_plot(slices: tuple[SliceQuality, ...]) -> str:
    rows = [(f"{one.dimension} {one.name}", one.harm.value, one.harm.low, one.harm.high) for one in slices]
    axes = Axes(
        spread([end for row in rows for end in row[1:]]),
        (0.0, float(len(rows))),
        "log-loss over the slice's rate",
        "slices",
    )
    zero = line(axes, [(0, 0), (0, len(rows))], "ideal")
    return _figure(
        axes.svg(zero, intervals(axes, rows, "candidate")), "Slices; left of the dashed line is better than nothing."
    )


def _value_plot(off_policy: OffPolicy) -> str:
    rows = []
    for who, value in (("candidate", off_policy.candidate), ("champion", off_policy.champion)):
        for name, estimate in (("IPS", value.ips), ("SNIPS", value.snips), ("DR", value.doubly_robust)):
            rows.append((f"{who} {name}", estimate.value, estimate.low, estimate.high))
    axes = Axes(
        spread([end for row in rows for end in row[1:]]),
        (0.0, float(len(rows))),
        "clicks per decision, net",
        "estimates",
    )
    return _figure(axes.svg(intervals(axes, rows, "candidate")), "What each policy is worth per logged decision.")


def _candidates(outcome: Outcome) -> str:
    rows = []
    for one in outcome.judged:
        quality, setting = one.quality, one.candidate.setting
        measures = (quality.error, quality.log_loss, quality.auc, quality.calibration_error)
        word = "passed" if one.verdict.passed else "refused"
        rows.append(
            (
                _text(one.candidate.algorithm.value),
                *(_number(measure) for measure in (*measures, setting.regularisation)),
                _text(setting.class_weight.value),
                f'<td class="{word}">{word}</td>',
            )
        )
    never = outcome.chosen.evidence.never_show
    rows.append((_text("never show"), _number(never.error), _number(never.log_loss), *[_text("")] * 5))
    header = ("candidate", "error", "log-loss", "AUC", "calibration error", "regularisation", "class weights", "gate")
    return "<h2>Candidates</h2>" + _table(header, rows)


def _slices(slices: tuple[SliceQuality, ...]) -> str:
    rows = [
        (
            _text(f"{one.dimension} {one.name}"),
            *(f'<td class="number">{count:,}</td>' for count in (one.rows, one.clicks)),
            *(_number(value) for value in (one.error, one.log_loss, one.gap)),
            _text(str(one.harm)),
            _text(str(one.harm_over_champion or "")),
        )
        for one in slices
    ]
    header = (
        "slice",
        "rows",
        "clicks",
        "error",
        "log-loss",
        "promised less seen",
        "over its rate",
        "over the champion",
    )
    return "<h2>Slices</h2>" + _table(header, rows) if rows else ""


def _off_policy(off_policy: OffPolicy) -> str:
    rows = [
        (
            _text(who),
            _number(value.share_shown),
            *(_text(str(estimate)) for estimate in (value.ips, value.snips, value.doubly_robust)),
            f'<td class="number">{value.effective_rows:,.0f}</td>',
        )
        for who, value in (("candidate", off_policy.candidate), ("champion", off_policy.champion))
    ]
    told = (
        f"<p>{off_policy.decisions:,} usable decisions; the two differ on {off_policy.disagreement:.2%}. Candidate less champion, "
        f"doubly robust and paired: {escape(str(off_policy.difference))}.</p>"
    )
    return (
        "<h2>Off-policy</h2>" + _table(("policy", "share shown", "IPS", "SNIPS", "DR", "effective rows"), rows) + told
    )


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in header)
    bodies = ("".join(row) for row in rows)
    return f"<table><tr>{titles}</tr>{''.join(f'<tr>{body}</tr>' for body in bodies)}</table>"


def _text(text: str) -> str:
    return f"<td>{escape(text)}</td>"


def _number(value: float) -> str:
    return f'<td class="number">{value:.4f}</td>'
