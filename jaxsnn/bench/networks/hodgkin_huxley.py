"""COBAHH: Hodgkin-Huxley neurons with conductances as synapses, in three degrees of coupling."""

from __future__ import annotations

from typing import Any

from jaxsnn.bench.networks.benchmark import Objects

__all__ = ["TRAUB_MILES", "cobahh", "cobahh_1000", "cobahh_uncoupled"]

TRAUB_MILES = """
        dm/dt = alpha_m*(1 - m) - beta_m*m : 1
        dh/dt = alpha_h*(1 - h) - beta_h*h : 1
        dn/dt = alpha_n*(1 - n) - beta_n*n : 1
        u = (v - VT) / mV : 1
        alpha_m = 1.28 / exprel((13 - u) / 4) / ms : Hz
        beta_m = 1.4 / exprel((u - 40) / 5) / ms : Hz
        alpha_h = 0.128 * exp((17 - u) / 18) / ms : Hz
        beta_h = 4 / (1 + exp((40 - u) / 5)) / ms : Hz
        alpha_n = 0.16 / exprel((15 - u) / 5) / ms : Hz
        beta_n = 0.5 * exp((10 - u) / 40) / ms : Hz
"""
"""Gates of the sodium and potassium channels (Traub and Miles 1991), of a voltage ``v`` relative to ``VT``."""


def _cells(n: int, api: Any) -> Any:
    ms, mV = api.ms, api.mV
    area = 20000 * api.umetre**2
    per_area = {"gl": 5e-5, "gNa": 0.1, "gK": 0.03}
    cells = api.NeuronGroup(
        n,
        """
        dv/dt = (gl*(El - v) + ge*(Ee - v) + gi*(Ei - v) - gNa*m**3*h*(v - ENa) - gK*n**4*(v - EK)) / C : volt
        dge/dt = -ge / taue : siemens
        dgi/dt = -gi / taui : siemens
        """
        + TRAUB_MILES,
        threshold="v > -20*mV",
        refractory=3 * ms,
        method="exponential_euler",
        namespace={
            "C": area * api.ufarad / api.cmetre**2,
            **{name: area * value * api.siemens / api.cmetre**2 for name, value in per_area.items()},
            "El": -60 * mV,
            "EK": -90 * mV,
            "ENa": 50 * mV,
            "VT": -63 * mV,
            "Ee": 0 * mV,
            "Ei": -80 * mV,
            "taue": 5 * ms,
            "taui": 10 * ms,
        },
        name="cells",
    )
    cells.v = "El + 5*(randn() - 1)*mV"
    # Published without the clipping: a negative conductance then drives one neuron in some thousands to minus infinity.
    cells.ge = "clip(1.5*randn() + 4, 0, 100) * 10*nsiemens"
    cells.gi = "clip(12*randn() + 20, 0, 100) * 10*nsiemens"
    return cells


def cobahh(n: int, api: Any) -> Objects:
    """80 random inputs for each neuron on average, four fifths of them excitatory; all weights of a kind are equal."""
    cells, split = _cells(n, api), 4 * n // 5
    exc = api.Synapses(
        cells[:split], cells, on_pre="ge_post += we", namespace={"we": 6 * api.nsiemens}, name="excitatory"
    )
    inh = api.Synapses(
        cells[split:], cells, on_pre="gi_post += wi", namespace={"wi": 67 * api.nsiemens}, name="inhibitory"
    )
    for synapses in (exc, inh):
        synapses.connect(p=80 / n)
    return {"cells": cells, "excitatory": exc, "inhibitory": inh}


def cobahh_uncoupled(n: int, api: Any) -> Objects:
    """No synapses, the update alone: once the first conductances have decayed, neurons fire at a rate of their own."""
    return {"cells": _cells(n, api)}


def cobahh_1000(n: int, api: Any) -> Objects:
    """1000 random inputs for each neuron on average, with weights of their own that are too small to act.

    Every neuron fires as without synapses, and each of its spikes is delivered 1000 times.
    """
    cells, split = _cells(n, api), 4 * n // 5
    objects: Objects = {"cells": cells}
    for name, source, variable in (("excitatory", cells[:split], "ge"), ("inhibitory", cells[split:], "gi")):
        synapses = api.Synapses(
            source,
            cells,
            "w : siemens (constant)",
            on_pre=f"{variable}_post += w",
            delay=0 * api.ms,
            name=name,
        )
        synapses.connect(p=1000 / n)
        synapses.w = "rand() * 1e-9*nsiemens"
        objects[name] = synapses
    return objects
