"""Medians with their extremes, of figures that were taken round by round."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    """A figure of several rounds.

    :param rounds: one value for each of them, in their order.
    """

    rounds: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Figure:
        """Return the figure of these rounds."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The middle one: what is spoken of."""
        return median(self.rounds)

    @property
    def least(self) -> float:
        return min(self.rounds)

    @property
    def most(self) -> float:
        return max(self.rounds)

    def over(self, other: Figure) -> Figure:
        """Return the ratio to another, round by round: a round has one weather."""
        return Figure.of(a / b for a, b in self._beside(other))

    def beyond(self, other: Figure) -> Figure:
        """Return what it has more than another, round by round."""
        return Figure.of(a - b for a, b in self._beside(other))

    def _beside(self, other: Figure) -> Sequence[tuple[float, float]]:
        return list(zip(self.rounds, other.rounds, strict=True))

    def told(self, unit: str = "") -> str:
        """Return it as a table shows it: the median and both ends."""
        if len(self.rounds) == 1:
            return _digits(self.median) + unit
        ends = f"{_digits(self.least)}–{_digits(self.most)}"  # noqa: RUF001 (a range)
        return f"{_digits(self.median)}{unit} ({ends})"


def _digits(value: float) -> str:
    """Three digits that mean something, and all that are before the point."""
    size = abs(value)
    places = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{value:,.{places}f}"
