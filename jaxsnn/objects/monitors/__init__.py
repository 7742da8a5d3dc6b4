"""Monitors: spikes and other events, values of variables, population rates."""

from jaxsnn.objects.monitors.rates import PopulationRateMonitor
from jaxsnn.objects.monitors.spikes import EventMonitor, SpikeMonitor
from jaxsnn.objects.monitors.states import StateMonitor
from jaxsnn.objects.monitors.statistics import StatisticsMonitor

__all__ = ["EventMonitor", "PopulationRateMonitor", "SpikeMonitor", "StateMonitor", "StatisticsMonitor"]
