"""The model of Figure 4: objects at places, written into CA3 -> CA1 at once and taught to other synapses by night.

Areas have place cells and object cells. What CA1 and the subiculum (SUB) know about places is read out, so of both only
the place cells are here. With x the rates of the entorhinal cortex (EC) and z those of CA3, each of objects and places,

    y(t) = Wpp x_p(t) + Wpo x_o(t) + V z_o(t - D) + 1/4 z_p(t - D)       CA1: direct pathway PPCA1, indirect one SC
    s(t) = Spp x_p(t) + Spo x_o(t) + 1/2 y(t - D)                        SUB: direct pathway PPSUB, indirect one CA1

V holds the memories; W and S learn by pair STDP for rates (`jaxsnn.rates.learn`) while random objects at random places
are replayed. Weights have the place cell that they reach in front: (cells, inputs).

Model: M. W. H. Remme et al. (2021), doi:10.1371/journal.pcbi.1009681, Figure 4. What the text leaves open is as in the
authors' code (github.com/sprekelerlab/Remme-Bergmann-2021). There are 128 objects, each with a position of its own in
the square and a permutation of the cells, drawn once for CA3 and once for EC; an object is therefore one pattern of
rates in CA3 and one in EC, and a step of the night takes any of the 128 with equal chance. Places are uniform in the
disc. That code starts day 0 at once; the nights of equilibration are from the text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsnn.rates import Stage, learn

Array = Any

TARGET = (0.1768, -0.1768)
"""Where the tracked object lies (object 0): the centre of its quadrant, right and below."""

PATHWAYS = ("SC", "PPCA1", "PPSUB")
GROUPS = {"control": math.inf, "lesion before day 0": 0, "lesion after night 21": 21}
"""The last night in which PPCA1 is intact."""

EDGES = (0, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 1)
SETTLED = {
    "PPCA1 object": (0.28, 0.302, 0.055, 0.042, 0.033, 0.028, 0.025, 0.024, 0.026, 0.029, 0.096, 0.06),
    "PPCA1 place": (0.41, 0.206, 0.007, 0.007, 0.007, 0.006, 0.006, 0.006, 0.006, 0.006, 0.092, 0.24),
    "PPSUB object": (0.51, 0.087, 0.034, 0.026, 0.023, 0.022, 0.021, 0.020, 0.019, 0.020, 0.037, 0.18),
    "PPSUB place": (0.56, 0.032, 0.012, 0.012, 0.012, 0.011, 0.012, 0.010, 0.011, 0.010, 0.020, 0.30),
}
"""Weights after many nights: what part of them lies between `EDGES` (in units of w_max), counted in the matrices that
come with the authors' code. From weights that are all small, the model would need far more nights than it is given."""


@dataclass(frozen=True)
class Model:
    """Sizes and numbers of the model; times in s, rates in Hz, lengths in diameters of the environment.

    Other sizes keep what the weights of a cell add up to: w_max is 1/cells, amplitudes are parts of it, and the excess
    of depression, which balances the row sum, goes with 1/cells too. The decoder's noise adds up over cells.

    >>> Model().cells, Model().w_max, round(Model().ratio, 8), round(Model().noise, 3)
    (256, 0.00390625, 1.00025, 4.8)
    """

    side: int = 16
    objects: int = 128
    memories: int = 125
    equilibration: int = 10
    steps: int = 30_000
    dt: float = 0.005
    tau: float = 0.02
    r_max: float = 10.0
    width: float = 0.1
    overwriting: float = 0.6
    learning: float = 0.05
    bins: int = 22

    @property
    def cells(self) -> int:
        """Place cells of an area, on a square grid; as many object cells."""
        return self.side**2

    @property
    def w_max(self) -> float:
        """Upper bound of plastic weights."""
        return 1 / self.cells

    @property
    def ratio(self) -> float:
        """Depression over potentiation."""
        return 1 + 0.064 / self.cells

    @property
    def noise(self) -> float:
        """Standard deviation that the decoder assumes."""
        return 0.3 * math.sqrt(self.cells)

    @property
    def centres(self) -> np.ndarray:
        """Centres of the place fields, shape (cells, 2)."""
        return _square((np.arange(self.side) + 0.5) / self.side - 0.5)

    @property
    def points(self) -> np.ndarray:
        """Where the decoder looks, shape (bins**2, 2)."""
        return _square(np.linspace(-0.5, 0.5, self.bins))


def _square(line: np.ndarray) -> np.ndarray:
    return np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)


class Grids(NamedTuple):
    """Grid cells: phase (cells, 2), orientation (cells,) in rad, wave number (cells,) in rad per diameter."""

    phase: Array
    orientation: Array
    wave: Array


class World(NamedTuple):
    """What does not change within a trial.

    Attributes:
        grids: The tuning of EC's place cells.
        ca3: Rates of CA3's object cells for each object, (objects, cells).
        ec: Likewise those of EC.
        key: The random numbers of the trial's memories and nights come from it.
    """

    grids: Grids
    ca3: Array
    ec: Array
    key: Array


class Weights(NamedTuple):
    """What does.

    Attributes:
        sc: V, from CA3's object cells to CA1, (cells, cells).
        ca1: Wpo and Wpp side by side, one matrix for each group of animals, (groups, cells, 2 cells).
        sub: Spo and Spp, likewise.
    """

    sc: Array
    ca1: Array
    sub: Array


# ---- tuning -----------------------------------------------------------------------------------------


def place_rates(model: Model, at: Array) -> Array:
    """r_max exp(-|p - c|^2 / 2 width^2) of each place cell at positions (..., 2)."""
    distance = jnp.sum((jnp.asarray(at)[..., None, :] - model.centres) ** 2, -1)
    return model.r_max * jnp.exp(-distance / (2 * model.width**2))


def grid_rates(model: Model, grids: Grids, at: Array) -> Array:
    """r_max 2/9 sum_l (1/2 + cos(m k_l (p - phase))) over three directions k_l, 60 degrees apart."""
    away = jnp.asarray(at)[..., None, :] - grids.phase
    waves = 0.0
    for l in range(3):
        angle = grids.orientation + l * jnp.pi / 3
        waves += 0.5 + jnp.cos(grids.wave * (away[..., 0] * jnp.cos(angle) + away[..., 1] * jnp.sin(angle)))
    return model.r_max * 2 / 9 * waves


def make_grids(model: Model, key: Array) -> Grids:
    """Grids of 2 to 6 periods, evenly spaced over the cells, at random phases and orientations."""
    shift, turn = jax.random.split(key)
    wave = 2 * jnp.pi * jnp.linspace(2, 6, model.cells)
    return Grids(
        jax.random.uniform(shift, (model.cells, 2)),
        jax.random.uniform(turn, model.cells, maxval=2 * jnp.pi / 3),
        wave,
    )


def make_world(model: Model, key: Array) -> World:
    """A trial: its grid cells and its objects."""
    rest, place, other, *keys = jax.random.split(key, 5)

    def objects(key: Array, rates: Any) -> Array:
        where, order = jax.random.split(key)
        seen = rates(jax.random.uniform(where, (model.objects, 2), minval=-0.5, maxval=0.5))
        return jax.vmap(jax.random.permutation)(jax.random.split(order, model.objects), seen)

    ca3 = objects(keys[0], partial(place_rates, model))
    ec = objects(keys[1], partial(grid_rates, model, make_grids(model, other)))
    return World(make_grids(model, place), ca3, ec, rest)


def disc(key: Array, shape: tuple[int, ...]) -> Array:
    """Positions that are uniform in the disc of diameter 1, (*shape, 2)."""
    radius, angle = jax.random.uniform(key, (2, *shape))
    return (
        0.5
        * jnp.sqrt(radius)[..., None]
        * jnp.stack([jnp.cos(2 * jnp.pi * angle), jnp.sin(2 * jnp.pi * angle)], axis=-1)
    )


# ---- memories ---------------------------------------------------------------------------------------


def imprint(model: Model, sc: Array, place: Array, thing: Array) -> Array:
    """A new memory over the old ones: norm(V + lambda/(1 - lambda) norm(place thing^T)).

    norm makes the largest sum of weights onto one cell 1.
    """
    fresh = jnp.outer(place, thing)
    weight = model.overwriting / (1 - model.overwriting)
    mixed = sc + weight * fresh / jnp.max(jnp.sum(fresh, 1))
    return mixed / jnp.max(jnp.sum(mixed, 1))


def imprint_another(model: Model, world: World, sc: Array, key: Array, first: int = 0) -> Array:
    """A memory of another room, where place cells have other places: the pattern of CA1 permuted.

    ``first``: the first object that it may be of; 1 spares the tracked one.
    """
    where, what, order = jax.random.split(key, 3)
    place = jax.random.permutation(order, place_rates(model, disc(where, ())))
    return imprint(model, sc, place, world.ca3[jax.random.randint(what, (), first, model.objects)])


def sample_settled(model: Model, key: Array, of: str) -> Array:
    """Weights of `SETTLED`, one by one independent of each other, (cells, cells)."""
    parts = np.concatenate([[0], np.cumsum(SETTLED[of])])
    below = jax.random.uniform(key, (model.cells, model.cells))
    return model.w_max * jnp.interp(below, parts / parts[-1], np.array(EDGES, float))


# ---- days and nights --------------------------------------------------------------------------------


def replay(model: Model, world: World, key: Array) -> tuple[Array, Array]:
    """What a night replays: rates in CA3 and in EC, each (steps, 2 cells), objects in front of places."""
    where, what = jax.random.split(key)
    at = disc(where, (model.steps,))
    thing = jax.random.randint(what, (model.steps,), 0, model.objects)
    ca3 = jnp.concatenate([world.ca3[thing], place_rates(model, at)], 1)
    ec = jnp.concatenate([world.ec[thing], grid_rates(model, world.grids, at)], 1)
    return ca3, ec


def sleep(
    model: Model,
    sc: Array,
    ca1: Array,
    sub: Array,
    streams: tuple[Array, Array],
    intact: Array | float = 1.0,
    execution: str | None = None,
) -> tuple[Array, Array]:
    """Wpo and Wpp, Spo and Spp, each (cells, 2 cells), after a night. Where ``intact`` is 0, PPCA1 is not there.

    CA3 is a stage of its own, which learns nothing, because its input takes the time D to CA1.
    """
    up = model.learning * model.w_max
    first = jnp.concatenate([sc, jnp.eye(model.cells, dtype=sc.dtype) / 4], 1)
    stages = (
        Stage(plastic=False),
        Stage(1.0, 1.0, intact * up, intact * up * model.ratio, model.w_max, stream=1),
        Stage(1.0, 0.5, up / 2, up / 2 * model.ratio, model.w_max, stream=1),
    )
    weights = (first, ca1 * intact, sub)
    _, ca1, sub = learn(stages, weights, streams, dt=model.dt, tau=model.tau, execution=execution)
    return ca1, sub


def night(model: Model, world: World, weights: Weights, key: Array, intact: Array) -> Weights:
    """A night of all groups, which replay the same; ``intact`` is 1 or 0 for each."""
    streams = replay(model, world, key)
    ca1, sub = jax.vmap(lambda ca1, sub, on: sleep(model, weights.sc, ca1, sub, streams, on))(
        weights.ca1, weights.sub, intact
    )
    return Weights(weights.sc, ca1, sub)


def begin(model: Model, key: Array) -> tuple[World, Weights]:
    """A trial before its nights of equilibration: one group, and all but as many memories as there are such nights."""
    world = make_world(model, key)
    use, *keys = jax.random.split(jax.random.fold_in(world.key, 0), 5)
    numbers = jnp.arange(max(model.memories - model.equilibration, 0))

    def another(sc: Array, number: Array) -> tuple[Array, None]:
        return imprint_another(model, world, sc, jax.random.fold_in(use, number)), None

    sc, _ = lax.scan(another, jnp.zeros((model.cells, model.cells)), numbers)
    plastic = [sample_settled(model, k, of) for k, of in zip(keys, SETTLED, strict=True)]
    return world, Weights(sc, jnp.concatenate(plastic[:2], 1)[None], jnp.concatenate(plastic[2:], 1)[None])


def keys_of_day(world: World, number: Array, same: bool) -> tuple[Array, Array]:
    """Keys of what is replayed in a night (in all nights the same, if ``same``) and of the memory beside it."""
    nights, days = jax.random.split(jax.random.fold_in(world.key, 1))
    return jax.random.fold_in(nights, 0 if same else number), jax.random.fold_in(days, number)


def settle(model: Model, world: World, weights: Weights, number: Array, same: bool = False) -> Weights:
    """A day and a night of equilibration: ``number`` counts from 0."""
    dreams, memory = keys_of_day(world, number, same)
    weights = weights._replace(sc=imprint_another(model, world, weights.sc, memory))
    return night(model, world, weights, dreams, jnp.ones(1))


def acquire(model: Model, world: World, weights: Weights) -> tuple[Weights, Array]:
    """Day 0: the tracked memory, and what is known of it. From here on there are three groups."""
    sc = imprint(model, weights.sc, place_rates(model, jnp.array(TARGET)), world.ca3[0])
    intact = (jnp.array(list(GROUPS.values())) > 0).astype(sc.dtype)
    sub = jnp.repeat(weights.sub, len(GROUPS), 0)
    weights = Weights(sc, intact[:, None, None] * weights.ca1, sub)
    return weights, maps(model, world, weights)


def pass_day(model: Model, world: World, weights: Weights, day: Array, same: bool = False) -> tuple[Weights, Array]:
    """The night before day 1, 2, ...; what is known of the tracked memory on that day; then the day's memory."""
    dreams, memory = keys_of_day(world, model.equilibration + day - 1, same)
    intact = (day <= jnp.array(list(GROUPS.values()))).astype(weights.sc.dtype)
    weights = night(model, world, weights, dreams, intact)
    known = maps(model, world, weights)
    return weights._replace(sc=imprint_another(model, world, weights.sc, memory, first=1)), known


# ---- read-out ---------------------------------------------------------------------------------------


def standardized(rates: Array) -> Array:
    """Zero mean and unit standard deviation over the cells (the last axis); zeros, if all rates are equal."""
    away = rates - jnp.mean(rates, -1, keepdims=True)
    spread = jnp.std(rates, -1, keepdims=True)
    return jnp.where(spread > 0, away / jnp.where(spread > 0, spread, 1), 0)


def decode(model: Model, rates: Array) -> Array:
    """How likely the animal takes each of `Model.points`, (..., points), from the rates of place cells, (..., cells).

    Proportional to exp(-|rates - rates there|^2 / 2 noise^2), both standardized.
    """
    there = standardized(place_rates(model, model.points))
    away = jnp.sum((standardized(rates)[..., None, :] - there) ** 2, -1)
    return jax.nn.softmax(-away / (2 * model.noise**2), axis=-1)


def maps(model: Model, world: World, weights: Weights) -> Array:
    """Where each pathway alone says that the tracked object is, (groups, pathways, points)."""
    with jax.default_matmul_precision("highest"):
        by_ca1, by_sub = (w[:, :, : model.cells] @ world.ec[0] for w in (weights.ca1, weights.sub))
        by_sc = jnp.broadcast_to(weights.sc @ world.ca3[0], by_ca1.shape)
    return decode(model, jnp.stack([by_sc, by_ca1, by_sub], 1))


def in_target(model: Model, known: np.ndarray) -> np.ndarray:
    """The part of a map (..., points) that lies in the target quadrant, of what lies in the disc."""
    x, y = model.points.T
    inside = np.hypot(x, y) < 0.5
    target = inside & (x > 0) & (y < 0)
    return known[..., target].sum(-1) / known[..., inside].sum(-1)


def time_in_target(model: Model, known: np.ndarray) -> np.ndarray:
    """The part of its time that an animal spends in the target quadrant, from maps (..., pathways, points).

    70 % of the time it explores; in the rest it goes where the pathway with the highest peak tells it.
    """
    chosen = known.max(-1).argmax(-1)
    return 0.7 / 4 + 0.3 * np.take_along_axis(in_target(model, known), chosen[..., None], -1)[..., 0]
