"""The forms in which values of several variables are given out and taken in: dictionaries, and tables of pandas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxsnn.errors import ArgumentError

__all__ = ["FORMATS", "Format", "format_named"]

States = Mapping[str, Any]


@dataclass(frozen=True)
class Format:
    """``give`` makes the form of a dictionary of values, ``take`` a dictionary of the form."""

    give: Callable[[States, bool, str], Any]
    take: Callable[[Any, bool, str], States]


def _same(values: States, units: bool, what: str) -> dict[str, Any]:
    return dict(values)


def _mapping(values: Any, units: bool, what: str) -> States:
    if not isinstance(values, Mapping):
        raise ArgumentError(
            f"{what}: set_states takes a dictionary such as {{'v': -60*mV}}, got {type(values).__name__};"
            f" for a table of pandas write format='pandas', units=False"
        )
    return values


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise ArgumentError("format='pandas' needs pandas; install it with pip install 'jaxsnn-sim[pandas]'") from None
    return pandas


def _plain_only(units: bool, what: str) -> None:
    if units:
        raise ArgumentError(f"{what}: a table of pandas has no units; write units=False for values in base units")


def _frame(values: States, units: bool, what: str) -> Any:
    """One row for each element."""
    pandas = _pandas()
    _plain_only(units, what)
    columns = {name: np.asarray(value) for name, value in values.items()}
    lengths = {array.shape[0] for array in columns.values() if array.ndim}
    if len(lengths) > 1:
        named = ", ".join(f"{name} ({a.shape[0]})" for name, a in columns.items() if a.ndim)
        raise ArgumentError(f"{what}: the columns of a table have one length, but these differ: {named}; name some")
    rows = max(lengths, default=1)
    return pandas.DataFrame({name: np.broadcast_to(array, (rows,)).copy() for name, array in columns.items()})


def _columns(values: Any, units: bool, what: str) -> States:
    pandas = _pandas()
    _plain_only(units, what)
    if not isinstance(values, pandas.DataFrame):
        raise ArgumentError(f"{what}: format='pandas' takes a DataFrame, got {type(values).__name__}")
    return {str(name): values[name].to_numpy() for name in values.columns}


FORMATS: Mapping[str, Format] = {"dict": Format(_same, _mapping), "pandas": Format(_frame, _columns)}
"""The forms by name."""


def format_named(name: str) -> Format:
    """A form by its name.

    Raises:
        ArgumentError: if there is none.
    """
    if name not in FORMATS:
        raise ArgumentError(f"there is no format {name!r}; there are {', '.join(map(repr, FORMATS))}")
    return FORMATS[name]
