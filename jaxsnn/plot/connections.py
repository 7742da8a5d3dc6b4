"""Which neurons are connected, as a matrix or as lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxsnn.errors import ArgumentError, did_you_mean
from jaxsnn.plot.axes import COLORS, INK, axes_or_new, matplotlib, tidy, whole_numbers
from jaxsnn.plot.given import plain, scale_of

__all__ = ["connectivity"]

MOST_LINES = 5000
"""Most synapses that are drawn as single lines."""
MOST_PIXELS = 400
"""Most rows and columns of a connection matrix; above, several neurons share one."""


def connectivity(synapses: Any, ax: Any = None, *, kind: str = "matrix", weight: str | None = None) -> Any:
    """Which neurons are connected.

    Args:
        synapses: `Synapses`, or ``(i, j)``: numbers of the sources and targets.
        ax: Where to draw; a new figure if left out.
        kind: ``"matrix"``: sources upwards, targets to the right, dark where there is a synapse. ``"lines"``:
            sources on the left, targets on the right, a line for each synapse.
        weight: Name of a variable of the synapses that gives the colour (in a matrix, its sum); otherwise their
            number does.

    Returns:
        The `Axes`. More than 400 neurons share the pixels of a matrix, and of more than 5000 synapses every
        k-th is drawn as a line (the title says so).

    Example:
        >>> from jaxsnn import NeuronGroup, Synapses, plot
        >>> cells = NeuronGroup(10, "v : 1", threshold="v > 1", reset="v = 0")
        >>> ring = Synapses(cells, cells, on_pre="v_post += 1")
        >>> ring.connect(j="(i + 1) % N_post")
        >>> ax = plot.connectivity(ring, kind="lines")
        >>> ax.get_title(), [text.get_text() for text in ax.get_xticklabels()]
        ('10 synapses', ['Source', 'Target'])
    """
    if kind not in _KINDS:
        raise ArgumentError(
            f"plot.connectivity: there is no kind {kind!r}; use 'matrix' or 'lines'.{did_you_mean(kind, _KINDS)}"
        )
    if isinstance(synapses, tuple | list):
        i, j = (np.asarray(ends, int) for ends in synapses)
        sizes = (int(i.max(initial=0)) + 1, int(j.max(initial=0)) + 1)
    else:
        i, j = np.asarray(synapses.i[:]), np.asarray(synapses.j[:])
        sizes = (len(synapses.source), len(synapses.target))
    values = None if weight is None else getattr(synapses, weight)[:]
    ax = axes_or_new(ax)
    _KINDS[kind](ax, i, j, sizes, values, weight)
    return ax


def _matrix(ax: Any, i: np.ndarray, j: np.ndarray, sizes: tuple[int, int], values: Any, name: str | None) -> None:
    pixels = [min(size, MOST_PIXELS) for size in sizes]
    edges = [np.linspace(-0.5, size - 0.5, count + 1) for size, count in zip(sizes, pixels, strict=True)]
    counts = np.histogram2d(i, j, edges)[0]
    shared = any(count < size for size, count in zip(sizes, pixels, strict=True))
    if values is None:
        image, label = counts, "Synapses a pixel" if shared else "Synapses"
    else:
        scale = scale_of(values, None)
        total = np.histogram2d(i, j, edges, weights=plain(values) / scale.size)[0]
        image, label = total, f"{name} ({scale.symbol})" if scale.symbol else str(name)
    # White means that there is no synapse, which is not the same as a weight of 0.
    image = np.ma.masked_where(counts == 0, image)
    low = 0.0 if values is None else None
    drawn = ax.imshow(
        image,
        origin="lower",
        aspect="equal" if 0.2 < sizes[0] / sizes[1] < 5 else "auto",
        interpolation="nearest",
        cmap="viridis_r" if values is not None else "Blues",
        vmin=low,
        extent=(-0.5, sizes[1] - 0.5, -0.5, sizes[0] - 0.5),
    )
    if values is not None or image.max() > 1:
        ax.figure.colorbar(drawn, ax=ax, label=label, shrink=0.8)
    ax.set_xlabel("Target neuron")
    ax.set_ylabel("Source neuron")
    ax.set_title(f"{i.size} synapses", fontsize="medium")
    whole_numbers(ax.xaxis)
    whole_numbers(ax.yaxis)


def _lines(ax: Any, i: np.ndarray, j: np.ndarray, sizes: tuple[int, int], values: Any, name: str | None) -> None:
    collections = matplotlib("collections")
    every = -(-i.size // MOST_LINES) if i.size else 1
    i_shown, j_shown = i[::every], j[::every]
    segments = [((0, a), (1, b)) for a, b in zip(i_shown, j_shown, strict=True)]
    lines = collections.LineCollection(
        segments, linewidths=0.8, alpha=float(np.clip(60 / (i_shown.size + 1), 0.08, 0.8))
    )
    if values is None:
        lines.set_color(COLORS[0])
    else:
        scale = scale_of(values, None)
        lines.set_array(plain(values)[::every] / scale.size)
        ax.figure.colorbar(lines, ax=ax, label=f"{name} ({scale.symbol})" if scale.symbol else name)
    ax.add_collection(lines)
    largest = max(sizes)
    for x, size in enumerate(sizes):
        ax.plot(np.full(size, x), np.arange(size), "o", color=INK, markersize=float(np.clip(150 / largest, 0.5, 5)))
    ax.set_xlim(-0.15, 1.15)
    ax.set_ylim(-0.5 - 0.02 * largest, largest - 0.5 + 0.02 * largest)
    ax.set_xticks([0, 1], ["Source", "Target"])
    ax.set_ylabel("Neuron")
    whole_numbers(ax.yaxis)
    whole = f"{i.size} synapses"
    ax.set_title(whole if every == 1 else f"{i_shown.size} of {whole}", fontsize="medium")
    tidy(ax)


_KINDS = {"matrix": _matrix, "lines": _lines}
