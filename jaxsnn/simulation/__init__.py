"""How a program runs: the step, the simulation, its trees and records."""

from jaxsnn.simulation.frame import Setting
from jaxsnn.simulation.records import SpikeRecord, unpack
from jaxsnn.simulation.simulation import Simulation, duration_steps
from jaxsnn.simulation.state import Params, Schedule, State, Tables

__all__ = [
    "Params",
    "Schedule",
    "Setting",
    "Simulation",
    "SpikeRecord",
    "State",
    "Tables",
    "duration_steps",
    "unpack",
]
