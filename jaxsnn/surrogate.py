r"""Surrogates: what stands for the derivative of a spike, which is a step of the membrane against its threshold.

A spike is ``s = 1 if x > 0 else 0`` of the *normalised margin* x: how far the condition is from changing, divided by
the surrogate's ``width`` (1 mV, say). Each surrogate is a smooth step p(x), its *primitive*, from 0 to 1, and its
derivative p'(x) takes the place of the step's. All have the same scale, peak ``p'(0) = 1`` and area 1, so that they
differ in shape only:

>>> for name, surrogate in SURROGATES.items():
...     s = surrogate()
...     print(f"{name:14} p(1/4) = {s.primitive(0.25):.3f}   p'(1/4) = {s.derivative(0.25):.3f}")
fast_sigmoid   p(1/4) = 0.667   p'(1/4) = 0.444
superspike     p(1/4) = 0.667   p'(1/4) = 0.444
sigmoid        p(1/4) = 0.731   p'(1/4) = 0.786
arctan         p(1/4) = 0.712   p'(1/4) = 0.618
triangular     p(1/4) = 0.719   p'(1/4) = 0.750
boxcar         p(1/4) = 0.750   p'(1/4) = 1.000
gaussian       p(1/4) = 0.735   p'(1/4) = 0.822
multi_gaussian p(1/4) = 0.740   p'(1/4) = 0.885
exponential    p(1/4) = 0.697   p'(1/4) = 0.607

In *relaxed* simulations the spike is p(x) itself, in the forward pass too; then everything is smooth, and gradients can
be compared with finite differences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import ArgumentError

__all__ = [
    "SURROGATES",
    "Arctan",
    "Boxcar",
    "Exponential",
    "FastSigmoid",
    "Gaussian",
    "MultiGaussian",
    "Sigmoid",
    "SuperSpike",
    "Surrogate",
    "Triangular",
]

Array = Any


@dataclass(frozen=True)
class Surrogate:
    """Base class of surrogates. One of your own defines `primitive`, a smooth step from 0 to 1.

    Attributes:
        width: What the margin of a threshold is divided by, in the unit of the variable (``1*mV`` for ``v > Vt``). A
            threshold that compares variables of several units takes a tuple with one width each. None: the distance
            from the threshold to the reset, or else 10 mV, 10 nS, 100 pA, 10 ms, 100 Hz, or 1 for a plain number.
        scale: Factor of the derivative (the dampening of Bellec et al. 2020). Relaxed spikes have no use for it.

    Example:
        >>> import jax.numpy as jnp
        >>> from dataclasses import dataclass
        >>> from jaxsnn.surrogate import Surrogate
        >>> @dataclass(frozen=True)
        ... class Tanh(Surrogate):
        ...     def primitive(self, x):
        ...         return (1 + jnp.tanh(2 * x)) / 2
        >>> float(Tanh().derivative(0.0))
        1.0

    Raises:
        ArgumentError: for a width that is not positive, or a scale that is no number.
    """

    width: Any = None
    scale: float = 1.0

    source: ClassVar[str] = ""
    """The publication."""

    def __post_init__(self) -> None:
        widths = self.width if isinstance(self.width, tuple | list) else (self.width,)
        for width in widths:
            if width is not None and not (np.ndim(width) == 0 and width > 0 * width):
                raise ArgumentError(
                    f"the width of a surrogate is a positive number with the unit of the threshold's variable, such as"
                    f" width=1*mV; got {width!r}"
                )
        object.__setattr__(self, "width", tuple(w for w in widths if w is not None))
        if isinstance(self.scale, bool) or not isinstance(self.scale, int | float) or not np.isfinite(self.scale):
            raise ArgumentError(f"the scale of a surrogate is a number, got {self.scale!r}")

    def primitive(self, x: Array) -> Array:
        """The smooth step, from 0 to 1, of the normalised margin (any shape)."""
        raise NotImplementedError(f"{type(self).__name__} needs a method primitive(self, x)")

    def derivative(self, x: Array) -> Array:
        """The derivative of the primitive."""
        x = jnp.asarray(x, jnp.result_type(float, x))
        return jax.jvp(self.primitive, (x,), (jnp.ones_like(x),))[1]


@dataclass(frozen=True)
class FastSigmoid(Surrogate):
    """p(x) = 1/2 + x/(1 + 2|x|), p'(x) = 1/(1 + 2|x|)^2.

    Long tails: far from the threshold it is small but never 0, so that neurons that are silent learn too.
    """

    source: ClassVar[str] = "Zenke & Ganguli 2018, doi:10.1162/neco_a_01086"

    def primitive(self, x: Array) -> Array:
        return 0.5 + x / (1 + 2 * jnp.abs(x))

    def derivative(self, x: Array) -> Array:
        return 1 / (1 + 2 * jnp.abs(x)) ** 2


@dataclass(frozen=True)
class SuperSpike(FastSigmoid):
    """The derivative of the fast sigmoid under the name of the learning rule that introduced it; the default."""


@dataclass(frozen=True)
class Sigmoid(Surrogate):
    """p(x) = 1/(1 + exp(-4x)), p'(x) = 4 p(x) (1 - p(x))."""

    source: ClassVar[str] = "Neftci, Mostafa & Zenke 2019, doi:10.1109/MSP.2019.2931595"

    def primitive(self, x: Array) -> Array:
        return jax.nn.sigmoid(4 * jnp.asarray(x))

    def derivative(self, x: Array) -> Array:
        return 4 * jax.nn.sigmoid(4 * jnp.asarray(x)) * jax.nn.sigmoid(-4 * jnp.asarray(x))


@dataclass(frozen=True)
class Arctan(Surrogate):
    """p(x) = 1/2 + arctan(pi x)/pi, p'(x) = 1/(1 + (pi x)^2)."""

    source: ClassVar[str] = "Fang et al. 2021, doi:10.1109/ICCV48922.2021.00266"

    def primitive(self, x: Array) -> Array:
        return 0.5 + jnp.arctan(jnp.pi * x) / jnp.pi

    def derivative(self, x: Array) -> Array:
        return 1 / (1 + (jnp.pi * x) ** 2)


@dataclass(frozen=True)
class Triangular(Surrogate):
    """p'(x) = max(0, 1 - |x|): exactly 0 farther than one width from the threshold."""

    source: ClassVar[str] = "Esser et al. 2016, doi:10.1073/pnas.1604850113"

    def primitive(self, x: Array) -> Array:
        near = jnp.clip(x, -1, 1)
        return 0.5 + near - near * jnp.abs(near) / 2

    def derivative(self, x: Array) -> Array:
        return jnp.maximum(0, 1 - jnp.abs(x))


@dataclass(frozen=True)
class Boxcar(Surrogate):
    """p(x) = 1/2 + x between -1/2 and 1/2, so p'(x) = 1 there and 0 elsewhere."""

    source: ClassVar[str] = "Wu et al. 2018, doi:10.3389/fnins.2018.00331"

    def primitive(self, x: Array) -> Array:
        return jnp.clip(0.5 + x, 0, 1)

    def derivative(self, x: Array) -> Array:
        x = jnp.asarray(x, jnp.result_type(float, x))
        return (jnp.abs(x) < 0.5).astype(x.dtype)


@dataclass(frozen=True)
class Gaussian(Surrogate):
    """p'(x) = exp(-pi x^2), p(x) its integral."""

    source: ClassVar[str] = "Yin, Corradi & Bohté 2021, doi:10.1038/s42256-021-00397-w"

    def primitive(self, x: Array) -> Array:
        return jax.scipy.stats.norm.cdf(x, scale=float(1 / np.sqrt(2 * np.pi)))

    def derivative(self, x: Array) -> Array:
        return jnp.exp(-jnp.pi * x**2)


@dataclass(frozen=True)
class MultiGaussian(Surrogate):
    """p'(x) = c ((1 + h) N(x; 0, a) - h N(x; a, 6a) - h N(x; -a, 6a)) with h = 0.15.

    N(x; m, a) is the normal density; a and c make peak and area 1. The two wide terms make it slightly negative far
    from the threshold.
    """

    source: ClassVar[str] = "Yin, Corradi & Bohté 2021, doi:10.1038/s42256-021-00397-w"

    h: ClassVar[float] = 0.15
    a: ClassVar[float] = float(((1 + 0.15) - 2 * 0.15 / 6 * np.exp(-1 / 72)) / ((1 - 0.15) * np.sqrt(2 * np.pi)))

    def primitive(self, x: Array) -> Array:
        cdf, h, a = jax.scipy.stats.norm.cdf, self.h, self.a
        return ((1 + h) * cdf(x, 0, a) - h * cdf(x, a, 6 * a) - h * cdf(x, -a, 6 * a)) / (1 - h)

    def derivative(self, x: Array) -> Array:
        pdf, h, a = jax.scipy.stats.norm.pdf, self.h, self.a
        return ((1 + h) * pdf(x, 0, a) - h * pdf(x, a, 6 * a) - h * pdf(x, -a, 6 * a)) / (1 - h)


@dataclass(frozen=True)
class Exponential(Surrogate):
    """Piecewise exponential: p'(x) = exp(-2|x|)."""

    source: ClassVar[str] = "Shrestha & Orchard 2018, doi:10.48550/arXiv.1810.08646"

    def primitive(self, x: Array) -> Array:
        tail = jnp.exp(-2 * jnp.abs(x)) / 2
        return jnp.where(jnp.asarray(x) > 0, 1 - tail, tail)

    def derivative(self, x: Array) -> Array:
        return jnp.exp(-2 * jnp.abs(x))


SURROGATES: Mapping[str, type[Surrogate]] = {
    "fast_sigmoid": FastSigmoid,
    "superspike": SuperSpike,
    "sigmoid": Sigmoid,
    "arctan": Arctan,
    "triangular": Triangular,
    "boxcar": Boxcar,
    "gaussian": Gaussian,
    "multi_gaussian": MultiGaussian,
    "exponential": Exponential,
}
"""All surrogates by name."""
