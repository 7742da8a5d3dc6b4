"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import jax
import numpy as np

from jaxsnn.bench.measure import Result, Spec
from jaxsnn.bench.networks import NETWORKS
from jaxsnn.bench.published import CARD, PUBLISHED, WHEN, Published

__all__ = ["as_json", "from_json", "table"]

_HEAD = (
    "network",
    "N",
    "synapses",
    "simulator",
    "target",
    "us/step",
    "best peer",
    "ratio",
    "rate",
    "recording",
    "first call",
    "build",
    "B/synapse",
)
_LEFT = {"network", "simulator", "best peer"}


def table(results: Sequence[Result]) -> str:
    """A Markdown table, one line a result, and below it what the numbers say.

    Targets and other simulators stand beside results of the card they were measured on only. Other simulators that were
    measured here, in the same network, are compared with.

    >>> from jaxsnn.bench.measure import Result, Spec
    >>> ours = Result(Spec("cuba", 4000), "cpu", 320_000, 10.0, 11.0, 2.0, 2.01, 0.1, 5.5)
    >>> peer = Result(Spec("cuba", 4000, "brian2", "float64"), "cpu", 320_000, 20.0, 21.0, 16.0, 16.02, 0.1, 5.5)
    >>> print(table([ours, peer]).splitlines()[-1])
    CUBA 4000: jaxsnn float32 against brian2 float64: step 2.00 times as fast, first 100 ms 7.97 times
    """
    rows = [_row(result) for result in results]
    widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
    rule = [
        "-" * width if name in _LEFT else "-" * (width - 1) + ":" for name, width in zip(_HEAD, widths, strict=True)
    ]
    lines = [
        "| "
        + " | ".join(
            cell.ljust(width) if name in _LEFT else cell.rjust(width)
            for name, cell, width in zip(_HEAD, row, widths, strict=True)
        )
        + " |"
        for row in (_HEAD, tuple(rule), *rows)
    ]
    below = [
        *_ratios(results),
        *_recording(results),
        *_populations(results),
        *_memory(results),
        *_rates(results),
    ]
    return "\n".join([*lines, "", *_where(results), *below])


def _row(result: Result) -> tuple[str, ...]:
    spec = result.spec
    known = _published(result)
    best = None if known is None else known.best
    return (
        NETWORKS[spec.network].title,
        str(spec.size),
        _short(result.synapses),
        f"{spec.simulator} {spec.dtype}" + ("" if spec.recording else ", no recording"),
        "-" if known is None or known.target is None else f"{known.target:g}",
        f"{result.step_us:.1f}",
        "-" if best is None else f"{best[0]} {best[1]:g}",
        "-" if best is None else f"{best[1] / result.step_us:.2f}",
        "-" if result.rate is None else f"{result.rate:.2f} Hz",
        "-" if result.bare_us is None else f"{result.step_us - result.bare_us:+.1f} us",
        "-" if result.compile_s is None else f"{result.compile_s:.2f} s",
        f"{result.build_s:.1f} s",
        "-" if result.synapse_bytes is None else f"{result.synapse_bytes:.1f}",
    )


def _published(result: Result) -> Published | None:
    """Numbers that this result can be held against: of the same card, in the same precision."""
    spec = result.spec
    comparable = CARD in result.device and spec.simulator == "jaxsnn" and spec.dtype == "float32"
    return PUBLISHED.get((spec.network, spec.size)) if comparable else None


def _short(number: int) -> str:
    """Large numbers in three digits.

    >>> _short(320_000), _short(298_880_941)
    ('320000', '2.99e8')
    """
    return str(number) if number < 1_000_000 else f"{number:.2e}".replace("e+0", "e").replace("e+", "e")


def _where(results: Sequence[Result]) -> Iterable[str]:
    devices = dict.fromkeys(result.device for result in results)
    yield (
        f"on {', '.join(devices)}. Times in microseconds per step of 0.1 ms, least of all repeats; first call:"
        f" compiling; recording: what it adds to a step"
    )
    if any(_published(result) for result in results):
        yield f"target and best peer: one NVIDIA {CARD}, {WHEN}, single precision; ratio: peer over jaxsnn"


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
    for result in results:
        if result.bare_us is not None:
            added = result.step_us - result.bare_us
            yield (
                f"{_name(result)}, {result.spec.simulator} {result.spec.dtype}: {result.bare_us:.1f} us a step without"
                f" recording, which adds {added:.1f} us ({100 * added / result.bare_us:.0f} %)"
            )


def _populations(results: Sequence[Result]) -> Iterable[str]:
    for result in results:
        if len(result.rates) > 1:
            rates = ", ".join(f"{name} {rate:.2f}" for name, rate in result.rates.items())
            yield f"{_name(result)}, {result.spec.simulator} {result.spec.dtype}: mean rates {rates} Hz"


def _memory(results: Sequence[Result]) -> Iterable[str]:
    for result in results:
        if result.peak_bytes is not None:
            yield (
                f"{_name(result)}, {result.spec.simulator} {result.spec.dtype}: at most"
                f" {result.peak_bytes / 2**30:.2f} GiB of device memory"
            )


def _rates(results: Sequence[Result]) -> Iterable[str]:
    """A simulation that is fast and wrong is no simulation."""
    for result in results:
        spec, benchmark = result.spec, NETWORKS[result.spec.network]
        if spec.size < benchmark.rate_from:
            continue
        populations = benchmark.populations(spec.size)
        for name, rate in result.rates.items():
            low, high = populations[name].rate
            if not low <= rate <= high:
                which = "" if len(populations) == 1 else f", {name},"
                yield (
                    f"note: {_name(result)}{which} fires at {rate:.2f} Hz in {spec.simulator} {spec.dtype}; over"
                    f" seconds of simulated time it is {low:.3g} to {high:.3g} Hz"
                )


def _name(result: Result) -> str:
    return f"{NETWORKS[result.spec.network].title} {result.spec.size}"


def as_json(results: Sequence[Result]) -> str:
    """The numbers with the machine and the versions they belong to, and what they are held against."""
    versions = {"python": platform.python_version(), "jax": jax.__version__, "numpy": np.__version__}
    machine = {"system": platform.platform(), "processor": platform.processor() or platform.machine()}
    return json.dumps({"machine": machine, "versions": versions, "results": [_flat(r) for r in results]}, indent=2)


def _flat(result: Result) -> dict[str, Any]:
    known = _published(result)
    return {
        **asdict(result.spec),
        **{name: value for name, value in asdict(result).items() if name != "spec"},
        "published": None if known is None else {"card": CARD, "when": WHEN, **asdict(known)},
    }


def from_json(text: str) -> list[Result]:
    """The results that `as_json` wrote.

    >>> from jaxsnn.bench.measure import Result, Spec
    >>> result = Result(Spec("cuba", 4000), "cpu", 320_000, 10.0, 11.0, 2.0, 2.01, 0.1, 5.5, {"cells": 5.5})
    >>> from_json(as_json([result])) == [result]
    True
    """
    return [Result(spec=Spec(**_only(Spec, row)), **_only(Result, row)) for row in json.loads(text)["results"]]


def _only(kind: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    return {f.name: row[f.name] for f in fields(kind) if f.name in row}
