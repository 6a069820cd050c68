"""Drawings for a page, as SVG that takes its colours from the page's style: readable in light, dark and print."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from automl_assets.evaluation.page_html import Html, element, esc, join, number

LEFT, RIGHT, TOP, BOTTOM = 52, 14, 10, 40
LABEL_WIDTH, BAR_HEIGHT = 170, 19
MOST_CELLS_WITH_NUMBERS = 15
CHARACTERS = 26

Point = tuple[float, float]


class Estimate(NamedTuple):
    """A value on a scale, with its interval where it has one."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None


class Dot(NamedTuple):
    """A labelled point; a strong one is what the page is about."""

    x: float
    y: float
    label: str
    strong: bool


@dataclass(frozen=True)
class Frame:
    """A plot's size and what its edges stand for."""

    x: Point
    y: Point
    width: int = 360
    height: int = 270
    log_x: bool = False

    def at(self, x: float, y: float) -> Point:
        """Where a point lies on the paper."""
        low, high, value = (math.log10(v) if self.log_x else v for v in (*self.x, x))
        across = (value - low) / ((high - low) or 1)
        up = (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1)
        return (
            round(LEFT + across * (self.width - LEFT - RIGHT), 1),
            round(self.height - BOTTOM - up * (self.height - TOP - BOTTOM), 1),
        )

    def draw(self, marks: Html, x_label: str, y_label: str) -> Html:
        """The marks within axes."""
        left, bottom = self.at(self.x[0], self.y[0])
        right, top = self.at(self.x[1], self.y[1])
        parts: list[Html] = []
        for value in powers(*self.x) if self.log_x else ticks(*self.x):
            x = self.at(value, self.y[0])[0]
            parts += [_line(x, bottom, x, top, "grid"), _text(x, bottom + 14, number(value), "soft mid")]
        for value in ticks(*self.y):
            y = self.at(self.x[0], value)[1]
            parts += [_line(left, y, right, y, "grid"), _text(left - 5, y + 4, number(value), "soft end")]
        middle = (left + right) / 2
        parts += [_text(middle, self.height - 8, x_label, "mid"), _turned(12, (top + bottom) / 2, y_label)]
        return _svg(self.width, self.height, f"{y_label} against {x_label}", join(parts), marks)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two bounds: steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between two positive bounds, and no more of them than there is room for."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [factor * 10.0**e for e in exponents for factor in (1, 2, 5) if low <= factor * 10.0**e <= high]
    return found if len(found) <= 6 else [v for v in found if math.log10(v).is_integer()]


def padded(values: Sequence[float], share: float = 0.08) -> Point:
    """The range of some values with air around it."""
    low, high = min(values), max(values)
    air = share * ((high - low) or abs(high) or 1)
    return low - air, high + air


def curve(points: Sequence[Point], x_label: str, y_label: str, *, diagonal: bool = False, zero: bool = False) -> Html:
    """A line through points; with the diagonal for comparison, or the line where x is 0."""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    frame = Frame((0, 1), (0, 1)) if diagonal else Frame(padded(xs, 0.02), (0.0, max(1.0, *ys)))
    marks = [_path([frame.at(*p) for p in points], "line")]
    if diagonal:
        marks.insert(0, _path([frame.at(0, 0), frame.at(1, 1)], "dash"))
    if zero and frame.x[0] < 0 < frame.x[1]:
        marks.insert(0, _path([frame.at(0, frame.y[0]), frame.at(0, frame.y[1])], "dash"))
    return frame.draw(join(marks), x_label, y_label)


def scatter(dots: Sequence[Dot], front: Sequence[Point], x_label: str, y_label: str) -> Html:
    """Labelled points, x on a logarithmic scale, and a line through those that no other beats."""
    low, high = min(d.x for d in dots), max(d.x for d in dots)
    frame = Frame((low / 1.4, high * 2.5), padded([d.y for d in dots], 0.12), width=520, height=320, log_x=True)
    marks = [_path([frame.at(*p) for p in front], "front")]
    taken: list[Point] = []
    for dot in sorted(dots, key=lambda d: not d.strong):
        x, y = frame.at(dot.x, dot.y)
        marks.append(Html(f'<circle cx="{x}" cy="{y}" r="{5.5 if dot.strong else 4}" class="{_ink(dot.strong)}"/>'))
        if all(abs(y - other) > 11 or abs(x - across) > 110 for across, other in taken):
            aside = x > 0.7 * frame.width
            ink = ("" if dot.strong else "soft ") + ("end" if aside else "")
            marks.append(_text(x - 8 if aside else x + 8, y + 4, _short(dot.label), ink.strip()))
            taken.append((x, y))
    return frame.draw(join(marks), x_label, y_label)


def history(scores: Sequence[tuple[float, str, bool]], best: Sequence[Point], y_label: str) -> Html:
    """Trials in order, counted from 1, whole ones filled, and the best so far."""
    frame = Frame((0.5, len(scores) + 0.5), padded([score for score, _, _ in scores]), width=520)
    marks = [_path([frame.at(*p) for p in best], "front")]
    for i, (score, label, whole) in enumerate(scores):
        x, y = frame.at(i + 1, score)
        told = element("title", f"{label}: {number(score)}")
        marks.append(Html(f'<circle cx="{x}" cy="{y}" r="4" class="{_ink(whole)}">{told}</circle>'))
    return frame.draw(join(marks), "trial", y_label)


def estimates(rows: Sequence[Estimate], width: int = 560) -> Html:
    """Values with their intervals below each other, on one scale."""
    known = [v for row in rows for v in (row.value, row.low, row.high) if v is not None]
    low, high = padded(known)
    height = BAR_HEIGHT * len(rows) + 22

    def at(value: float) -> float:
        return round(LABEL_WIDTH + (value - low) / (high - low) * (width - LABEL_WIDTH - 60), 1)

    parts: list[Html] = []
    for value in ticks(low, high):
        parts += [
            _line(at(value), 0, at(value), height - 20, "grid"),
            _text(at(value), height - 6, number(value), "soft mid"),
        ]
    for i, row in enumerate(rows):
        y = BAR_HEIGHT * i + 11
        parts.append(_text(LABEL_WIDTH - 10, y + 4, _short(row.label), "end"))
        if row.low is not None and row.high is not None:
            parts.append(_line(at(row.low), y, at(row.high), y, "ci"))
        parts.append(Html(f'<circle cx="{at(row.value)}" cy="{y}" r="4.5" class="{_ink(row.low is not None)}"/>'))
    return _svg(width, height, "values with intervals", join(parts))


def bars(items: Sequence[tuple[str, float]], width: int = 560, label_width: int = LABEL_WIDTH) -> Html:
    """Horizontal bars, those below 0 to the left of it."""
    low, high = min(0.0, *(v for _, v in items)), max(0.0, *(v for _, v in items))
    room = width - label_width - 60

    def at(value: float) -> float:
        return label_width + (value - low) / ((high - low) or 1) * room

    parts: list[Html] = []
    for i, (label, value) in enumerate(items):
        y, start, end = BAR_HEIGHT * i, min(at(value), at(0)), max(at(value), at(0))
        ink = "fill" if value >= 0 else "minus"
        parts += [
            _text(label_width - 10, y + 13, _short(label, label_width // 6), "end"),
            _rect(start, y + 3, max(end - start, 0.8), BAR_HEIGHT - 6, ink),
            _text(end + 5, y + 13, number(value, 3), "soft"),
        ]
    return _svg(width, BAR_HEIGHT * len(items) + 2, "bars", join(parts))


def histogram(counts: Sequence[float], low: float, high: float, width: int = 250, height: int = 90) -> Html:
    """Counts in equal bins between two numbers."""
    most, wide = max(counts) or 1, width / len(counts)
    parts = [
        _rect(i * wide, (height - 16) * (1 - n / most), wide - 0.8, (height - 16) * n / most, "fill")
        for i, n in enumerate(counts)
    ]
    parts.append(_line(0, height - 15.5, width, height - 15.5, "axis"))
    parts += [_text(0, height - 3, number(low), "soft"), _text(width, height - 3, number(high), "soft end")]
    return _svg(width, height, "histogram", join(parts))


def heat(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> Html:
    """A confusion matrix: each true class's row shaded by the shares of what was predicted."""
    size = max(11, min(46, 380 // len(counts)))
    named = len(counts) <= MOST_CELLS_WITH_NUMBERS
    left, top = (96, 22) if named else (30, 22)
    side = size * len(counts)
    parts = [_text(left + side / 2, 13, "predicted", "soft mid"), _turned(10, top + side / 2, "true")]
    for i, row in enumerate(counts):
        total = sum(row) or 1
        for j, n in enumerate(row):
            x, y, share = left + j * size, top + i * size, n / total
            parts.append(
                Html(f'<rect x="{x}" y="{y}" width="{size - 1}" height="{size - 1}" class="faint" fill-opacity="0.25"/>'
                     f'<rect x="{x}" y="{y}" width="{size - 1}" height="{size - 1}" class="fill" '
                     f'fill-opacity="{share:.3f}"><title>{esc(n)}</title></rect>')
            )  # fmt: skip
            if named:
                parts.append(_text(x + size / 2, y + size / 2 + 4, f"{n:,}", "mid on" if share > 0.5 else "mid plain"))
        if named:
            parts.append(_text(left - 6, top + i * size + size / 2 + 4, _short(labels[i], 11), "end"))
            parts.append(
                _text(left + i * size + size / 2, top + side + 14, _short(labels[i], max(3, size // 6)), "mid")
            )
    return _svg(left + side + 6, top + side + 22, "confusion matrix", join(parts))


def _ink(strong: bool) -> str:
    return "fill" if strong else "faint"


def _short(text: str, most: int = CHARACTERS) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _line(x1: float, y1: float, x2: float, y2: float, ink: str) -> Html:
    return Html(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{ink}"/>')


def _rect(x: float, y: float, width: float, height: float, ink: str) -> Html:
    return Html(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{ink}"/>')


def _path(points: Sequence[Point], ink: str) -> Html:
    return Html(f'<polyline points="{" ".join(f"{x},{y}" for x, y in points)}" class="{ink}"/>')


def _text(x: float, y: float, text: str, ink: str) -> Html:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", class_=ink)


def _turned(x: float, y: float, text: str) -> Html:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", class_="mid", transform=f"rotate(-90 {x:.1f} {y:.1f})")


def _svg(width: float, height: float, label: str, *parts: Html) -> Html:
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    return Html(f'<svg {size} role="img" aria-label="{esc(label)}">{join(parts)}</svg>')
