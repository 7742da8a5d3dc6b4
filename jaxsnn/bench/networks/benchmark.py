"""What a row of the table of networks says: how to build it, which rates it has, where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from jaxsnn.objects.inputs.generator import SpikeGeneratorGroup
from jaxsnn.objects.inputs.poisson import PoissonGroup
from jaxsnn.objects.monitors import SpikeMonitor
from jaxsnn.objects.neurongroup import NeuronGroup
from jaxsnn.objects.synapses import Synapses
from jaxsnn.units import UNITS

__all__ = ["JAXSNN", "Benchmark", "Objects", "Population", "whole_group"]

Objects = dict[str, Any]

JAXSNN = SimpleNamespace(
    NeuronGroup=NeuronGroup,
    PoissonGroup=PoissonGroup,
    SpikeGeneratorGroup=SpikeGeneratorGroup,
    SpikeMonitor=SpikeMonitor,
    Synapses=Synapses,
    **UNITS,
)
"""What a builder needs of a simulator, in jaxsnn."""


@dataclass(frozen=True)
class Population:
    """Neurons whose mean rate is known: ``start`` up to ``stop`` of a group, which is recorded for that.

    Attributes:
        group: Name of the group among the objects of the network.
        start, stop: Its neurons.
        rate: Least and greatest mean rate in hertz, once the start has died away.
    """

    group: str
    start: int
    stop: int
    rate: tuple[float, float]

    @property
    def size(self) -> int:
        """The number of neurons."""
        return self.stop - self.start


@dataclass(frozen=True)
class Benchmark:
    """A network of any size.

    Attributes:
        title: Name for a table.
        objects: ``objects(n, api)`` makes the groups and synapses.
        populations: ``populations(n)``: what is recorded, by name.
        smallest: Least size (each neuron needs that many partners).
        rate_from: Size from which the rates no longer depend on the size.
        sizes: Those of the published table.
        source: Where the model comes from.
    """

    title: str
    objects: Callable[[int, Any], Objects]
    populations: Callable[[int], Mapping[str, Population]]
    smallest: int
    rate_from: int
    sizes: tuple[int, ...]
    source: str


def whole_group(least: float, greatest: float) -> Callable[[int], Mapping[str, Population]]:
    """All neurons of the group ``"cells"``, of which there are as many as the network is large.

    >>> whole_group(5.2, 5.8)(4000)["cells"].stop
    4000
    """
    return lambda n: {"cells": Population("cells", 0, n, (least, greatest))}
