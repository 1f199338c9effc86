"""The events of `proto/interlude/v1/events.proto`: topics, reading them with every field checked, writing them with headers."""
