"""How fast: published networks, timed the same way in jaxsnn and, where it is installed, in Brian2.

``python -m jaxsnn bench`` is the command; `build` gives the networks, `compare` measures them.
"""

from jaxsnn.bench.measure import Result, Spec, compare
from jaxsnn.bench.networks import NETWORKS, Benchmark, Population, build
from jaxsnn.bench.published import PUBLISHED, Published
from jaxsnn.bench.report import as_json, from_json, table

__all__ = [
    "NETWORKS",
    "PUBLISHED",
    "Benchmark",
    "Population",
    "Published",
    "Result",
    "Spec",
    "as_json",
    "build",
    "compare",
    "from_json",
    "table",
]
