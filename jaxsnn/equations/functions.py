"""The functions of the equation language: one row each, with meaning, arity, dimension and type rule.

How a function is computed (NumPy on the host, JAX in the step) stands in `jaxsnn.codegen`; a test walks this
table and asks every row for a lowering in both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jaxsnn.units import DIMENSIONLESS, Dimension, second

__all__ = ["CONSTANTS", "FUNCTIONS", "INTERNAL", "TYPES", "Function", "Implementation", "highest"]

TYPES = ("boolean", "integer", "float")
"""The types of the language, from lowest to highest."""

DimensionRule = Callable[[tuple[Dimension, ...]], Dimension | str]
TypeRule = Callable[[tuple[str, ...]], str]


def highest(types: tuple[str, ...]) -> str:
    """The highest of several types in boolean < integer < float."""
    return max(types, key=TYPES.index)


@dataclass(frozen=True)
class Function:
    """A function equations can call.

    Attributes:
        name: As written in equations.
        arity: Number of arguments, or the allowed range ``(least, most)``.
        meaning: What it computes, for the documentation.
        dimension: From the arguments' dimensions to the result's, or a message if they do not fit.
        type: From the arguments' types to the result's.
        stateful: Whether two calls with the same arguments differ (random numbers).
    """

    name: str
    arity: tuple[int, int]
    meaning: str
    dimension: DimensionRule
    type: TypeRule
    stateful: bool = False


@dataclass(frozen=True)
class Implementation:
    """A function of the user, as generated code calls it: of arrays, in base units, element by element.

    Attributes:
        call: The Python function.
        type: Type of its result.
        callback: Whether the step calls back into Python instead of tracing it.
        stateless: Whether its result depends on its arguments alone.
    """

    call: Callable[..., Any]
    type: str = "float"
    callback: bool = False
    stateless: bool = True


def _number(dims: tuple[Dimension, ...]) -> Dimension | str:
    for dim in dims:
        if dim != DIMENSIONLESS:
            return f"needs a number without unit, got {dim}"
    return DIMENSIONLESS


def _same(dims: tuple[Dimension, ...]) -> Dimension | str:
    for dim in dims[1:]:
        if dim != dims[0]:
            return f"needs arguments of one unit, got {dims[0]} and {dim}"
    return dims[0]


def _sqrt(dims: tuple[Dimension, ...]) -> Dimension | str:
    return dims[0] ** 0.5


def _any_to_number(dims: tuple[Dimension, ...]) -> Dimension | str:
    return DIMENSIONLESS


def _times(dims: tuple[Dimension, ...]) -> Dimension | str:
    for dim in dims:
        if dim != second.dim:
            return f"needs two times, got {dim}"
    return DIMENSIONLESS


def _where(dims: tuple[Dimension, ...]) -> Dimension | str:
    if dims[0] != DIMENSIONLESS:
        return f"needs a condition first, got {dims[0]}"
    return _same(dims[1:])


def _first_value(dims: tuple[Dimension, ...]) -> Dimension | str:
    for dim in dims[1:]:
        if dim != DIMENSIONLESS:
            return f"needs an index without unit, got {dim}"
    return dims[0]


def _float(types: tuple[str, ...]) -> str:
    return "float"


def _integer(types: tuple[str, ...]) -> str:
    return "integer"


def _arithmetic(types: tuple[str, ...]) -> str:
    return highest((*types, "integer"))


def _highest(types: tuple[str, ...]) -> str:
    return highest(types)


def _branches(types: tuple[str, ...]) -> str:
    return highest(types[1:])


def _row(
    name: str,
    arity: int | tuple[int, int],
    meaning: str,
    dimension: DimensionRule = _number,
    type: TypeRule = _float,
    stateful: bool = False,
) -> Function:
    span = (arity, arity) if isinstance(arity, int) else arity
    return Function(name, span, meaning, dimension, type, stateful)


_TABLE = (
    _row("sin", 1, "sine of an angle in radian"),
    _row("cos", 1, "cosine of an angle in radian"),
    _row("tan", 1, "tangent of an angle in radian"),
    _row("sinh", 1, "hyperbolic sine"),
    _row("cosh", 1, "hyperbolic cosine"),
    _row("tanh", 1, "hyperbolic tangent"),
    _row("arcsin", 1, "inverse sine, in radian"),
    _row("arccos", 1, "inverse cosine, in radian"),
    _row("arctan", 1, "inverse tangent, in radian"),
    _row("exp", 1, "exponential function"),
    _row("log", 1, "natural logarithm"),
    _row("log10", 1, "logarithm to base 10"),
    _row("expm1", 1, "exp(x) - 1, exact for small x"),
    _row("log1p", 1, "log(1 + x), exact for small x"),
    _row("exprel", 1, "(exp(x) - 1)/x, with value 1 at 0"),
    _row("sqrt", 1, "square root", _sqrt),
    _row("abs", 1, "absolute value", _same, _arithmetic),
    _row("sign", 1, "-1, 0 or 1", _any_to_number, _arithmetic),
    _row("clip", 3, "clip(x, low, high): x bounded to the interval", _same, _highest),
    _row("minimum", 2, "the smaller of two values", _same, _highest),
    _row("maximum", 2, "the larger of two values", _same, _highest),
    _row("where", 3, "where(condition, a, b): a where the condition holds, else b", _where, _branches),
    _row("floor", 1, "largest whole number not above x (as float)"),
    _row("ceil", 1, "smallest whole number not below x (as float)"),
    _row("int", 1, "truncation towards zero; int(condition) is 0 or 1", _number, _integer),
    _row(
        "timestep",
        2,
        "timestep(t, dt): number of whole steps, int((t + dt/1000)/dt)",
        _times,
        _integer,
    ),
    _row("rand", 0, "uniform random number in [0, 1)", stateful=True),
    _row("randn", 0, "normal random number, mean 0, variance 1", stateful=True),
    _row("poisson", 1, "Poisson random number with the given mean", type=_integer, stateful=True),
    _row("binomial", 2, "binomial(n, p): successes in n trials", type=_integer, stateful=True),
    # Divided difference of exp over the arguments: the entries of the exponential of a triangular matrix.
    # Written by the exact integrator, with one, two, three ... arguments that may coincide.
    _row("exp_divided", (1, 16), "divided difference of exp over its arguments"),
    # What calls of a TimedArray become; an index beyond either end of the values means the value at that end.
    _row("timed_array", 2, "timed_array(values, index): the value at an index", _first_value),
    _row("timed_array_2d", 3, "timed_array_2d(values, index, i): the value at an index in column i", _first_value),
    # What calls of `delayed` become: a ring of past values, one row a step, and the look back into it.
    _row("remember_row", 3, "remember_row(ring, values, now): the ring with the values of this step", _first_value),
    _row(
        "tally_bins",
        2,
        "tally_bins(counts, place): one more in the bin of each element, none outside",
        _first_value,
        _integer,
    ),
    _row(
        "look_back",
        4,
        "look_back(ring, now, back, i): column i of the ring, `back` steps ago, interpolated",
        _first_value,
    ),
)

FUNCTIONS: Mapping[str, Function] = {row.name: row for row in _TABLE}
"""All functions of the language by name."""

INTERNAL = frozenset({"exp_divided", "look_back", "remember_row", "tally_bins", "timed_array", "timed_array_2d"})
"""Functions that stand only in generated statements."""

CONSTANTS: Mapping[str, float] = {
    "pi": 3.141592653589793,
    "e": 2.718281828459045,
    "inf": float("inf"),
}
"""Mathematical constants that need no declaration."""
