"""Physical dimensions: exponents of the seven SI base quantities."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational
from typing import Any

from jaxsnn.errors import DimensionError

BASE_NAMES = ("metre", "kilogram", "second", "ampere", "kelvin", "mole", "candela")
_SYMBOLS = ("m", "kg", "s", "A", "K", "mol", "cd")
# The order in which SI brochures and textbooks write a product of base units.
_PRINT_ORDER = (1, 0, 2, 3, 4, 5, 6)
_ZERO = (Fraction(0),) * 7

# A float power such as 1/3 is read as the nearest fraction with a denominator up to this.
_LARGEST_DENOMINATOR = 1000


def rational(power: Any) -> Fraction:
    """The fraction that `power` stands for.

    Raises:
        DimensionError: no fraction with a denominator up to 1000 equals `power`.
    """
    if isinstance(power, Rational):
        return Fraction(power)
    number = float(power)
    if number - number == 0:  # neither infinite nor nan
        fraction = Fraction(number).limit_denominator(_LARGEST_DENOMINATOR)
        if float(fraction) == number:
            return fraction
    raise DimensionError(f"the power of a unit must be a fraction such as 2, 0.5 or Fraction(1, 3), got {power!r}")


@dataclass(frozen=True, slots=True)
class Dimension:
    """Exponents of metre, kilogram, second, ampere, kelvin, mole and candela.

    Exponents are fractions because white noise has the unit `second**-0.5`.
    Dimensions multiply, divide and take rational powers; they are hashable and immutable.

    >>> volt = Dimension.of(metre=2, kilogram=1, second=-3, ampere=-1)
    >>> str(volt), str(volt**2)
    ('volt', 'kg^2 m^4 s^-6 A^-2')
    """

    exponents: tuple[Fraction, ...]

    @classmethod
    def of(cls, **exponents: int | float | Fraction) -> Dimension:
        """Build a dimension from named exponents: `Dimension.of(metre=1, second=-1)`."""
        unknown = sorted(set(exponents) - set(BASE_NAMES))
        if unknown:
            raise DimensionError(f"unknown SI base {unknown[0]!r}; the bases are {BASE_NAMES}")
        return cls(tuple(rational(exponents.get(name, 0)) for name in BASE_NAMES))

    def __post_init__(self) -> None:
        if len(self.exponents) != len(BASE_NAMES):
            raise DimensionError(f"a dimension has 7 exponents, got {len(self.exponents)}")

    @property
    def is_dimensionless(self) -> bool:
        """Whether every exponent is zero."""
        return self.exponents == _ZERO

    def __mul__(self, other: Dimension) -> Dimension:
        if not isinstance(other, Dimension):
            return NotImplemented
        if other.is_dimensionless:
            return self
        return Dimension(tuple(a + b for a, b in zip(self.exponents, other.exponents, strict=True)))

    def __truediv__(self, other: Dimension) -> Dimension:
        if not isinstance(other, Dimension):
            return NotImplemented
        if other.is_dimensionless:
            return self
        return Dimension(tuple(a - b for a, b in zip(self.exponents, other.exponents, strict=True)))

    def __pow__(self, power: int | float | Fraction) -> Dimension:
        factor = rational(power)
        return Dimension(tuple(a * factor for a in self.exponents))

    def __str__(self) -> str:
        if self.is_dimensionless:
            return "1"
        return NAMED.get(self) or self.si

    def __repr__(self) -> str:
        return f"Dimension({self})"

    @property
    def si(self) -> str:
        """The dimension in SI base units, as in `kg m^2 s^-3 A^-1`; `1` if there is none."""
        factors = (_power(_SYMBOLS[i], self.exponents[i]) for i in _PRINT_ORDER)
        return " ".join(factor for factor in factors if factor) or "1"


def _power(symbol: str, exponent: Fraction) -> str:
    if exponent == 0:
        return ""
    if exponent == 1:
        return symbol
    return f"{symbol}^{exponent}" if exponent.denominator == 1 else f"{symbol}^({exponent})"


DIMENSIONLESS = Dimension(_ZERO)
METRE, KILOGRAM, SECOND, AMPERE, KELVIN, MOLE, CANDELA = (Dimension.of(**{name: 1}) for name in BASE_NAMES)
HERTZ = SECOND**-1
NEWTON = KILOGRAM * METRE / SECOND**2
PASCAL = NEWTON / METRE**2
JOULE = NEWTON * METRE
WATT = JOULE / SECOND
COULOMB = AMPERE * SECOND
VOLT = WATT / AMPERE
FARAD = COULOMB / VOLT
OHM = VOLT / AMPERE
SIEMENS = AMPERE / VOLT
WEBER = VOLT * SECOND
TESLA = WEBER / METRE**2
HENRY = WEBER / AMPERE
LUX = CANDELA / METRE**2
GRAY = JOULE / KILOGRAM
KATAL = MOLE / SECOND
MOLAR = MOLE / METRE**3

# Names that messages use. Several units share a dimension (hertz and becquerel, gray and
# sievert, lumen and candela); those that a message could mislead with (gray is also a squared
# velocity) are left out, and print in base units.
NAMED: dict[Dimension, str] = {
    METRE: "metre",
    KILOGRAM: "kilogram",
    SECOND: "second",
    AMPERE: "amp",
    KELVIN: "kelvin",
    MOLE: "mole",
    CANDELA: "candela",
    HERTZ: "hertz",
    NEWTON: "newton",
    PASCAL: "pascal",
    JOULE: "joule",
    WATT: "watt",
    COULOMB: "coulomb",
    VOLT: "volt",
    FARAD: "farad",
    OHM: "ohm",
    SIEMENS: "siemens",
    WEBER: "weber",
    TESLA: "tesla",
    HENRY: "henry",
    KATAL: "katal",
}
