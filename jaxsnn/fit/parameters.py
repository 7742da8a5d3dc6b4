"""What is fitted: numbers of a simulation by dotted name, with bounds, as one vector without bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import ArgumentError, did_you_mean
from jaxsnn.fit.bijections import Bijection, Sigmoid
from jaxsnn.simulation import Params, Simulation, State
from jaxsnn.units import Quantity, strip
from jaxsnn.units.dimension import Dimension

__all__ = ["Space", "Trainable"]

Array = Any

MARGIN = 1e-3
"""How far from a bound a fit begins at least, as a part of the range."""


@dataclass(frozen=True)
class Trainable:
    """How one parameter is fitted.

    Attributes:
        bounds: ``(lower, upper)`` with units, or a bijection such as `Softplus`.
        shared: One value for a whole array, instead of one for each element.
        mask: Which elements are fitted: booleans, or their numbers. The others keep their values.

    Example:
        >>> from jaxsnn.units import mV
        >>> weights = Trainable((0 * mV, 5 * mV), shared=True)
    """

    bounds: Any
    shared: bool = False
    mask: Any = None


@dataclass(frozen=True)
class Place:
    """One fitted parameter: ``size`` entries of the vector z from ``start``, and where their values go.

    elements: numbers of the fitted elements in the flattened array.
    """

    path: str
    bijection: Bijection
    dim: Dimension
    shape: tuple[int, ...]
    elements: np.ndarray
    shared: bool
    start: int
    in_state: bool

    @property
    def size(self) -> int:
        """Entries in the vector."""
        return 1 if self.shared else self.elements.size

    @property
    def part(self) -> slice:
        """Where they are."""
        return slice(self.start, self.start + self.size)

    def labels(self) -> list[str]:
        """A name for each entry: ``cells.v[3]``, or the path alone for a single number."""
        if self.shared or self.shape in ((), (1,)):
            return [self.path]
        return [f"{self.path}[{k}]" for k in self.elements]

    def shown(self, x: Any) -> Any:
        """Values of the entries (..., size) as a quantity; a parameter with one entry loses the last axis."""
        x = np.asarray(x, float)
        single = self.shared or self.shape in ((), (1,))
        x = x[..., 0] if single else x
        x = float(x) if x.ndim == 0 else x
        return x if self.dim.is_dimensionless else Quantity(x, self.dim)


class Space:
    """All fitted parameters as one vector z of numbers without bounds: (k,) float.

    Raises `ArgumentError` for an unknown name and for what cannot be fitted, `DimensionError` for bounds with
    another unit.
    """

    def __init__(self, sim: Simulation, params: Params, state: State, wanted: Mapping[str, Any]) -> None:
        if not wanted:
            raise ArgumentError(
                "nothing is to be fitted; name parameters with bounds: {'cells.taum': (5*ms, 50*ms)}; there are "
                + ", ".join(sim.paths(params))
            )
        self._put, self._get = sim.put, sim.get
        self.params, self.state = params, state
        self.places: list[Place] = []
        start = 0
        for path, given in wanted.items():
            place = self._place(sim, path, given if isinstance(given, Trainable) else Trainable(given), start)
            self.places.append(place)
            start += place.size
        self.size = start
        self.dtype = sim.setting.dtype

    def _place(self, sim: Simulation, path: str, given: Trainable, start: int) -> Place:
        owner, _, name = path.partition(".")
        floats = [p for p in sim.paths(self.state) if jnp.issubdtype(sim.get(self.state, p).dtype, jnp.floating)]
        known = [*sim.paths(self.params), *floats]
        if path not in known:
            if (owner, name) in sim.program.variables:
                raise ArgumentError(
                    f"{path!r} cannot be fitted: it is a whole number or a truth value. For a number of the namespace"
                    f" write a decimal point: 2.0 instead of 2"
                )
            raise ArgumentError(
                f"{path!r} cannot be fitted: there is no such parameter or initial value.{did_you_mean(path, known)}"
                f" There are {', '.join(known)}"
            )
        in_state = path in floats
        variable = sim.program.variables[(owner, name)]
        old = np.asarray(sim.get(self.state if in_state else self.params, path))
        bounds = given.bounds
        if isinstance(bounds, tuple | list):
            if len(bounds) != 2:
                raise ArgumentError(f"{path}: bounds are a pair (lower, upper) or a bijection, got {bounds!r}")
            bounds = Sigmoid(*bounds)
        elif not hasattr(bounds, "forward"):
            raise ArgumentError(
                f"{path}: bounds are a pair (lower, upper) with units or a bijection such as Softplus(lower, scale),"
                f" got {bounds!r}"
            )
        return Place(
            path=path,
            bijection=bounds.plain(variable.dim, path),
            dim=variable.dim,
            shape=old.shape,
            elements=_elements(path, old.shape, given.mask),
            shared=given.shared,
            start=start,
            in_state=in_state,
        )

    # ---- between vector and trees ----------------------------------------------------------------

    @property
    def labels(self) -> list[str]:
        """A name for each entry of the vector."""
        return [label for place in self.places for label in place.labels()]

    def values(self, z: Array) -> Array:
        """The values of the entries in SI base units: (..., k)."""
        return jnp.concatenate([p.bijection.forward(z[..., p.part]) for p in self.places], axis=-1)

    def numbers(self, x: Array) -> Array:
        """The vector for values: the inverse of `values`."""
        return jnp.concatenate([p.bijection.inverse(x[..., p.part]) for p in self.places], axis=-1)

    def trees(self, z: Array) -> tuple[Params, State]:
        """Parameters and state with the values of the vector (k,) put in."""
        params, state = self.params, self.state
        for place in self.places:
            tree = state if place.in_state else params
            old = jnp.asarray(self._get(tree, place.path))
            new = place.bijection.forward(z[place.part]).astype(old.dtype)
            flat = old.reshape(-1).at[place.elements].set(new)
            tree = self._put(tree, place.path, flat.reshape(old.shape))
            params, state = (params, tree) if place.in_state else (tree, state)
        return params, state

    def shown(self, x: Any) -> dict[str, Any]:
        """Values (..., k) as quantities by dotted name."""
        return {place.path: place.shown(np.asarray(x)[..., place.part]) for place in self.places}

    # ---- where to begin --------------------------------------------------------------------------

    def present(self) -> np.ndarray:
        """The values that the trees have now: (k,). A shared parameter begins at the mean of its elements."""
        parts = []
        for place in self.places:
            old = np.asarray(self._get(self.state if place.in_state else self.params, place.path), float)
            own = old.reshape(-1)[place.elements]
            parts.append(own.mean(keepdims=True) if place.shared else own)
        return np.concatenate(parts)

    def begin(self, starts: int | Mapping[str, Any], random: np.random.Generator) -> Array:
        """Vectors to begin with: (S, k). One start is the present value; several are spread over the bounds, every
        bound in S equal parts with one start in each (Latin hypercube: M. D. McKay, R. J. Beckman and W. J. Conover,
        1979, doi:10.2307/1268522). A mapping from names to values (S, ...) with units gives them by hand.
        """
        x = self.present()
        if isinstance(starts, Mapping):
            x = self._by_hand(starts)
        elif starts > 1:
            strata = random.permuted(np.tile(np.arange(starts), (self.size, 1)), axis=1).T
            u = (strata + random.uniform(size=strata.shape)) / starts
            parts = [p.bijection.sample(u[:, p.part], x[p.part]) for p in self.places]
            x = np.concatenate([np.asarray(part) for part in parts], axis=1)
        x = np.atleast_2d(x)
        z = np.asarray(self.numbers(jnp.asarray(self._inside(x), self.dtype)))
        for place in self.places:
            if not np.all(np.isfinite(z[:, place.part])):
                low, high = (place.shown(np.array([b])) for b in place.bijection.range())
                got = place.shown(x[:, place.part])
                raise ArgumentError(
                    f"{place.path} begins at {got}, which is not between {low} and {high}; set it with sim.put, use"
                    f" other bounds, or let the fit draw where to begin: starts=10"
                )
        return jnp.asarray(z, self.dtype)

    def _inside(self, x: np.ndarray) -> np.ndarray:
        """Values on a bound, moved off it: there the number without bounds is infinite."""
        x = np.array(x, float)
        for place in self.places:
            low, high = place.bijection.range()
            if np.isfinite(low) and np.isfinite(high):
                own, margin = x[:, place.part], MARGIN * (high - low)
                slack = 1e-5 * (high - low)  # values of 32 bits lie beside the bound that they are on
                own = np.where((own >= low - slack) & (own < low + margin), low + margin, own)
                own = np.where((own <= high + slack) & (own > high - margin), high - margin, own)
                x[:, place.part] = own
        return x

    def _by_hand(self, starts: Mapping[str, Any]) -> np.ndarray:
        for path in starts:
            paths = [p.path for p in self.places]
            if path not in paths:
                raise ArgumentError(f"starts: {path!r} is not fitted; fitted are {', '.join(paths)}")
        columns, rows = [], 1
        for place in self.places:
            if place.path in starts:
                own = np.asarray(strip(starts[place.path], place.dim, f"starts: {place.path}"), float)
                own = own.reshape(-1, place.size)
                rows = max(rows, own.shape[0])
            else:
                own = self.present()[None, place.part]
            columns.append(own)
        if any(c.shape[0] not in (1, rows) for c in columns):
            raise ArgumentError(f"starts: every parameter needs as many values as there are starts ({rows}), or one")
        return np.concatenate([np.broadcast_to(c, (rows, c.shape[1])) for c in columns], axis=1)


def _elements(path: str, shape: tuple[int, ...], mask: Any) -> np.ndarray:
    size = int(np.prod(shape, dtype=int))
    if mask is None:
        return np.arange(size)
    given = np.asarray(mask)
    if given.dtype == bool and given.shape != shape:
        raise ArgumentError(f"{path}: the mask has the shape {given.shape}, the parameter {shape}")
    elements = np.flatnonzero(given) if given.dtype == bool else given.reshape(-1).astype(int)
    if elements.size == 0 or elements.min() < 0 or elements.max() >= size:
        raise ArgumentError(
            f"{path}: the mask needs to name at least one of the {size} elements (0 to {size - 1}), got {mask!r}"
        )
    return elements
