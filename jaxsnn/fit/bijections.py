"""Bijections: a number without bounds, which an optimiser moves, and the value of a parameter, which has bounds.

Every member has the same two functions, inverse to each other: ``forward`` from the number z to the value x, and
``inverse`` back. Arguments carry units; inside, everything is a float in SI base units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.units import Quantity, get_dimensions, quantity, strip
from jaxsnn.units.dimension import Dimension

__all__ = ["BIJECTIONS", "Affine", "Bijection", "Identity", "Log", "LogSigmoid", "Sigmoid", "Softplus"]

Array = Any


class Bijection(Protocol):
    """A strictly increasing map of the real line onto the values that a parameter may have."""

    def forward(self, z: Array) -> Array:
        """The value of a parameter for a number without bounds."""

    def inverse(self, x: Array) -> Array:
        """The number for a value; NaN or infinite where the value is out of bounds."""

    def plain(self, dim: Dimension, what: str) -> Self:
        """The same with floats in SI base units; `DimensionError` if the unit does not fit."""

    def range(self) -> tuple[float, float]:
        """The open interval of values."""

    def sample(self, u: Array, start: Array) -> Array:
        """A value to begin with, from a uniform number between 0 and 1 and the present value."""


class _Numbers:
    """Arguments with units become floats."""

    def plain(self, dim: Dimension, what: str) -> Self:
        values = {
            f.name: strip(getattr(self, f.name), dim, f"{what}: {f.name}")
            for f in fields(self)  # type: ignore[arg-type]
        }
        return replace(self, **values)  # type: ignore[type-var]


@dataclass(frozen=True)
class Identity(_Numbers):
    """x = z, for values of order one without bounds.

    >>> Identity().forward(0.5)
    0.5
    """

    formula: ClassVar[str] = "z"

    def forward(self, z: Array) -> Array:
        return z

    def inverse(self, x: Array) -> Array:
        return x

    def range(self) -> tuple[float, float]:
        return -np.inf, np.inf

    def sample(self, u: Array, start: Array) -> Array:
        return start + jax.scipy.special.ndtri(u)


@dataclass(frozen=True)
class Affine(_Numbers):
    """x = center + scale z: no bounds, but a size. An optimiser takes steps of order one in z.

    >>> from jaxsnn.units import mV, volt
    >>> x = Affine(-70 * mV, 5 * mV).plain(volt.dim, "E_L").forward(1.0)
    >>> print(f"{x:.3f}")
    -0.065
    """

    center: Any
    scale: Any
    formula: ClassVar[str] = "center + scale z"

    def __post_init__(self) -> None:
        _positive(self, "scale")

    def forward(self, z: Array) -> Array:
        return self.center + self.scale * z

    def inverse(self, x: Array) -> Array:
        return (x - self.center) / self.scale

    def range(self) -> tuple[float, float]:
        return -np.inf, np.inf

    def sample(self, u: Array, start: Array) -> Array:
        return self.forward(jax.scipy.special.ndtri(u))


@dataclass(frozen=True)
class Log(_Numbers):
    """x = scale exp(z): positive values whose size is known to an order of magnitude or so.

    >>> from jaxsnn.units import ms, second
    >>> print(f"{Log(10 * ms).plain(second.dim, 'tau').forward(0.0):.2f}")
    0.01
    """

    scale: Any
    formula: ClassVar[str] = "scale exp(z)"

    def __post_init__(self) -> None:
        _positive(self, "scale")

    def forward(self, z: Array) -> Array:
        return self.scale * jnp.exp(z)

    def inverse(self, x: Array) -> Array:
        return jnp.log(x / self.scale)

    def range(self) -> tuple[float, float]:
        return 0.0, np.inf

    def sample(self, u: Array, start: Array) -> Array:
        return self.forward(jax.scipy.special.ndtri(u))


@dataclass(frozen=True)
class Softplus(_Numbers):
    """x = lower + scale log(1 + exp(z)): above a bound, and nearly linear away from it.

    >>> from jaxsnn.units import nS, siemens
    >>> x = Softplus(0 * nS, 10 * nS).plain(siemens.dim, "g").forward(0.0)
    >>> print(f"{x / 1e-9:.3f}")
    6.931
    """

    lower: Any
    scale: Any
    formula: ClassVar[str] = "lower + scale log(1 + exp(z))"

    def __post_init__(self) -> None:
        _positive(self, "scale")

    def forward(self, z: Array) -> Array:
        return self.lower + self.scale * jax.nn.softplus(z)

    def inverse(self, x: Array) -> Array:
        y = (x - self.lower) / self.scale
        return y + jnp.log(-jnp.expm1(-y))

    def range(self) -> tuple[float, float]:
        return float(self.lower), np.inf

    def sample(self, u: Array, start: Array) -> Array:
        return self.forward(jax.scipy.special.ndtri(u))


@dataclass(frozen=True)
class Sigmoid(_Numbers):
    """x = lower + (upper - lower)/(1 + exp(-z)): between two bounds. What ``(lower, upper)`` stands for.

    >>> from jaxsnn.units import ms, second
    >>> x = Sigmoid(5 * ms, 15 * ms).plain(second.dim, "tau").forward(0.0)
    >>> print(f"{x:.2f}")
    0.01
    """

    lower: Any
    upper: Any
    formula: ClassVar[str] = "lower + (upper - lower)/(1 + exp(-z))"

    def __post_init__(self) -> None:
        _ordered(self)

    def forward(self, z: Array) -> Array:
        return self.lower + (self.upper - self.lower) * jax.nn.sigmoid(z)

    def inverse(self, x: Array) -> Array:
        return jnp.log((x - self.lower) / (self.upper - x))

    def range(self) -> tuple[float, float]:
        return float(self.lower), float(self.upper)

    def sample(self, u: Array, start: Array) -> Array:
        return self.lower + (self.upper - self.lower) * u


@dataclass(frozen=True)
class LogSigmoid(_Numbers):
    """x = lower (upper/lower)^(1/(1 + exp(-z))): between two positive bounds that are orders of magnitude apart.

    >>> from jaxsnn.units import ms, second
    >>> x = LogSigmoid(1 * ms, 100 * ms).plain(second.dim, "tau").forward(0.0)
    >>> print(f"{x:.2f}")
    0.01
    """

    lower: Any
    upper: Any
    formula: ClassVar[str] = "lower (upper/lower)^(1/(1 + exp(-z)))"

    def __post_init__(self) -> None:
        _positive(self, "lower")
        _ordered(self)

    def forward(self, z: Array) -> Array:
        return self.lower * jnp.exp(jnp.log(self.upper / self.lower) * jax.nn.sigmoid(z))

    def inverse(self, x: Array) -> Array:
        return jnp.log(jnp.log(x / self.lower) / jnp.log(self.upper / x))

    def range(self) -> tuple[float, float]:
        return float(self.lower), float(self.upper)

    def sample(self, u: Array, start: Array) -> Array:
        return self.lower * jnp.exp(jnp.log(self.upper / self.lower) * u)


BIJECTIONS: dict[str, Callable[..., Any]] = {
    kind.__name__: kind for kind in (Identity, Affine, Log, Softplus, Sigmoid, LogSigmoid)
}


def _value(x: Any) -> Any:
    given = quantity(x)
    return given.value if isinstance(given, Quantity) else given


def _positive(bijection: Any, name: str) -> None:
    if not np.all(np.asarray(_value(getattr(bijection, name))) > 0):
        kind = type(bijection).__name__
        raise ArgumentError(f"{kind}: {name} needs to be positive, got {getattr(bijection, name)}")


def _ordered(bijection: Any) -> None:
    lower, upper = bijection.lower, bijection.upper
    get = get_dimensions(lower), get_dimensions(upper)
    if get[0] == get[1] and not _value(lower) < _value(upper):
        raise ArgumentError(
            f"{type(bijection).__name__}: the lower bound needs to be below the upper one, got {lower} and {upper}"
        )
