"""The process that times jaxsnn: ``python -m jaxsnn.bench.worker '{"network": "cuba", ...}'``.

Its first line of output tells how long the start took; each line of input asks for one more run.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import jax

from jaxsnn.bench.networks import build
from jaxsnn.objects.base import seed

__all__ = ["serve"]


def serve(given: Mapping[str, Any]) -> None:
    """Build, compile and run; then run again for each line of input."""
    seed(1)
    begun = time.time()
    network, objects = build(given["network"], given["size"], given["dtype"], given["recording"])
    built = time.time()
    simulation = network.compile()
    params, state = simulation.init(1)
    state, record = jax.block_until_ready(simulation.run(params, state, given["steps"]))
    counted = _spikes(record)
    now = time.time()
    device = jax.devices()[0]
    start = {
        "first": now - given["started"],
        "build": built - begun,
        "device": device.device_kind if device.platform != "cpu" else "cpu",
        "synapses": sum(len(x) for name, x in objects.items() if name not in ("cells", "spikes")),
        "spikes": counted,
    }
    print(json.dumps(start), flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        state, record = jax.block_until_ready(simulation.run(params, state, given["steps"]))
        seconds = time.perf_counter() - begin
        print(json.dumps({"seconds": seconds, "spikes": _spikes(record)}), flush=True)


def _spikes(record: Mapping[str, Any]) -> int | None:
    return int(record["spikes"].events()[0].size) if "spikes" in record else None


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
