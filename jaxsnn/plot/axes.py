"""Matplotlib, imported when something is drawn, and the look that all pictures share."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["BESIDE", "COLORS", "INK", "axes_or_new", "matplotlib", "scale_bar", "tidy", "whole_numbers"]

# M. Okabe and K. Ito (2008), Color Universal Design: told apart with any kind of colour vision.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK = "#222222"
BESIDE = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "frameon": False}
"""A legend that covers no data."""


def matplotlib(part: str) -> Any:
    """A module of Matplotlib, or what to install."""
    try:
        from matplotlib import collections, pyplot, ticker
    except ImportError as error:
        raise ImportError("plots need Matplotlib; install it with: pip install jaxsnn-sim[plot]") from error
    return {"pyplot": pyplot, "ticker": ticker, "collections": collections}[part]


def axes_or_new(ax: Any) -> Any:
    """The given `Axes`, or those of a new figure."""
    pyplot = matplotlib("pyplot")
    return pyplot.subplots(figsize=(6.4, 3.6), layout="constrained")[1] if ax is None else ax


def tidy(ax: Any) -> Any:
    """The `Axes` without the lines of a box."""
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def whole_numbers(axis: Any) -> None:
    """Ticks at whole numbers only: there is no neuron 2.5."""
    axis.set_major_locator(matplotlib("ticker").MaxNLocator(integer=True, nbins=6))


def scale_bar(ax: Any, step: float, symbol: str) -> None:
    """A bar of a round length beside the lines, for an axis that shows elements instead of values."""
    digits = 10.0 ** np.floor(np.log10(step))
    length = max(m for m in (1, 2, 5) if m * digits <= step) * digits
    bottom = ax.get_ylim()[0]
    transform = ax.get_yaxis_transform()  # x in parts of the axes, y in values
    ax.plot([1.02, 1.02], [bottom, bottom + length], color=INK, linewidth=2, transform=transform, clip_on=False,
            label="_scale")  # fmt: skip
    text = f"{length:g} {symbol}".strip()
    ax.text(1.035, bottom + length / 2, text, transform=transform, va="center", ha="left")
