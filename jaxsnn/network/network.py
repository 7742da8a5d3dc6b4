"""Network: objects that run together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxsnn.equations.names import caller_namespace
from jaxsnn.errors import ArgumentError, NetworkError, NotSupportedError
from jaxsnn.events import EXECUTIONS, kernel
from jaxsnn.network import storage
from jaxsnn.network.arguments import backend, check_complete, dtype_of, time_step
from jaxsnn.network.assembly import Assembly
from jaxsnn.network.clock import count_anew
from jaxsnn.network.progress import Report
from jaxsnn.network.stream import Stream
from jaxsnn.network.sweep import Sweep, sweep
from jaxsnn.objects.base import Parts, Recorder, SimulationObject, current_seed
from jaxsnn.objects.variables import VariableOwner
from jaxsnn.program import Deliver, Program
from jaxsnn.simulation import Params, Setting, Simulation, State, duration_steps
from jaxsnn.simulation.gradient.setting import gradient_of
from jaxsnn.simulation.hostloop import ChunkedRun, NotFinite
from jaxsnn.surrogate import Surrogate
from jaxsnn.units import Quantity, ms, second

__all__ = ["Network"]


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
        self._dt = time_step(dt)
        self._dtype = dtype_of(dtype)
        self._simulations: list[tuple[Program, Any, ChunkedRun]] = []
        self._kept = Assembly()
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
        return Quantity(self._kept.step * self._dt, second.dim)

    @property
    def dt(self) -> Quantity:
        """The time step. Set it between runs; the time reached must be a multiple of the new one."""
        return Quantity(self._dt, second.dim)

    @dt.setter
    def dt(self, value: Any) -> None:
        new = time_step(value)
        if new == self._dt:
            return
        if any(np.any(ring) for _, rings in self._kept.rings.values() for ring in rings):
            raise NotSupportedError(
                "the time step cannot change in this version while spikes are waiting in delay buffers"
            )
        steps = round(self._kept.step * self._dt / new)
        if abs(self._kept.step * self._dt - steps * new) > 1e-4 * new:
            raise NetworkError(f"t = {self.t} is no multiple of the new time step {value}")
        count_anew(self._objects, self._dt, new)
        self._dt, self._kept.step, self._kept.rings = new, steps, {}
        self._tell_time(new)

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
        check_complete(self._objects)
        parts = Parts(dt)
        self._tell_time(dt)
        for given in self._objects:
            given.lower(parts, names if namespace is None else namespace)
        operations = tuple(sorted(parts.operations, key=lambda op: op.position))
        self.notes = tuple(parts.notes)
        return Program(dt, parts.variables, parts.events, operations, parts.links), parts

    def lowered(self, dt: Any = None, namespace: Mapping[str, Any] | None = None) -> tuple[Program, Parts]:
        """The program and the arrays beside it, for what carries out a program in another way than step by step.

        Args:
            dt: Time step, if not the network's.
            namespace: Values of names; by default those visible where this is called.
        """
        return self._lower(namespace, self._dt if dt is None else time_step(dt))

    def _tell_time(self, dt: float) -> None:
        for given in self._objects:
            if isinstance(given, VariableOwner):
                object.__setattr__(given, "_now", (self._kept.step * self._dt, dt))

    def compile(
        self,
        dt: Any = None,
        *,
        dtype: Any = None,
        execution: str | None = None,
        unroll: int | None = None,
        inputs: tuple[str, ...] | list[str] = (),
        namespace: Mapping[str, Any] | None = None,
        surrogate: Surrogate | Mapping[str, Surrogate] | None = None,
        detach_reset: bool | None = None,
        relaxed: bool = False,
        memory_limit: float | None = None,
        truncate: int | None = None,
    ) -> Simulation:
        """The network as pure functions (see `Simulation`).

        Args:
            dt: Time step, if not the network's.
            dtype: Floating-point type, if not the network's.
            execution: How spikes are delivered, ``"dense"``, ``"masked"``, ``"event_list"`` or, on a GPU, ``"kernel"``;
                chosen from the sizes if None. ``"deterministic"``: sums in fixed point, so the same bits in every run.
            unroll: Steps written out in one trip of the time loop.
            inputs: Dotted names of parameters that are given anew in every step.
            namespace: Values of names; by default those visible where this is called.
            surrogate: What stands for the derivative of spikes (see `jaxsnn.surrogate`): one for all groups, or a
                dictionary from names of groups; by default `SuperSpike`.
            detach_reset: Whether the derivative takes resets for independent of the spike that causes them; by default
                it does, unless the simulation is relaxed.
            relaxed: Spikes are smooth in the forward pass too: another, smooth system, to compare gradients with finite
                differences.
            memory_limit: Bytes that reverse mode may keep of a run; steps are computed again as often as that needs. By
                default 2**30.
            truncate: Steps after which no gradient flows backward in time.
        """
        if execution is not None and execution not in EXECUTIONS:
            raise ArgumentError(f"there is no execution {execution!r}; there are {', '.join(EXECUTIONS)}")
        if execution == "kernel" and not kernel.available(backend()):
            raise ArgumentError("the execution 'kernel' needs an NVIDIA GPU; leave the choice to jaxsnn")
        if unroll is not None and (isinstance(unroll, bool) or not isinstance(unroll, int) or unroll < 1):
            raise ArgumentError(f"unroll is a number of steps of at least 1, got {unroll!r}")
        program, parts = self._lower(namespace, self._dt if dt is None else time_step(dt))
        return Simulation(
            program,
            lambda key, setting: self._trees(parts, key, setting),
            dtype=self._dtype if dtype is None else dtype_of(dtype),
            backend=backend(),
            execution=execution,
            unroll=unroll,
            inputs=(inputs,) if isinstance(inputs, str) else tuple(inputs),
            gradient=gradient_of(program, surrogate, detach_reset, relaxed, memory_limit, truncate),
        )

    def _trees(self, parts: Parts, key: Any, setting: Setting) -> tuple[Params, State]:
        if self._kept.step and setting.program.dt != self._dt:
            new = setting.program.dt * 1e3
            raise NotSupportedError(
                f"the network has reached t = {self.t} in steps of {self.dt}; to go on from there in steps of"
                f" {new:g} ms, write net.dt = {new:g}*ms before net.compile()"
            )
        return self._kept.trees(parts, key, setting)

    # ---- running ---------------------------------------------------------------------------------------

    def run(
        self,
        duration: Any,
        report: str | Callable[..., None] | None = None,
        report_period: Any = None,
        namespace: Mapping[str, Any] | None = None,
        stream: str | Path | None = None,
    ) -> None:
        """Run for a time; objects keep their state, monitors go on recording.

        Args:
            duration: A multiple of the time step.
            report: ``"text"`` (or ``"stderr"``) for a progress bar with an estimate of the time left, or a function
                of ``(elapsed, completed, start, duration)``: seconds, a fraction, and two times.
            report_period: Least seconds between two calls of a report function.
            namespace: Values of names in the objects' texts; by default those visible where this is called.
            stream: Folder that takes what the monitors record, instead of the monitors; see `Recording`.

        Ctrl-C ends the run with a consistent state: ``t``, values and monitors are those of the last chunk of steps.
        """
        if duration is None or isinstance(duration, str | int | float | np.number):
            raise NetworkError(f"a run needs a time such as 100*ms, got {duration!r}")
        steps = duration_steps(duration, self._dt)
        if report is not None and not callable(report) and report not in ("text", "stdout", "stderr"):
            raise ArgumentError(f"there is no report {report!r}; use 'text', 'stdout', 'stderr' or a function")
        program, parts = self._lower(namespace, self._dt)
        loop = self._loop(program, parts)
        simulation = loop.simulation
        key = jax.random.fold_in(jax.random.key(current_seed() & 0xFFFFFFFF), self._trial)
        params, state = self._kept.trees(parts, key, simulation.setting)
        monitors = {o.name: o for o in self._objects if isinstance(o, Recorder)}

        files = None if stream is None else Stream(stream, program, monitors, self._kept.step)

        def receive(label: str, rows: Mapping[str, np.ndarray], first: int) -> None:
            if files is not None and files.takes(label):
                files.receive(label, rows, first)
            else:
                monitors[label].receive(rows, first, self._dt)

        with Report(report, report_period, steps, self._kept.step * self._dt, self._dt) as progress:
            try:
                state, done, stopped = loop(params, state, steps, receive, progress)
            except NotFinite as failure:
                # Values, time and recordings all end with the last good chunk.
                self._write_back(failure.state, simulation, failure.step - self._kept.step)
                raise failure.error from None
            self._write_back(state, simulation, done)
            if files is not None:
                files.finish(self._kept.step)
            if isinstance(stopped, KeyboardInterrupt):
                raise KeyboardInterrupt(f"run interrupted at t = {self.t}") from stopped
            if stopped is not None:
                raise stopped

    def sweep(
        self,
        values: Mapping[str, Any],
        duration: Any,
        *,
        batch: int | None = None,
        noise: str = "same",
        final: str | Sequence[str] = (),
        memory: float | None = None,
        seed: int | None = None,
        dtype: Any = None,
        execution: str | None = None,
        namespace: Mapping[str, Any] | None = None,
    ) -> Sweep:
        """Run once for each set of values, many at a time; the objects stay as they are.

        Args:
            values: By dotted name (``"cells.tau"``, ``"exc.w"``, ``"cells.v"``) one value, or one row, for each run.
            duration: Of each run.
            batch: Runs at a time; by default as many as ``memory`` bytes hold (2**30).
            noise: ``"same"``: all runs draw the same random numbers; ``"own"``: each its own.
            final: Dotted names of values to keep at the end of the runs.
            seed: Of the runs; by default that of `jaxsnn.seed`.
            dtype, execution, namespace: As for `compile`.
        """
        simulation = self.compile(dtype=dtype, execution=execution, namespace=namespace)
        params, state = simulation.init(current_seed() & 0xFFFFFFFF if seed is None else seed)
        return sweep(simulation, params, state, values, duration, batch=batch, noise=noise, final=final, memory=memory)

    def _loop(self, program: Program, parts: Parts) -> ChunkedRun:
        for known, dtype, loop in self._simulations:
            if known == program and dtype == self._dtype:
                return loop
        simulation = Simulation(
            program,
            lambda key, setting: self._trees(parts, key, setting),
            dtype=self._dtype,
            backend=backend(),
        )
        loop = ChunkedRun(simulation)
        self._simulations.append((program, self._dtype, loop))
        del self._simulations[:-4]
        return loop

    def _write_back(self, state: State, simulation: Simulation, done: int) -> None:
        owners = {o.name: o for o in self._objects if isinstance(o, VariableOwner)}
        for owner, values in state.values.items():
            for name, value in values.items():
                host = owners[owner]._hosts.get(name) or owners[owner]._pasts[name]
                host.value[...] = np.asarray(value).reshape(host.value.shape)
                host.version += 1
        kinds = {op.pathway: op for op in simulation.program.operations if isinstance(op, Deliver)}
        for pathway, rings in state.rings.items():
            self._kept.rings[pathway] = (self._kept.kinds[pathway], tuple(np.asarray(r) for r in rings))
        for pathway in kinds:
            if pathway not in state.rings:
                self._kept.rings.pop(pathway, None)
        self._kept.events = {path: np.asarray(v) for path, v in state.events.items()}
        self._kept.step += done
        self._tell_time(self._dt)

    # ---- store and restore -------------------------------------------------------------------------

    def store(self, name: str = "default", filename: str | Path | None = None) -> None:
        """Keep the state of everything (values, connections, delays, waiting spikes, recordings).

        Under a name in memory, or in a file (NumPy's ``.npz``, arrays only).
        """
        self._label(caller_namespace())
        data = storage.snapshot(self._objects, self._kept)
        data |= {"network/dt": np.asarray(self._dt), "network/trial": np.asarray(self._trial)}
        if filename is None:
            self._stores[name] = data
        else:
            storage.save(data, filename)

    def restore(
        self, name: str = "default", filename: str | Path | None = None, restore_random_state: bool = False
    ) -> None:
        """Go back to what `store` kept.

        With ``restore_random_state`` the random numbers repeat as well, so that a run continues exactly as it would
        have (given the same `seed`); without it, a new run draws new ones.
        """
        if filename is not None:
            data = storage.load(filename)
        elif name in self._stores:
            data = self._stores[name]
        else:
            raise NetworkError(f"nothing was stored under {name!r}; stored are {sorted(self._stores) or 'none'}")
        self._label(caller_namespace())
        storage.revert(data, self._objects, self._kept)
        self._dt = float(data["network/dt"])
        self._trial = int(data["network/trial"]) if restore_random_state else self._trial + 1
        self._tell_time(self._dt)

    def __str__(self) -> str:
        return str(self._lower(None, self._dt)[0])
