"""The networks that are measured, one file a family, written once for every simulator that speaks Brian's language."""

from jaxsnn.bench.networks.benchmark import JAXSNN, Benchmark, Population
from jaxsnn.bench.networks.table import NETWORKS, build, monitor_names

__all__ = ["JAXSNN", "NETWORKS", "Benchmark", "Population", "build", "monitor_names"]
