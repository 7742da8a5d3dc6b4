"""What Brian2's monitors and spike generators hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["append_events", "append_rates", "append_samples", "generated_spikes", "set_last_index"]


def generated_spikes(handle: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """Steps and neurons of a spike generator, and its period in steps."""
    variables = handle.variables
    values = [np.array(variables[n].get_value()) for n in ("_timebins", "neuron_index")]
    return values[0], values[1], int(variables["_period_bins"].get_value().item())


def set_last_index(handle: Any, last: int) -> None:
    """How many spikes of a generator are over."""
    handle.variables["_lastindex"].set_value(last)


Column = tuple[np.ndarray, np.ndarray | None]
"""Values of events, or a table of values and the place of each event in it."""


def append_events(handle: Any, pieces: Sequence[Mapping[str, Column]]) -> None:
    """Events in pieces: their times ``t``, elements ``i`` and what else a monitor of events keeps."""
    variables = handle.variables
    old = int(variables["N"].get_value().item())
    ends = np.cumsum([old, *(piece["i"][0].size for piece in pieces)])
    handle.resize(int(ends[-1]))
    variables["N"].set_value(int(ends[-1]))
    for name in handle.record_variables:
        array = variables[name].get_value()
        for piece, begin, end in zip(pieces, ends[:-1], ends[1:], strict=True):
            values, places = piece[name]
            if places is None:
                array[begin:end] = values
            else:
                np.take(values, places, out=array[begin:end], mode="clip")  # other modes make a copy first
    count = variables["count"].get_value()
    for piece in pieces:
        count += np.bincount(piece["i"][0], minlength=count.size).astype(count.dtype)


def append_samples(handle: Any, times: np.ndarray, values: Mapping[str, np.ndarray]) -> None:
    """Samples of a state monitor, one row a time."""
    old = int(handle.variables["N"].get_value().item())
    handle.resize(old + times.size)
    handle.variables["t"].get_value()[old:] = times
    for name, rows in values.items():
        handle.variables[name].get_value()[old:, :] = rows


def append_rates(handle: Any, times: np.ndarray, rates: np.ndarray) -> None:
    """Samples of a rate monitor."""
    variables = handle.variables
    old = int(variables["N"].get_value().item())
    handle.resize(old + times.size)
    variables["N"].set_value(old + times.size)
    variables["t"].get_value()[old:] = times
    variables["rate"].get_value()[old:] = rates
