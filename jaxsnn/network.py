"""Network: objects that run together."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from jaxsnn.delays import choose as choose_delay
from jaxsnn.delays import delay_steps, resize, source_ring, target_ring
from jaxsnn.equations.names import caller_namespace
from jaxsnn.errors import ArgumentError, DelayError, NetworkError, NotSupportedError
from jaxsnn.events import Wiring
from jaxsnn.objects.base import Connections, Parts, Recorder, SimulationObject, current_seed
from jaxsnn.objects.groups import Subgroup
from jaxsnn.objects.synapses import Synapses
from jaxsnn.objects.variables import HostVariable, VariableOwner
from jaxsnn.program import Deliver, Program
from jaxsnn.simulation import Params, Schedule, Setting, Simulation, State, Tables, duration_steps
from jaxsnn.simulation.hostloop import ChunkedRun
from jaxsnn.simulation.pathways import increments, reads_changing
from jaxsnn.units import Quantity, ms, quantity, second, strip

__all__ = ["Network"]

LONGEST_RING = 2**28
"""Most entries of a delay buffer; more is taken for a mistake in the unit of the delay."""


class Network:
    """Objects that run together, with one time step.

    Args:
        *objects: Groups, synapses and monitors (or lists of them).
        dt: Time step.
        dtype: ``"float32"`` or ``"float64"`` (the latter needs ``jax.config.update("jax_enable_x64", True)``).

    ``run`` is the Brian way: state lives in the objects. ``compile`` is the JAX way: pure functions over trees.
    Both are the same machine and give the same spikes.

    Example:
        >>> from jaxsnn import Network, NeuronGroup
        >>> from jaxsnn.units import ms
        >>> cell = NeuronGroup(1, "dv/dt = -v/(10*ms) : 1")
        >>> cell.v = 1
        >>> net = Network(cell)
        >>> net.run(10 * ms)
        >>> print(net.t, f"{cell.v[0]:.4f}")
        10 ms 0.3679
    """

    def __init__(self, *objects: Any, dt: Any = 0.1 * ms, dtype: Any = "float32") -> None:
        self._objects: list[SimulationObject] = []
        self._dt = _time_step(dt)
        self._dtype = _dtype(dtype)
        self._step = 0
        self._simulations: list[tuple[Program, Any, ChunkedRun]] = []
        self._rings: dict[str, tuple[str, tuple[np.ndarray, ...]]] = {}
        self._wirings: dict[str, tuple[Any, Wiring]] = {}
        self._events: dict[str, np.ndarray] = {}
        self._stores: dict[str, dict[str, np.ndarray]] = {}
        self._trial = 0
        self.notes: tuple[str, ...] = ()
        self.add(*objects)

    # ---- objects ------------------------------------------------------------------------------------

    def add(self, *objects: Any) -> None:
        """Add objects (or lists of them)."""
        for given in objects:
            if isinstance(given, SimulationObject):
                if given not in self._objects:
                    self._objects.append(given)
            elif isinstance(given, Mapping):
                self.add(*given.values())
            elif isinstance(given, Iterable) and not isinstance(given, str):
                self.add(*given)
            else:
                raise ArgumentError(
                    f"a network holds groups, synapses and monitors, got {type(given).__name__} ({given!r})"
                )

    def remove(self, *objects: SimulationObject) -> None:
        """Take objects out."""
        for given in objects:
            if given not in self._objects:
                raise NetworkError(f"{getattr(given, 'name', given)!r} is not in this network")
            self._objects.remove(given)

    @property
    def objects(self) -> tuple[SimulationObject, ...]:
        """The objects in the order in which they were added."""
        return tuple(self._objects)

    def __getitem__(self, name: str) -> SimulationObject:
        for given in self._objects:
            if given.name == name:
                return given
        raise KeyError(f"there is no object {name!r} in this network; there are {[o.name for o in self._objects]}")

    def __contains__(self, name: object) -> bool:
        return any(o.name == name or o is name for o in self._objects)

    @property
    def t(self) -> Quantity:
        """The time reached."""
        return Quantity(self._step * self._dt, second.dim)

    @property
    def dt(self) -> Quantity:
        """The time step. Set it between runs; the time reached must be a multiple of the new one."""
        return Quantity(self._dt, second.dim)

    @dt.setter
    def dt(self, value: Any) -> None:
        new = _time_step(value)
        if new == self._dt:
            return
        if any(np.any(ring) for _, rings in self._rings.values() for ring in rings):
            raise NotSupportedError(
                "the time step cannot change in this version while spikes are waiting in delay buffers"
            )
        steps = round(self._step * self._dt / new)
        if abs(self._step * self._dt - steps * new) > 1e-4 * new:
            raise NetworkError(f"t = {self.t} is no multiple of the new time step {value}")
        for given in self._objects:
            if isinstance(given, VariableOwner) and not isinstance(given, Subgroup) and "lastspike" in given._hosts:
                last = given._hosts["lastspike"]
                fired = last.value > -(2**30)
                last.value[fired] = np.round(last.value[fired] * (self._dt / new)).astype(np.int32)
        self._dt, self._step, self._rings = new, steps, {}

    # ---- from objects to a simulation ------------------------------------------------------------------

    def _label(self, names: Mapping[str, Any]) -> None:
        taken = {o.name for o in self._objects}
        for variable, value in names.items():
            if (
                isinstance(value, SimulationObject)
                and any(value is o for o in self._objects)
                and not variable.startswith("_")
                and variable not in taken
            ):
                value.label(variable)

    def _lower(self, namespace: Mapping[str, Any] | None, dt: float) -> tuple[Program, Parts]:
        names = caller_namespace()
        self._label(names)
        self._check()
        parts = Parts(dt)
        for given in self._objects:
            if isinstance(given, VariableOwner):
                object.__setattr__(given, "_now", (self._step * self._dt, dt))
        for given in self._objects:
            given.lower(parts, names if namespace is None else namespace)
        operations = tuple(sorted(parts.operations, key=lambda op: op.position))
        self.notes = tuple(parts.notes)
        return Program(dt, parts.variables, parts.events, operations), parts

    def _check(self) -> None:
        if not self._objects:
            raise NetworkError("there is nothing to run: the network has no objects; Network(group, synapses, monitor)")
        seen: dict[str, SimulationObject] = {}
        for given in self._objects:
            if given.name in seen:
                raise NetworkError(f"two objects of this network have the name {given.name!r}; names are unique")
            seen[given.name] = given
            for needed in given.needs:
                root = needed._parent if isinstance(needed, Subgroup) else needed
                if not any(root is o for o in self._objects):
                    raise NetworkError(
                        f"{given.name} refers to {root.name}, which is not in the network; add it:"
                        f" Network({root.name}, {given.name}, ...)"
                    )

    def compile(
        self,
        dt: Any = None,
        *,
        dtype: Any = None,
        execution: str | None = None,
        unroll: int | None = None,
        inputs: tuple[str, ...] | list[str] = (),
        namespace: Mapping[str, Any] | None = None,
    ) -> Simulation:
        """The network as pure functions (see `Simulation`).

        Args:
            dt: Time step, if not the network's.
            dtype: Floating-point type, if not the network's.
            execution: How spikes are delivered, ``"dense"``, ``"masked"`` or ``"event_list"``; chosen from the sizes
                if None.
            unroll: Steps written out in one trip of the time loop.
            inputs: Dotted names of parameters that are given anew in every step.
            namespace: Values of names; by default those visible where this is called.
        """
        if execution not in (None, "dense", "masked", "event_list"):
            raise ArgumentError(f"there is no execution {execution!r}; use 'dense', 'masked' or 'event_list'")
        program, parts = self._lower(namespace, self._dt if dt is None else _time_step(dt))
        return Simulation(
            program,
            lambda key, setting: self._trees(parts, key, setting),
            dtype=self._dtype if dtype is None else _dtype(dtype),
            backend=_backend(),
            execution=execution,
            unroll=unroll,
            inputs=tuple(inputs),
        )

    def _trees(self, parts: Parts, key: Any, setting: Setting) -> tuple[Params, State]:
        """Parameters and state from the values the objects have now."""
        layout, program = setting.layout, setting.program
        trees: dict[str, dict[str, dict[str, Any]]] = {"params": {}, "state": {}, "tables": {}}
        for (owner, name), given in parts.values.items():
            variable = program.variables[(owner, name)]
            value = given.value if isinstance(given, HostVariable) else np.asarray(given)
            dtype = {"float": setting.dtype, "integer": np.int32, "boolean": np.bool_}[variable.type]
            array = jnp.asarray(value, dtype)
            if variable.scalar and array.ndim == 1 and array.shape[0] == 1:
                array = array[0]
            trees[layout.place((owner, name))].setdefault(owner, {})[name] = array
        wirings: dict[str, Wiring] = {}
        rings: dict[str, tuple[Any, ...]] = {}
        indices = {name: jnp.asarray(index, jnp.int32) for name, index in parts.indices.items()}
        for operation in program.operations:
            if isinstance(operation, Deliver):
                wiring, ring, delay = self._pathway(operation, parts.connections[operation.pathway], setting)
                wirings[operation.pathway] = wiring
                if ring is not None:
                    rings[operation.pathway] = ring
                if delay is not None:
                    indices[f"{operation.pathway}.delay"] = jnp.asarray(delay, jnp.int32)
        schedules, cursors = {}, {}
        for name, (steps, index) in parts.schedules.items():
            operation = next(op for op in program.operations if op.name == name)
            schedules[name] = _schedule(steps, index)
            now = self._step // operation.every
            period = getattr(operation, "period", 0)
            now = now % period if period else now
            cursors[name] = jnp.asarray(int(np.searchsorted(np.asarray(schedules[name].steps), now)), jnp.int32)
        events = {}
        for (owner, event), size in program.events.items():
            path = f"{owner}.{event}"
            old = self._events.get(path)
            events[path] = jnp.zeros(size, bool) if old is None or old.shape != (size,) else jnp.asarray(old)
        tables = Tables(key, trees["tables"], wirings, schedules, indices)
        state = State(jnp.asarray(self._step, jnp.int32), trees["state"], events, rings, cursors, tables)
        return trees["params"], state

    def _pathway(
        self, operation: Deliver, given: Connections, setting: Setting
    ) -> tuple[Wiring, tuple[Any, ...] | None, int | None]:
        """Connectivity sorted for delivery, and the delay buffer with what is on its way."""
        dt = setting.program.dt * operation.every
        try:
            steps = delay_steps(given.delay, dt)
        except DelayError as error:
            raise DelayError(f"{operation.synapses}: {error}") from None
        found = increments(operation.code)
        changing = reads_changing(operation.code, found, setting)
        choice = choose_delay(steps, True, changing)
        if choice.name == "spike_history":
            raise operation.code.source.error(
                "with different delays, this version carries out code that adds a value known when the spike leaves"
                " (constants and parameters of the synapse); what is added here can change before arrival",
                kind=NotSupportedError,
            )
        n_target = setting.program.size(operation.target.owner)
        targets = found or ()
        size = choice.length * (operation.source.size if choice.name == "source_ring" else n_target)
        if size > LONGEST_RING:
            longest = float(np.max(given.delay))
            raise DelayError(
                f"{operation.synapses}: a delay of {longest:g} s is {int(np.max(steps))} steps of {dt * 1e3:g} ms, and"
                f" waiting spikes would need {size:.1e} entries; is the unit right (ms, not second)?"
            )
        heterogeneous = choice.name == "target_ring"
        identity = (
            id(given.source),
            id(given.target),
            id(given.delay) if heterogeneous else 0,
            dt,
            operation.target.start,
        )
        cached = self._wirings.get(operation.pathway)
        if (
            cached is not None
            and cached[0][0] == identity
            and (not heterogeneous or np.array_equal(cached[0][1], steps))
        ):
            wiring = cached[1]
        else:
            wiring = Wiring.build(
                given.source,
                given.target + np.int32(operation.target.start),
                operation.source.size,
                n_target,
                steps if heterogeneous else None,
            )
            # The arrays are kept so that their identities stay taken.
            self._wirings[operation.pathway] = ((identity, steps, given), wiring)
        if choice.name == "none":
            fresh: tuple[Any, ...] | None = None
        elif choice.name == "source_ring":
            fresh = (np.asarray(source_ring.init(int(np.max(steps)), operation.source.size)),)
        else:
            fresh = tuple(
                np.asarray(
                    target_ring.init(
                        int(np.max(steps)),
                        operation.source.size if i.ref.via == operation.trigger else n_target,
                        setting.dtype,
                    )
                )
                for i in targets
            )
        rings = self._pending(operation, choice.name, fresh)
        delay = int(np.max(steps)) if choice.name == "source_ring" else None
        return wiring, None if rings is None else tuple(jnp.asarray(r) for r in rings), delay

    def _pending(self, operation: Deliver, kind: str, fresh: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        """Put spikes that are on their way into the new buffer."""
        kept = self._rings.get(operation.pathway)
        if kept is None or not any(np.any(ring) for ring in kept[1]):
            return fresh
        old_kind, old = kept
        if old_kind != kind or fresh is None or len(old) != len(fresh):
            raise NotSupportedError(
                f"{operation.synapses}: the delays were changed between runs from '{old_kind}' to '{kind}' while spikes"
                f" are on their way; this version keeps them only if delays stay all equal, or all different"
            )
        if any(a.shape[1:] != b.shape[1:] for a, b in zip(old, fresh, strict=True)):
            raise NetworkError(f"{operation.synapses}: the groups changed while spikes are on their way")
        length = max(old[0].shape[0], fresh[0].shape[0])
        return tuple(resize(ring, self._step, length) for ring in old)

    # ---- running ---------------------------------------------------------------------------------------

    def run(
        self,
        duration: Any,
        report: str | Callable[..., None] | None = None,
        report_period: Any = None,
        namespace: Mapping[str, Any] | None = None,
    ) -> None:
        """Run for a time; objects keep their state, monitors go on recording.

        Args:
            duration: A multiple of the time step.
            report: ``"text"`` (or ``"stderr"``) for a progress bar with an estimate of the time left, or a function
                of ``(elapsed, completed, start, duration)``: seconds, a fraction, and two times.
            report_period: Least seconds between two calls of a report function.
            namespace: Values of names in the objects' texts; by default those visible where this is called.

        Ctrl-C ends the run with a consistent state: ``t``, values and monitors are those of the last chunk of steps.
        """
        steps = duration_steps(duration, self._dt)
        if report is not None and not callable(report) and report not in ("text", "stdout", "stderr"):
            raise ArgumentError(f"there is no report {report!r}; use 'text', 'stdout', 'stderr' or a function")
        program, parts = self._lower(namespace, self._dt)
        loop = self._loop(program, parts)
        simulation = loop.simulation
        key = jax.random.fold_in(jax.random.key(current_seed() & 0xFFFFFFFF), self._trial)
        params, state = self._trees(parts, key, simulation.setting)
        monitors = {o.name: o for o in self._objects if isinstance(o, Recorder)}

        def receive(label: str, rows: Mapping[str, np.ndarray], first: int) -> None:
            monitors[label].receive(rows, first, self._dt)

        with _Report(report, report_period, steps, self._step * self._dt, self._dt) as progress:
            state, done, interrupted = loop(params, state, steps, receive, progress)
        self._write_back(state, simulation, done)
        if interrupted:
            raise KeyboardInterrupt(f"run interrupted at t = {self.t}")

    def _loop(self, program: Program, parts: Parts) -> ChunkedRun:
        for known, dtype, loop in self._simulations:
            if known == program and dtype == self._dtype:
                return loop
        simulation = Simulation(
            program,
            lambda key, setting: self._trees(parts, key, setting),
            dtype=self._dtype,
            backend=_backend(),
        )
        loop = ChunkedRun(simulation)
        self._simulations.append((program, self._dtype, loop))
        del self._simulations[:-4]
        return loop

    def _write_back(self, state: State, simulation: Simulation, done: int) -> None:
        owners = {o.name: o for o in self._objects if isinstance(o, VariableOwner)}
        for owner, values in state.values.items():
            for name, value in values.items():
                host = owners[owner]._hosts[name]
                host.value[...] = np.asarray(value).reshape(host.value.shape)
                host.version += 1
        kinds = {op.pathway: op for op in simulation.program.operations if isinstance(op, Deliver)}
        for pathway, rings in state.rings.items():
            kind = "source_ring" if state.tables.wirings[pathway].delay is None else "target_ring"
            self._rings[pathway] = (kind, tuple(np.asarray(r) for r in rings))
        for pathway in kinds:
            if pathway not in state.rings:
                self._rings.pop(pathway, None)
        self._events = {path: np.asarray(v) for path, v in state.events.items()}
        self._step += done
        for owner_object in owners.values():
            object.__setattr__(owner_object, "_now", (self._step * self._dt, self._dt))

    # ---- store and restore ----------------------------------------------------------------------------------

    def store(self, name: str = "default", filename: str | Path | None = None) -> None:
        """Keep the state of everything (values, connections, delays, waiting spikes, recordings) under a name,
        or in a file (NumPy's ``.npz``, arrays only).
        """
        data: dict[str, np.ndarray] = {
            "network/step": np.asarray(self._step),
            "network/dt": np.asarray(self._dt),
            "network/trial": np.asarray(self._trial),
        }
        for given in self._objects:
            if isinstance(given, Recorder):
                data |= {f"monitor/{given.name}/{k}": v for k, v in given.snapshot().items()}
            elif isinstance(given, VariableOwner) and not isinstance(given, Subgroup):
                data |= {f"variable/{given.name}/{k}": h.value.copy() for k, h in given._hosts.items()}
                if isinstance(given, Synapses):
                    data[f"connection/{given.name}/i"] = given._i.copy()
                    data[f"connection/{given.name}/j"] = given._j.copy()
        for pathway, (kind, rings) in self._rings.items():
            data |= {f"ring/{pathway}/{kind}/{k}": np.array(r) for k, r in enumerate(rings)}
        data |= {f"event/{path}": v.copy() for path, v in self._events.items()}
        if filename is None:
            self._stores[name] = data
        else:
            with Path(filename).open("wb") as file:
                np.savez_compressed(file, **{k.replace("/", "|"): v for k, v in data.items()})  # type: ignore[arg-type]

    def restore(
        self,
        name: str = "default",
        filename: str | Path | None = None,
        restore_random_state: bool = False,
    ) -> None:
        """Go back to what `store` kept.

        With ``restore_random_state`` the random numbers repeat as well, so that a run continues exactly as it would
        have; without it, a new run draws new ones.
        """
        if filename is not None:
            if not Path(filename).exists():
                raise NetworkError(f"there is no file {str(filename)!r} to restore from")
            with np.load(Path(filename), allow_pickle=False) as file:
                data = {k.replace("|", "/"): file[k] for k in file.files}
        elif name in self._stores:
            data = self._stores[name]
        else:
            raise NetworkError(f"nothing was stored under {name!r}; stored are {sorted(self._stores) or 'none'}")
        objects = {o.name: o for o in self._objects}
        kept = {k.split("/")[1] for k in data if k.split("/")[0] in ("monitor", "variable")}
        present = {o.name for o in self._objects if not isinstance(o, Subgroup)}
        for missing in sorted(kept ^ (present & {o.name for o in self._objects if _stores(o)})):
            where = "in the stored state, but not in the network" if missing in kept else "not in the stored state"
            raise NetworkError(f"cannot restore: {missing!r} is {where}")
        monitors: dict[str, dict[str, np.ndarray]] = {}
        rings: dict[str, tuple[str, dict[int, np.ndarray]]] = {}
        self._events = {}
        for key, value in data.items():
            kind, *rest = key.split("/")
            if kind == "variable":
                host = objects[rest[0]]._hosts[rest[1]]  # type: ignore[attr-defined]
                host.value = np.array(value)
                host.version += 1
            elif kind == "connection":
                given = objects[rest[0]]
                object.__setattr__(given, f"_{rest[1]}", np.array(value))
                object.__setattr__(given, "_connected", True)
            elif kind == "monitor":
                monitors.setdefault(rest[0], {})[rest[1]] = value
            elif kind == "ring":
                rings.setdefault(rest[0], (rest[1], {}))[1][int(rest[2])] = value
            elif kind == "event":
                self._events[rest[0]] = np.array(value)
        for monitor, snapshot in monitors.items():
            objects[monitor].revert(snapshot)  # type: ignore[attr-defined]
        self._rings = {p: (k, tuple(r[n] for n in sorted(r))) for p, (k, r) in rings.items()}
        self._step, self._dt = int(data["network/step"]), float(data["network/dt"])
        self._trial = int(data["network/trial"]) if restore_random_state else self._trial + 1
        for given in self._objects:
            if isinstance(given, VariableOwner):
                object.__setattr__(given, "_now", (self._step * self._dt, self._dt))

    def __str__(self) -> str:
        return str(self._lower(None, self._dt)[0])


def _stores(given: SimulationObject) -> bool:
    if isinstance(given, Recorder):
        return True
    return isinstance(given, VariableOwner) and bool(given._hosts)


class _Report:
    """Progress of a run: a bar, a function, or nothing."""

    def __init__(self, report: Any, period: Any, steps: int, start: float, dt: float) -> None:
        self.steps, self.start, self.dt = steps, start, dt
        self.function = report if callable(report) else None
        self.bar: Any = None
        self.done = 0
        self.period = 10.0 if period is None else float(strip(quantity(period), second.dim, "report_period"))
        if report is not None and self.function is None:
            stream = sys.stdout if report in ("text", "stdout") else sys.stderr
            self.bar = tqdm(
                total=steps * dt,
                unit="s",
                file=stream,
                desc="simulated",
                bar_format=_BAR,
                miniters=0,
                mininterval=0.2,
            )

    def __enter__(self) -> Callable[[int], None]:
        self.begun = _clock()
        self.said = self.begun
        if self.function is not None:
            self._say(0)
        return self

    def __call__(self, done: int) -> None:
        if self.bar is not None:
            self.bar.update((done - self.done) * self.dt)
        elif self.function is not None and (_clock() - self.said >= self.period) and done < self.steps:
            self._say(done)
        self.done = done

    def _say(self, done: int) -> None:
        self.said = _clock()
        fraction = 1.0 if self.steps == 0 else done / self.steps
        start, length = Quantity(self.start, second.dim), Quantity(self.steps * self.dt, second.dim)
        self.function(Quantity(self.said - self.begun, second.dim), fraction, start, length)  # type: ignore[misc]

    def __exit__(self, kind: Any, *rest: Any) -> None:
        if self.bar is not None:
            self.bar.close()
        elif self.function is not None and kind is None:
            self._say(self.done)


_BAR = "{desc}: {percentage:3.0f}% {bar} {n:.3g}/{total:.3g} s [{elapsed} < {remaining}]"


def _clock() -> float:
    return time.perf_counter()


def _time_step(value: Any) -> float:
    step = float(strip(quantity(value), second.dim, "dt"))
    if not (np.isfinite(step) and step > 0):
        raise ArgumentError(f"the time step must be a positive time, got {value!r}")
    return step


def _dtype(value: Any) -> Any:
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = None
    if dtype not in (np.dtype("float32"), np.dtype("float64")):
        raise ArgumentError(f"dtype is 'float32' or 'float64', got {value!r}")
    if dtype == np.dtype("float64") and not jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        raise ArgumentError(
            "float64 has to be switched on in JAX before anything runs: jax.config.update('jax_enable_x64', True)"
        )
    return dtype


def _backend() -> str:
    return "cpu" if jax.default_backend() == "cpu" else "gpu"


def _schedule(steps: np.ndarray, index: np.ndarray) -> Schedule:
    distinct, counts = np.unique(steps, return_counts=True)
    row_start = np.concatenate([[0], np.cumsum(counts)])
    return Schedule(
        jnp.asarray(distinct, jnp.int32),
        jnp.asarray(row_start, jnp.int32),
        jnp.asarray(index, jnp.int32),
        int(counts.max(initial=0)),
    )
