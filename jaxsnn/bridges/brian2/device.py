"""The device: Brian2 keeps its front end and its memory, and hands whole runs to jaxsnn."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import jax
import numpy as np

from jaxsnn.bridges.brian2 import interface
from jaxsnn.bridges.brian2.forms import Clock, Unsupported
from jaxsnn.bridges.brian2.interface import Handed, NumpyCodeObject, RuntimeDevice
from jaxsnn.bridges.brian2.lowering import lower
from jaxsnn.bridges.brian2.queue import SpikeQueue
from jaxsnn.bridges.brian2.running import Boundary, Compiled, Run
from jaxsnn.bridges.brian2.translation import CalledBack, random
from jaxsnn.errors import JaxsnnError
from jaxsnn.program import Code, Program
from jaxsnn.simulation.hostloop import ChunkedRun

__all__ = ["BridgeWarning", "Device", "Fallback"]


class BridgeWarning(UserWarning):
    """A run that Brian2 carries out itself, step by step in Python, because the bridge cannot."""


class Stop(Exception):
    """Someone has asked for the end of the run."""


@dataclass(frozen=True)
class Fallback:
    """A run that went through Brian2's own loop, and why."""

    network: str
    reason: str


class Device(RuntimeDevice):
    """Brian2's runtime device, with runs compiled by jaxsnn.

    Attributes:
        runs: How many runs went through the compiled step.
        fallbacks: Those that went through Brian2's own loop, with the reasons.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0
        self.fallbacks: list[Fallback] = []
        self.strict = False
        self._compiled = Compiled()
        self._boundaries: Any = WeakKeyDictionary()

    # ---- what Brian2 asks of a device ----------------------------------------------------------------

    def activate(self, build_on_run: bool = True, strict: bool = False, **options: Any) -> None:
        """Become the device of what follows.

        Args:
            build_on_run: Without meaning here (runs begin at once), as are all other options.
            strict: What the bridge cannot carry is an error, and never runs in Brian2's own loop.
            options: Options of Brian2's other devices, such as ``directory``.
        """
        super().activate(build_on_run=build_on_run, **options)
        self.strict = strict

    def code_object_class(self, codeobj_class: Any = None, fallback_pref: str = "codegen.target") -> Any:
        """Always that of NumPy: nothing of it is called in a compiled run, so nothing needs compiling."""
        return NumpyCodeObject

    def code_object(
        self,
        owner: Any,
        name: str,
        abstract_code: Any,
        variables: Any,
        template_name: str,
        variable_indices: Any,
        codeobj_class: Any = None,
        template_kwds: Any = None,
        override_conditional_write: Any = None,
        compiler_kwds: Any = None,
    ) -> Any:
        """Brian2's own code object, which remembers what it was made of."""
        found = super().code_object(
            owner,
            name,
            abstract_code,
            variables,
            template_name,
            variable_indices,
            codeobj_class=NumpyCodeObject,
            template_kwds=template_kwds,
            override_conditional_write=override_conditional_write,
            compiler_kwds=compiler_kwds,
        )
        found.jaxsnn_handed = Handed(
            owner,
            abstract_code,
            variables,
            template_name,
            variable_indices,
            template_kwds or {},
            frozenset(override_conditional_write or ()),
        )
        return found

    def spike_queue(self, source_start: int, source_end: int) -> SpikeQueue:
        """The queue of a new pathway."""
        return SpikeQueue(source_start, source_end)

    def reinit(self) -> None:
        """Forget what is kept between runs."""
        self._boundaries = WeakKeyDictionary()

    def build(self, **options: Any) -> None:
        """Nothing: runs begin at once."""

    def network_run(
        self,
        net: Any,
        duration: Any,
        report: Any = None,
        report_period: Any = None,
        namespace: Mapping[str, Any] | None = None,
        profile: Any = None,
        level: int = 0,
        **unknown: Any,
    ) -> None:
        """``Network.run``: the whole run through one compiled step.

        Raises:
            TypeError: for arguments that ``run`` does not have.
        """
        if unknown:
            raise TypeError(f"run() got an unexpected keyword argument {next(iter(unknown))!r}")
        interface.check_duration(duration)
        if namespace is None:
            namespace = interface.local_namespace(level + 2)
        say = interface.reporter(report)
        begun = time.time()
        start, end = interface.begin_run(net, duration, namespace)
        try:
            dtype = interface.default_dtype()
            lowered = lower(interface.runners(net), dtype)
            run = Run(lowered, self._boundary(net), start, end)
            with jax.enable_x64(dtype == np.float64):
                loop = self._compiled.loop(run.program, dtype.type)
        except (Unsupported, JaxsnnError) as reason:
            self._in_brian(net, str(reason), duration, report, report_period, namespace, profile)
            return
        period = 10.0 if report_period is None else float(report_period)
        progress = _Progress(net, say, period, run, begun, duration, interface.longest_seconds())
        # Only while Brian2's run lasts: what else the process computes with JAX keeps its precision.
        with jax.enable_x64(dtype == np.float64):
            done, ended = self._carry(net, run, loop, progress)
            taken = time.time() - begun
            if interface.wants_profile(profile):
                # Operations are compiled together, so a run cannot time them; each gets its share of the whole.
                times = run.times(loop.simulation)
                unit = taken / (sum(times.values()) or 1.0)
                interface.set_profile(net, {name: alone * unit for name, alone in times.items()})
        whole = run.first + done >= run.last
        fraction = 1.0 if whole else done / (run.last - run.first)

        def reached(clock: Clock) -> int:
            return -(-(run.first + done) // lowered.translation.every(clock))

        self.runs += 1
        interface.end_run(net, end, fraction, taken, None if whole else reached)
        progress.finish(fraction)
        if isinstance(ended, KeyboardInterrupt):
            raise ended

    def _carry(self, net: Any, run: Run, loop: ChunkedRun, progress: _Progress) -> tuple[int, BaseException | None]:
        """Carry out a run; the steps done, and what has ended it early."""
        # From the numbers that Brian2's own `seed`, `store` and `get_random_state` know.
        seed = np.random.randint(2**31) if draws(run.program) else 0  # noqa: NPY002
        CalledBack.errors.clear()
        try:
            done, ended = run(loop, jax.random.key(seed), progress)
        except Exception:
            for name, error in CalledBack.errors:
                raise interface.object_error(net, name) from error
            raise
        if ended is not None and not isinstance(ended, Stop | KeyboardInterrupt):
            raise ended
        return done, ended

    def _boundary(self, net: Any) -> Boundary:
        return self._boundaries.setdefault(net, Boundary())

    def _in_brian(self, net: Any, reason: str, duration: Any, *options: Any) -> None:
        """A run in Brian2's own loop, which says so."""
        if self.strict:
            raise NotImplementedError(f"jaxsnn cannot carry this network: {reason}")
        self.fallbacks.append(Fallback(net.name, reason))
        warnings.warn(
            f"this run of {net.name} goes through Brian2's own loop, step by step and without jaxsnn: {reason}",
            BridgeWarning,
            stacklevel=4,
        )
        report, period, namespace, profile = options
        given = {} if period is None else {"report_period": period}
        interface.run_in_brian(net, duration, report=report, namespace=namespace, profile=profile, **given)


def draws(program: Program) -> bool:
    """Whether a program draws random numbers."""
    for operation in program.operations:
        code = getattr(operation, "code", None)
        given = [s.expr for s in code.statements if hasattr(s, "expr")] if isinstance(code, Code) else []
        given += list((getattr(operation, "expressions", None) or {}).values())
        given += [c for c in (getattr(operation, "condition", None),) if c is not None]
        if any(map(random, given)):
            return True
    return False


class _Progress:
    """Told between chunks: reports, and asks whether to stop."""

    def __init__(
        self,
        net: Any,
        say: Callable[..., None] | None,
        period: float,
        run: Run,
        begun: float,
        duration: Any,
        limit: float | None,
    ) -> None:
        self.net, self.say, self.period, self.run = net, say, period, run
        self.begun, self.duration, self.limit = begun, duration, limit
        self.start = net.t
        self.said = begun
        self._tell(0.0, 0.0)

    def _tell(self, elapsed: float, fraction: float) -> None:
        if self.say is not None:
            self.say(interface.seconds(elapsed), fraction, self.start, self.duration)

    def __call__(self, done: int) -> None:
        now, steps = time.time(), self.run.last - self.run.first
        if now - self.said > self.period and done < steps:
            self.said = now
            self._tell(now - self.begun, done / steps)
        if done < steps and (interface.stopped(self.net) or (self.limit is not None and now - self.begun > self.limit)):
            raise Stop

    def finish(self, fraction: float) -> None:
        self._tell(time.time() - self.begun, fraction)
