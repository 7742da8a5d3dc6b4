"""ExactSimulation: a network as pure functions in continuous time, with the exact derivative of spike times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.adjoint.moves import Event, Moves, Moving, advance
from jaxsnn.adjoint.populations import Environment
from jaxsnn.adjoint.reading import Model, read
from jaxsnn.adjoint.records import ExactSpikes, ExactState
from jaxsnn.adjoint.search import STATUS, Queue, Search, Tape
from jaxsnn.errors import ArgumentError, NotSupportedError, NumericalError
from jaxsnn.network import Network
from jaxsnn.program import Program
from jaxsnn.simulation import Params, duration_steps
from jaxsnn.simulation.state import get, paths, put

__all__ = ["ExactSimulation", "compile"]

Array = Any


def compile(
    net: Network,
    dt: Any = None,
    *,
    max_spikes: int,
    max_events: int | None = None,
    own_delays: tuple[str, ...] = (),
    dtype: Any = None,
    namespace: Mapping[str, Any] | None = None,
) -> ExactSimulation:
    """A network in continuous time, with exact derivatives of its spike times (see `ExactSimulation`).

    Args:
        net: Groups, spike generators and synapses; monitors are of the clock and are not asked. It must not have run.
        dt: Steps in which threshold crossings are looked for; equations that are not integrated exactly take one step
            of their scheme in each. The network's if None.
        max_spikes: Room for the spikes of one run.
        max_events: Room for all events of one run (spikes, arrivals of spikes, ends of refractory periods); by
            default as many as ``max_spikes`` spikes can cause.
        own_delays: Synapses (or pathways, ``"name.post"``) each of which gets a delay of its own, also where all are
            equal now: ``params["name"]["delay"]`` is then an array.
        dtype: ``"float32"`` or ``"float64"``; by default the wider of those that JAX is set to.
        namespace: Values of names; by default those visible where this is called.

    Raises:
        NotSupportedError: for what has no such derivative (noise, plasticity, sums over synapses, ...).
        ArgumentError: for other arguments.
    """
    for name, value in (("max_spikes", max_spikes), ("max_events", max_events)):
        wrong = isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1
        if wrong and not (name == "max_events" and value is None):
            raise ArgumentError(f"{name} is a whole number of at least 1, got {value!r}")
    if not isinstance(net, Network):
        raise ArgumentError(f"adjoint.compile takes a Network, got {type(net).__name__}")
    if net.t.value != 0:
        raise NotSupportedError(f"the network has run to t = {net.t} in steps; compile it before its first run")
    program, parts = net.lowered(dt, namespace)
    own_delays = (own_delays,) if isinstance(own_delays, str) else tuple(own_delays)
    kind = np.dtype(jnp.result_type(float) if dtype is None else dtype)
    if kind not in (np.dtype("float32"), np.dtype("float64")) or kind != jnp.zeros(0, kind).dtype:
        raise ArgumentError(
            f"dtype is 'float32', or 'float64' after jax.config.update('jax_enable_x64', True); got {dtype!r}"
        )
    return ExactSimulation(read(program, parts, own_delays), program, parts, kind, int(max_spikes), max_events)


class ExactSimulation:
    r"""A network in continuous time as pure functions: ``init`` and ``run``.

    Spike times are roots of the threshold along the flow between events, not steps of a clock, and their derivatives
    with respect to all parameters, delays, input times and initial values are those of the implicit function theorem.
    Both modes of differentiation work, and `jax.jit` and `jax.vmap`. In reverse mode the events are visited backwards,
    each with the neurons it touched: that is the adjoint of T. C. Wunderlich, C. Pehle (2021),
    doi:10.1038/s41598-021-91786-z (EventProp), and its memory grows with the number of events, not of time steps (for
    groups carried along the grid: of both).

    Made by `compile`:

        >>> import jax, jaxsnn as snn
        >>> from jaxsnn.units import ms
        >>> cell = snn.NeuronGroup(
        ...     1,
        ...     "dv/dt = (I - v)/tau : 1\nI : 1",
        ...     threshold="v > 1",
        ...     reset="v = 0",
        ...     namespace={"tau": 10 * ms},
        ...     name="cell",
        ... )
        >>> cell.I = 2
        >>> exact = snn.adjoint.compile(snn.Network(cell), dt=1 * ms, max_spikes=10)
        >>> params, state = exact.init()
        >>> def first(params):
        ...     _, spikes = exact.run(params, state, 10 * ms)
        ...     return spikes.times[0]
        >>> print(f"{first(params):.6f} {jax.grad(first)(params)['cell']['tau']:.6f}")  # tau log(2), log(2)
        0.006931 0.693147
    """

    def __init__(
        self, model: Model, program: Program, parts: Any, dtype: Any, max_spikes: int, max_events: int | None
    ) -> None:
        self.model, self.program, self.dtype = model, program, dtype
        self.max_spikes = max_spikes
        self._parts = parts
        self._moves = Moves(model)
        self._search = Search(model, self._moves, max_spikes)
        self.max_events = self._most_events() if max_events is None else int(max_events)
        self._groups = {p.owner: (p.first, p.size) for p in model.populations}
        self._find = jax.jit(self._find_events, static_argnames="steps")
        self._repeat = jax.jit(self._repeat_events, static_argnames="steps")
        self._tables = self._read_tables()

    def _most_events(self) -> int:
        """How many events ``max_spikes`` spikes and all spikes of inputs can cause."""
        model, search = self.model, self._search
        units = np.bincount(search.source, minlength=model.neurons + sum(i.size for i in model.inputs))
        for_inputs = int(units[search.input_neuron].sum())
        refractory = any(p.period is not None for p in model.populations)
        most = int(units[: model.neurons].max(initial=0))
        # Neurons may be refractory, and spikes on their way, when a run begins.
        waiting = (model.neurons if refractory else 0) + search.units
        return self.max_spikes * (1 + refractory + most) + for_inputs + waiting

    @property
    def dt(self) -> float:
        """Steps of the grid in second."""
        return self.model.dt

    def __str__(self) -> str:
        return str(self.model)

    # ---- trees -----------------------------------------------------------------------------------

    def init(self, key: Any = None) -> tuple[Params, ExactState]:
        """Parameters and initial state, from the values the objects have now.

        Besides what a `Simulation` has, parameters are the delays (``params["synapses"]["delay"]``, in
        ``params["synapses"]["name_delay"]`` for a pathway with another name than ``pre``) and the times of
        inputs (``params["generator"]["times"]``, in the order of the generator's spikes). The key is not read:
        nothing is random here.
        """
        params: Params = {}
        values: dict[str, dict[str, Array]] = {p.owner: {} for p in self.model.populations}
        written = self.program.written()
        for (owner, name), given in self._parts.values.items():
            variable = self.program.variables[(owner, name)]
            if variable.type == "float":
                array = self._array(given, variable.scalar)
                tree = values if (owner, name) in written else params
                tree.setdefault(owner, {})[name] = array
        for pathway in self.model.pathways:
            delay = self._parts.connections[pathway.name].delay
            size = () if pathway.one_delay else (pathway.units.synapse.size,)
            params.setdefault(pathway.synapses, {})[pathway.delay] = jnp.broadcast_to(
                jnp.asarray(delay, self.dtype), size
            )
        for given in self.model.inputs:
            params.setdefault(given.owner, {})["times"] = jnp.asarray(given.times, self.dtype)
        n, room = self.model.neurons, self._search.given + self.max_spikes
        nobody = partial(jnp.full, fill_value=-1, dtype=jnp.int32)
        queue = Queue(nobody(room), nobody(n), nobody(self._search.units), nobody(room), jnp.asarray(0, jnp.int32))
        never = partial(jnp.full, fill_value=jnp.inf, dtype=self.dtype)
        return params, ExactState(jnp.asarray(0, jnp.int32), values, jnp.ones(n, bool), never(n), never(room), queue)

    def _array(self, given: Any, scalar: bool) -> Array:
        array = jnp.asarray(getattr(given, "value", given), self.dtype)
        return array[0] if scalar and array.shape == (1,) else array

    def _read_tables(self) -> dict[str, dict[str, np.ndarray]]:
        """Integer and boolean constants: they have no derivative, and stay as they are now."""
        tables: dict[str, dict[str, np.ndarray]] = {}
        for (owner, name), given in self._parts.values.items():
            variable = self.program.variables[(owner, name)]
            if variable.type != "float":
                array = np.asarray(getattr(given, "value", given)).copy()
                array = array.astype(np.int32 if variable.type == "integer" else np.bool_)
                tables.setdefault(owner, {})[name] = array[0] if variable.scalar and array.shape == (1,) else array
        return tables

    @staticmethod
    def get(tree: Params | ExactState, path: str) -> Array:
        """The leaf at a dotted name, ``"cells.v"``, of parameters or state."""
        return get(tree, path)

    @staticmethod
    def put(tree: Any, path: str, value: Any) -> Any:
        """A copy of parameters or state with another value (of the same shape) at a dotted name."""
        if isinstance(tree, ExactState):
            return replace(tree, values=put(tree.values, path, value))
        return put(tree, path, value)

    @staticmethod
    def paths(tree: Params | ExactState) -> list[str]:
        """All dotted names of parameters or state."""
        return paths(tree.values if isinstance(tree, ExactState) else tree)

    # ---- running ----------------------------------------------------------------------------------

    def run(self, params: Params, state: ExactState, duration: Any) -> tuple[ExactState, ExactSpikes]:
        """Run for a time (a multiple of dt) or a number of steps of the grid: the state at its end, and the spikes.

        A run cut in two equals one run: spikes on their way are in the state.

        Raises:
            NumericalError: if ``max_spikes`` or ``max_events`` was too small, a delay was negative, or a value became
                NaN. Inside `jax.jit` or `jax.vmap` nothing can be raised: then all times are NaN, and ``check`` says
                why as soon as there are numbers.
        """
        steps = duration_steps(duration, self.dt)
        # First what happens, without any derivative; then the same events again, with it. Two functions, so that a
        # gradient compiles the second only, and finds what went wrong in the first before it begins.
        queue, tape = self._find(*jax.lax.stop_gradient((params, state)), steps=steps)
        if not isinstance(tape.status, jax.core.Tracer):
            self._check(tape.status)
        return self._repeat(params, state, queue, tape, steps=steps)

    def check(self, spikes: ExactSpikes) -> None:
        """Raise what a transformed run could not raise."""
        self._check(spikes.status)

    def _check(self, statuses: Array) -> None:
        for status in np.unique(np.asarray(statuses)):
            if status:
                what = STATUS[status].format(max_spikes=self.max_spikes, max_events=self.max_events)
                advice = {1: "; give adjoint.compile a larger max_spikes", 2: "; give it a larger max_events"}
                raise NumericalError(f"the run was stopped by {what}{advice.get(int(status), '')}")

    def _start(self, params: Params, state: ExactState) -> tuple[Environment, Moving, Array]:
        env = Environment(params, self._tables)
        begin = state.step.astype(self.dtype) * jnp.asarray(self.dt, self.dtype)
        times = [params[i.owner]["times"] for i in self.model.inputs]
        spikes = state.spikes
        if times:
            spikes = spikes.at[: self._search.given].set(jnp.concatenate(times))
        n = self.model.neurons
        fresh = jnp.ones(n, bool)
        return (
            env,
            Moving(state.values, jnp.full(n, begin), state.free, state.release, fresh, spikes, state.step),
            begin,
        )

    def _find_events(self, params: Params, state: ExactState, *, steps: int) -> tuple[Queue, Tape]:
        env, moving, begin = self._start(params, state)
        times = moving.spikes[: self._search.given]
        queue = self._search.start(env, state.queue, times, begin, state.step == 0)
        room = self.max_events + (steps if self.model.stepped else 0)
        return self._search(env, moving, queue, state.step + steps, room)

    def _repeat_events(
        self, params: Params, state: ExactState, queue: Queue, tape: Tape, *, steps: int
    ) -> tuple[ExactState, ExactSpikes]:
        env, moving, _ = self._start(params, state)

        def again(moving: Moving, event: Event) -> tuple[Moving, None]:
            return self._moves(env, moving, event), None

        moving, _ = jax.lax.scan(again, moving, tape.events)
        end = state.step + steps
        finish = end.astype(self.dtype) * jnp.asarray(self.dt, self.dtype)
        for population in self.model.populations:
            moving = advance(population, env, moving, finish)
        return self._result(moving, queue, tape, state.queue.count, end)

    def _result(
        self, moving: Moving, queue: Queue, tape: Tape, carried: Array, end: Array
    ) -> tuple[ExactState, ExactSpikes]:
        given, room = self._search.given, self.max_spikes
        place = jnp.arange(room, dtype=jnp.int32)
        here = place < queue.count - carried
        times = jnp.roll(moving.spikes[given:], -carried)
        failed = tape.status != 0
        spikes = ExactSpikes(
            jnp.where(failed, jnp.nan, jnp.where(here, times, jnp.inf)),
            jnp.where(here, jnp.roll(queue.neuron[given:], -carried), -1),
            queue.count - carried,
            tape.count,
            tape.status,
            self._groups,
        )
        values = jax.tree.map(lambda leaf: jnp.where(failed, jnp.nan, leaf), moving.values)
        # The list is moved up, so that spikes on their way from now on are its first ones.
        first = jnp.min(jnp.where(queue.waiting >= given, queue.waiting, given + queue.count), initial=given + room)
        first = jnp.minimum(first, given + queue.count) - given

        def up(entries: Array) -> Array:
            return jnp.where(entries >= given + first, entries - first, jnp.where(entries >= given, -1, entries))

        def roll(entries: Array) -> Array:
            return entries.at[given:].set(jnp.roll(entries[given:], -first))

        queue = Queue(roll(up(queue.next)), up(queue.last), up(queue.waiting), roll(queue.neuron), queue.count - first)
        return ExactState(end, values, moving.free, moving.release, roll(moving.spikes), queue), spikes
