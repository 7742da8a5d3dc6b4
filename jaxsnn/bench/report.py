"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import jax
import numpy as np

from jaxsnn.bench.measure import Result
from jaxsnn.bench.networks import NETWORKS

__all__ = ["as_json", "table"]

_HEAD = ("network", "neurons", "synapses", "simulator", "on", "us/step", "median", "rate", "start", "first 100 ms")


def table(results: Sequence[Result]) -> str:
    """One line a result; simulators other than jaxsnn in the same network are compared with.

    >>> from jaxsnn.bench.measure import Result, Spec
    >>> ours = Result(Spec("cuba", 4000), "cpu", 320_000, 10.0, 11.0, 2.0, 2.01, 0.1, 5.5)
    >>> peer = Result(Spec("cuba", 4000, "brian2", "float64"), "cpu", 320_000, 20.0, 21.0, 16.0, 16.02, 0.1, 5.5)
    >>> print(table([ours, peer]).splitlines()[-1])
    CUBA 4000: jaxsnn float32 against brian2 float64: step 2.00 times as fast, first 100 ms 7.97 times
    """
    rows = [_row(result) for result in results]
    widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if k in (0, 3, 4) else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (_HEAD, tuple("-" * width for width in widths), *rows)
    ]
    return "\n".join([*lines, *_ratios(results), *_recording(results), *_rates(results)])


def _row(result: Result) -> tuple[str, ...]:
    spec = result.spec
    return (
        NETWORKS[spec.network].title,
        str(spec.size),
        str(result.synapses),
        f"{spec.simulator} {spec.dtype}" + ("" if spec.recording else ", no recording"),
        result.device,
        f"{result.step_us:.1f}",
        f"{result.median_us:.1f}",
        "-" if result.rate is None else f"{result.rate:.2f} Hz",
        f"{result.start_s:.2f} s",
        f"{result.first_s:.2f} s",
    )


def _ratios(results: Sequence[Result]) -> Iterable[str]:
    for peer in (r for r in results if r.spec.simulator != "jaxsnn"):
        for ours in results:
            a, b = ours.spec, peer.spec
            if a.simulator == "jaxsnn" and (a.network, a.size, a.recording) == (b.network, b.size, b.recording):
                yield (
                    f"{_name(ours)}: jaxsnn {a.dtype} against {b.simulator} {b.dtype}: step"
                    f" {peer.step_us / ours.step_us:.2f} times as fast, first 100 ms"
                    f" {peer.first_s / ours.first_s:.2f} times"
                )


def _recording(results: Sequence[Result]) -> Iterable[str]:
    for without in (r for r in results if not r.spec.recording):
        for recorded in (r for r in results if r.spec.recording):
            a, b = recorded.spec, without.spec
            if (a.network, a.size, a.simulator, a.dtype) == (b.network, b.size, b.simulator, b.dtype):
                added = recorded.step_us - without.step_us
                yield (
                    f"{_name(recorded)}, {a.simulator} {a.dtype}: recording adds {added:.1f} us a step"
                    f" ({100 * added / without.step_us:.0f} %)"
                )


def _rates(results: Sequence[Result]) -> Iterable[str]:
    """A simulation that is fast and wrong is no simulation."""
    for result in results:
        benchmark = NETWORKS[result.spec.network]
        low, high = benchmark.rate
        known = result.spec.size >= benchmark.rate_from and result.rate is not None
        if known and not low <= float(result.rate or 0) <= high:
            yield (
                f"note: {_name(result)} fires at {result.rate:.2f} Hz in {result.spec.simulator}"
                f" {result.spec.dtype}; over seconds of simulated time it is {low:g} to {high:g} Hz"
            )


def _name(result: Result) -> str:
    return f"{NETWORKS[result.spec.network].title} {result.spec.size}"


def as_json(results: Sequence[Result]) -> str:
    """The numbers with the machine and the versions they belong to."""
    versions = {"python": platform.python_version(), "jax": jax.__version__, "numpy": np.__version__}
    rows = [{**asdict(result.spec), **{k: v for k, v in asdict(result).items() if k != "spec"}} for result in results]
    machine = {"system": platform.platform(), "processor": platform.processor() or platform.machine()}
    return json.dumps({"machine": machine, "versions": versions, "results": rows}, indent=2)
