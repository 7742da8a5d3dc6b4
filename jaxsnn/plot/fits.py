"""How a fit went."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxsnn.plot.axes import COLORS, INK, axes_or_new, tidy, whole_numbers

__all__ = ["convergence"]


def convergence(result: Any, ax: Any = None) -> Any:
    """The loss over the steps of a fit: one line for each start, the best one in colour.

    Args:
        result: A `FitResult`.
        ax: Where to draw; a new figure if left out.

    Returns:
        The `Axes`. Dotted lines stand between rounds.

    Example:
        >>> from types import SimpleNamespace
        >>> import numpy as np
        >>> from jaxsnn import plot
        >>> losses = np.array([[4.0, 1.0], [0.5, 0.9]])  # two steps, two starts
        >>> rounds = [SimpleNamespace(history=losses)]
        >>> result = SimpleNamespace(history=losses, outcome=SimpleNamespace(rounds=rounds))
        >>> plot.convergence(result).get_ylabel()
        'Loss'
    """
    ax = axes_or_new(ax)
    history = np.asarray(result.history, float)
    steps = np.arange(1, len(history) + 1)
    best = int(np.argmin(history[-1]))
    shown = np.where(np.isfinite(history), history, np.nan)
    for start in range(history.shape[1]):
        if start != best:
            ax.plot(steps, shown[:, start], color=INK, alpha=0.25, linewidth=0.8)
    ax.plot(steps, shown[:, best], color=COLORS[0], linewidth=2, label=f"start {best}: {history[-1, best]:.3g}")
    for end in np.cumsum([len(r.history) for r in result.outcome.rounds])[:-1]:
        ax.axvline(end + 0.5, color=INK, linestyle=":", linewidth=1)
    if np.nanmin(shown) > 0:
        ax.set_yscale("log")
    ax.set(xlabel="Step", ylabel="Loss")
    whole_numbers(ax.xaxis)
    ax.legend(frameon=False)
    return tidy(ax)
