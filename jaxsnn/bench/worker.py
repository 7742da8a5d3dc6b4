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

from jaxsnn.bench.networks import NETWORKS, build, monitor_names
from jaxsnn.network import Network
from jaxsnn.objects.base import seed
from jaxsnn.objects.synapses import Synapses

__all__ = ["serve", "synapse_bytes"]


def serve(given: Mapping[str, Any]) -> None:
    """Build, compile and run; then run again for each line of input."""
    seed(1)
    begun = time.time()
    network, objects = build(given["network"], given["size"], given["dtype"], given["recording"])
    simulation = network.compile()
    params, state = jax.block_until_ready(simulation.init(1))
    built = time.time()
    steps = given["steps"]
    state, record = jax.block_until_ready(simulation.run(params, state, steps))
    now = time.time()
    device = jax.devices()[0]
    synapses = [x for x in objects.values() if isinstance(x, Synapses)]
    start = {
        "first": now - given["started"],
        "build": built - begun,
        "call": now - built,
        "device": device.device_kind if device.platform != "cpu" else "cpu",
        "synapses": sum(len(x) for x in synapses),
        "synapse_bytes": synapse_bytes(synapses, params, state),
        "spikes": _spikes(record, given),
    }
    bare = None
    if given["bare"]:
        # The same trees: what is recorded is no part of them, and a second copy of a billion synapses has no place.
        monitors = monitor_names(given["network"], given["size"])
        unrecorded = Network(*(o for name, o in objects.items() if name not in monitors), dtype=given["dtype"])
        bare = unrecorded.compile()
        state, _ = jax.block_until_ready(bare.run(params, state, steps))
    print(json.dumps(start), flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        state, record = jax.block_until_ready(simulation.run(params, state, steps))
        answer = {"seconds": time.perf_counter() - begin, "spikes": _spikes(record, given)}
        if bare is not None:
            begin = time.perf_counter()
            state, _ = jax.block_until_ready(bare.run(params, state, steps))
            answer["bare"] = time.perf_counter() - begin
        answer["peak"] = (device.memory_stats() or {}).get("peak_bytes_in_use")
        print(json.dumps(answer), flush=True)


def synapse_bytes(synapses: list[Synapses], params: Mapping[str, Any], state: Any) -> int:
    """Bytes of all arrays on the device that grow with the synapses: connectivity, delays, weights, traces."""
    names = {s.name: len(s) for s in synapses}
    own = [
        array
        for tree in (params, state.values, state.tables.values)
        for name, count in names.items()
        for array in tree.get(name, {}).values()
        if array.shape[:1] == (count,)
    ]
    return sum(int(array.nbytes) for array in (*jax.tree.leaves(state.tables.wirings), *own))


def _spikes(record: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, int] | None:
    """Spikes of each population."""
    if not given["recording"]:
        return None
    network, size = given["network"], given["size"]
    neurons = {group: record[monitor].events()[1] for monitor, group in monitor_names(network, size).items()}
    return {
        name: int(((neurons[p.group] >= p.start) & (neurons[p.group] < p.stop)).sum())
        for name, p in NETWORKS[network].populations(size).items()
    }


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
