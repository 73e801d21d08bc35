"""Whether a score means what it says: ten bins of score against the share right, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from distill.report.chart import BLUE, BOTTOM, LEFT, ORANGE, RIGHT, TOP, Frame, label, line, picture, share_grid
from distill.report.markup import Html, data_table, element, percent
from distill.training.metrics import Counts, Shares

_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_FRAME = Frame(0.0, 1.0, 0.0, 1.0)
_GAP = 3.0


@dataclass(frozen=True, slots=True)
class Reliability:
    """Scores in bins of equal width; every array has shape ``[bins]``.

    Attributes:
        texts: number of scores in the bin.
        score: their mean; 0.0 in a bin without any.
        right: share of them that belong to right answers; 0.0 in a bin without any.
    """

    texts: Counts
    score: Shares
    right: Shares

    @property
    def edges(self) -> Shares:
        """Ends of the bins ``[bins + 1]``; each bin holds its upper end."""
        return np.linspace(0.0, 1.0, len(self.texts) + 1)

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean gap of score and share right, each bin weighed by its texts."""
        gaps = self.texts * np.abs(self.score - self.right)
        return float(gaps.sum() / max(1, self.texts.sum()))


def reliability(scores: Shares, right: npt.NDArray[np.bool_], bins: int = 10) -> Reliability:
    """Sort scores into bins, as Guo et al. 2017, "On Calibration of Modern Neural Networks".

    Args:
        scores: ``[n]``, of the predicted class, 0 to 1.
        right: ``[n]``, whether that class is the true one.
        bins: how many; bin m of M holds the scores above (m - 1)/M up to m/M, and the first one 0 as well.
    """
    places = np.digitize(scores, np.linspace(0.0, 1.0, bins + 1)[1:-1], right=True)
    texts = np.bincount(places, minlength=bins).astype(np.int64)
    sums = [np.bincount(places, values, minlength=bins) for values in (scores, right)]
    score, share = (np.divide(one, texts, out=np.zeros(bins), where=texts > 0) for one in sums)
    return Reliability(texts, score, share)


def reliability_chart(found: Reliability) -> Html:
    """Return a bar for each bin that has texts, as high as its share right, and a dot at its mean score."""
    diagonal = line(LEFT, BOTTOM, RIGHT, TOP, stroke=ORANGE, stroke_width=1.5, stroke_dasharray="6 3")
    numbers = [label(f"{tick:.0%}", _FRAME.x(tick), BOTTOM + 17, text_anchor="middle") for tick in _TICKS]
    below = label("score", (LEFT + RIGHT) / 2, BOTTOM + 36, text_anchor="middle")
    above = label("texts", LEFT - 6, TOP - 8, text_anchor="end", font_size=10)
    parts = [*share_grid(_FRAME, _TICKS), *_bars(found), diagonal, *numbers, below, above]
    return picture("Share right by score", *parts)


def reliability_table(found: Reliability) -> Html:
    """Return the numbers of the bins that have texts, the highest scores first."""
    bins = zip(found.edges, found.edges[1:], found.texts, found.score, found.right, strict=False)
    rows = [
        [f"{low:.0%} to {high:.0%}", f"{texts:,}", percent(score), percent(right)]
        for low, high, texts, score, right in bins
        if texts
    ]
    return data_table(["score", "texts", "mean score", "share right"], rows[::-1], "numbers")


def _bars(found: Reliability) -> Iterator[Html]:
    bins = zip(found.edges, found.edges[1:], found.texts, found.score, found.right, strict=False)
    for low, high, texts, score, right in bins:
        if not texts:
            continue
        left, width, top = _FRAME.x(low) + _GAP, _FRAME.x(high) - _FRAME.x(low) - 2 * _GAP, _FRAME.y(right)
        yield element("rect", x=left, y=top, width=width, height=BOTTOM - top, fill="#b9d2ec", stroke=BLUE)
        yield element("circle", cx=_FRAME.x(score), cy=top, r=3.5, fill=BLUE)
        yield label(f"{texts:,}", left + width / 2, TOP - 8, text_anchor="middle", font_size=10)
