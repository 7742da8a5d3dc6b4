"""The command line: ``python -m jaxsnn demo``, ``info`` and ``bench``."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import jaxlib.version
import numpy as np

import jaxsnn
from jaxsnn import plot
from jaxsnn.bench import NETWORKS, Result, Spec, as_json, build, compare, table
from jaxsnn.bench.measure import SIMULATORS, BenchmarkError, default_steps
from jaxsnn.bench.training import Shape, compare_training
from jaxsnn.errors import JaxsnnError
from jaxsnn.events import Wiring, choose
from jaxsnn.units import second

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the arguments are those of the process by default. Returns the exit status."""
    given = _parser().parse_args(argv)
    try:
        return _COMMANDS[given.command](given)
    except (JaxsnnError, BenchmarkError) as error:
        print(f"jaxsnn {given.command}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="jaxsnn", description="Spiking neural networks, compiled to one JAX step.")
    parser.add_argument("--version", action="version", version=f"jaxsnn {jaxsnn.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{demo,info,bench}")

    demo = commands.add_parser("demo", help="simulate a network of spiking neurons and draw its spikes")
    smallest = NETWORKS["cuba"].smallest
    demo.add_argument("--neurons", type=_whole(smallest), default=4000, metavar="N", help="how many (default 4000)")
    demo.add_argument(
        "--duration", type=_seconds, default=1.0, metavar="S", help="simulated time in seconds (default 1)"
    )
    demo.add_argument(
        "--output", type=Path, default=Path("out/cuba.png"), metavar="FILE", help="picture (default out/cuba.png)"
    )

    commands.add_parser("info", help="versions, devices, and how spikes would be delivered here")

    bench = commands.add_parser("bench", help="measure the speed on this machine")
    bench.add_argument(
        "--set",
        choices=list(_SETS),
        default="quick",
        help="quick (default): two networks in two sizes; published: all networks in the sizes of the published table,"
        " in single precision, with and without recording",
    )
    bench.add_argument("--networks", nargs="+", choices=list(NETWORKS), help="default: those of the set")
    bench.add_argument("--sizes", nargs="+", type=_whole(1), metavar="N", help="neurons (default: those of the set)")
    bench.add_argument(
        "--dtypes", nargs="+", choices=["float32", "float64"], help="default: both (quick) or float32 (published)"
    )
    peers = [name for name in SIMULATORS if name != "jaxsnn"]
    bench.add_argument(
        "--peer",
        choices=peers,
        help="compare with Brian2 in C++ on one CPU thread, in float64, or with the same script of Brian2 on jaxsnn",
    )
    bench.add_argument("--recording", action="store_true", help="also without recording, to show what it costs")
    bench.add_argument("--steps", type=_whole(1), metavar="N", help="steps of a run (default: 2000 to 10000 by size)")
    bench.add_argument(
        "--repeats", type=_whole(1), metavar="N", help="runs after the first (default 3; training steps: 20)"
    )
    bench.add_argument(
        "--training",
        action="store_true",
        help="instead: a step of training a classifier, as equations and as a loop written by hand",
    )
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to a file")
    return parser


# ---- demo --------------------------------------------------------------------------------------------------------


def _demo(given: argparse.Namespace) -> int:
    begun = time.perf_counter()
    network, objects = build("cuba", given.neurons)
    cells, spikes = objects["cells"], objects["spikes"]
    synapses = sum(len(objects[name]) for name in ("excitatory", "inhibitory"))
    print(f"{len(cells)} neurons, {synapses} synapses, built in {time.perf_counter() - begun:.2f} s")
    print(f"on {_device_text()}")
    counted = 0
    for what in ("first run, compilation included", "second run"):
        begun = time.perf_counter()
        network.run(given.duration * second)
        wall = time.perf_counter() - begun
        rate = (spikes.num_spikes - counted) / (len(cells) * given.duration)
        counted = spikes.num_spikes
        print(f"{what}: {given.duration:g} s simulated in {wall:.2f} s", end="")
        print(f" (real-time factor {wall / given.duration:.2f}), mean rate {rate:.2f} Hz")
    print(_draw(spikes, given.output))
    return 0


def _draw(spikes: Any, path: Path) -> str:
    """Write the picture of the spikes; what became of it, in a sentence."""
    try:
        import matplotlib
    except ImportError:
        return "no picture: matplotlib is not installed (pip install 'jaxsnn-sim[plot]')"
    matplotlib.use("agg")  # a file needs no window
    axes = plot.raster(spikes)
    path.parent.mkdir(parents=True, exist_ok=True)
    axes.figure.savefig(path, dpi=150)
    return f"spikes drawn in {path}"


# ---- info --------------------------------------------------------------------------------------------------------

_PATHWAYS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "100 x 100, all to all": (100, 100),
        "1,000 x 1,000, all to all": (1_000, 1_000),
        "4,000 neurons, 80 synapses each": (4_000, 80),
        "100,000 neurons, 80 synapses each": (100_000, 80),
        "1,000,000 neurons, 1,000 synapses each": (1_000_000, 1_000),
    }
)


def _info(given: argparse.Namespace) -> int:
    versions = {
        "jaxsnn": jaxsnn.__version__,
        "Python": platform.python_version(),
        "jax": jax.__version__,
        "jaxlib": jaxlib.version.__version__,
        "numpy": np.__version__,
    }
    print("\n".join(f"{name:8}{version}" for name, version in versions.items()))
    print("devices " + ", ".join(f"{d.platform}:{d.id} {d.device_kind}" for d in jax.devices()))
    x64 = bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]
    print("float64 " + ("on" if x64 else "off (jax.config.update('jax_enable_x64', True) before anything runs)"))
    backend = "cpu" if jax.default_backend() == "cpu" else "gpu"
    print(f"\nhow a pathway whose weights do not change is delivered on this {backend}:")
    for text, (n, row) in _PATHWAYS.items():
        choice = choose(_wiring(n, row), True, backend)
        print(f"  {text}: {choice.name} ({choice.reason})")
    return 0


def _wiring(n: int, row: int) -> Wiring:
    """Connectivity of a size, with no memory behind it: the choice looks at sizes alone."""
    none = np.broadcast_to(np.int32(0), (n * row,))
    return Wiring(none, np.broadcast_to(np.int32(0), (n + 1,)), None, None, n, n, row, ())  # type: ignore[arg-type]


# ---- bench -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Set:
    """What is measured when the arguments do not say. ``sizes=None``: those of each network in the published table."""

    networks: tuple[str, ...]
    sizes: tuple[int, ...] | None
    dtypes: tuple[str, ...]
    bare: bool


_SETS: Mapping[str, _Set] = MappingProxyType(
    {
        "quick": _Set(("cuba", "cobahh"), (4000, 40_000), ("float32", "float64"), False),
        "published": _Set(tuple(NETWORKS), None, ("float32",), True),
    }
)


def _bench(given: argparse.Namespace) -> int:
    if given.training:
        # The shape of a published benchmark, for GPUs; a CPU gets one that it can do in a second.
        shape = Shape() if jax.default_backend() == "gpu" else Shape(batch=32, steps=64, inputs=100)
        print(compare_training(shape, given.repeats or 20, _say))
        return 0
    chosen = _SETS[given.set]
    results: list[Result] = []
    failed = 0
    for name in given.networks or chosen.networks:
        for size in given.sizes or chosen.sizes or NETWORKS[name].sizes:
            try:
                results += compare(_specs(given, chosen, name, size), given.repeats or 3, _say)
            except BenchmarkError as error:
                # One network that does not fit into memory leaves the others theirs.
                print(f"jaxsnn bench: {error}", file=sys.stderr)
                failed += 1
                continue
            if given.json is not None:  # after each network: a run that is cut short keeps what it has
                given.json.parent.mkdir(parents=True, exist_ok=True)
                given.json.write_text(as_json(results) + "\n", encoding="utf-8")
    if results:
        print(table(results))
    return 1 if failed else 0


def _specs(given: argparse.Namespace, chosen: _Set, network: str, size: int) -> list[Spec]:
    steps = given.steps or default_steps(size)
    bare = given.recording or chosen.bare
    dtypes = dict.fromkeys(given.dtypes or chosen.dtypes)
    ours = [Spec(network, size, dtype=dtype, steps=steps, bare=bare) for dtype in dtypes]
    # Brian2's C++ in the precision that its users have; Brian2 on jaxsnn in the same as jaxsnn itself.
    theirs = dtypes if given.peer == "bridge" else ("float64",)
    return ours + [Spec(network, size, given.peer, dtype, steps=steps) for dtype in theirs if given.peer]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ---- arguments ---------------------------------------------------------------------------------------------------


def _whole(least: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        try:
            value = int(text.replace("_", ""))
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least {least}")
        return value

    return whole


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    steps = value / 1e-4
    if not 0 < value < 1e6 or abs(steps - round(steps)) > 1e-4:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time in seconds that is a multiple of the time step of 0.0001 s, such as 0.5"
        )
    return value


def _device_text() -> str:
    device = jax.devices()[0]
    return "the CPU" if device.platform == "cpu" else f"{device.device_kind} ({device.platform})"


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = MappingProxyType(
    {"demo": _demo, "info": _info, "bench": _bench}
)

if __name__ == "__main__":
    sys.exit(main())
