"""Spike-timing dependent plasticity of Poisson inputs, without delay, with one or with many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxsnn.bench.networks.benchmark import Objects, Population

__all__ = ["few_cells", "stdp", "stdp_delay", "stdp_heterogeneous"]

INPUTS_OF_A_CELL = 1000


def few_cells(least: float, greatest: float) -> Any:
    """The populations of a network of n inputs: n / 1000 cells. The inputs are not recorded."""

    def populations(n: int) -> Mapping[str, Population]:
        return {"cells": Population("cells", 0, n // INPUTS_OF_A_CELL, (least, greatest))}

    return populations


def stdp(n: int, api: Any) -> Objects:
    """Poisson inputs at 15 Hz, n of them; each of n / 1000 cells receives 1000: about n plastic synapses."""
    return _plastic(n, api, {})


def stdp_delay(n: int, api: Any) -> Objects:
    """The same with a delay of 2 ms from the input to the synapse."""
    return _plastic(n, api, {"delay": 2 * api.ms})


def stdp_heterogeneous(n: int, api: Any) -> Objects:
    """The same with a delay of each synapse, up to 4 ms: plastic code that has to run when the spike arrives."""
    objects = _plastic(n, api, {})
    objects["synapses"].delay = "rand() * 4*ms"
    return objects


def _plastic(n: int, api: Any, delay: Objects) -> Objects:
    ms, mV = api.ms, api.mV
    inputs = api.PoissonGroup(n, rates=15 * api.hertz, name="inputs")
    cells = api.NeuronGroup(
        n // INPUTS_OF_A_CELL,
        """
        dv/dt = (ge*(Ee - Vr) + El - v) / taum : volt
        dge/dt = -ge / taue : 1
        """,
        threshold="v > Vt",
        reset="v = Vr",
        method="exact",
        namespace={"taum": 10 * ms, "taue": 5 * ms, "Ee": 0 * mV, "Vt": -54 * mV, "Vr": -60 * mV, "El": -74 * mV},
        name="cells",
    )
    gmax = 0.01
    synapses = api.Synapses(
        inputs,
        cells,
        """
        w : 1
        dApre/dt = -Apre / tau : 1 (event-driven)
        dApost/dt = -Apost / tau : 1 (event-driven)
        """,
        on_pre="ge += w; Apre += dApre; w = clip(w + Apost, 0, gmax)",
        on_post="Apost += dApost; w = clip(w + Apre, 0, gmax)",
        namespace={"tau": 20 * ms, "gmax": gmax, "dApre": 0.01 * gmax, "dApost": -0.01 * gmax * 1.05},
        name="synapses",
        **delay,
    )
    synapses.connect(p=INPUTS_OF_A_CELL / n)
    synapses.w = "rand() * gmax"
    return {"cells": cells, "inputs": inputs, "synapses": synapses}
