"""The values of one time step while its operations are carried out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.codegen.lower import Block
from jaxsnn.program import Code, Key, Link, Program, Ref, Window
from jaxsnn.random import Draw, Words, name_words, step_words
from jaxsnn.simulation.connections import Pattern
from jaxsnn.simulation.gradient.setting import Gradient
from jaxsnn.simulation.gradient.spikes import blend, expected
from jaxsnn.simulation.state import Layout, Params, Tables

__all__ = ["Frame", "Setting", "prepare_block", "run_block", "run_shaped"]

Array = Any


@dataclass(frozen=True)
class Setting:
    """What is fixed when a simulation is built.

    With ``gradient``, the step is that of the twin (see `jaxsnn.simulation.gradient`): spikes are floats.
    """

    program: Program
    layout: Layout
    dtype: Any
    backend: str
    execution: str | None = None
    inputs: frozenset[Key] = frozenset()
    gradient: Gradient | None = None

    def constant(self, ref: Ref) -> bool:
        """Whether a name keeps its value during a run."""
        if ref.owner == "clock":
            return ref.name == "dt"
        return all(key not in self.layout.state and key not in self.inputs for key in self.stored(ref.key))

    def stored(self, key: Key) -> Iterator[Key]:
        """The stored variables behind a name: itself, or what it is linked to and by."""
        while (link := self.program.links.get(key)) is not None:
            if link.variable is not None:
                yield from self.stored(link.variable)
            key = link.source
        yield key

    def constant_name(self, scope: Mapping[str, Ref]) -> Callable[[str], bool]:
        return lambda name: name == "dt" or (name in scope and self.constant(scope[name]))


@dataclass
class Frame:
    """Working values of a step: operations read and replace them, in the order of the schedule.

    The only mutable thing in a step, and it never leaves it.
    """

    setting: Setting
    params: Params
    tables: Tables
    step: Array
    values: dict[Key, Array]
    events: dict[Key, Array]
    rings: dict[str, tuple[Array, ...]]
    cursors: dict[str, Array]
    float_spikes: bool = False  # whether monitors record spikes as floats

    def clock(self, name: str, every: int) -> Array:
        dtype = self.setting.dtype
        dt = self.setting.program.dt * every
        if name == "dt":
            return jnp.asarray(dt, dtype)
        # Up: a slower clock, once it has ticked, shows the time of its next step.
        steps = self.step if every == 1 else -(-self.step // every)
        if name == "t_in_timesteps":
            return steps
        per_second = round(1 / dt)
        if dtype == jnp.float32 and per_second and abs(per_second * dt - 1) < 1e-12:
            # 20 * float32(1e-4) is less than float32(2e-3), 20 / 10000 is not: t >= 2*ms holds in the step it should.
            # Without the barrier XLA would multiply by the reciprocal.
            return steps.astype(dtype) / jax.lax.optimization_barrier(jnp.asarray(per_second, dtype))
        return steps.astype(dtype) * jnp.asarray(dt, dtype)

    def value(self, key: Key) -> Array:
        """A whole variable, wherever it lives."""
        if key in self.values:
            return self.values[key]
        if (link := self.setting.program.links.get(key)) is not None:
            return self.linked(link)
        owner, name = key
        if self.setting.layout.place(key) == "params":
            return self.params[owner][name]
        return self.tables.values[owner][name]

    def linked(self, link: Link) -> Array:
        """The values of a variable that is another one."""
        whole = self.value(link.source)
        if link.variable is not None:
            return whole[self.value(link.variable) + link.first]
        return whole[self.tables.indices[link.table]] if link.table else whole

    def read(self, ref: Ref, window: Window, every: int = 1, pattern: Pattern | None = None) -> Array:
        """A name of code that runs over a window; with a pattern, in a shape that broadcasts to the pattern's."""
        if ref.owner == "clock":
            return self.clock(ref.name, every)
        if ref.via == "index":
            return _shaped(jnp.arange(window.size, dtype=jnp.int32), pattern)
        whole = self.value(ref.key)
        if ref.via == "scalar":
            return whole.reshape(()) if whole.shape == (1,) else whole
        if ref.via in ("pre", "post"):
            return pattern.read(whole, ref.via) if pattern else whole[self.end(window.owner, ref.via)]
        if ref.via.startswith("at:"):
            return _shaped(whole[self.tables.indices[ref.via.removeprefix("at:")]], pattern)
        if pattern and ref.key in ((window.owner, "i"), (window.owner, "j")):
            return pattern.number(whole, "pre" if ref.name == "i" else "post")
        return _shaped(_slice(whole, window), pattern)

    def arguments(
        self,
        names: Iterable[str],
        scope: Mapping[str, Ref],
        window: Window,
        every: int,
        pattern: Pattern | None = None,
    ) -> list[Array]:
        """The values of names in code that runs over a window, ``dt`` of its own clock among them."""
        return [self.clock(n, every) if n == "dt" else self.read(scope[n], window, every, pattern) for n in names]

    def pattern(self, block: Block, window: Window) -> Pattern | None:
        """How the synapses of a window are connected, if a rule says it and the code takes arrays of any shape."""
        found = self.tables.patterns.get(window.owner)
        return found if found and block.elementwise and window.size == math.prod(found.shape) else None

    def part(self, key: Key, window: Window) -> Array:
        """A variable in a window of its owner."""
        return _slice(self.value(key), window)

    def end(self, synapses: str, via: str) -> Array:
        """For each synapse the neuron at an end, as a place in the arrays of its group."""
        return self.tables.indices[f"{synapses}.{'i' if via == 'pre' else 'j'}"]

    def write(self, ref: Ref, window: Window, value: Array, mask: Array | None = None) -> None:
        """Replace the values of a window, where the mask holds."""
        old = self.value(ref.key)
        if ref.via == "scalar":
            value = jnp.reshape(value, old.shape) if jnp.size(value) == 1 == old.size else value
            self.values[ref.key] = jnp.broadcast_to(value, old.shape).astype(old.dtype)
            return
        part = _slice(old, window)
        new = jnp.broadcast_to(value, part.shape).astype(old.dtype)
        if mask is not None:
            new = blend(mask, new, part)
        if self.setting.backend == "cpu" and new.dtype != jnp.bool_ and new.ndim < 2:
            # A compiler makes a masked store of "load, select, store in place", and on AMD processors that takes ten
            # times as long as an unmasked one. Subtracting a zero that it cannot know keeps every value as it is.
            new = new - jnp.minimum(self.step, 0).astype(new.dtype)
        self.values[ref.key] = new if part is old else old.at[window.start : window.stop].set(new)

    def event(self, owner: str, event: str, window: Window) -> Array:
        return _slice(self.events[(owner, event)], window)

    def words(self, name: str) -> Words:
        """The random key of an operation in this step."""
        return step_words(self.seed(name), self.step)

    def seed(self, name: str) -> Words:
        """The random key of an operation in this run, with the step from which steps are counted."""
        return *name_words(self.tables.key, name), jnp.asarray(self.tables.origin).astype(jnp.uint32)

    def draw(self, name: str, window: Window, pattern: Pattern | None = None) -> Any:
        """Random numbers for the elements of a window."""
        elements = _shaped(jnp.arange(window.size, dtype=jnp.int32), pattern)
        draw = Draw(self.words(name), elements, self.setting.dtype)
        return expected(draw, self.setting.gradient)

    def spread(self, value: Array, window: Window) -> Array:
        """One value for each element of a window."""
        return jnp.broadcast_to(value, (window.size,))

    def emit(self, owner: str, event: str, fired: Array) -> None:
        """Spikes that depend on nothing."""
        old = self.events[(owner, event)]
        self.events[(owner, event)] = fired.astype(old.dtype)


def prepare_block(block: Block, code: Code, window: Window, every: int, frame: Frame) -> tuple[Any, ...]:
    """The hoisted values of a block."""
    pattern = frame.pattern(block, window)
    return block.prepare(*frame.arguments(block.constants, code.scope, window, every, pattern))


def run_block(
    block: Block,
    code: Code,
    window: Window,
    every: int,
    frame: Frame,
    prepared: tuple[Any, ...],
    name: str,
) -> tuple[Any, ...]:
    """The results of a block in this step, one for each element of the window or one for all."""
    results, pattern = run_shaped(block, code, window, every, frame, prepared, name)
    if pattern is None:
        return results
    return tuple(jnp.broadcast_to(r, pattern.shape).reshape(-1) if jnp.ndim(r) else r for r in results)


def run_shaped(
    block: Block,
    code: Code,
    window: Window,
    every: int,
    frame: Frame,
    prepared: tuple[Any, ...],
    name: str,
) -> tuple[tuple[Any, ...], Pattern | None]:
    """The results of a block, and the pattern of connections to whose shape they broadcast, if there is one."""
    pattern = frame.pattern(block, window)
    draw = frame.draw(name, window, pattern) if block.draws else None
    return block.run(*frame.arguments(block.reads, code.scope, window, every, pattern), *prepared, draw), pattern


def _slice(whole: Array, window: Window) -> Array:
    return whole if whole.shape[0] == window.size else whole[window.start : window.stop]


def _shaped(values: Array, pattern: Pattern | None) -> Array:
    return values.reshape(pattern.shape) if pattern else values
