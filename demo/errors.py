"""How the demo ends when it does not end well."""


class DemoFailed(Exception):
    """A step failed or a promise was broken. The message is one sentence for a person."""
