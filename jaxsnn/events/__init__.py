"""Spike delivery: one meaning (`contract`), several executions, and the choice between them."""

from jaxsnn.events.choice import EXECUTIONS, Choice, choose
from jaxsnn.events.contract import (
    NUMBER,
    Contribution,
    Execution,
    Operands,
    Output,
    Wiring,
    all_edge_values,
    edge_values,
    history_wiring,
)

__all__ = [
    "EXECUTIONS",
    "NUMBER",
    "Choice",
    "Contribution",
    "Execution",
    "Operands",
    "Output",
    "Wiring",
    "all_edge_values",
    "choose",
    "edge_values",
    "history_wiring",
]
