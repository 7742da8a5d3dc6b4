"""Time simulators side by side, each in a process of its own.

A process builds the network, runs it once, and then again each time it is asked to. The simulators of a comparison
take turns, so that a busy machine slows all of them, and the least of several times is the one that counts.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from jaxsnn.bench.networks import NETWORKS
from jaxsnn.errors import ArgumentError, NotSupportedError

__all__ = ["DT", "SIMULATORS", "BenchmarkError", "Result", "Spec", "compare", "default_steps"]

DT = 1e-4
"""Time step of all networks, in second."""


class BenchmarkError(RuntimeError):
    """A simulator ended before it gave its numbers."""


@dataclass(frozen=True)
class Spec:
    """What one process measures.

    Attributes:
        network: Name in `NETWORKS`.
        size: Number of neurons (of inputs, for the plastic networks).
        simulator: ``"jaxsnn"``, ``"brian2"`` (C++ standalone, one thread) or ``"bridge"`` (Brian2 on jaxsnn).
        dtype: ``"float32"`` or ``"float64"``.
        recording: Whether all spikes are recorded.
        steps: Time steps of 0.1 ms in each run.
        bare: Whether the same network is also timed without recording (jaxsnn only).
    """

    network: str
    size: int
    simulator: str = "jaxsnn"
    dtype: str = "float32"
    recording: bool = True
    steps: int = 2000
    bare: bool = False


@dataclass(frozen=True)
class Result:
    """What was measured.

    Attributes:
        spec: Of what.
        device: Where it ran.
        synapses: Number of synapses.
        step_us: Microseconds of the compiled loop per time step, the least of all repeats.
        median_us: Their median.
        start_s: Seconds from the start of the process to the first result, without the time loop itself: imports,
            building the network, compiling.
        first_s: Seconds from the start of the process to the result of the first 100 ms: ``start_s`` and 1000 steps.
        build_s: The part of ``start_s`` that made neurons and synapses and brought them to the device.
        rate: Mean rate of all recorded neurons in hertz; None if nothing was recorded.
        rates: That of each population.
        compile_s: Seconds of the first call of the compiled loop, without the steps themselves.
        bare_us: Least microseconds per step without recording, if that was asked for.
        synapse_bytes: Bytes of everything on the device that grows with the synapses, for each of them.
        peak_bytes: Most memory of the device in use at one time, where the device tells.
    """

    spec: Spec
    device: str
    synapses: int
    step_us: float
    median_us: float
    start_s: float
    first_s: float
    build_s: float
    rate: float | None
    rates: Mapping[str, float] = field(default_factory=dict)
    compile_s: float | None = None
    bare_us: float | None = None
    synapse_bytes: float | None = None
    peak_bytes: int | None = None


@dataclass(frozen=True)
class Simulator:
    """How to start a process: the module that runs in it, and the package it needs."""

    module: str
    package: str
    install: str


SIMULATORS: Mapping[str, Simulator] = MappingProxyType(
    {
        "jaxsnn": Simulator("jaxsnn.bench.worker", "jax", "pip install jaxsnn-sim"),
        "brian2": Simulator("jaxsnn.bench.brian", "brian2", "pip install 'jaxsnn-sim[brian2]'"),
        "bridge": Simulator("jaxsnn.bench.bridge", "brian2", "pip install 'jaxsnn-sim[brian2]'"),
    }
)


def default_steps(size: int) -> int:
    """Steps of one run: a second of simulated time for small networks, less for large ones."""
    return max(2000, min(10_000, 40_000_000 // max(1, size)))


class Process:
    """One simulator with one network, waiting to run it again."""

    def __init__(self, spec: Spec) -> None:
        if spec.simulator not in SIMULATORS:
            raise ArgumentError(f"there is no simulator {spec.simulator!r}; there are {', '.join(SIMULATORS)}")
        simulator = SIMULATORS[spec.simulator]
        if importlib.util.find_spec(simulator.package) is None:
            raise NotSupportedError(
                f"{spec.simulator} is not installed here, so there is nothing to compare with: {simulator.install}"
            )
        self.spec = spec
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        environment = {
            # Several processes share a GPU, so none may take most of its memory at the start.
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            **os.environ,
            "JAX_ENABLE_X64": str(int(spec.dtype == "float64")),
        }
        arguments = json.dumps({**asdict(spec), "started": time.time()})
        self._process = subprocess.Popen(
            [sys.executable, "-m", simulator.module, arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            text=True,
        )

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def answer(self) -> dict[str, Any]:
        """The next line of numbers."""
        assert self._process.stdout is not None
        # Libraries may print too; our lines are the ones that are objects.
        for line in self._process.stdout:
            if line.startswith("{"):
                return dict(json.loads(line))
        self._process.wait()
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-12:]
        raise BenchmarkError(f"{self.spec} ended without a result:\n" + "\n".join(last))

    def again(self) -> dict[str, Any]:
        """Run once more: ``{"seconds": ..., "spikes": ...}``."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("again\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its last words are in `answer`
        return self.answer()


def compare(specs: Sequence[Spec], repeats: int = 3, say: Callable[[str], None] = lambda text: None) -> list[Result]:
    """Measure several simulators of one network in turns.

    Args:
        specs: What to measure; all their processes are alive at the same time, so keep to what memory holds.
        repeats: How often each runs after its first run.
        say: Is told what is going on.

    Raises:
        NotSupportedError: if a simulator is not installed.
        BenchmarkError: if one fails, with its last lines.
    """
    open_processes: list[Process] = []
    try:
        starts = []
        for spec in specs:
            say(f"{spec.network} {spec.size}: {spec.simulator} {spec.dtype} starts")
            process = Process(spec)
            open_processes.append(process)
            starts.append(process.answer())
        runs: list[list[dict[str, Any]]] = [[] for _ in specs]
        for number in range(max(1, repeats)):
            say(f"{specs[0].network} {specs[0].size}: repeat {number + 1} of {max(1, repeats)}")
            for process, taken in zip(open_processes, runs, strict=True):
                taken.append(process.again())
        return [_result(*given) for given in zip(specs, starts, runs, strict=True)]
    finally:
        for process in open_processes:
            process.close()


def _result(spec: Spec, start: Mapping[str, Any], runs: Iterable[Mapping[str, Any]]) -> Result:
    runs = list(runs)
    per_step = sorted(run["seconds"] / spec.steps for run in runs)
    start_s = max(0.0, start["first"] - start.get("loop", per_step[0] * spec.steps))
    spikes = [run["spikes"] for run in runs if run["spikes"] is not None]
    bare = [run["bare"] / spec.steps for run in runs if "bare" in run]
    populations = NETWORKS[spec.network].populations(spec.size)
    counts = {name: statistics.mean(run[name] for run in spikes) for name in populations if spikes}
    seconds = spec.steps * DT
    recorded = sum(p.size for p in populations.values())
    synapses = start["synapses"]
    call, held = start.get("call"), start.get("synapse_bytes")
    return Result(
        spec=spec,
        device=start["device"],
        synapses=synapses,
        step_us=per_step[0] * 1e6,
        median_us=statistics.median(per_step) * 1e6,
        start_s=start_s,
        first_s=start_s + 1000 * per_step[0],
        build_s=start["build"],
        rate=sum(counts.values()) / (recorded * seconds) if spikes else None,
        rates={name: count / (populations[name].size * seconds) for name, count in counts.items()},
        compile_s=None if call is None else max(0.0, call - per_step[0] * spec.steps),
        bare_us=min(bare) * 1e6 if bare else None,
        synapse_bytes=held / synapses if held is not None and synapses else None,
        peak_bytes=max((run["peak"] for run in runs if run.get("peak") is not None), default=None),
    )
