"""What all pages made from the code have in common."""

from typing import Final

NOTE: Final = "Written by `python -m docs.generate` from the code; change it there."


def cell(text: str) -> str:
    """`text` as a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", r"\|").replace("<", r"\<").replace("*", r"\*")
