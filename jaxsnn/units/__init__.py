"""Physical units: `5*mV`, `[1, 2]*nS`, dimension checks, and every SI unit with every prefix.

Names follow Brian: long names with a prefix (`mvolt`, `nsiemens`, `usecond`), squares and cubes
(`umetre2`, `mmetre3`), and the short names of neuroscience (`mV`, `nA`, `ms`, `um2`, `mM`).
`UNITS` holds them all.

>>> from jaxsnn.units import mV, ms, Mohm, nA
>>> (3 * nA * 10 * Mohm + 2 * mV) / ms
32 V/s
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from jaxsnn.errors import DimensionError
from jaxsnn.units import constants
from jaxsnn.units.conversion import (
    UnitSignature,
    check_units,
    get_dimensions,
    have_same_dimensions,
    in_unit,
    is_dimensionless,
    quantity,
    strip,
)
from jaxsnn.units.dimension import DIMENSIONLESS, Dimension
from jaxsnn.units.display import PREFIXES, UNIT_TABLE, UnitRow, power_of_ten, unit_text
from jaxsnn.units.quantity import Quantity, Unit

# Short names, where they are customary and unlikely to be taken by a variable of a model
# (V, A, S, m, s are not here for that reason).
_SHORT_NAMES: dict[str, str] = {
    "mV": "mvolt", "mA": "mamp", "uA": "uamp", "nA": "namp", "pA": "pamp",
    "pF": "pfarad", "uF": "ufarad", "nF": "nfarad",
    "nS": "nsiemens", "uS": "usiemens", "mS": "msiemens", "ms": "msecond", "us": "usecond",
    "Hz": "hertz", "kHz": "khertz", "MHz": "Mhertz",
    "cm": "cmetre", "cm2": "cmetre2", "cm3": "cmetre3",
    "mm": "mmetre", "mm2": "mmetre2", "mm3": "mmetre3",
    "um": "umetre", "um2": "umetre2", "um3": "umetre3",
    "mM": "mmolar", "uM": "umolar", "nM": "nmolar",
    "kilogram": "kgram", "kilogram2": "kgram2", "kilogram3": "kgram3",
    "kilogramme": "kgram", "kilogramme2": "kgram2", "kilogramme3": "kgram3",
}  # fmt: skip


def _with_prefixes(row: UnitRow) -> dict[str, Unit]:
    """All prefixed and powered units of one row of the table, under all its names."""
    units: dict[str, Unit] = {}
    # A litre is a volume already: its square measures nothing.
    for power in (1,) if row.symbol == "l" else (1, 2, 3):
        dim = row.dim**power
        suffix = "" if power == 1 else str(power)
        for prefix, exponent in PREFIXES.items():
            symbol = f"{prefix}{row.symbol}" + (f"^{power}" if power > 1 else "")
            size = power_of_ten(power * (exponent + row.exponent))
            unit = Unit(size, dim, f"{prefix}{row.names[0]}{suffix}", symbol)
            units |= {f"{prefix}{name}{suffix}": unit for name in row.names}
    return units


def _all_units() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for row in UNIT_TABLE:
        units |= _with_prefixes(row)
    return units | {short: units[long] for short, long in _SHORT_NAMES.items()}


class _Celsius:
    """Stands where a unit is expected, to explain why a temperature in celsius is not a product."""

    def _refuse(self, other: Any) -> NoReturn:
        raise DimensionError(
            "degrees celsius have an offset and cannot be multiplied or divided: for a "
            "temperature write 20*kelvin + zero_celsius (from jaxsnn.units.constants), for a "
            "temperature difference write 20*kelvin"
        )

    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = _refuse
    __array_ufunc__ = None  # arrays on the left leave the product to us

    def __repr__(self) -> str:
        return "celsius"


UNITS: Mapping[str, Unit] = MappingProxyType(_all_units())
celsius = _Celsius()

globals().update(UNITS)


def __getattr__(name: str) -> Unit:
    close = difflib.get_close_matches(name, UNITS, n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise AttributeError(f"jaxsnn.units has no unit {name!r}{hint}")


__all__ = [
    "DIMENSIONLESS",
    "UNITS",
    "Dimension",
    "DimensionError",
    "Quantity",
    "Unit",
    "UnitSignature",
    "celsius",
    "check_units",
    "constants",
    "get_dimensions",
    "have_same_dimensions",
    "in_unit",
    "is_dimensionless",
    "quantity",
    "strip",
    "unit_text",
    *UNITS,
]
