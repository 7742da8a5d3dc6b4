"""What an event does to a network: the state before it, carried to the time of the event, and the jump.

Every neuron has a time of its own, that of its last event: an event touches the neurons it concerns and no others. All
moves are plain functions of the state and of discrete choices (which neuron, which unit, which entry of the list
of spikes), so the same code finds the events and, with the choices known, is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.adjoint.crossing import crossing_time
from jaxsnn.adjoint.pathways import Pathway
from jaxsnn.adjoint.populations import Environment, Population
from jaxsnn.adjoint.reading import Model

__all__ = ["Event", "Moves", "Moving", "advance"]

Array = Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Moving:
    """What events change, N neurons in all.

    values: (n,) arrays by object and name, each neuron's at its own time; since: (N,) that time; free: (N,) bool, not
    refractory; release: (N,) end of the refractory period; fresh: (N,) bool, last touched by an event, not by the
    grid; spikes: times of spikes, those of inputs first; step: int32, of the grid.
    """

    values: dict[str, dict[str, Array]]
    since: Array
    free: Array
    release: Array
    fresh: Array
    spikes: Array
    step: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Event:
    """Which event: the move, the neuron (in its group) or unit (in its pathway), the entry in the list of spikes, the
    time that the search found, and whether a neuron fires because a jump lifted it.
    """

    move: Array
    which: Array
    entry: Array
    time: Array
    at_once: Array

    def at(self, number: int, t: Array, otherwise: Array) -> Array:
        """The time t if this is the move with the number.

        Under `jax.vmap` all moves are carried out and all but one thrown away; those must not leave the range of
        numbers, or their derivative, 0 times infinity, would be thrown away too late.
        """
        return jnp.where(self.move == number, t, otherwise)


class Moves:
    """The moves of a model, in one table: nothing, a spike or a release of each group, a delivery of each pathway, the
    grid.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._table: list[Callable[[Environment, Moving, Event], Moving]] = [lambda env, moving, event: moving]
        self.spike, self.release, self.delivery = [], [], []
        for population in model.populations:
            self.spike.append(self._enter(_Spike, population))
        for population in model.populations:
            self.release.append(self._enter(_Release, population))
        for pathway in model.pathways:
            self.delivery.append(self._enter(_Delivery, pathway))
        self.grid = self._enter(_Grid, model.populations)

    def _enter(self, move: Any, concerned: Any) -> int:
        number = len(self._table)
        self._table.append(move(number, concerned))
        return number

    def __call__(self, env: Environment, moving: Moving, event: Event) -> Moving:
        """Carry out an event."""
        return jax.lax.switch(event.move, self._table, env, moving, event)


def _again(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, computed again in the backward pass: its arguments are fewer than what happens inside."""
    return jax.checkpoint(function, prevent_cse=False)


def advance(population: Population, env: Environment, moving: Moving, t: Array) -> Moving:
    """All neurons of a group, carried to time t (one for all, or one for each)."""
    own = slice(population.first, population.first + population.size)
    since = moving.since[own]
    constants = population.constants(env, jnp.arange(population.size, dtype=jnp.int32))
    x = {name: moving.values[population.owner][name] for name in population.variables}
    t = jnp.broadcast_to(t, since.shape)
    x = _again(population.flows)(t - since, since, moving.step, moving.free[own], x, constants, population.common(env))
    return replace(
        moving,
        values=_with(moving.values, population.owner, x),
        since=moving.since.at[own].set(t),
        fresh=moving.fresh.at[own].set(False),
    )


def _with(values: Mapping[str, Mapping[str, Array]], owner: str, new: Mapping[str, Array]) -> dict[str, Any]:
    return {**values, owner: {**values.get(owner, {}), **new}}


def _at(values: Mapping[str, Mapping[str, Array]], population: Population, n: Array) -> dict[str, Array]:
    return {name: values[population.owner][name][n] for name in population.variables}


def _put(moving: Moving, population: Population, n: Array, x: Mapping[str, Array]) -> dict[str, Any]:
    old = moving.values[population.owner] if population.variables else {}
    return _with(moving.values, population.owner, {k: old[k].at[n].set(v, mode="drop") for k, v in x.items()})


@dataclass(frozen=True)
class _Spike:
    """A neuron reaches its threshold: the time by the implicit function theorem, then the reset."""

    number: int
    population: Population

    def __call__(self, env: Environment, moving: Moving, event: Event) -> Moving:
        population, n = self.population, event.which
        if population.threshold is None:
            return moving
        g = population.first + n
        x, since = _at(moving.values, population, n), moving.since[g]
        constants = {**population.constants(env, n), **population.common(env)}
        t, x, release = _again(self._fire)(event, since, moving.step, x, constants)
        moving = replace(
            moving,
            values=_put(moving, population, n, x),
            since=moving.since.at[g].set(t),
            fresh=moving.fresh.at[g].set(True),
            spikes=moving.spikes.at[event.entry].set(t),
        )
        if population.period is None:
            return moving
        return replace(
            moving,
            free=moving.free.at[g].set(False),
            release=moving.release.at[g].set(release),
        )

    def _fire(self, event: Event, since: Array, step: Array, x: Any, constants: Any) -> tuple[Array, Any, Array]:
        """The time, the state after the reset, and the end of the refractory period."""
        population = self.population
        at_once = event.at_once | (event.move != self.number)
        t = crossing_time(population, event.time, at_once, since, step, x, constants)
        t = event.at(self.number, t, since)
        x = population.flow(t - since, since, step, jnp.asarray(True), x, constants)
        return t, population.fired(t, x, constants), t if population.period is None else t + population.rest(constants)


@dataclass(frozen=True)
class _Release:
    """The refractory period of a neuron ends."""

    number: int
    population: Population

    def __call__(self, env: Environment, moving: Moving, event: Event) -> Moving:
        population, n = self.population, event.which
        g = population.first + n
        x, since = _at(moving.values, population, n), moving.since[g]
        t = event.at(self.number, moving.release[g], since)
        constants = {**population.constants(env, n), **population.common(env)}
        x = _again(population.flow)(t - since, since, moving.step, jnp.asarray(False), x, constants)
        return replace(
            moving,
            values=_put(moving, population, n, x),
            since=moving.since.at[g].set(t),
            free=moving.free.at[g].set(True),
            release=moving.release.at[g].set(jnp.inf),
            fresh=moving.fresh.at[g].set(True),
        )


@dataclass(frozen=True)
class _Delivery:
    """A spike arrives: its targets are carried to that time, then the additions."""

    number: int
    pathway: Pathway

    def __call__(self, env: Environment, moving: Moving, event: Event) -> Moving:
        pathway, u = self.pathway, event.which
        units, population = pathway.units, pathway.target
        if not units.synapse.size:
            return moving
        t = moving.spikes[event.entry] + pathway.delays(env)[u]
        place = jnp.arange(units.row, dtype=jnp.int32)
        row = jnp.minimum(jnp.asarray(units.start)[u] + place, units.synapse.size - 1)
        valid = place < jnp.asarray(units.count)[u]
        n = jnp.asarray(units.target)[row]
        g = population.first + n
        x, since, free = _at(moving.values, population, n), moving.since[g], moving.free[g]
        constants, times = population.constants(env, n), event.at(self.number, t, since)
        flows = _again(population.flows)
        x = flows(times - since, since, moving.step, free, x, constants, population.common(env))
        for variable, value in pathway.additions(env, u, row, t, x, free).items():
            x[variable] = x[variable] + value
        inside, among_all = jnp.where(valid, n, population.size), jnp.where(valid, g, moving.since.shape[0])
        return replace(
            moving,
            values=_put(moving, population, inside, x),
            since=moving.since.at[among_all].set(times, mode="drop"),
            fresh=moving.fresh.at[among_all].set(True, mode="drop"),
        )


@dataclass(frozen=True)
class _Grid:
    """A step of the grid is over: groups whose flow holds over one step only are carried to its end."""

    number: int
    populations: tuple[Population, ...]

    def __call__(self, env: Environment, moving: Moving, event: Event) -> Moving:
        for population in self.populations:
            if population.stepped:
                since = moving.since[population.first : population.first + population.size]
                moving = advance(population, env, moving, event.at(self.number, event.time, since))
        return replace(moving, step=moving.step + 1)
