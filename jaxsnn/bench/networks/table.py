"""The networks by name, and how one is built in jaxsnn.

A builder takes the number of neurons and the simulator's names (`NeuronGroup`, `Synapses`, the units, ...): those of
jaxsnn by default, or the module ``brian2``. So both sides of a comparison run the very same text.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jaxsnn.bench.networks.benchmark import JAXSNN, Benchmark, Objects, whole_group
from jaxsnn.bench.networks.brunel_hakim import brunel, brunel_homogeneous
from jaxsnn.bench.networks.hodgkin_huxley import cobahh, cobahh_1000, cobahh_uncoupled
from jaxsnn.bench.networks.integrate_and_fire import cuba, cuba_1000
from jaxsnn.bench.networks.microcircuit import FULL, layers, microcircuit
from jaxsnn.bench.networks.mushroom import kenyon_cells, mushroom
from jaxsnn.bench.networks.stdp import few_cells, stdp, stdp_delay, stdp_heterogeneous
from jaxsnn.errors import ArgumentError
from jaxsnn.network import Network
from jaxsnn.objects.monitors import SpikeMonitor

__all__ = ["NETWORKS", "build", "monitor_names"]

VOGELS = "Vogels and Abbott 2005, doi 10.1523/JNEUROSCI.3508-05.2005"
BRETTE = "Brette et al. 2007, benchmark 3, doi 10.1007/s10827-007-0038-6"
ALEVI = "Alevi et al. 2022, doi 10.3389/fninf.2022.883700"
BRUNEL = "Brunel and Hakim 1999, doi 10.1162/089976699300016179"
SONG = "Song, Miller and Abbott 2000, doi 10.1038/78829"
NOWOTNY = "Nowotny et al. 2005, doi 10.1007/s00422-005-0019-7; Stimberg et al. 2020, doi 10.1038/s41598-019-54957-7"
POTJANS = "Potjans and Diesmann 2014, doi 10.1093/cercor/bhs358"

_SMALL_TO_LARGE = (4000, 100_000, 1_000_000)

NETWORKS: Mapping[str, Benchmark] = MappingProxyType(
    {
        "cuba": Benchmark("CUBA", cuba, whole_group(5.2, 5.8), 80, 4000, _SMALL_TO_LARGE, VOGELS),
        "cuba-1000": Benchmark(
            "CUBA, 1000 synapses",
            cuba_1000,
            whole_group(2.0, 2.7),
            1000,
            20_000,
            (1_000_000,),
            f"{VOGELS}; weights scaled to 1000 synapses a neuron",
        ),
        "cobahh": Benchmark("COBAHH", cobahh, whole_group(33, 41), 80, 4000, _SMALL_TO_LARGE, BRETTE),
        "cobahh-uncoupled": Benchmark(
            "COBAHH, uncoupled", cobahh_uncoupled, whole_group(10, 16), 1, 4000, _SMALL_TO_LARGE, f"{BRETTE}; {ALEVI}"
        ),
        "cobahh-1000": Benchmark(
            "COBAHH, 1000 synapses",
            cobahh_1000,
            whole_group(10, 16),
            1000,
            4000,
            (4000, 100_000),
            f"{BRETTE}; {ALEVI}",
        ),
        "brunel": Benchmark(
            "Brunel-Hakim",
            brunel,
            whole_group(4.0, 4.2),
            1000,
            10_000,
            (10_000, 50_000),
            f"{BRUNEL}; delays of single synapses as in {ALEVI}",
        ),
        "brunel-homogeneous": Benchmark(
            "Brunel-Hakim, one delay",
            brunel_homogeneous,
            whole_group(3.2, 3.9),
            1000,
            10_000,
            (10_000, 50_000),
            BRUNEL,
        ),
        "stdp": Benchmark(
            "STDP", stdp, few_cells(66, 84), 1000, 10_000, (10_000, 1_000_000), f"{SONG}; size as in {ALEVI}"
        ),
        "stdp-delay": Benchmark(
            "STDP, one delay",
            stdp_delay,
            few_cells(66, 84),
            1000,
            10_000,
            (10_000, 1_000_000),
            f"{SONG}; size as in {ALEVI}",
        ),
        "stdp-heterogeneous": Benchmark(
            "STDP, delays",
            stdp_heterogeneous,
            few_cells(66, 84),
            1000,
            10_000,
            (1_000_000,),
            f"{SONG}; delays of single synapses as in {ALEVI}",
        ),
        "mushroom": Benchmark("Mushroom body", mushroom, kenyon_cells, 1000, 10_000, (10_000, 100_000), NOWOTNY),
        "microcircuit": Benchmark("Microcircuit", microcircuit, layers, 800, FULL, (FULL,), POTJANS),
    }
)
"""The networks by the names of the command line."""


def monitor_names(name: str, size: int) -> dict[str, str]:
    """The group that each spike monitor of a network records, by the name of the monitor.

    >>> monitor_names("cuba", 4000), monitor_names("mushroom", 4000)
    ({'spikes': 'cells'}, {'spikes_iKC': 'iKC', 'spikes_eKC': 'eKC'})
    """
    groups = list(dict.fromkeys(p.group for p in NETWORKS[name].populations(size).values()))
    return {"spikes" if group == "cells" else f"spikes_{group}": group for group in groups}


def build(name: str, size: int, dtype: Any = "float32", recording: bool = True) -> tuple[Network, Objects]:
    """A network of `NETWORKS` in jaxsnn, with the spike monitors of `monitor_names` if it is to be recorded.

    Raises:
        ArgumentError: for an unknown name, or a size below that with which the model makes sense.

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
        objects |= {
            monitor: SpikeMonitor(objects[group], name=monitor) for monitor, group in monitor_names(name, size).items()
        }
    return Network(*objects.values(), dtype=dtype), objects
