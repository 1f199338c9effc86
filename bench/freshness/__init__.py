"""From a listen to features that can be read: `make bench-freshness`, the enricher beside the same query in Spark."""
