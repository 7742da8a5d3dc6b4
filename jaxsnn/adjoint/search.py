"""Find the events of a run, in order: the list of what happened, without any derivative."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.adjoint.crossing import first_crossings
from jaxsnn.adjoint.moves import Event, Moves, Moving
from jaxsnn.adjoint.populations import Environment
from jaxsnn.adjoint.reading import Model

__all__ = ["STATUS", "Queue", "Search", "Tape"]

Array = Any

STATUS = (
    "",
    "more than max_spikes = {max_spikes} spikes (those on their way from an earlier run included)",
    "more than {max_events} events (spikes, arrivals of spikes, ends of refractory periods)",
    "a delay that is negative or not a number",
    "a value that is not a number",
)
"""What stopped a run, by the number in ``status``."""
_SPIKES, _EVENTS, _DELAY, _NAN = 1, 2, 3, 4


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Queue:
    """Which spikes are still on their way, entries of the list of spikes (-1: none).

    next: (K,) the next spike of the same neuron; last: (N,) the last spike of each neuron; waiting: (U,) for each unit
    the spike it delivers next; neuron: (K,) who fired; count: int32, spikes in the list beyond those of inputs.
    """

    next: Array
    last: Array
    waiting: Array
    neuron: Array
    count: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Tape:
    """The events in order, (L,) each, ``moves.nothing`` behind the last; count: how many; status: see `STATUS`."""

    events: Event
    count: Array
    status: Array


class Search:
    """The event loop of a model.

    Args:
        model: What to run.
        moves: Its moves.
        max_spikes: Room in the list of spikes.
    """

    def __init__(self, model: Model, moves: Moves, max_spikes: int) -> None:
        self.model, self.moves, self.max_spikes = model, moves, max_spikes
        self.given = sum(i.index.size for i in model.inputs)
        count = [p.units.source.size for p in model.pathways]
        self.units = sum(count)
        # Tables from the numbers in the whole network to those in a group or a pathway.
        self.source = _join([p.first + p.units.source for p in model.pathways])
        self.unit_number = _join([np.arange(n) for n in count])
        self.delivery = _join([np.full(n, m) for n, m in zip(count, moves.delivery, strict=True)])
        sizes = [p.size for p in model.populations]
        self.number = _join([np.arange(n) for n in sizes])
        self.spike = _join([np.full(n, m) for n, m in zip(sizes, moves.spike, strict=True)])
        self.release = _join([np.full(n, m) for n, m in zip(sizes, moves.release, strict=True)])
        self.input_neuron = _join([i.first + i.index for i in model.inputs])

    def start(self, env: Environment, queue: Queue, times: Array, begin: Array, first: Array) -> Queue:
        """The queue with the spikes of inputs in it: those that arrive after ``begin`` (at it, in the first run)."""
        if not self.given or not self.units:
            return queue
        by_neuron = jnp.lexsort((times, jnp.asarray(self.input_neuron)))
        same = jnp.asarray(self.input_neuron)[by_neuron]
        follows = jnp.where(same[1:] == same[:-1], by_neuron[1:], -1)
        following = queue.next.at[by_neuron[:-1]].set(follows.astype(queue.next.dtype))
        following = following.at[by_neuron[-1]].set(-1)
        arrival = times[None, :] + self.delays(env)[:, None]
        due = jnp.where(first, arrival >= begin, arrival > begin)
        mine = jnp.asarray(self.source)[:, None] == jnp.asarray(self.input_neuron)[None, :]
        ahead = jnp.where(due & mine, times[None, :], jnp.inf)
        earliest = jnp.where(jnp.any(due & mine, 1), jnp.argmin(ahead, 1), -1).astype(queue.waiting.dtype)
        of_input = self.source >= self.model.neurons
        return replace(queue, next=following, waiting=jnp.where(of_input, earliest, queue.waiting))

    def delays(self, env: Environment) -> Array:
        """(U,) the delays of all units."""
        if not self.model.pathways:
            return jnp.zeros(0)
        return jnp.concatenate([p.delays(env) for p in self.model.pathways])

    def __call__(self, env: Environment, moving: Moving, queue: Queue, end: Array, room: int) -> tuple[Queue, Tape]:
        """Run to the step ``end`` of the grid; ``room``: most events."""
        dtype = moving.since.dtype
        dt = jnp.asarray(self.model.dt, dtype)
        delays = self.delays(env)
        nothing = jnp.zeros(room, jnp.int32)
        tape = Event(nothing, nothing, nothing, jnp.zeros(room, dtype), jnp.zeros(room, bool))
        wrong = jnp.any(~(delays >= 0)) if self.units else jnp.asarray(False)
        status = jnp.where(wrong, _DELAY, 0).astype(jnp.int32)
        now = moving.step.astype(dtype) * dt

        def unfinished(carry: Any) -> Array:
            moving, _, _, _, _, status = carry
            return (moving.step < end) & (status == 0)

        def one(carry: Any) -> Any:
            moving, queue, tape, count, now, _ = carry
            event, recorded, fires = self._next(env, moving, queue, delays, now, dt)
            full = fires & (queue.count >= self.max_spikes)
            crowded = recorded & (count >= room)
            status = jnp.where(full, _SPIKES, jnp.where(crowded, _EVENTS, 0)).astype(jnp.int32)
            place = jnp.where(recorded & ~full, count, room)
            tape = jax.tree.map(lambda all, new: all.at[place].set(new, mode="drop"), tape, event)
            queue = self._queue(queue, event, fires & ~full)
            moving = self.moves(env, moving, event)
            return moving, queue, tape, count + recorded, event.time, status

        carry = (moving, queue, tape, jnp.asarray(0, jnp.int32), now, status)
        moving, queue, tape, count, _, status = jax.lax.while_loop(unfinished, one, carry)
        broken = jnp.asarray(False)
        for leaf in jax.tree.leaves(moving.values):
            broken = broken | jnp.any(~jnp.isfinite(leaf))
        status = jnp.where((status == 0) & broken, _NAN, status)
        return queue, Tape(tape, count, status)

    def _next(
        self, env: Environment, moving: Moving, queue: Queue, delays: Array, now: Array, dt: Array
    ) -> tuple[Event, Array, Array]:
        """The next event, whether it goes on the tape, and whether it is a spike."""
        nothing = jnp.asarray(0, jnp.int32)
        grid = (moving.step + 1).astype(now.dtype) * dt
        candidates = [(grid, jnp.asarray(self.moves.grid, jnp.int32), nothing, nothing)]
        if self.units:
            waits = queue.waiting >= 0
            arrival = jnp.where(waits, moving.spikes[queue.waiting] + delays, jnp.inf)
            u = jnp.argmin(arrival)
            entry = queue.waiting[u]
            candidates.append((arrival[u], _look(self.delivery, u), _look(self.unit_number, u), entry))
        if any(p.period is not None for p in self.model.populations):
            ends = jnp.where(moving.free, jnp.inf, moving.release)
            g = jnp.argmin(ends)
            candidates.append((ends[g], _look(self.release, g), _look(self.number, g), nothing))
        time, move, which, entry = candidates[0]
        for other in candidates[1:]:  # of events at one time: the release, then the arrival, then the grid
            before = other[0] <= time
            time, move, which, entry = (
                jnp.where(before, a, b) for a, b in zip(other, (time, move, which, entry), strict=True)
            )
        time = jnp.maximum(time, now)
        fire, g, at_once = self._first(env, moving, now, time)
        fires = fire <= time
        event = Event(
            jnp.where(fires, _look(self.spike, g), move).astype(jnp.int32),
            jnp.where(fires, _look(self.number, g), which).astype(jnp.int32),
            jnp.where(fires, self.given + queue.count, entry).astype(jnp.int32),
            jnp.where(fires, fire, time),
            fires & at_once,
        )
        recorded = (event.move != self.moves.grid) | self.model.stepped
        return event, recorded, fires

    def _first(self, env: Environment, moving: Moving, low: Array, high: Array) -> tuple[Array, Array, Array]:
        """The first neuron that fires in an interval: when (infinity for none), which, and whether lifted by a jump."""
        times, lifted = [], []
        for population in self.model.populations:
            own = slice(population.first, population.first + population.size)
            if population.threshold is None:
                times.append(jnp.full(population.size, jnp.inf, low.dtype))
                lifted.append(jnp.zeros(population.size, bool))
                continue
            x = {name: moving.values[population.owner][name] for name in population.variables}
            found, margin = first_crossings(
                population, env, x, moving.since[own], moving.free[own], moving.step, low, high
            )
            times.append(found)
            lifted.append((margin > 0) & moving.fresh[own])
        if not times:
            return jnp.asarray(jnp.inf, low.dtype), jnp.asarray(0), jnp.asarray(False)
        every = jnp.concatenate(times)
        g = jnp.argmin(every)
        return every[g], g, jnp.concatenate(lifted)[g]

    def _queue(self, queue: Queue, event: Event, fires: Array) -> Queue:
        """The queue after an event: a spike is appended, a delivery moves its unit on."""
        if self.units:
            base = jnp.asarray(_bases(self.moves.delivery, [p.units.source.size for p in self.model.pathways]))
            delivers = jnp.isin(event.move, jnp.asarray(self.moves.delivery))
            u = jnp.where(delivers, base[event.move] + event.which, self.units)
            after = queue.next[jnp.maximum(event.entry, 0)]
            queue = replace(queue, waiting=queue.waiting.at[u].set(after, mode="drop"))
        entry = jnp.where(fires, event.entry, queue.next.shape[0])
        g = self._global(event)
        before = jnp.where(fires & (queue.last[g] >= 0), queue.last[g], queue.next.shape[0])
        following = queue.next.at[before].set(event.entry, mode="drop").at[entry].set(-1, mode="drop")
        waiting = queue.waiting
        if self.units:
            idle = fires & (jnp.asarray(self.source) == g) & (queue.waiting < 0)
            waiting = jnp.where(idle, event.entry, waiting)
        return Queue(
            following,
            queue.last.at[jnp.where(fires, g, queue.last.shape[0])].set(event.entry, mode="drop"),
            waiting,
            queue.neuron.at[entry].set(g.astype(queue.neuron.dtype), mode="drop"),
            queue.count + fires,
        )

    def _global(self, event: Event) -> Array:
        firsts = jnp.asarray(_bases(self.moves.spike, [p.size for p in self.model.populations]))
        return jnp.minimum(
            firsts[jnp.minimum(event.move, firsts.shape[0] - 1)] + event.which, max(self.model.neurons - 1, 0)
        )


def _join(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int32), *parts]).astype(np.int32)


def _look(table: np.ndarray, k: Array) -> Array:
    return jnp.asarray(table)[k]


def _bases(moves: list[int], sizes: list[int]) -> np.ndarray:
    """By the number of a move, where its group (or pathway) begins among all."""
    bases = np.zeros(max(moves, default=0) + 1, np.int32)
    bases[moves] = np.cumsum([0, *sizes])[:-1] if moves else 0
    return bases
