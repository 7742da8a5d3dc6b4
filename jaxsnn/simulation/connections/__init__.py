"""Connections that follow a rule: what synapses read at their ends, and sums over them, without indices."""

from jaxsnn.simulation.connections.matrices import Matrices
from jaxsnn.simulation.connections.patterns import AllToAll, OneToOne, Pattern, find

__all__ = ["AllToAll", "Matrices", "OneToOne", "Pattern", "find"]
