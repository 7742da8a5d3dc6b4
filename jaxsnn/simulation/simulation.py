"""Simulation: a compiled network as pure functions over trees of arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import ArgumentError, NetworkError
from jaxsnn.program import Program
from jaxsnn.simulation.frame import Setting
from jaxsnn.simulation.gradient.setting import Gradient
from jaxsnn.simulation.gradient.transform import differentiated_as
from jaxsnn.simulation.gradient.twin import Twin
from jaxsnn.simulation.loop import way_through
from jaxsnn.simulation.state import Params, State, get, layout_of, paths, put
from jaxsnn.simulation.step import Step
from jaxsnn.units import Quantity, quantity, second, strip

__all__ = ["Simulation"]

Array = Any


class Simulation:
    r"""A network as pure functions: ``init``, ``step``, ``run``.

    All numbers are in two trees: ``params[object][name]`` (floating point; sweep, batch and differentiate it)
    and the `State`. Values are in SI base units. The functions work under `jax.jit`, `jax.vmap`, `jax.grad`
    and inside `jax.lax.scan`.

    Made by `Network.compile`:

        >>> import jax
        >>> from jaxsnn import Network, NeuronGroup
        >>> from jaxsnn.units import ms
        >>> cell = NeuronGroup(1, "dv/dt = (I - v)/tau : 1\nI : 1", namespace={"tau": 10 * ms}, name="cell")
        >>> cell.I = 2
        >>> sim = Network(cell).compile(dt=0.1 * ms)
        >>> params, state = sim.init(jax.random.key(0))
        >>> state, record = sim.run(params, state, 10 * ms)
        >>> print(f"{state['cell']['v'][0]:.4f}")
        1.2642
    """

    def __init__(
        self,
        program: Program,
        make: Callable[[Any, Setting], tuple[Params, State]],
        *,
        dtype: Any,
        backend: str,
        execution: str | None = None,
        unroll: int | None = None,
        inputs: tuple[str, ...] = (),
        gradient: Gradient | None = None,
    ) -> None:
        layout = layout_of(program)
        keys = set()
        for path in inputs:
            owner, _, name = path.partition(".")
            if (owner, name) not in layout.params:
                raise ArgumentError(
                    f"{path!r} cannot be an input: it is no floating-point parameter that stays constant; possible"
                    f" are {', '.join(sorted('.'.join(k) for k in layout.params))}"
                )
            keys.add((owner, name))
        self.gradient = gradient or Gradient()
        relaxed = self.gradient if self.gradient.relaxed else None
        self.setting = Setting(program, layout, dtype, backend, execution, frozenset(keys), relaxed)
        self.program = program
        self.inputs = inputs
        self.unroll = unroll
        self._make = make
        self._step = Step(self.setting)
        self._scan = jax.jit(self._without_tables, static_argnames=("steps", "phase", "float_spikes"))

    @property
    def dt(self) -> float:
        """The time step in second."""
        return self.program.dt

    def __str__(self) -> str:
        return str(self.program)

    @property
    def source(self) -> str:
        """The generated code of all operations."""
        blocks = ((p.operation.name, getattr(p, "block", None)) for p in self._step.parts)
        return "\n".join(f"# {name}\n{block}" for name, block in blocks if block is not None)

    # ---- trees -----------------------------------------------------------------------------------

    def init(self, key: Array | int | None = None) -> tuple[Params, State]:
        """Parameters and initial state, from the values the objects have now.

        ``key``: random key of the run (a `jax.random.key`, or an integer seed).
        """
        if key is None or isinstance(key, int | np.integer):
            key = jax.random.key(0 if key is None else int(key))
        params, state = self._make(key, self.setting)
        return params, self._twin.floating(state) if self.gradient.relaxed else state

    get = staticmethod(get)
    put = staticmethod(put)
    paths = staticmethod(paths)

    # ---- running ----------------------------------------------------------------------------------

    def step(
        self, params: Params, state: State, inputs: Mapping[str, Array] | None = None
    ) -> tuple[State, dict[str, Any]]:
        """One time step: the next state, and what the monitors record.

        ``inputs``: values of the parameters declared as inputs, by dotted name.
        """

        def plain(params: Params, state: State, inputs: Any) -> Any:
            return self._step(params, self._step.prepare(params, state), state, inputs)

        def twin(params: Params, state: State, inputs: Any) -> Any:
            return self._twin.once(params, state, inputs)

        return differentiated_as(plain, twin, values_too=True)(params, state, inputs)

    def run(
        self,
        params: Params,
        state: State,
        duration: Any,
        inputs: Mapping[str, Array] | None = None,
        *,
        float_spikes: bool = False,
    ) -> tuple[State, dict[str, Any]]:
        """Run for a time, or for a whole number of steps.

        ``inputs``: arrays with the steps as first axis. The record has, for each monitor, a `SpikeRecord`, or a
        dictionary of arrays with the steps (or samples) as first axis. ``float_spikes``: spikes are recorded as floats
        too, for losses that depend on them: ``record["spikes"].dense()`` and ``counts()`` then have a derivative.
        """
        steps = self.steps(duration)
        for path, values in (inputs or {}).items():
            if not np.shape(values) or np.shape(values)[0] != steps:
                raise ArgumentError(
                    f"the input {path!r} needs its values in the {steps} steps of the run as first axis, but has the"
                    f" shape {np.shape(values)}"
                )
        phase = self._phase(state.step, steps)
        given = dict(inputs) if inputs else None
        new, record = self._scan(params, state, given, steps=steps, phase=phase, float_spikes=bool(float_spikes))
        return replace(new, tables=state.tables), record

    def _phase(self, first: Array, steps: int) -> int | None:
        """Where a run begins in the intervals of slower monitors, if the number of their samples depends on it."""
        uneven = [p.operation for p in self._step.parts if hasattr(p, "finish") and steps % p.operation.every]
        if not uneven:
            return None
        if isinstance(first, jax.core.Tracer):
            slow = uneven[0]
            raise NetworkError(
                f"{slow.label} records every {slow.every} steps, so how many samples {steps} steps give depends on"
                f" when they begin, which is not known while JAX transforms the run; run a multiple of {slow.every}"
                f" steps"
            )
        return int(first) % math.lcm(*(op.every for op in uneven))

    def steps(self, duration: Any) -> int:
        """A duration in steps; anything but a whole number of them is an error."""
        return duration_steps(duration, self.dt)

    @cached_property
    def _twin(self) -> Twin:
        """What is differentiated in place of the run; built for the first derivative."""
        return Twin(self.setting, self.gradient, self.unroll or (32 if self.setting.backend == "gpu" else 1))

    def _without_tables(
        self, params: Params, state: State, inputs: Mapping[str, Array] | None, **settings: Any
    ) -> tuple[State, dict[str, Any]]:
        """What a compiled function returns is a copy, and of a billion synapses nobody needs one."""
        new, record = self._differentiable(params, state, inputs, **settings)
        return replace(new, tables=None), record  # type: ignore[arg-type]

    def _differentiable(
        self,
        params: Params,
        state: State,
        inputs: Mapping[str, Array] | None,
        *,
        steps: int,
        phase: int | None,
        float_spikes: bool = False,
    ) -> tuple[State, dict[str, Any]]:
        """The run as it is computed, with the derivative of its twin."""

        def plain(params: Params, state: State, inputs: Any) -> Any:
            return self._run_steps(params, state, inputs, steps=steps, phase=phase, float_spikes=float_spikes)

        def twin(params: Params, state: State, inputs: Any) -> Any:
            new, rows = self._twin.run(params, state, inputs, steps, float_spikes)
            return new, self.finish(rows, state.step, steps, phase)

        if self.gradient.relaxed:
            return twin(params, state, inputs)
        return differentiated_as(plain, twin, values_too=True)(params, state, inputs)

    def _run_steps(
        self,
        params: Params,
        state: State,
        inputs: Mapping[str, Array] | None,
        *,
        steps: int,
        phase: int | None,
        float_spikes: bool = False,
    ) -> tuple[State, dict[str, Any]]:
        first = state.step
        # Without a step there is nothing for a kernel to finish.
        way = way_through(self._step, params, state, inputs, float_spikes or not steps)
        carry, rows = jax.lax.scan(
            lambda carry, given: way(carry, first, given),
            way.enter(state, steps),
            inputs,
            length=steps,
            unroll=self.unroll or self.default_unroll(),
        )
        state, recorded = way.leave(carry)
        return state, self.finish({**rows, **recorded}, first, steps, phase)

    def default_unroll(self) -> int:
        """Steps written out in one trip of the loop: a trip costs 6 to 8 us on a GPU by itself, nothing on a CPU."""
        if self.setting.backend != "gpu":
            return 1
        return 8

    def finish(
        self, rows: Mapping[str, Mapping[str, Array]], first: Array, steps: int, phase: int | None
    ) -> dict[str, Any]:
        """Rows of a run as the records of its monitors; slower monitors keep the steps of their own clock."""
        record: dict[str, Any] = {}
        for part in self._step.parts:
            operation = part.operation
            if getattr(operation, "label", None) not in rows:
                continue
            own = dict(rows[operation.label])
            if operation.every > 1:
                if steps % operation.every == 0:
                    offset = (-first) % operation.every
                    samples = steps // operation.every
                else:
                    assert phase is not None
                    offset = -phase % operation.every
                    samples = len(range(offset, steps, operation.every))
                keep = offset + jnp.arange(samples, dtype=jnp.int32) * operation.every
                own = {name: jnp.take(values, keep, axis=0, mode="clip") for name, values in own.items()}
            record[operation.label] = part.finish(own, first)
        return record

    def chunk(self, length: int) -> Callable[..., Any]:
        """A function that runs up to ``length`` steps and returns the rows in buffers of that length.

        ``chunk(params, state, n) -> (state, rows)`` with n traced: runs of any length share one compilation. The state
        comes back without its tables.
        """
        return jax.jit(partial(self._run_chunk, length=length))

    def _run_chunk(self, params: Params, state: State, n: Array, *, length: int) -> tuple[State, Any]:
        first = state.step
        way = way_through(self._step, params, state)
        start = way.enter(state, length)
        _, shapes = jax.eval_shape(lambda carry: way(carry, first), start)
        every = {getattr(part.operation, "label", ""): part.operation.every for part in self._step.parts}
        buffers = {
            name: {
                field: jnp.zeros((length // every[name] + 1 if every[name] > 1 else length, *s.shape), s.dtype)
                for field, s in fields.items()
            }
            for name, fields in shapes.items()
        }

        def body(k: Array, carry: tuple[Any, Any]) -> tuple[Any, Any]:
            moving, buffers = carry
            new, record = way(moving, first)
            return new, {name: self._store(buffers[name], record[name], k, first, every[name]) for name in buffers}

        unroll = self.unroll or self.default_unroll()
        if unroll > 1:
            trips = n // unroll

            def several(trip: Array, carry: Any) -> Any:
                for u in range(unroll):
                    carry = body(trip * unroll + u, carry)
                return carry

            carry = jax.lax.fori_loop(0, trips, several, (start, buffers))
            moving, buffers = jax.lax.fori_loop(trips * unroll, n, body, carry)
        else:
            moving, buffers = jax.lax.fori_loop(0, n, body, (start, buffers))
        state, recorded = way.leave(moving)
        return replace(state, tables=None), {**buffers, **recorded}  # type: ignore[arg-type]

    @staticmethod
    def _store(buffer: Any, record: Any, k: Array, first: Array, every: int) -> Any:
        if every == 1:
            return {f: jax.lax.dynamic_update_index_in_dim(buffer[f], record[f], k, 0) for f in buffer}
        step = first + k
        row = step // every - (first + every - 1) // every
        return jax.lax.cond(
            step % every == 0,
            lambda: {f: jax.lax.dynamic_update_index_in_dim(buffer[f], record[f], row, 0) for f in buffer},
            lambda: dict(buffer),
        )


def duration_steps(duration: Any, dt: float) -> int:
    """A duration as a whole number of steps (an integer is taken as steps).

    Raises `NetworkError` for a negative duration or one that is no multiple of dt.
    """
    if isinstance(duration, int | np.integer) and not isinstance(duration, bool):
        if duration < 0:
            raise NetworkError(f"a run cannot have {duration} steps")
        return int(duration)
    given = None if duration is None or isinstance(duration, str) else quantity(duration)
    if not isinstance(given, Quantity):
        raise NetworkError(f"a run needs a time such as 100*ms, or a whole number of steps; got {duration!r}")
    value = float(strip(given, second.dim, "the duration"))
    if not np.isfinite(value) or value < 0:
        raise NetworkError(f"a run needs a finite time of at least 0, got {given}")
    steps = round(value / dt)
    if abs(value / dt - steps) > 1e-4:
        near = int(value / dt) * dt * 1e3
        raise NetworkError(
            f"a run of {value * 1e3:g}*ms is no whole number of steps of {dt * 1e3:g}*ms; write {near:g}*ms or"
            f" {near + dt * 1e3:g}*ms"
        )
    return steps
