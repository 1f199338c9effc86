"""How Interlude is run: images, manifests, dashboards, alerts."""
