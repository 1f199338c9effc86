from prometheus_client import CollectorRegistry, Histogram, generate_latest

from interlude.servicekit.histograms import BatchHistogram

AMOUNTS = [0.0, 0.5, 1.0, 1.5, 2.0, 7.0, 1.5]


def test_many_at_once_are_as_many_one_by_one() -> None:
    pages = []
    for kind in (Histogram, BatchHistogram):
        registry = CollectorRegistry()
        histogram = kind("seconds", "Of a batch.", ["method"], buckets=(1, 2), registry=registry).labels("Decide")
        if isinstance(histogram, BatchHistogram):
            histogram.observe_all(AMOUNTS)
            histogram.observe_all([])
        else:
            for amount in AMOUNTS:
                histogram.observe(amount)
        pages.append([line for line in generate_latest(registry).decode().splitlines() if "_created" not in line])
    assert pages[0] == pages[1]
