"""The roof: joins what the user says with how it runs."""

from jaxsnn.network.network import Network
from jaxsnn.network.profiling import profiling_summary
from jaxsnn.network.results.stream import Recording
from jaxsnn.network.results.sweep import Sweep
from jaxsnn.network.running import stop

__all__ = ["Network", "Recording", "Sweep", "profiling_summary", "stop"]
