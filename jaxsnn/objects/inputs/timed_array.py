"""TimedArray: values on a regular grid of times, called like a function in equations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from jaxsnn.equations.expressions import Binary, Call, Expr, Name, Number, Unary
from jaxsnn.equations.functions import Function
from jaxsnn.equations.names import Constant
from jaxsnn.errors import ArgumentError, IndexRangeError
from jaxsnn.units import DIMENSIONLESS, Dimension, Quantity, quantity, second, strip

__all__ = ["TimedArray"]

DEFAULT_STEP = 1e-4
"""Time step of a network that was not told another one, in second."""
SMALL = 2**30
"""Bound of the products of ``p`` and ``q`` below, so that they fit 32 bits."""


class TimedArray:
    """Values that change with time: ``I(t)`` is ``values[k]`` for ``k*dt <= t < (k + 1)*dt``.

    Before the first value the first one holds, after the last one the last. With a two-dimensional array,
    ``I(t, i)`` is ``values[k, i]``: one column for each neuron (an ``i`` beyond the columns gives NaN, which the run
    reports).

    Args:
        values: (times,) or (times, columns), with or without a unit.
        dt: Interval of the values.
        name: Only for messages; in equations the array has the name of the Python variable, or of the namespace.

    The values are parameters: ``params["cells"]["I"]`` can be swept, batched and differentiated.

    Time is rounded to the nearest point of a finer grid (at least eight points a time step) before it is cut down to
    an index, so that ``t = 3*dt`` never falls below the third value by a rounding error. At ``t`` (and at the times
    inside a step that integration methods use, such as ``t + dt/2``) the index is computed in integers: it stays
    exact in float32 however long the run is. If ``dt`` is a multiple of the group's time step, the array is constant
    during each step and may stand in equations integrated exactly.

    Example:
        >>> from jaxsnn import Network, NeuronGroup, StateMonitor
        >>> from jaxsnn.units import ms, mV
        >>> TimedArray([1, 2, 0] * mV, dt=2 * ms)(3 * ms)
        2 mV
        >>> I = TimedArray([1, 2, 0], dt=2 * ms)
        >>> cell = NeuronGroup(1, "v = I(t) : 1", namespace={"I": I})
        >>> trace = StateMonitor(cell, "v", record=0)
        >>> Network(cell, trace, dt=1 * ms).run(7 * ms)
        >>> print(trace.v[0])
        [1. 1. 2. 2. 0. 0. 0.]

    Raises:
        ArgumentError: for an array that is empty, not of numbers, or has another number of axes, and for a ``dt`` that
            is not positive.
    """

    def __init__(self, values: Any, dt: Any, name: str | None = None) -> None:
        self.name = name or "TimedArray"
        given = quantity(values)
        self.dim: Dimension = given.dim if isinstance(given, Quantity) else DIMENSIONLESS
        plain = np.asarray(given.value if isinstance(given, Quantity) else given)
        if plain.dtype.kind not in "fiub":
            raise ArgumentError(f"{self.name}: needs an array of numbers, got dtype {plain.dtype}")
        if plain.ndim not in (1, 2) or plain.size == 0:
            raise ArgumentError(
                f"{self.name}: needs values of shape (times,) or (times, columns), at least one; got {plain.shape}"
            )
        self.values = np.array(plain, dtype=np.float64)
        self.values.flags.writeable = False
        self.dt = float(strip(quantity(dt), second.dim, f"{self.name}: dt"))
        if not (math.isfinite(self.dt) and self.dt > 0):
            raise ArgumentError(f"{self.name}: dt must be a positive time such as 1*ms, got {dt!r}")

    # ---- on the host -----------------------------------------------------------------------------------

    def __call__(self, t: Any, i: Any = None) -> Any:
        """The value at a time (and, with two axes, in column i), with its unit."""
        if (i is None) != (self.values.ndim == 1):
            call = "(t)" if self.values.ndim == 1 else "(t, i)"
            raise ArgumentError(f"{self.name}: the values have {self.values.ndim} axes; call it with {call}")
        time = np.asarray(strip(quantity(t), second.dim, f"{self.name}: t"))
        found = self.evaluate(time) if i is None else self.evaluate(time, i)
        return found if self.dim == DIMENSIONLESS else Quantity(found, self.dim)

    def evaluate(self, *args: Any, dt: float | None = None) -> Any:
        """Values at times in second (and columns), without unit; ``dt`` is the time step of the reader."""
        fine = self._upsampling(DEFAULT_STEP if dt is None else dt)
        index = np.floor(np.round(np.asarray(args[0], float) / (self.dt / fine)) / fine)
        rows = np.clip(index, 0, len(self.values) - 1).astype(np.int64)
        if len(args) == 1:
            return self.values[rows]
        column = np.asarray(args[1]).astype(np.int64)
        if np.any((column < 0) | (column >= self.values.shape[1])):
            raise IndexRangeError(
                f"{self.name}: there are {self.values.shape[1]} columns, numbered from 0; got column {args[1]}"
            )
        return self.values[rows, column]

    def _upsampling(self, dt: float) -> int:
        """Points of the fine grid in one interval: a power of two, at least eight for each time step."""
        return max(1, 2 ** math.ceil(math.log2(8 / dt * self.dt)))

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.values.shape))
        return f"<TimedArray of {shape} values, dt = {self.dt * 1e3:g} ms>"

    # ---- in equations ----------------------------------------------------------------------------------

    def as_function(self, name: str) -> Function:
        """Its row for dimension checks: a time (and a column) to a value."""
        axes, result = self.values.ndim, self.dim

        def dimension(dims: tuple[Dimension, ...]) -> Dimension | str:
            if dims[0] != second.dim:
                return f"needs a time, got {'a number without unit' if dims[0] == DIMENSIONLESS else dims[0]}"
            if dims[1:] not in ((), (DIMENSIONLESS,)):
                return f"needs a column number without unit, got {dims[1]}"
            return result

        return Function(name, (axes, axes), "values on a grid of times", dimension, lambda types: "float")

    def constants(self, name: str) -> Mapping[str, Constant]:
        """The values, under the name of the array."""
        return {name: Constant(self.values, self.dim)}

    def locally_constant(self, dt: float) -> bool:
        """Whether the value stays the same during each step of length dt."""
        return self._ratio(dt).denominator == 1

    def expand(self, name: str, args: tuple[Expr, ...], dt: float) -> Expr:
        """The call as a look-up in the array ``name``."""
        shift = _shift(args[0])
        index = self._at_time(args[0], dt) if shift is None else self._at_step(shift, dt)
        if self.values.ndim == 1:
            return Call("timed_array", (Name(name), index))
        return Call("timed_array_2d", (Name(name), index, args[1]))

    def _ratio(self, dt: float) -> Fraction:
        """Dt of the array in steps, as a fraction p/q small enough for 32-bit integers."""
        ratio = Fraction(self.dt / dt)
        if ratio < Fraction(1, 10**6):
            raise ArgumentError(
                f"{self.name}: its dt of {self.dt:g} s is too short for a time step of {dt:g} s; is the unit right?"
            )
        bound = math.isqrt(int(SMALL / max(ratio, 1 / ratio)))
        return ratio.limit_denominator(max(1, bound if ratio >= 1 else int(bound / ratio)))

    def _at_step(self, shift: Fraction, dt: float) -> Expr:
        """Index at ``t + shift*dt``, in integers.

        With dt of the array = p/q steps and m = a*p + b steps done, the time in intervals is a*q + (b + shift)*q/p.
        Rounding to the fine grid and cutting down adds half a fine point before the division.
        """
        ratio = self._ratio(dt)
        p, q = ratio.numerator, ratio.denominator
        extra = math.floor(shift * q + Fraction(p, 2 * self._upsampling(dt)))
        steps: Expr = Name("t_in_timesteps")
        if p > SMALL:
            return Number(0)  # no run is as long as the first interval
        if q > p:  # several values a step: beyond the last one the product below could leave 32 bits
            steps = Call("minimum", (steps, Number(len(self.values) * p // q + p + 4)))
        if p == 1:
            return _plus(_times(steps, q), extra)
        if q == 1:
            return Binary("//", _plus(steps, extra), Number(p))
        whole = _times(Binary("//", steps, Number(p)), q)
        part = _plus(_times(Binary("%", steps, Number(p)), q), extra)
        return Binary("+", whole, Binary("//", part, Number(p)))

    def _at_time(self, time: Expr, dt: float) -> Expr:
        """Index at any other time, in floating point."""
        fine = self._upsampling(dt)
        point = Number(self.dt / fine, second.dim)
        rounded = Call("floor", (Binary("+", Binary("/", time, point), Number(0.5)),))
        intervals = Binary("/", rounded, Number(float(fine)))
        inside = Call("clip", (intervals, Number(0.0), Number(float(len(self.values)))))
        return Call("int", (Call("floor", (inside,)),))


def _plus(expr: Expr, number: int) -> Expr:
    return Binary("+", expr, Number(number)) if number else expr


def _times(expr: Expr, number: int) -> Expr:
    return Binary("*", expr, Number(number)) if number != 1 else expr


def _shift(time: Expr) -> Fraction | None:
    """The c of a time ``t + c*dt``, or None if it is any other time."""
    found = _affine(time)
    if found is None or found[0] != 0 or found[1] != 1 or abs(found[2]) > 2 or found[2].denominator > 64:
        return None
    return found[2]


_Affine = tuple[Fraction, Fraction, Fraction]


def _affine(expr: Expr) -> _Affine | None:
    """(a, b, c) of an expression ``a + b*t + c*dt`` with plain numbers, or None."""
    match expr:
        case Name(id="t"):
            return Fraction(0), Fraction(1), Fraction(0)
        case Name(id="dt"):
            return Fraction(0), Fraction(0), Fraction(1)
        case Number(value=int() | float() as value, dim=dim) if dim == DIMENSIONLESS and math.isfinite(value):
            # 2/3 of a scheme arrives as a float; the fractions of real schemes have small denominators.
            return Fraction(value).limit_denominator(1000), Fraction(0), Fraction(0)
        case Unary(op="-", operand=operand):
            return _scaled(_affine(operand), Fraction(-1))
        case Binary(op="+" | "-" as op, left=left, right=right):
            x, y = _affine(left), _scaled(_affine(right), Fraction(1 if op == "+" else -1))
            return None if x is None or y is None else (x[0] + y[0], x[1] + y[1], x[2] + y[2])
        case Binary(op="*", left=left, right=right):
            x, y = _affine(left), _affine(right)
            if x is None or y is None or (any(x[1:]) and any(y[1:])):
                return None
            return _scaled(y, x[0]) if any(y[1:]) else _scaled(x, y[0])
        case Binary(op="/", left=left, right=right):
            x, y = _affine(left), _affine(right)
            return None if x is None or y is None or any(y[1:]) or y[0] == 0 else _scaled(x, 1 / y[0])
    return None


def _scaled(part: _Affine | None, factor: Fraction) -> _Affine | None:
    return None if part is None else (part[0] * factor, part[1] * factor, part[2] * factor)
