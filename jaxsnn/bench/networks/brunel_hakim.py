"""Noisy inhibitory neurons with 1000 random inputs each, with one delay or many."""

from __future__ import annotations

from typing import Any

from jaxsnn.bench.networks.benchmark import Objects

__all__ = ["brunel", "brunel_homogeneous"]


def _cells(n: int, api: Any, mu: float, sigma: float) -> Any:
    ms, mV = api.ms, api.mV
    cells = api.NeuronGroup(
        n,
        "dv/dt = (mu - v + sigma*sqrt(tau)*xi) / tau : volt",
        threshold="v > theta",
        reset="v = Vr",
        refractory=2 * ms,
        method="euler",
        namespace={"tau": 20 * ms, "mu": mu * mV, "sigma": sigma * mV, "theta": 20 * mV, "Vr": 10 * mV},
        name="cells",
    )
    cells.v = "Vr"
    return cells


def brunel(n: int, api: Any) -> Objects:
    """Every synapse has a delay of its own up to 4 ms."""
    cells = _cells(n, api, 27, 0.33)
    inhibitory = api.Synapses(cells, cells, on_pre="v_post += w", namespace={"w": -0.1 * api.mV}, name="inhibitory")
    inhibitory.connect(p=1000 / n)
    inhibitory.delay = "rand() * 4*ms"
    return {"cells": cells, "inhibitory": inhibitory}


def brunel_homogeneous(n: int, api: Any) -> Objects:
    """As published: all synapses have a delay of 2 ms."""
    cells = _cells(n, api, 25, 1)
    inhibitory = api.Synapses(
        cells,
        cells,
        on_pre="v_post += w",
        delay=2 * api.ms,
        namespace={"w": -0.1 * api.mV},
        name="inhibitory",
    )
    inhibitory.connect(p=1000 / n)
    return {"cells": cells, "inhibitory": inhibitory}
