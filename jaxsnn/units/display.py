"""The table of units and prefixes, and how values are written for a person to read."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from jaxsnn.units import dimension as d
from jaxsnn.units.dimension import Dimension

# SI prefixes and their powers of ten (BIPM, The International System of Units, 9th ed., 2019).
PREFIXES: dict[str, int] = {
    "y": -24, "z": -21, "a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "c": -2, "d": -1,
    "": 0, "da": 1, "h": 2, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18, "Z": 21, "Y": 24,
}  # fmt: skip


class UnitRow(NamedTuple):
    """One unit without a prefix: `10**exponent` of the SI unit of `dim`."""

    names: tuple[str, ...]
    symbol: str
    dim: Dimension
    exponent: int = 0


UNIT_TABLE: tuple[UnitRow, ...] = (
    UnitRow(("metre", "meter"), "m", d.METRE),
    UnitRow(("gram", "gramme"), "g", d.KILOGRAM, -3),
    UnitRow(("second",), "s", d.SECOND),
    UnitRow(("amp", "ampere"), "A", d.AMPERE),
    UnitRow(("kelvin",), "K", d.KELVIN),
    UnitRow(("mole", "mol"), "mol", d.MOLE),
    UnitRow(("candela", "candle"), "cd", d.CANDELA),
    UnitRow(("radian",), "rad", d.DIMENSIONLESS),
    UnitRow(("steradian",), "sr", d.DIMENSIONLESS),
    UnitRow(("hertz",), "Hz", d.HERTZ),
    UnitRow(("newton",), "N", d.NEWTON),
    UnitRow(("pascal",), "Pa", d.PASCAL),
    UnitRow(("joule",), "J", d.JOULE),
    UnitRow(("watt",), "W", d.WATT),
    UnitRow(("coulomb",), "C", d.COULOMB),
    UnitRow(("volt",), "V", d.VOLT),
    UnitRow(("farad",), "F", d.FARAD),
    UnitRow(("ohm",), "ohm", d.OHM),
    UnitRow(("siemens",), "S", d.SIEMENS),
    UnitRow(("weber",), "Wb", d.WEBER),
    UnitRow(("tesla",), "T", d.TESLA),
    UnitRow(("henry",), "H", d.HENRY),
    UnitRow(("lumen",), "lm", d.CANDELA),
    UnitRow(("lux",), "lx", d.LUX),
    UnitRow(("becquerel",), "Bq", d.HERTZ),
    UnitRow(("gray",), "Gy", d.GRAY),
    UnitRow(("sievert",), "Sv", d.GRAY),
    UnitRow(("katal",), "kat", d.KATAL),
    UnitRow(("litre", "liter"), "l", d.METRE**3, -3),
    UnitRow(("molar",), "M", d.MOLAR, 3),
)

# The row that values of a dimension are printed in: the first of the table, where it has a name.
_ROW_OF: dict[Dimension, UnitRow] = {
    row.dim: row for row in reversed(UNIT_TABLE) if row.dim in d.NAMED or row.symbol == "M"
}
# Nobody writes kiloseconds or megagrams: no prefix above this one for these.
_LARGEST_PREFIX = {d.SECOND: 0, d.KILOGRAM: 3, d.KELVIN: 0}

_EXAMPLES: dict[Dimension, str] = {
    d.VOLT: "mV", d.SECOND: "ms", d.AMPERE: "nA", d.SIEMENS: "nS", d.FARAD: "pF", d.OHM: "Mohm",
    d.HERTZ: "Hz", d.METRE: "um", d.METRE**2: "um2", d.METRE**3: "um3", d.MOLAR: "mM",
}  # fmt: skip


class Scale(NamedTuple):
    """A unit to print in: its size in SI base units and its symbol."""

    size: float
    symbol: str


def power_of_ten(exponent: int) -> float:
    """`10**exponent` correctly rounded, which `10.0**exponent` is not."""
    return float(f"1e{exponent}")


@cache
def scales(dim: Dimension) -> tuple[Scale, ...]:
    """The units that values of `dim` are printed in, smallest first."""
    head, tail = _split(dim)
    if head is None:
        return (Scale(1.0, dim.si),)
    row, power = head
    top = _LARGEST_PREFIX.get(row.dim, 24) if power == 1 else 0
    prefixes = [
        (prefix, size)
        for prefix, size in PREFIXES.items()
        if size <= top and (size % 3 == 0 or (power > 1 and prefix == "c"))
    ]
    suffix = "" if power == 1 else f"^{power}"
    return tuple(
        Scale(power_of_ten(power * (size + row.exponent)), f"{prefix}{row.symbol}{suffix}{tail}")
        for prefix, size in prefixes
    )


def _split(dim: Dimension) -> tuple[tuple[UnitRow, int] | None, str]:
    """`dim` as a unit of the table to a power, and the rest as a suffix such as `/m^2`."""
    if dim in _ROW_OF:
        return (_ROW_OF[dim], 1), ""
    for power in (2, 3):
        root = dim ** Fraction(1, power)
        if root in (d.METRE, d.VOLT, d.AMPERE, d.SECOND):
            return (_ROW_OF[root], power), ""
    for symbol, base, power in _denominators():
        whole = dim * base**power
        if whole in _ROW_OF and whole not in (d.METRE, d.SECOND, d.HERTZ, d.KILOGRAM):
            return (_ROW_OF[whole], 1), f"/{symbol}" + (f"^{power}" if power > 1 else "")
    if dim / d.METRE == d.OHM:  # resistivity
        return (_ROW_OF[d.OHM], 1), " m"
    return None, ""


def _denominators() -> Iterator[tuple[str, Dimension, int]]:
    for power in (1, 2, 3):
        yield "m", d.METRE, power
    yield "s", d.SECOND, 1


def unit_text(dim: Dimension) -> str:
    """A unit of `dim` as a user would write it in Python or in an equation.

    >>> unit_text(d.SIEMENS / d.METRE**2), unit_text(d.VOLT), unit_text(d.SECOND**-0.5)
    ('siemens/metre**2', 'volt', 'second**-0.5')
    """
    if dim.is_dimensionless:
        return "1"
    if dim in d.NAMED:
        return d.NAMED[dim]
    for _, base, power in _denominators():
        whole = dim * base**power
        if whole in d.NAMED and whole not in (d.METRE, d.SECOND, d.HERTZ, d.KILOGRAM):
            return f"{d.NAMED[whole]}/{d.NAMED[base]}" + (f"**{power}" if power > 1 else "")
    return "*".join(
        name if power == 1 else f"{name}**{_python_number(power)}"
        for name, power in zip(d.BASE_NAMES, dim.exponents, strict=True)
        if power != 0
    )


def _python_number(power: Fraction) -> str:
    if power.denominator == 1:
        return str(power.numerator)
    exact_decimal = Fraction(str(float(power))) == power
    return str(float(power)) if exact_decimal else f"({power})"


def example(dim: Dimension) -> str:
    """A value that has `dim`, to show in an error: `3*mV`."""
    return f"3*{_EXAMPLES.get(dim) or unit_text(dim)}"


def is_traced(value: Any) -> bool:
    """Whether `value` is an array of JAX, or a tracer, whose numbers may not be looked at."""
    return hasattr(value, "aval") or hasattr(value, "__jax_array__")


def best_scale(value: Any, dim: Dimension) -> Scale:
    """The unit in which the largest number of `value` is at least one."""
    choices = scales(dim)
    largest = 0.0
    if not is_traced(value):
        magnitudes = np.abs(np.asarray(value, dtype=float))
        largest = float(np.max(magnitudes, where=np.isfinite(magnitudes), initial=0.0))
    if largest == 0.0:
        return min(choices, key=lambda scale: abs(np.log10(scale.size)))
    # 0.001 / 1e-3 and the like must not fall to the next smaller unit by rounding.
    fitting = [scale for scale in choices if scale.size <= largest * (1 + 1e-12)]
    return fitting[-1] if fitting else choices[0]


def number_text(value: Any, precision: int | None = None) -> str:
    """A number or an array, with `precision` significant digits (NumPy's print option if None)."""
    if is_traced(value):
        return str(value)
    if precision is None:
        precision = int(np.get_printoptions()["precision"])
    if np.ndim(value) == 0:
        return f"{float(value):.{precision}g}"
    return np.array2string(value, formatter={"float_kind": lambda x: f"{x:.{precision}g}"})


def quantity_text(value: Any, dim: Dimension) -> str:
    """The value with the unit that suits it: `20 mV`, `[1 2 3] nS`."""
    if dim.is_dimensionless:
        return number_text(value)
    scale = best_scale(value, dim)
    return f"{number_text(value / scale.size)} {scale.symbol}"


def describe(value: Any, dim: Dimension) -> str:
    """The value and its dimension on one short line, for messages: `3 mV (volt)`."""
    if is_traced(value):
        shown = f"a traced array of shape {getattr(value, 'shape', ())}"
    else:
        shown = " ".join(quantity_text(value, dim).split())
        if len(shown) > 60:
            shown = f"an array of shape {np.shape(value)}"
    return f"{shown} ({'no unit' if dim.is_dimensionless else dim})"
