"""Network: objects that run together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxsnn.equations.names import caller_namespace
from jaxsnn.errors import ArgumentError, NetworkError, NotSupportedError
from jaxsnn.events import EXECUTIONS, kernel
from jaxsnn.network import storage
from jaxsnn.network.assembly import Assembly
from jaxsnn.network.members import Members
from jaxsnn.network.profiling import Profile, Timing, operation_times
from jaxsnn.network.progress import Report
from jaxsnn.network.results.stream import Stream
from jaxsnn.network.results.sweep import Sweep, sweep
from jaxsnn.network.running import Switch, calls_of, run_steps
from jaxsnn.network.times import adopt, rescale, tell_time
from jaxsnn.objects.base import Parts, Recorder, current_seed
from jaxsnn.objects.schedule.functions import NetworkOperation
from jaxsnn.program import Program
from jaxsnn.simulation import Params, Setting, Simulation, State, duration_steps
from jaxsnn.simulation.gradient.setting import gradient_of
from jaxsnn.simulation.hostloop import ChunkedRun, NotFinite
from jaxsnn.surrogate import Surrogate
from jaxsnn.units import Quantity, ms, second, strip

__all__ = ["Network"]


class Network(Members):
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
        super().__init__()
        self._dt = _time_step(dt)
        self._dtype = _dtype(dtype)
        self._simulations: list[tuple[Program, Any, ChunkedRun]] = []
        self._kept = Assembly()
        self._stores: dict[str, dict[str, np.ndarray]] = {}
        self._trial = 0
        self._switch = Switch()
        self.notes: tuple[str, ...] = ()
        self.profiling_info: Profile | None = None
        self.add(*objects)

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
        new = _time_step(value)
        if new == self._dt:
            return
        if any(np.any(ring) for _, rings in self._kept.rings.values() for ring in rings):
            raise NotSupportedError(
                "the time step cannot change in this version while spikes are waiting in delay buffers"
            )
        steps = round(self._kept.step * self._dt / new)
        if abs(self._kept.step * self._dt - steps * new) > 1e-4 * new:
            raise NetworkError(f"t = {self.t} is no multiple of the new time step {value}")
        rescale(self._objects, self._dt / new)
        self._dt, self._kept.step, self._kept.rings = new, steps, {}
        self._tell_time(new)

    # ---- from objects to a simulation ------------------------------------------------------------------

    def _lower(self, namespace: Mapping[str, Any] | None, dt: float) -> tuple[Program, Parts]:
        names = caller_namespace()
        self._label(names)
        self._check()
        parts = Parts(dt)
        adopt(self._objects, self._switch, self._kept.step * self._dt, self._dt)
        self._tell_time(dt)
        for given in self._objects:
            parts.lower(given, names if namespace is None else namespace)
        for given in self._objects:
            if isinstance(given, NetworkOperation):
                given.check(parts)
        operations = self._in_order(op for op in parts.operations if op.name not in parts.inactive)
        self.notes = tuple(parts.notes)
        return Program(dt, parts.variables, parts.events, operations, parts.links), parts

    def lowered(self, dt: Any = None, namespace: Mapping[str, Any] | None = None) -> tuple[Program, Parts]:
        """The program and the arrays beside it, for what carries out a program in another way than step by step.

        Args:
            dt: Time step, if not the network's.
            namespace: Values of names; by default those visible where this is called.
        """
        return self._lower(namespace, self._dt if dt is None else _time_step(dt))

    def _tell_time(self, dt: float) -> None:
        tell_time(self._objects, self._kept.step * self._dt, dt)

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
        if execution == "kernel" and not kernel.available(_backend()):
            raise ArgumentError("the execution 'kernel' needs an NVIDIA GPU; leave the choice to jaxsnn")
        if unroll is not None and (isinstance(unroll, bool) or not isinstance(unroll, int) or unroll < 1):
            raise ArgumentError(f"unroll is a number of steps of at least 1, got {unroll!r}")
        program, parts = self._lower(namespace, self._dt if dt is None else _time_step(dt))
        for given in self._objects:
            if isinstance(given, NetworkOperation) and given.active and not given.compiled:
                raise NotSupportedError(
                    f"{given.name} is a function of Python, which a compiled simulation cannot call; make it a pure"
                    f" function of JAX, NetworkOperation(function, writes=[...]), or set its active to False"
                )
        return Simulation(
            program,
            lambda key, setting: self._trees(parts, key, setting),
            dtype=self._dtype if dtype is None else _dtype(dtype),
            backend=_backend(),
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
        profile: bool | str = False,
        stream: str | Path | None = None,
    ) -> None:
        """Run for a time; objects keep their state, monitors go on recording.

        Args:
            duration: A multiple of the time step.
            report: ``"text"`` (or ``"stderr"``) for a progress bar with an estimate of the time left, or a function
                of ``(elapsed, completed, start, duration)``: seconds, a fraction, and two times.
            report_period: Least seconds between two calls of a report function.
            namespace: Values of names in the objects' texts; by default those visible where this is called.
            profile: True to measure compilation, steps and functions of Python, ``"operations"`` to measure also each
                operation by itself afterwards: see ``net.profiling_info`` and `profiling_summary`.
            stream: Folder that takes what the monitors record, instead of the monitors; see `Recording`.

        Ctrl-C ends the run with a consistent state: ``t``, values and monitors are those of the last chunk of steps.
        """
        if duration is None or isinstance(duration, str | int | float | np.number):
            raise NetworkError(f"a run needs a time such as 100*ms, got {duration!r}")
        steps = duration_steps(duration, self._dt)
        if report is not None and not callable(report) and report not in ("text", "stdout", "stderr"):
            raise ArgumentError(f"there is no report {report!r}; use 'text', 'stdout', 'stderr' or a function")
        if profile not in (False, True, "operations"):
            raise ArgumentError(f"profile is True, False or 'operations', got {profile!r}")
        timing, begun = Timing(), time.perf_counter()
        program, parts = self._lower(namespace, self._dt)
        calls = calls_of(self._objects, program, parts, self._schedule)
        loop = self._loop(program, parts)
        simulation = loop.simulation
        key = jax.random.fold_in(jax.random.key(current_seed() & 0xFFFFFFFF), self._trial)
        params, state = self._kept.trees(parts, key, simulation.setting)
        if profile and loop.compile(params, state, steps):
            timing.compilation = time.perf_counter() - begun
        monitors = {o.name: o for o in self._objects if isinstance(o, Recorder)}

        files = None if stream is None else Stream(stream, program, monitors, self._kept.step)

        def receive(label: str, rows: Mapping[str, np.ndarray], first: int) -> None:
            if files is not None and files.takes(label):
                files.receive(label, rows, first)
            else:
                monitors[label].receive(rows, first, self._dt)

        def write_back(state: State, done: int) -> None:
            self._kept.keep(state, program, self._objects, done)
            self._tell_time(self._dt)
            if files is not None:
                files.finish(self._kept.step)

        first = self._kept.step
        with Report(report, report_period, steps, first * self._dt, self._dt) as progress, self._switch as switch:
            try:
                state, stopped = run_steps(
                    loop, self._kept, parts, params, state, steps, receive, progress, calls, switch, write_back, timing
                )
            except NotFinite as failure:
                # Values, time and recordings all end with the last good chunk.
                write_back(failure.state, failure.step - self._kept.step)
                raise failure.error from None
            if profile:
                single = operation_times(simulation, params, state) if profile == "operations" else {}
                count = self._kept.step - first
                self.profiling_info = Profile(count, timing.compilation, timing.steps, timing.functions, single)
            if isinstance(stopped, KeyboardInterrupt):
                raise KeyboardInterrupt(f"run interrupted at t = {self.t}") from stopped
            if stopped is not None:
                raise stopped

    def stop(self) -> None:
        """Let a run that is under way end after its present step, as if its duration were over.

        To be called by a `NetworkOperation` of Python or by a report function, which come between steps.
        """
        self._switch.asked = True

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
            backend=_backend(),
        )
        loop = ChunkedRun(simulation)
        self._simulations.append((program, self._dtype, loop))
        del self._simulations[:-4]
        return loop

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


def _time_step(value: Any) -> float:
    step = strip(value, second.dim, "dt")
    if np.ndim(step):
        raise ArgumentError(f"dt is one time, got {value!r}")
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
