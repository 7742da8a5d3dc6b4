"""What synapses do in a step: pathways of any code, and sums over synapses."""

from jaxsnn.simulation.synaptic.analysis import Analysis, Change, analyse
from jaxsnn.simulation.synaptic.deliver import DeliverStep
from jaxsnn.simulation.synaptic.summed import SummedStep

__all__ = ["Analysis", "Change", "DeliverStep", "SummedStep", "analyse"]
