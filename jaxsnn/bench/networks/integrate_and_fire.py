"""CUBA: integrate-and-fire neurons with exponential currents, 80 or 1000 inputs each."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxsnn.bench.networks.benchmark import Objects

__all__ = ["cuba", "cuba_1000"]

WEIGHT_SCALE = 80 / 1000
"""Mean weights of `cuba_1000` as a part of those of `cuba`: 1000 inputs weigh as much as 80."""


def _cells(n: int, api: Any) -> Any:
    ms, mV = api.ms, api.mV
    cells = api.NeuronGroup(
        n,
        """
        dv/dt  = (ge + gi - (v - El)) / taum : volt (unless refractory)
        dge/dt = -ge / taue : volt
        dgi/dt = -gi / taui : volt
        """,
        threshold="v > Vt",
        reset="v = Vr",
        refractory=5 * ms,
        method="exact",
        namespace={
            "taum": 20 * ms,
            "taue": 5 * ms,
            "taui": 10 * ms,
            "El": -49 * mV,
            "Vt": -50 * mV,
            "Vr": -60 * mV,
        },
        name="cells",
    )
    cells.v = "Vr + rand() * (Vt - Vr)"
    return cells


def cuba(n: int, api: Any) -> Objects:
    """80 random inputs for each neuron on average, four fifths of them excitatory; all weights of a kind are equal."""
    cells, split = _cells(n, api), 4 * n // 5
    exc = api.Synapses(cells[:split], cells, on_pre="ge_post += we", namespace={"we": 1.62 * api.mV}, name="excitatory")
    inh = api.Synapses(cells[split:], cells, on_pre="gi_post += wi", namespace={"wi": -9 * api.mV}, name="inhibitory")
    for synapses in (exc, inh):
        synapses.connect(p=80 / n)
    return {"cells": cells, "excitatory": exc, "inhibitory": inh}


def cuba_1000(n: int, api: Any) -> Objects:
    """1000 random targets for each neuron, every synapse with a weight of its own; 10^9 synapses at 10^6 neurons.

    A synapse is an index of its source, one of its target and a weight: 12 bytes in single precision. The weights are
    uniform between zero and twice their mean, `WEIGHT_SCALE` times that of `cuba`: the mean input stays, its
    fluctuations are smaller, and the rate is lower. Targets are drawn with replacement; the same network at each call.
    """
    cells, split, out = _cells(n, api), 4 * n // 5, 1000
    rng = np.random.default_rng(1)
    objects: Objects = {"cells": cells}
    for name, variable, start, stop, mean in (
        ("excitatory", "ge", 0, split, 1.62e-3 * WEIGHT_SCALE),
        ("inhibitory", "gi", split, n, -9e-3 * WEIGHT_SCALE),
    ):
        # One delay for all, given here: without it each synapse would keep a delay of its own on the host.
        synapses = api.Synapses(
            cells[start:stop],
            cells,
            "w : volt (constant)",
            on_pre=f"{variable}_post += w",
            delay=0 * api.ms,
            name=name,
        )
        sources = np.repeat(np.arange(stop - start, dtype=np.int32), out)
        synapses.connect(i=sources, j=rng.integers(0, n, sources.size, dtype=np.int32))
        synapses.w_ = rng.random(sources.size, dtype=np.float32) * np.float32(2 * mean)
        objects[name] = synapses
    return objects
