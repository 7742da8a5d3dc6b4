"""The contract of losses: from the record of a run to a number, with a weight and a sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from jaxsnn.citation import Citation
from jaxsnn.errors import ArgumentError, did_you_mean
from jaxsnn.units import second, strip

__all__ = ["Loss", "Squares", "Sum", "Value", "read_spikes", "read_trace", "seconds"]

Array = Any
Record = Mapping[str, Any]


class Loss:
    """A number for the record of a run: ``loss(record, dt)``, with dt in second; the smaller the better.

    Losses add and take weights: ``trace_mse(...) + 0.1 * van_rossum(...)``. Any function of record and dt may
    stand in for one.
    """

    name: str

    def __call__(self, record: Record, dt: float) -> Array:
        raise NotImplementedError

    def residuals(self, record: Record, dt: float) -> Array | None:
        """(m,) errors whose squares sum up to the loss, or None if it is no sum of squares."""
        return None

    def terms(self, record: Record, dt: float) -> dict[str, Array]:
        """The parts of a sum by name, with their weights."""
        return {self.name: self(record, dt)}

    def __add__(self, other: Loss) -> Sum:
        mine = self.parts if isinstance(self, Sum) else ((1.0, self),)
        theirs = other.parts if isinstance(other, Sum) else ((1.0, other),)
        return Sum((*mine, *theirs))

    def __mul__(self, weight: float) -> Sum:
        if not weight > 0:
            raise ArgumentError(f"{self.name}: a weight needs to be a positive number, got {weight!r}")
        parts = self.parts if isinstance(self, Sum) else ((1.0, self),)
        return Sum(tuple((weight * w, loss) for w, loss in parts))

    __rmul__ = __mul__


@dataclass(frozen=True)
class Squares(Loss):
    """A sum of squares of errors: least squares and standard errors work on it."""

    name: str
    errors: Callable[[Record, float], Array]

    def __call__(self, record: Record, dt: float) -> Array:
        return jnp.sum(self.errors(record, dt) ** 2)

    def residuals(self, record: Record, dt: float) -> Array:
        return self.errors(record, dt).reshape(-1)


@dataclass(frozen=True)
class Value(Loss):
    """Any other loss."""

    name: str
    function: Callable[[Record, float], Array]

    def __call__(self, record: Record, dt: float) -> Array:
        return self.function(record, dt)


@dataclass(frozen=True)
class Sum(Loss):
    """A weighted sum of losses."""

    parts: tuple[tuple[float, Loss], ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        """The names of the parts."""
        return " + ".join(f"{weight:g} {loss.name}" for weight, loss in self.parts)

    def __call__(self, record: Record, dt: float) -> Array:
        return sum(weight * loss(record, dt) for weight, loss in self.parts)

    def residuals(self, record: Record, dt: float) -> Array | None:
        own = [(weight, loss.residuals(record, dt)) for weight, loss in self.parts]
        if any(r is None for _, r in own):
            return None
        return jnp.concatenate([weight**0.5 * r for weight, r in own])

    def terms(self, record: Record, dt: float) -> dict[str, Array]:
        return {loss.name: weight * loss(record, dt) for weight, loss in self.parts}


@dataclass(frozen=True)
class Row:
    """What a table of losses says about one of them."""

    make: Callable[..., Loss]
    formula: str
    source: Citation


# ---- reading records ---------------------------------------------------------------------------------


def read_trace(record: Record, path: str) -> Array:
    """(T, n) float: a recorded variable, ``"monitor.variable"``."""
    monitor, _, variable = path.partition(".")
    fields = _monitor(record, monitor, path)
    if not isinstance(fields, Mapping) or variable not in fields:
        there = [f"{monitor}.{v}" for v in fields] if isinstance(fields, Mapping) else []
        raise ArgumentError(
            f"a loss on a trace reads a StateMonitor as 'monitor.variable', got {path!r}; there are {there}"
        )
    return fields[variable]


def read_spikes(record: Record, name: str, dtype: Any = None) -> Array:
    """(T, n) float, 1 where an element fired in a step, else 0; under differentiation with the surrogate's slope.

    ``name`` is that of a SpikeMonitor. A plain (T, n) array in the record is taken as it is.
    """
    spikes = _monitor(record, name, name)
    dense = spikes.dense() if hasattr(spikes, "dense") else spikes
    if isinstance(dense, Mapping):
        raise ArgumentError(f"{name!r} is no SpikeMonitor: it recorded {list(dense)}")
    dense = jnp.asarray(dense)
    return dense if jnp.issubdtype(dense.dtype, jnp.floating) else dense.astype(dtype or jnp.float32)


def _monitor(record: Record, name: str, path: str) -> Any:
    if name not in record:
        raise ArgumentError(
            f"a loss reads {path!r}, but no monitor {name!r} was in the run; there are {sorted(record)}."
            f"{did_you_mean(name, record)}"
        )
    return record[name]


def seconds(time: Any, what: str) -> float:
    """A time as a float in second."""
    return float(strip(time, second.dim, what))
