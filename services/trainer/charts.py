"""Plots as inline SVG: points, lines, bars and intervals in one square each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 360
HEIGHT: Final = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 40
_TICKS: Final = 5

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axes:
    """What is drawn in: the range of each axis and what it is called. A range without extent is widened."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    x_title: str
    y_title: str

    def place(self, point: Point) -> Point:
        """Where in the picture a point is."""
        across = _share(point[0], self.x_range) * (WIDTH - _LEFT - _RIGHT)
        up = _share(point[1], self.y_range) * (HEIGHT - _TOP - _BOTTOM)
        return _LEFT + across, HEIGHT - _BOTTOM - up

    def svg(self, *marks: str) -> str:
        """The picture with these marks."""
        body = "".join((*self._grid(), *marks))
        return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.y_title)}">{body}</svg>'

    def _grid(self) -> list[str]:
        parts = []
        for step in range(_TICKS + 1):
            x = self.x_range[0] + (self.x_range[1] - self.x_range[0]) * step / _TICKS
            y = self.y_range[0] + (self.y_range[1] - self.y_range[0]) * step / _TICKS
            across, up = self.place((x, y))
            parts.append(f'<path class="grid" d="M{_LEFT} {up:.1f}H{WIDTH - _RIGHT}"/>')
            parts.append(f'<text x="{across:.1f}" y="{HEIGHT - _BOTTOM + 14}" text-anchor="middle">{x:.3g}</text>')
            parts.append(f'<text x="{_LEFT - 4}" y="{up + 3:.1f}" text-anchor="end">{y:.3g}</text>')
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(self.x_title)}</text>')
        turned = f'transform="rotate(-90 12 {HEIGHT / 2})" text-anchor="middle"'
        parts.append(f'<text x="12" y="{HEIGHT / 2}" {turned}>{escape(self.y_title)}</text>')
        return parts


def line(axes: Axes, points: Sequence[Point], kind: str) -> str:
    """A line through points, of the class `kind`."""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(axes.place, points))
    return f'<polyline class="{kind}" points="{places}"/>'


def dots(axes: Axes, points: Sequence[tuple[float, float, str]], kind: str) -> str:
    """A dot per point, each with what it says when pointed at."""
    placed = ((*axes.place((x, y)), text) for x, y, text in points)
    return "".join(
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>{escape(text)}</title></circle>'
        for x, y, text in placed
    )


def bars(axes: Axes, heights: Sequence[float], kind: str, *, lane: int = 0, lanes: int = 1) -> str:
    """A bar per height over equal parts of the x axis, in one of `lanes` beside one another."""
    low, high = axes.x_range
    step = (high - low) / max(1, len(heights))
    parts = []
    for place, height in enumerate(heights):
        begin, top = axes.place((low + step * (place + lane / lanes), height))
        end, bottom = axes.place((low + step * (place + (lane + 1) / lanes), axes.y_range[0]))
        size = f'width="{max(0.0, end - begin - 1):.1f}" height="{max(0.0, bottom - top):.1f}"'
        parts.append(f'<rect class="{kind}" x="{begin:.1f}" y="{top:.1f}" {size}/>')
    return "".join(parts)


def intervals(axes: Axes, rows: Sequence[tuple[str, float, float, float]], kind: str) -> str:
    """For each row its name, value, low and high: a dot on a line, one below the other, from the top of a y axis 0..rows."""
    parts = []
    for place, (name, value, low, high) in enumerate(rows):
        height = len(rows) - place - 0.5
        parts.append(line(axes, [(low, height), (high, height)], kind))
        parts.append(dots(axes, [(value, height, f"{name}: {value:.4f} ({low:.4f} to {high:.4f})")], kind))
        _, y = axes.place((value, height))
        parts.append(f'<text x="{_LEFT + 4}" y="{y - 5:.1f}">{escape(name)}</text>')
    return "".join(parts)


def spread(values: Sequence[float]) -> tuple[float, float]:
    """A range that holds all values and 0, with a little room; 0..1 when there are none."""
    low, high = min((*values, 0.0)), max((*values, 0.0))
    room = (high - low) * 0.08
    return (low - room, high + room) if values and high > low else (0.0, 1.0)


def _share(value: float, extent: tuple[float, float]) -> float:
    low, high = extent
    return (value - low) / (high - low) if high > low else 0.5
