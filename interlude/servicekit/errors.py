"""What a handler may say to the loop that runs it."""


class Unavailable(Exception):
    """Something the handler needs does not answer now. Nothing was lost: the same batch can be handled again later."""
