r"""jaxsnn: Brian-style equations become pure JAX step functions.

>>> import jaxsnn as snn
>>> from jaxsnn.units import ms, mV
>>> cells = snn.NeuronGroup(
...     3,
...     "dv/dt = (I - v)/tau : volt\nI : volt",
...     threshold="v > 10*mV",
...     reset="v = 0*mV",
...     namespace={"tau": 10 * ms},
... )
>>> cells.I = "(10 + 5*i)*mV"
>>> spikes = snn.SpikeMonitor(cells)
>>> snn.Network(cells, spikes).run(50 * ms)
>>> spikes.count.tolist()
[0, 4, 7]
"""

from typing import Any as _Any

from jaxsnn import adjoint, errors, fit, models, plasticity, plot, rates, surrogate, units
from jaxsnn.equations.system import Equations
from jaxsnn.network import Network, Recording, Sweep, profiling_summary, stop
from jaxsnn.objects.base import seed
from jaxsnn.objects.functions import BinomialFunction, Function
from jaxsnn.objects.groups import Subgroup
from jaxsnn.objects.inputs import PoissonGroup, PoissonInput, SpikeGeneratorGroup, TimedArray
from jaxsnn.objects.linked import linked_var
from jaxsnn.objects.monitors import EventMonitor, PopulationRateMonitor, SpikeMonitor, StateMonitor, StatisticsMonitor
from jaxsnn.objects.neurongroup import NeuronGroup
from jaxsnn.objects.schedule.clocks import Clock, EventClock
from jaxsnn.objects.schedule.functions import NetworkOperation, network_operation
from jaxsnn.objects.synapses import Synapses
from jaxsnn.simulation import Simulation, SpikeRecord

__version__ = "0.1.0"

__all__ = [
    "BinomialFunction",
    "Clock",
    "Equations",
    "EventClock",
    "EventMonitor",
    "Function",
    "Network",
    "NetworkOperation",
    "NeuronGroup",
    "PoissonGroup",
    "PoissonInput",
    "PopulationRateMonitor",
    "Recording",
    "Simulation",
    "SpikeGeneratorGroup",
    "SpikeMonitor",
    "SpikeRecord",
    "StateMonitor",
    "StatisticsMonitor",
    "Subgroup",
    "Sweep",
    "Synapses",
    "TimedArray",
    "adjoint",
    "errors",
    "fit",
    "linked_var",
    "models",
    "network_operation",
    "plasticity",
    "plot",
    "profiling_summary",
    "rates",
    "seed",
    "stop",
    "surrogate",
    "units",
]


def __getattr__(name: str) -> _Any:
    """`from_brian2`, whose module needs an extra and is imported when it is asked for."""
    if name == "from_brian2":
        from jaxsnn.bridges.brian2 import from_brian2

        return from_brian2
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
