"""The one intermediate form: a scheduled list of operations on named variables.

What a user describes (groups, synapses, monitors) is lowered to a `Program`; what runs (the simulation) knows
nothing but the program and the arrays beside it. Everything here is symbolic and immutable: statements keep the
expression trees, names keep what they refer to, and ``print(program)`` shows the whole schedule.
"""

from jaxsnn.program.names import SLOTS, Code, Key, Link, Ref, Variable, Window, slot_position
from jaxsnn.program.operations import (
    Cable,
    Deliver,
    Emit,
    Invoke,
    Operation,
    RecordRate,
    RecordSpikes,
    RecordState,
    Reset,
    Summed,
    Threshold,
    Update,
)
from jaxsnn.program.program import Program

__all__ = [
    "SLOTS",
    "Cable",
    "Code",
    "Deliver",
    "Emit",
    "Invoke",
    "Key",
    "Link",
    "Operation",
    "Program",
    "RecordRate",
    "RecordSpikes",
    "RecordState",
    "Ref",
    "Reset",
    "Summed",
    "Threshold",
    "Update",
    "Variable",
    "Window",
    "slot_position",
]
