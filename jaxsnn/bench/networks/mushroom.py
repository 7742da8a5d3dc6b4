"""The mushroom body of the locust: odour patterns, sparse Kenyon cells, plastic output synapses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxsnn.bench.networks.benchmark import Objects, Population
from jaxsnn.bench.networks.hodgkin_huxley import TRAUB_MILES

__all__ = ["kenyon_cells", "mushroom", "odours"]

PROJECTION_NEURONS = 100
OUTPUT_CELLS = 100
PERIOD = 5.0
"""Seconds after which the odours come again."""


def kenyon_cells(n: int) -> Mapping[str, Population]:
    """The intrinsic Kenyon cells, n of them, and the 100 extrinsic ones; both are recorded."""
    return {"iKC": Population("iKC", 0, n, (4.9, 5.9)), "eKC": Population("eKC", 0, OUTPUT_CELLS, (7.8, 11.0))}


def odours(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of the projection neurons: ``(neuron, time in second)``, the protocol of the Brian2GeNN benchmark.

    10 patterns of 20 neurons, each shown 10 times in a row, one every 50 ms. At each showing a binomial number of the
    neurons (10 % on average) is replaced by random ones, and all fire together, 1 to 3 ms after the beginning. That is
    what the benchmark shows in a run of one second or less. Here it repeats after `PERIOD` so that runs can be longer.

    >>> neurons, times = odours()
    >>> int(neurons.max()) < 100, float(times.max()) < PERIOD, len(set(times.tolist()))
    (True, True, 100)
    """
    rng = np.random.default_rng(seed)
    shown: list[np.ndarray] = []
    for _ in range(10):
        pattern = rng.choice(PROJECTION_NEURONS, 20, replace=False)
        for _ in range(10):
            replaced = rng.binomial(20, 0.1)
            kept = rng.permutation(pattern)[replaced:]
            # Unique, as a neuron fires once: a few of the random ones are there already.
            shown.append(np.unique(np.concatenate([kept, rng.integers(0, PROJECTION_NEURONS, replaced)])))
    times = np.arange(len(shown)) * 0.05 + 1e-3 + 2e-3 * rng.random(len(shown))
    return np.concatenate(shown), np.repeat(times, [neurons.size for neurons in shown])


def mushroom(n: int, api: Any) -> Objects:
    """100 projection neurons, n intrinsic Kenyon cells, 100 extrinsic ones with plastic inputs that inhibit each other.

    Projection neurons reach an intrinsic cell with probability 0.15 (weights 0.675 times 10 +- 1.25 nS). An extrinsic
    cell listens to all intrinsic ones, or to 10,000 of more. A fifth of those synapses start at 2.5 +- 0.5 nS, the
    others weak; they change by the timing of spikes within 0 and 3.75 nS. From 2500 cells on all this is divided by
    their number over 2500. The lateral horn of the published model is left out, as in the Brian2GeNN benchmark.
    """
    ms, nS, second = api.ms, api.nsiemens, api.second
    neurons, times = odours()
    pn = api.SpikeGeneratorGroup(PROJECTION_NEURONS, neurons, times * second, period=PERIOD * second, name="PN")
    ikc = _cells(n, {"g_pn": 2}, {}, "iKC", api)
    ekc = _cells(OUTPUT_CELLS, {"g_ikc": 10}, {"g_ekc": 5}, "eKC", api)

    pn_ikc = api.Synapses(pn, ikc, "w : siemens (constant)", on_pre="g_pn_post += w", name="PN_iKC")
    pn_ikc.connect(p=0.15)
    pn_ikc.w = "0.675 * (10 + 1.25*randn()) * nsiemens"

    scaling = max(min(n, 10_000) / 2500, 1.0)
    change = 0.1 / scaling * nS
    ikc_ekc = api.Synapses(
        ikc,
        ekc,
        """
        w : siemens
        dApre/dt = -Apre / tau : siemens (event-driven)
        dApost/dt = -Apost / tau : siemens (event-driven)
        """,
        on_pre="g_ikc_post += w; Apre += dApre; w = clip(w + Apost, 0*siemens, g_max)",
        on_post="Apost += dApost; w = clip(w + Apre, 0*siemens, g_max)",
        namespace={
            "tau": 10 * ms,
            "dApre": change,
            "dApost": -change,
            "g_max": 3.75 / scaling * nS,
            "scaling": scaling,
        },
        name="iKC_eKC",
    )
    ikc_ekc.connect(p=min(1.0, 10_000 / n))
    ikc_ekc.w = "rand() * g_max/10/scaling"
    ikc_ekc.w["rand() < 0.2"] = "(2.5 + 0.5*randn())*nsiemens / scaling"

    ekc_ekc = api.Synapses(ekc, ekc, on_pre="g_ekc_post += w", namespace={"w": 0.675 * 75 * nS}, name="eKC_eKC")
    ekc_ekc.connect()
    return {"iKC": ikc, "eKC": ekc, "PN": pn, "PN_iKC": pn_ikc, "iKC_eKC": ikc_ekc, "eKC_eKC": ekc_ekc}


def _cells(n: int, excitatory: Mapping[str, float], inhibitory: Mapping[str, float], name: str, api: Any) -> Any:
    """Neurons with conductances, named with their time constants in ms."""
    ms, mV = api.ms, api.mV
    taus = {**excitatory, **inhibitory}
    currents = [f"{g}*(v - Ee)" for g in excitatory] + [f"{g}*(v - Ei)" for g in inhibitory]
    equations = [
        "dv/dt = -(gNa*m**3*h*(v - ENa) + gK*n**4*(v - EK) + gl*(v - El) + " + " + ".join(currents) + ") / C : volt",
        *(f"d{g}/dt = -{g} / tau_{g} : siemens" for g in taus),
    ]
    cells = api.NeuronGroup(
        n,
        "\n".join(equations) + TRAUB_MILES,
        threshold="v > 0*mV",
        refractory="v > 0*mV",
        method="exponential_euler",
        namespace={
            "C": 0.3 * api.nfarad,
            "gNa": 7.15 * api.usiemens,
            "ENa": 50 * mV,
            "gK": 1.43 * api.usiemens,
            "EK": -95 * mV,
            "gl": 0.0267 * api.usiemens,
            "El": -63.56 * mV,
            "VT": -63 * mV,
            "Ee": 0 * mV,
            "Ei": -92 * mV,
            **{f"tau_{g}": tau * ms for g, tau in taus.items()},
        },
        name=name,
    )
    cells.v, cells.h, cells.n = "El", 1, 0.5
    return cells
