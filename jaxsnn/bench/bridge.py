"""The process that times a Brian2 script on jaxsnn: ``python -m jaxsnn.bench.bridge '{...}'``.

The script is the one that `jaxsnn.bench.brian` gives to Brian2's C++ device, with the one line that chooses the device
of the bridge. The time is that of the whole call of ``run``: Brian2's own preparation, values to the device and back,
and all recorded spikes in Brian2's monitors.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import brian2
import jax
import numpy as np

import jaxsnn.bridges.brian2  # noqa: F401 - makes the device known
from jaxsnn.bench.brian import counts, made

__all__ = ["serve"]


def serve(given: Mapping[str, Any]) -> None:
    """Build and run; then run again for each line of input."""
    brian2.BrianLogger.suppress_hierarchy("brian2")
    brian2.prefs.core.default_float_dtype = np.dtype(given["dtype"]).type
    brian2.set_device("jaxsnn", strict=True)
    brian2.seed(1)
    brian2.defaultclock.dt = 0.1 * brian2.ms
    network, objects, monitors, build = made(given, brian2)
    duration = given["steps"] * brian2.defaultclock.dt
    called = time.time()
    network.run(duration)
    now = time.time()
    device = jax.devices()[0]
    start = {
        "first": now - given["started"],
        "build": build,
        "call": now - called,
        "device": device.device_kind if device.platform != "cpu" else "cpu",
        "synapses": sum(len(x) for x in objects.values() if isinstance(x, brian2.Synapses)),
        "spikes": counts(monitors, given),
    }
    print(json.dumps(start), flush=True)
    before = start["spikes"]
    for _ in sys.stdin:
        begin = time.perf_counter()
        network.run(duration)
        seconds = time.perf_counter() - begin
        after = counts(monitors, given)
        new = None if after is None or before is None else {name: after[name] - before[name] for name in after}
        print(json.dumps({"seconds": seconds, "spikes": new}), flush=True)
        before = after


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
