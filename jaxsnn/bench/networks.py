"""The networks that are measured, written once for every simulator that speaks Brian's language.

A builder takes the number of neurons and the simulator's names (`NeuronGroup`, `Synapses`, the units, ...): those of
jaxsnn by default, or the module ``brian2``. So both sides of a comparison run the very same text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any

from jaxsnn.errors import ArgumentError
from jaxsnn.network import Network
from jaxsnn.objects.monitors import SpikeMonitor
from jaxsnn.objects.neurongroup import NeuronGroup
from jaxsnn.objects.synapses import Synapses
from jaxsnn.units import UNITS

__all__ = ["JAXSNN", "NETWORKS", "Benchmark", "build"]

Objects = dict[str, Any]

JAXSNN = SimpleNamespace(NeuronGroup=NeuronGroup, Synapses=Synapses, SpikeMonitor=SpikeMonitor, **UNITS)
"""What a builder needs of a simulator, in jaxsnn."""


@dataclass(frozen=True)
class Benchmark:
    """A network of any size.

    Attributes:
        title: Name for a table.
        objects: ``objects(n, api)`` makes the groups and synapses; the group that is recorded is called ``"cells"``.
        rate: Least and greatest mean rate in hertz once the start has died away, at ``rate_from`` neurons or more.
        smallest: Least number of neurons (each needs that many partners).
        rate_from: Size from which the rate no longer depends on the size.
        source: Where the model comes from.
    """

    title: str
    objects: Callable[[int, Any], Objects]
    rate: tuple[float, float]
    smallest: int
    rate_from: int
    source: str


def cuba(n: int, api: Any) -> Objects:
    """Integrate-and-fire neurons with exponential currents, 80 random inputs each, four fifths excitatory."""
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
    return {"cells": cells, **_inputs(cells, {"we": 1.62 * mV}, {"wi": -9 * mV}, api)}


def cobahh(n: int, api: Any) -> Objects:
    """Hodgkin-Huxley neurons with conductances as synapses, 80 random inputs each, four fifths excitatory."""
    ms, mV, nS = api.ms, api.mV, api.nsiemens
    area = 20000 * api.umetre**2
    per_area = {"gl": 5e-5, "gNa": 0.1, "gK": 0.03}
    cells = api.NeuronGroup(
        n,
        """
        dv/dt = (gl*(El - v) + ge*(Ee - v) + gi*(Ei - v) - gNa*m**3*h*(v - ENa) - gK*n**4*(v - EK)) / C : volt
        dm/dt = alpha_m*(1 - m) - beta_m*m : 1
        dh/dt = alpha_h*(1 - h) - beta_h*h : 1
        dn/dt = alpha_n*(1 - n) - beta_n*n : 1
        dge/dt = -ge / taue : siemens
        dgi/dt = -gi / taui : siemens
        u = (v - VT) / mV : 1
        alpha_m = 1.28 / exprel((13 - u) / 4) / ms : Hz
        beta_m = 1.4 / exprel((u - 40) / 5) / ms : Hz
        alpha_h = 0.128 * exp((17 - u) / 18) / ms : Hz
        beta_h = 4 / (1 + exp((40 - u) / 5)) / ms : Hz
        alpha_n = 0.16 / exprel((15 - u) / 5) / ms : Hz
        beta_n = 0.5 * exp((10 - u) / 40) / ms : Hz
        """,
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
    cells.ge = "(1.5*randn() + 4) * 10*nS"
    cells.gi = "(12*randn() + 20) * 10*nS"
    return {"cells": cells, **_inputs(cells, {"we": 6 * nS}, {"wi": 67 * nS}, api)}


def _inputs(cells: Any, excitatory: Objects, inhibitory: Objects, api: Any) -> Objects:
    """80 inputs for each neuron on average, four fifths of them excitatory; all weights of a kind are equal."""
    n = len(cells)
    split = 4 * n // 5
    exc = api.Synapses(cells[:split], cells, on_pre="ge_post += we", namespace=excitatory, name="excitatory")
    inh = api.Synapses(cells[split:], cells, on_pre="gi_post += wi", namespace=inhibitory, name="inhibitory")
    for synapses in (exc, inh):
        synapses.connect(p=80 / n)
    return {"excitatory": exc, "inhibitory": inh}


def brunel(n: int, api: Any) -> Objects:
    """Noisy inhibitory neurons with 1000 random inputs each, every synapse with a delay of its own up to 4 ms."""
    ms, mV = api.ms, api.mV
    cells = api.NeuronGroup(
        n,
        "dv/dt = (mu - v + sigma*sqrt(tau)*xi) / tau : volt",
        threshold="v > theta",
        reset="v = Vr",
        refractory=2 * ms,
        method="euler",
        namespace={"tau": 20 * ms, "mu": 27 * mV, "sigma": 0.33 * mV, "theta": 20 * mV, "Vr": 10 * mV},
        name="cells",
    )
    cells.v = "Vr"
    inhibitory = api.Synapses(cells, cells, on_pre="v_post += w", namespace={"w": -0.1 * mV}, name="inhibitory")
    inhibitory.connect(p=1000 / n)
    inhibitory.delay = "rand() * 4*ms"
    return {"cells": cells, "inhibitory": inhibitory}


NETWORKS: Mapping[str, Benchmark] = MappingProxyType(
    {
        "cuba": Benchmark(
            "CUBA", cuba, (5.2, 5.8), 80, 4000, "Vogels and Abbott 2005, doi 10.1523/JNEUROSCI.3508-05.2005"
        ),
        "cobahh": Benchmark(
            "COBAHH", cobahh, (33, 41), 80, 4000, "Brette et al. 2007, benchmark 3, doi 10.1007/s10827-007-0038-6"
        ),
        "brunel": Benchmark(
            "Brunel-Hakim",
            brunel,
            (4.0, 4.2),
            1000,
            10000,
            "Brunel and Hakim 1999, doi 10.1162/089976699300016179; delays of single synapses",
        ),
    }
)
"""The networks by the names of the command line."""


def build(name: str, size: int, dtype: Any = "float32", recording: bool = True) -> tuple[Network, Objects]:
    """A network of `NETWORKS` in jaxsnn, with a spike monitor ``"spikes"`` if it is to be recorded.

    Raises:
        ArgumentError: for an unknown name, or fewer neurons than the model makes sense with.

    Example:
        >>> net, objects = build("cuba", 500)
        >>> print(len(objects["cells"]), sorted(objects))
        500 ['cells', 'excitatory', 'inhibitory', 'spikes']
    """
    if name not in NETWORKS:
        raise ArgumentError(f"there is no benchmark network {name!r}; there are {', '.join(NETWORKS)}")
    benchmark = NETWORKS[name]
    if size < benchmark.smallest:
        raise ArgumentError(f"{benchmark.title} needs at least {benchmark.smallest} neurons, got {size}")
    objects = benchmark.objects(size, JAXSNN)
    if recording:
        objects["spikes"] = SpikeMonitor(objects["cells"], name="spikes")
    return Network(*objects.values(), dtype=dtype), objects
