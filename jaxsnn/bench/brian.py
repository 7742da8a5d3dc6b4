"""The process that times Brian2's C++ standalone device, one thread: ``python -m jaxsnn.bench.brian '{...}'``.

The time of the loop is the one that the generated program measures itself, without reading its arrays or writing
its results. The start is counted from just before Brian2 is imported, when Python, NumPy and SymPy are loaded
already; this is to Brian2's advantage.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxsnn.bench.networks import NETWORKS, monitor_names

__all__ = ["counts", "made", "serve"]


def serve(given: Mapping[str, Any]) -> None:
    """Generate, compile and run; then run again for each line of input."""
    begun = time.time()
    import brian2

    brian2.BrianLogger.suppress_hierarchy("brian2")
    brian2.prefs.core.default_float_dtype = np.dtype(given["dtype"]).type
    brian2.prefs.devices.cpp_standalone.openmp_threads = 0
    with tempfile.TemporaryDirectory() as folder:
        brian2.set_device("cpp_standalone", build_on_run=False)
        device = brian2.get_device()
        brian2.seed(1)
        brian2.defaultclock.dt = 0.1 * brian2.ms
        network, objects, monitors, build = made(given, brian2)
        network.run(given["steps"] * brian2.defaultclock.dt)
        device.build(directory=folder, compile=True, run=True, debug=False, with_output=False)
        counted = counts(monitors, given)
        now = time.time()
        start = {
            "first": now - begun,
            "loop": device._last_run_time,
            "build": build,
            "device": "cpu, 1 thread",
            "synapses": sum(len(x) for x in objects.values() if isinstance(x, brian2.Synapses)),
            "spikes": counted,
        }
        print(json.dumps(start), flush=True)
        for _ in sys.stdin:
            device.run(folder, with_output=False, run_args=[])
            print(json.dumps({"seconds": device._last_run_time, "spikes": counted}), flush=True)


def made(given: Mapping[str, Any], brian2: Any) -> tuple[Any, Mapping[str, Any], Mapping[str, Any], float]:
    """The network of Brian2, its objects, its monitors by group, and the seconds it took."""
    making = time.time()
    objects = NETWORKS[given["network"]].objects(given["size"], brian2)
    recorded = monitor_names(given["network"], given["size"]).values() if given["recording"] else ()
    monitors = {group: brian2.SpikeMonitor(objects[group]) for group in recorded}
    network = brian2.Network(*objects.values(), *monitors.values())
    return network, objects, monitors, time.time() - making


def counts(monitors: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, int] | None:
    """Spikes of each population, in monitors of Brian2."""
    if not monitors:
        return None
    neurons = {group: np.asarray(monitor.i) for group, monitor in monitors.items()}
    return {
        name: int(((neurons[p.group] >= p.start) & (neurons[p.group] < p.stop)).sum())
        for name, p in NETWORKS[given["network"]].populations(given["size"]).items()
    }


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
