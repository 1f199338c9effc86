"""The shapes of PromQL that the panels are made of. `$__rate_interval` is Grafana's: at least four scrapes wide."""

from typing import Final

from deploy.dashboards.grafana import Query

_SPAN: Final = "[$__rate_interval]"


def rate(series: str, *, by: str = "", legend: str = "") -> Query:
    """Per second, summed over all pods, one line for each value of the labels `by` ("a" or "a, b")."""
    grouping = f" by ({by})" if by else ""
    return Query(f"sum{grouping} (rate({series}{_SPAN}))", legend or _legend(by))


def net_rate(series: str, label: str, *, plus: str, minus: str, legend: str) -> Query:
    """Per second and campaign: the series whose `label` is `plus`, less the one where it is `minus`; none of that counts as 0."""
    added, taken_off = (f'sum by (campaign) (rate({series}{{{label}="{value}"}}{_SPAN}))' for value in (plus, minus))
    return Query(f"{added} - ({taken_off} or 0 * {added})", legend)


def quantiles(histogram: str, *shares: float, matchers: str = "") -> tuple[Query, ...]:
    """One line a share (0.99 is drawn as p99) over all pods; `histogram` is its name without _bucket."""
    return tuple(quantile(histogram, share, matchers=matchers, legend=f"p{share * 100:g}") for share in shares)


def quantile(histogram: str, share: float, *, by: str = "", matchers: str = "", legend: str = "") -> Query:
    """The value that `share` of all observations do not exceed, one line for each value of the label `by`."""
    grouping = f"le, {by}" if by else "le"
    selector = f"{histogram}_bucket{{{matchers}}}" if matchers else f"{histogram}_bucket"
    rates = f"sum by ({grouping}) (rate({selector}{_SPAN}))"
    return Query(f"histogram_quantile({share}, {rates})", legend or _legend(by))


def share(part: str, whole: str, legend: str) -> Query:
    """Rate of the series `part` over that of `whole`; none of the part counts as 0, none of the whole as nothing to draw."""
    return Query(f"(sum(rate({part}{_SPAN})) or vector(0)) / (sum(rate({whole}{_SPAN})) > 0)", legend)


def mean(histogram: str, legend: str) -> Query:
    """Sum over count of a histogram."""
    return Query(f"sum(rate({histogram}_sum{_SPAN})) / (sum(rate({histogram}_count{_SPAN})) > 0)", legend)


def now(series: str, *, by: str, legend: str = "") -> Query:
    """A gauge as it is, summed over what `by` leaves together."""
    return Query(f"sum by ({by}) ({series})", legend or _legend(by))


def balance(received: str, *ended: str) -> Query:
    """What of `received` none of `ended` has, by pod and partition."""
    labels = "instance, topic, partition"
    return Query(" - ".join(f"sum by ({labels}) ({series})" for series in (received, *ended)), _legend(labels))


def _legend(by: str) -> str:
    return " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",")) if by else ""
