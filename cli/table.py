"""Rows for a person, columns aligned."""

from collections.abc import Sequence


def render(rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """One line per row; every column but the last is as wide as its widest cell. Rows have equally many cells."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join((indent + line).rstrip() for line in lines)
