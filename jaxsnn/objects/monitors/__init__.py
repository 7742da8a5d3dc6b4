"""Monitors: spikes and other events, values of variables, population rates."""

from jaxsnn.objects.monitors.rates import PopulationRateMonitor
from jaxsnn.objects.monitors.spikes import EventMonitor, SpikeMonitor
from jaxsnn.objects.monitors.states import StateMonitor

__all__ = ["EventMonitor", "PopulationRateMonitor", "SpikeMonitor", "StateMonitor"]
