"""The roof: joins what the user says with how it runs."""

from jaxsnn.network.network import Network
from jaxsnn.network.stream import Recording
from jaxsnn.network.sweep import Sweep

__all__ = ["Network", "Recording", "Sweep"]
