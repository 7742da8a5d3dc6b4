"""Reading what is to be drawn: monitors or plain arrays, to numbers in SI base units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.plot.axes import COLORS, INK

__all__ = ["Scale", "ends_of", "parts_of", "plain", "read_spikes", "read_traces", "scale_of", "span_of", "time_scale"]


class Scale(NamedTuple):
    """A unit of an axis: its size in SI base units and its symbol."""

    size: float
    symbol: str


def plain(values: Any) -> np.ndarray:
    """Numbers in SI base units of an array or a quantity."""
    return np.asarray(getattr(values, "value", values), dtype=float)


def scale_of(values: Any, unit: Any) -> Scale:
    """The given unit, or the one in which the largest value is printed."""
    dim = getattr(values, "dim", None)
    if unit is not None:
        if getattr(unit, "dim", None) != dim:
            raise ArgumentError(f"plot: the values are in {dim or '1'} and cannot be shown in {unit!r}")
        return Scale(float(unit.value), getattr(unit, "symbol", repr(unit)))
    if dim is None:
        return Scale(1.0, "")
    finite = np.abs(plain(values))
    largest = float(np.max(finite, where=np.isfinite(finite), initial=0.0))
    number, _, symbol = repr(type(values)(largest, dim)).partition(" ")
    if largest == 0.0:
        return Scale(1.0, symbol)
    # Units are powers of ten apart, so that the few digits printed are enough to tell the size.
    return Scale(float(f"1e{round(np.log10(largest / float(number)))}"), symbol)


def time_scale(begin: float, end: float) -> Scale:
    """Milliseconds for pictures of up to two seconds."""
    return Scale(1.0, "s") if end - begin > 2.0 else Scale(1e-3, "ms")


def read_spikes(given: Any, n: int | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Neuron numbers, times in second and the number of neurons."""
    if hasattr(given, "i") and hasattr(given, "t"):
        if getattr(given, "record", True) is False:
            raise ArgumentError(f"plot: {given.name} kept only the counts (record=False), so there are no times")
        index, t = np.asarray(given.i), plain(given.t)
        n = len(given.source) if n is None and hasattr(given, "source") else n
    elif isinstance(given, tuple | list) and len(given) == 2:
        index, t = np.asarray(given[0], int), plain(given[1])
    else:
        raise ArgumentError(f"plot: spikes are a SpikeMonitor or (i, t), got {type(given).__name__}")
    if index.shape != t.shape:
        raise ArgumentError(f"plot: there are {index.size} neuron numbers, but {t.size} times")
    return index, t, int(index.max(initial=-1)) + 1 if n is None else int(n)


def read_traces(monitor: Any, variable: str | None, elements: Any) -> tuple[str, np.ndarray, Any, list[int]]:
    """Name, times in second, values (elements, T) and the numbers of the elements."""
    if isinstance(monitor, tuple | list):
        t, values = plain(monitor[0]), monitor[1]
        numbers = list(range(np.atleast_2d(plain(values)).shape[0]))
        values = values[None, :] if np.ndim(plain(values)) == 1 else values
        name = variable or ""
    else:
        if variable is None and len(monitor.variables) > 1:
            raise ArgumentError(f"plot.traces: name one of the variables {', '.join(monitor.variables)}")
        name = variable or monitor.variables[0]
        t, values = plain(monitor.t), getattr(monitor, name)
        numbers = [int(k) for k in monitor.record]
    if elements is not None:
        wanted = [int(k) for k in np.atleast_1d(elements)]
        missing = [k for k in wanted if k not in numbers]
        if missing:
            raise ArgumentError(f"plot.traces: element {missing[0]} was not recorded; there are {numbers}")
        values, numbers = values[np.array([numbers.index(k) for k in wanted])], wanted
    return name, t, values, numbers


def ends_of(t: np.ndarray) -> tuple[float, float]:
    """First and last time; something to draw on where there are none."""
    return (float(t[0]), float(t[-1])) if t.size > 1 else (0.0, 1e-3)


def span_of(time: tuple[Any, Any] | None, t: np.ndarray) -> tuple[float, float]:
    """The times asked for, or from 0 to the last spike."""
    if time is None:
        return 0.0, float(t.max(initial=0.0)) or 1e-3
    begin, end = (float(plain(x)) for x in time)
    if not end > begin:
        raise ArgumentError(f"plot: the picture ends (at {end:g} s) before it begins (at {begin:g} s)")
    return begin, end


def parts_of(groups: Mapping[str, Any] | None, n: int, color: Any) -> list[tuple[str | None, slice, Any]]:
    """(label, neurons, colour) of what is drawn in one go."""
    if groups is None:
        return [(None, slice(0, n), color or INK)]
    parts: list[tuple[str | None, slice, Any]] = []
    for k, (label, rows) in enumerate(groups.items()):
        start, stop = (rows.start, rows.stop) if hasattr(rows, "start") else rows
        parts.append((label, slice(start or 0, n if stop is None else stop), color or COLORS[k % len(COLORS)]))
    return parts
