"""How fast: published networks, timed the same way in jaxsnn and, where it is installed, in Brian2.

``python -m jaxsnn bench`` is the command; `build` gives the networks, `compare` measures them.
"""

from jaxsnn.bench.measure import Result, Spec, compare
from jaxsnn.bench.networks import NETWORKS, Benchmark, build
from jaxsnn.bench.report import as_json, table

__all__ = ["NETWORKS", "Benchmark", "Result", "Spec", "as_json", "build", "compare", "table"]
