"""Delays of synapses: whole steps (`steps`), three kinds of buffer and the choice between them.

Delays between steps have a buffer of their own (`interpolated`).
"""

from jaxsnn.delays import interpolated, source_ring, spike_history, target_ring
from jaxsnn.delays.choice import Choice, choose
from jaxsnn.delays.slots import resize
from jaxsnn.delays.steps import delay_steps

__all__ = ["Choice", "choose", "delay_steps", "interpolated", "resize", "source_ring", "spike_history", "target_ring"]
