"""Grafana dashboards, written in Python and generated as JSON: `python -m deploy.dashboards`."""
