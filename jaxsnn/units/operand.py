"""Reading anything a user may pass as a number with a dimension.

Quantities of other libraries (Brian2, Pint, saiunit) are read without importing them: each reader
looks only at what an object offers (its attributes), so that a user who has one of these libraries
can pass its values, and nobody else pays for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from jaxsnn.errors import DimensionError
from jaxsnn.units.dimension import DIMENSIONLESS, Dimension, rational
from jaxsnn.units.display import describe, example, is_traced


class Operand(NamedTuple):
    """A number or array in SI base units, and its dimension."""

    value: Any
    dim: Dimension


def fits_any_dimension(operand: Operand) -> bool:
    """Whether the operand is plain and all 0, inf or nan, which mean the same in every unit."""
    if not operand.dim.is_dimensionless or is_traced(operand.value):
        return False
    numbers = np.asarray(operand.value)
    return bool(np.all((numbers == 0) | ~np.isfinite(numbers)))


def comparable(a: Operand, b: Operand) -> bool:
    """Whether two operands can be added or compared."""
    return a.dim == b.dim or fits_any_dimension(a) or fits_any_dimension(b)


def common_dimension(verb: str, operands: Sequence[Operand]) -> Dimension:
    """The dimension that all operands share; plain 0, inf and nan go with any.

    Raises:
        DimensionError: two of them differ; the message names both.
    """
    first = operands[0]
    for other in operands[1:]:
        if other.dim == first.dim or fits_any_dimension(other):
            continue
        if fits_any_dimension(first):
            first = other
            continue
        message = f"cannot {verb} {describe(*first)} and {describe(*other)}"
        if first.dim.is_dimensionless or other.dim.is_dimensionless:
            dim = other.dim if first.dim.is_dimensionless else first.dim
            message += f"; give the plain number a unit, such as {example(dim)}"
        raise DimensionError(message)
    return first.dim


# Brian2 and saiunit keep the exponents in the same order as `Dimension`.
_PINT_BASES = {
    "[length]": ("metre", "meter"),
    "[mass]": ("kilogram", "kilogram"),
    "[time]": ("second", "second"),
    "[current]": ("ampere", "ampere"),
    "[temperature]": ("kelvin", "kelvin"),
    "[substance]": ("mole", "mole"),
    "[luminosity]": ("candela", "candela"),
}


def _exponents(dim: Any) -> Dimension:
    return Dimension(tuple(rational(power) for power in dim._dims))


def _is_brian(x: Any) -> bool:
    return hasattr(getattr(x, "dim", None), "_dims") and not hasattr(x, "mantissa")


def _read_brian(x: Any) -> Operand:
    dim = _exponents(x.dim)
    if not isinstance(x, (np.ndarray, np.generic)):  # a view of a group's variable, as in group.v
        x = x[:]
    return Operand(np.array(x, dtype=float, copy=True, subok=False), dim)


def _is_saiunit(x: Any) -> bool:
    unit = getattr(x, "unit", x)
    return hasattr(getattr(unit, "dim", None), "_dims") and hasattr(unit, "factor")


def _read_saiunit(x: Any) -> Operand:
    # A unit by itself stands for one of it.
    mantissa, unit = (x.mantissa, x.unit) if hasattr(x, "mantissa") else (1.0, x)
    size = float(unit.factor) * float(unit.base) ** float(unit.scale)
    return Operand(mantissa * size, _exponents(unit.dim))


def _is_pint(x: Any) -> bool:
    return hasattr(x, "dimensionality") and hasattr(x, "_REGISTRY")


def _read_pint(x: Any) -> Operand:
    if not hasattr(x, "magnitude"):
        x = 1.0 * x
    powers = {base: rational(power) for base, power in dict(x.dimensionality).items()}
    unknown = sorted(set(powers) - set(_PINT_BASES))
    if unknown:
        raise DimensionError(f"{x} has the Pint dimension {unknown[0]}, which SI does not have")
    # Pint's own base units depend on the registry's system; ask for SI by name.
    target = {_PINT_BASES[base][1]: float(power) for base, power in powers.items()}
    registry = x._REGISTRY
    si = x.to(registry.Unit(registry.UnitsContainer(target)))
    dim = Dimension.of(**{_PINT_BASES[base][0]: power for base, power in powers.items()})
    return Operand(si.magnitude, dim)


_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Operand]], ...] = (
    (_is_saiunit, _read_saiunit),
    (_is_pint, _read_pint),
    (_is_brian, _read_brian),
)


def as_value(value: Any) -> Any:
    """A float, a float64 array, or an array of JAX untouched.

    Raises:
        TypeError: `value` is not made of real numbers.
    """
    if type(value) is float or is_traced(value):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a quantity holds real numbers, got {value!r}")
    array = array.astype(np.float64, copy=False)
    return array if array.ndim else float(array)


def read_operand(x: Any) -> Operand | None:
    """The SI value and dimension of a number, array, list or quantity; None for anything else.

    Pint's temperatures with an offset (`degC`) come back in kelvin.
    """
    if isinstance(getattr(x, "dim", None), Dimension):  # a quantity of ours
        return Operand(x.value, x.dim)
    if type(x) is np.ndarray:
        # Products with a unit are float64, not rounded to the precision of the plain factor.
        return Operand(x.astype(float, copy=False) if x.dtype.kind == "f" else x, DIMENSIONLESS)
    if isinstance(x, np.generic) and x.dtype.kind in "biuf":
        return Operand(x.item(), DIMENSIONLESS)
    if isinstance(x, (bool, int, float)):
        return Operand(x, DIMENSIONLESS)
    if isinstance(x, Fraction):
        return Operand(float(x), DIMENSIONLESS)
    if isinstance(x, (list, tuple)):
        return _stacked(x)
    for recognises, read in _READERS:
        if recognises(x):
            value, dim = read(x)
            return Operand(as_value(value), dim)
    if is_traced(x) or isinstance(x, np.ndarray):
        return Operand(x, DIMENSIONLESS)
    return None


def require_operand(x: Any, what: str) -> Operand:
    """As `read_operand`, with an error that starts with `what` for anything that is no number."""
    operand = read_operand(x)
    if operand is None:
        raise DimensionError(f"{what} needs a number, an array or a quantity such as 3*mV, got {x!r}")
    return operand


def _stacked(parts: Sequence[Any]) -> Operand | None:
    """A list of numbers and quantities as one array."""
    operands = [operand for operand in map(read_operand, parts) if operand is not None]
    if len(operands) < len(parts):
        return None
    dim = common_dimension("put into one array", operands) if operands else DIMENSIONLESS
    return Operand(np.array([operand.value for operand in operands], dtype=float), dim)
