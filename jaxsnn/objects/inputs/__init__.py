"""Input to networks: Poisson spikes, spikes at given times, values that change with time."""

from jaxsnn.objects.inputs.generator import SpikeGeneratorGroup
from jaxsnn.objects.inputs.poisson import PoissonGroup, PoissonInput
from jaxsnn.objects.inputs.timed_array import TimedArray

__all__ = ["PoissonGroup", "PoissonInput", "SpikeGeneratorGroup", "TimedArray"]
