"""Neurons with compartments."""

from jaxsnn.simulation.compartments.cable import CableStep

__all__ = ["CableStep"]
