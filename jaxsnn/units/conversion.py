"""Reading what a user passes: quantities of any make to SI numbers, and checks of arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from jaxsnn.errors import DimensionError
from jaxsnn.units.dimension import DIMENSIONLESS, Dimension
from jaxsnn.units.display import describe, example, is_traced
from jaxsnn.units.operand import as_value, comparable, fits_any_dimension, require_operand
from jaxsnn.units.quantity import Quantity

F = TypeVar("F", bound=Callable[..., Any])


def quantity(x: Any) -> Any:
    """Read numbers, lists and quantities of jaxsnn, Brian2, Pint or saiunit.

    Returns:
        A `Quantity`, or a plain float or array if there is no dimension.

    Raises:
        DimensionError: `x` is none of these, or a list mixes dimensions.

    >>> from jaxsnn.units import mV, volt
    >>> quantity([1 * mV, 0.002 * volt]), quantity(3), quantity([1, 2])
    ([1 2] mV, 3.0, array([1., 2.]))
    """
    if isinstance(x, Quantity) and not x.dim.is_dimensionless:
        return x
    operand = require_operand(x, "quantity()")
    value = as_value(operand.value)
    return value if operand.dim.is_dimensionless else Quantity(value, operand.dim)


def get_dimensions(x: Any) -> Dimension:
    """The dimension of a quantity of any make; `DIMENSIONLESS` for plain numbers."""
    return x if isinstance(x, Dimension) else require_operand(x, "get_dimensions()").dim


def is_dimensionless(x: Any) -> bool:
    """Whether `x` is a plain number or array."""
    return get_dimensions(x).is_dimensionless


def have_same_dimensions(a: Any, b: Any) -> bool:
    """Whether two values can be added; plain 0, inf and nan go with everything."""
    return comparable(require_operand(a, "have_same_dimensions()"), require_operand(b, "have_same_dimensions()"))


def in_unit(x: Any, unit: Quantity, precision: int | None = None) -> str:
    """`x` written in `unit`.

    >>> from jaxsnn.units import mV, volt
    >>> in_unit(0.02 * volt, mV)
    '20 mV'
    """
    operand = require_operand(x, "in_unit()")
    return Quantity(operand.value, operand.dim).in_unit(unit, precision)


def strip(x: Any, dim: Dimension, what: str) -> Any:
    """The number or array of SI base units of a value that must have the dimension `dim`.

    Args:
        x: a number, list or quantity, of jaxsnn, Brian2, Pint or saiunit.
        dim: the dimension needed. Plain 0, inf and nan go with any.
        what: the name of what takes the value, which starts the message.

    Returns:
        A float, a float64 array, or an array of JAX as it came.

    Raises:
        DimensionError: `x` has another dimension, or is no number.

    >>> from jaxsnn.units import ms, mV, volt
    >>> strip(3*mV, volt.dim, "cells.v")
    0.003
    >>> strip(3*ms, volt.dim, "cells.v")
    Traceback (most recent call last):
    ...
    jaxsnn.errors.DimensionError: cells.v needs volt, got 3 ms (second); write a value times a \
unit of volt such as 3*mV
    """
    operand = require_operand(x, what)
    if operand.dim != dim and not fits_any_dimension(operand):
        raise DimensionError(f"{what} needs {_needed(dim, describe(*operand))}")
    try:
        return as_value(operand.value)
    except TypeError as error:
        raise DimensionError(f"{what}: {error}") from None


def _needed(dim: Dimension, got: str) -> str:
    if dim.is_dimensionless:
        return f"a number without unit, got {got}; divide it by a unit or write a plain number"
    return f"{dim}, got {got}; write a value times a unit of {dim} such as {example(dim)}"


@dataclass(frozen=True)
class UnitSignature:
    """What `check_units` was told, for whoever calls the function from an equation.

    Attributes:
        arguments: dimension per checked argument; a string names the argument it must equal,
            `bool` means a truth value, None anything.
        result: dimension of the result, a function of the arguments' dimensions, `bool`, or None.
    """

    arguments: Mapping[str, Any]
    result: Any


def check_units(**units: Any) -> Callable[[F], F]:
    """Decorator that checks the units of a function's arguments and of its result.

    Args:
        **units: per argument a unit or quantity (`volt`), a `Dimension`, `1` for a plain number,
            `bool`, None for no check, or the name of another argument that must have the same
            dimension. `result=` is the dimension of what is returned, or a function that computes
            it from the dimensions of the arguments (`result=lambda d: d**0.5`).

    Returns:
        A decorator. The decorated function has the attribute `unit_signature`.

    Raises:
        DimensionError: when the function is called with, or returns, something else.
        TypeError: a unit is given for an argument that the function does not have.

    >>> from jaxsnn.units import amp, ohm, volt, nA, Mohm
    >>> @check_units(I=amp, R=ohm, result=volt)
    ... def drop(I, R):
    ...     return I * R
    >>> drop(2 * nA, 3 * Mohm)
    6 mV
    """
    wanted = {name: _expectation(unit) for name, unit in units.items() if name != "result"}
    result = _expectation(units.get("result"))

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        unknown = sorted(set(wanted) - set(signature.parameters))
        if unknown:
            raise TypeError(f"{function.__name__} has no argument {unknown[0]!r} to check")

        @wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs).arguments
            for name in bound.keys() & wanted.keys():
                if bound[name] is None or isinstance(bound[name], str):
                    continue  # an option that was left out or chosen by name
                expected = wanted[name]
                if isinstance(expected, str):
                    expected = get_dimensions(bound[expected])
                _check(bound[name], expected, f"argument {name!r} of {function.__name__}")
            returned = function(*args, **kwargs)
            expected = result
            if callable(result) and result is not bool:
                expected = result(*(get_dimensions(value) for value in bound.values()))
            _check(returned, expected, f"the result of {function.__name__}")
            return returned

        checked.unit_signature = UnitSignature(wanted, result)  # type: ignore[attr-defined]
        return checked  # type: ignore[return-value]

    return decorate


def _expectation(unit: Any) -> Any:
    if unit is None or unit is bool or isinstance(unit, (str, Dimension)):
        return unit
    if callable(unit):
        return unit
    if isinstance(unit, (int, float)):
        if unit != 1:
            raise TypeError(f"a unit is expected, such as volt, or 1 for no unit, got {unit!r}")
        return DIMENSIONLESS
    return get_dimensions(unit)


def _check(value: Any, expected: Any, what: str) -> None:
    if expected is None:
        return
    if expected is bool:
        if not is_traced(value) and np.asarray(value).dtype != bool:
            raise DimensionError(f"{what} needs True or False, got {value!r}")
        return
    operand = require_operand(value, what)
    if operand.dim != expected and not fits_any_dimension(operand):
        raise DimensionError(f"{what} needs {_needed(expected, describe(*operand))}")
