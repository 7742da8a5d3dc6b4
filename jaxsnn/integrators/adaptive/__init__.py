"""Adaptive integration: each element takes as many steps inside a time step as its error asks for."""

from jaxsnn.integrators.adaptive.method import GSL, Adaptive
from jaxsnn.integrators.adaptive.tableaux import TABLEAUX

__all__ = ["GSL", "TABLEAUX", "Adaptive"]
