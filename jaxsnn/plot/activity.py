"""What neurons do over time: spikes, traces and rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.plot.axes import BESIDE, COLORS, axes_or_new, scale_bar, tidy, whole_numbers
from jaxsnn.plot.given import ends_of, parts_of, plain, read_spikes, read_traces, scale_of, span_of, time_scale

__all__ = ["population_rate", "raster", "traces"]


def raster(
    spikes: Any,
    ax: Any = None,
    *,
    groups: Mapping[str, Any] | None = None,
    time: tuple[Any, Any] | None = None,
    n: int | None = None,
    marker_size: float | None = None,
    color: Any = None,
) -> Any:
    """A mark for every spike: time to the right, neurons upwards.

    Args:
        spikes: A `SpikeMonitor`, or ``(i, t)``: neuron numbers and times.
        ax: Where to draw; a new figure if left out.
        groups: ``{label: slice(start, stop)}``: parts of the neurons, in a colour of their own.
        time: Beginning and end of the picture; from 0 to the last spike if left out.
        n: Number of neurons; that of the monitor's group, or the highest that fired.
        marker_size: In points; by default it follows from the number of neurons.
        color: One colour for all marks, instead of those of the groups.

    Returns:
        The `Axes`.

    Example:
        >>> from jaxsnn import Network, SpikeMonitor, plot
        >>> from jaxsnn.models import LIF
        >>> from jaxsnn.units import ms, pA
        >>> cells = LIF.group(20, I="(100 + 20*i)*pA")
        >>> spikes = SpikeMonitor(cells)
        >>> Network(cells, spikes).run(200 * ms)
        >>> ax = plot.raster(spikes, groups={"weak": slice(0, 10), "strong": slice(10, 20)})
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['weak', 'strong']
    """
    index, t, n = read_spikes(spikes, n)
    ax = axes_or_new(ax)
    begin, end = span_of(time, t)
    scale = time_scale(begin, end)
    height = ax.get_window_extent().height * 72 / ax.figure.dpi
    size = float(np.clip(0.8 * height / max(n, 1), 1.5, 12.0)) if marker_size is None else marker_size
    shown = (t >= begin) & (t <= end)
    for label, rows, ink in parts_of(groups, n, color):
        mine = shown & (index >= rows.start) & (index < rows.stop)
        ax.plot(
            t[mine] / scale.size,
            index[mine],
            linestyle="none",
            # A stroke shows the time, but below 3 points only a dot is seen.
            marker="|" if size >= 3 else ".",
            markersize=size,
            markeredgewidth=min(1.0, size / 3) if size >= 3 else 0.0,
            color=ink,
            label=label,
            rasterized=bool(np.count_nonzero(mine) > 20000),  # keeps a PDF small
        )
    ax.set_xlim(begin / scale.size, end / scale.size)
    ax.set_ylim(-0.5, max(n, 1) - 0.5)
    ax.set_xlabel(f"Time ({scale.symbol})")
    ax.set_ylabel("Neuron")
    whole_numbers(ax.yaxis)
    if groups is not None:
        ax.legend(**BESIDE, markerscale=max(1.0, 6 / size))
    return tidy(ax)


def traces(
    monitor: Any,
    variable: str | None = None,
    ax: Any = None,
    *,
    elements: Sequence[int] | int | None = None,
    unit: Any = None,
    offset: Any = None,
) -> Any:
    """Recorded values over time, one line an element.

    Args:
        monitor: A `StateMonitor`, or ``(t, values)`` with values of shape (T,) or (elements, T).
        variable: Which of the recorded variables; may be left out if there is one.
        ax: Where to draw; a new figure if left out.
        elements: Which of the recorded elements; all if left out.
        unit: Unit of the axis (``mV``); a suitable one if left out.
        offset: Distance between the lines, ``True`` for one that keeps them apart. Without it they lie on one
            another; with it the axis shows the elements, and a bar how large the values are.

    Returns:
        The `Axes`.

    Example:
        >>> from jaxsnn import Network, StateMonitor, plot
        >>> from jaxsnn.models import LIF
        >>> from jaxsnn.units import mV, ms, pA
        >>> cells = LIF.group(3, I="50*i*pA")
        >>> trace = StateMonitor(cells, "v", record=True)
        >>> Network(cells, trace).run(50 * ms)
        >>> ax = plot.traces(trace, "v", elements=[0, 2], unit=mV)
        >>> ax.get_ylabel(), [line.get_label() for line in ax.lines]
        ('v (mV)', ['0', '2'])
    """
    name, t, values, numbers = read_traces(monitor, variable, elements)
    scale = scale_of(values, unit)
    rows = np.atleast_2d(plain(values)) / scale.size
    if rows.shape[1] != t.size:
        raise ArgumentError(f"plot.traces: there are {t.size} times, but {rows.shape[1]} values a line")
    ax = axes_or_new(ax)
    in_time = time_scale(*ends_of(t))
    step = 0.0
    if offset is not None and offset is not False:
        largest = float(np.max(np.ptp(rows, axis=1))) if rows.size else 0.0
        step = (1.1 * largest or 1.0) if offset is True else float(plain(offset)) / scale.size
    for k, row in enumerate(rows):
        color = COLORS[k % len(COLORS)] if len(rows) <= len(COLORS) or step else None
        ax.plot(t / in_time.size, row + k * step, color=color, linewidth=1.0, label=str(numbers[k]))
    ax.set_xlim(*(end / in_time.size for end in ends_of(t)))
    ax.set_xlabel(f"Time ({in_time.symbol})")
    label = f"{name} ({scale.symbol})" if name and scale.symbol else name or scale.symbol
    if step and rows.size:
        ax.set_yticks([float(np.median(row)) + k * step for k, row in enumerate(rows)], [str(i) for i in numbers])
        ax.set_ylabel(f"{name} of element".strip() if name else "Element")
        scale_bar(ax, step, scale.symbol)
    else:
        ax.set_ylabel(label)
        if 1 < len(rows) <= len(COLORS):
            ax.legend(**BESIDE)
    return tidy(ax)


def population_rate(
    monitor: Any,
    ax: Any = None,
    *,
    width: Any = None,
    time: tuple[Any, Any] | None = None,
    n: int | None = None,
    label: str | None = None,
    color: Any = None,
) -> Any:
    """The mean firing rate over time, smoothed with a Gaussian.

    ``rate(t) = sum_spikes g(t - t_spike)/n``, with ``g`` scaled to the part of it inside the picture, so that the
    rate does not fall at the ends.

    Args:
        monitor: A `PopulationRateMonitor`, a `SpikeMonitor`, or ``(i, t)``.
        ax: Where to draw; a new figure if left out.
        width: Standard deviation of the Gaussian; 5 ms if left out.
        time: Beginning and end of the picture; for spikes from 0 to the last of them if left out.
        n: Number of neurons, needed for ``(i, t)``.
        label: What the line is called in a legend.
        color: Of the line.

    Returns:
        The `Axes`.

    Example:
        >>> import numpy as np
        >>> from jaxsnn import plot
        >>> from jaxsnn.units import ms, second
        >>> t = np.arange(0.5, 1000, 1)  # every neuron once a second
        >>> ax = plot.population_rate((np.arange(1000), t * ms), n=1000, width=20 * ms, time=(0 * ms, 1 * second))
        >>> ax.get_ylabel(), f"{ax.lines[0].get_ydata().mean():.2f}"
        ('Rate (Hz)', '1.00')
    """
    width = 5e-3 if width is None else float(plain(width))
    if not width > 0:
        raise ArgumentError(f"plot.population_rate: the width is a time above 0, such as 5*ms; got {width} s")
    if hasattr(monitor, "rate"):
        t, rate = plain(monitor.t), plain(monitor.rate)
        if t.size < 2:
            raise ArgumentError("plot.population_rate: the monitor has recorded fewer than two steps; run first")
        bin_width = float(t[1] - t[0])
        begin, end = (t[0], t[-1] + bin_width) if time is None else map(float, map(plain, time))
        inside = (t >= begin - bin_width / 2) & (t < end - bin_width / 2)
        t, rate = t[inside] + bin_width / 2, rate[inside]
    else:
        if n is None and not hasattr(monitor, "source"):
            raise ArgumentError("plot.population_rate: (i, t) do not tell how many neurons there are; give n=...")
        _, spike_times, n = read_spikes(monitor, n)
        begin, end = span_of(time, spike_times)
        bins = max(1, int(np.ceil((end - begin) / (width / 10))))
        edges = np.linspace(begin, end, bins + 1)
        bin_width = float(edges[1] - edges[0])
        t = (edges[:-1] + edges[1:]) / 2
        rate = np.histogram(spike_times, edges)[0] / (n * bin_width)
    ax = axes_or_new(ax)
    scale = time_scale(begin, end)
    ax.plot(t / scale.size, _smooth(rate, width / bin_width), color=color or COLORS[0], linewidth=1.2, label=label)
    ax.set_xlim(begin / scale.size, end / scale.size)
    ax.set_ylim(0, max(1.05 * max(float(np.max(line.get_ydata(), initial=0.0)) for line in ax.lines), 1e-9))
    ax.set_xlabel(f"Time ({scale.symbol})")
    ax.set_ylabel("Rate (Hz)")
    if label is not None:
        ax.legend(**BESIDE)
    return tidy(ax)


def _smooth(rate: np.ndarray, width: float) -> np.ndarray:
    """Gaussian mean with a standard deviation in bins; at the ends over what there is."""
    half = int(np.ceil(4 * width))
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / width) ** 2)
    total = np.convolve(rate, kernel)[half : half + rate.size]
    return total / np.convolve(np.ones(rate.size), kernel)[half : half + rate.size]
