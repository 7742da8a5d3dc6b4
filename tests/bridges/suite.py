"""Brian2's own test suite on the device of the bridge, with a table of what came of it.

    python tests/bridges/suite.py [standalone] [multiple] [runtime] [--float32] [arguments of pytest]

The three sets: tests that Brian2 marks as compatible with any device (with one run, with several), and those that only
a runtime device can pass. Tests of the C++ device, of the GSL and those marked as long are left out.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["MPLBACKEND"] = "Agg"
# Most of the time is spent compiling steps that then run for milliseconds.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import brian2
import numpy as np
import pytest
from brian2.tests import PreferencePlugin, make_argv

import jaxsnn.bridges.brian2 as bridge

SETS = {
    "standalone": "standalone_compatible and not long and not multiple_runs",
    "multiple": "standalone_compatible and not long and multiple_runs",
    "runtime": "not standalone_compatible and not codegen_independent and not standalone_only and not long",
}
IDS = {
    "inside": "every run in our compiled step",
    "brian": "with runs in Brian2's own loop",
    "none": "without any run",
}


@dataclass
class Outcome:
    """One test: what pytest says, and where its runs went."""

    outcome: str = ""
    runs: int = 0
    reasons: tuple[str, ...] = ()
    why: str = ""

    @property
    def where(self) -> str:
        return "brian" if self.reasons else "inside" if self.runs else "none"


@dataclass
class Table:
    """A plugin of pytest that collects the outcomes."""

    tests: dict[str, Outcome] = field(default_factory=dict)
    before: tuple[int, int] = (0, 0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: Any) -> None:
        self.before = (bridge.device.runs, len(bridge.device.fallbacks))

    def pytest_runtest_logreport(self, report: Any) -> None:
        found = self.tests.setdefault(report.nodeid.split("/")[-1], Outcome())
        if report.when == "call" or report.outcome != "passed":
            found.outcome = report.outcome
            if report.outcome == "skipped":
                found.why = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
            elif report.outcome == "failed":
                found.why = str(getattr(report.longrepr, "reprcrash", report.longrepr)).strip().splitlines()[-1]
        if report.when == "call":
            found.runs = bridge.device.runs - self.before[0]
            found.reasons = tuple(f.reason for f in bridge.device.fallbacks[self.before[1] :])

    def __str__(self) -> str:
        lines = []
        outcomes = Counter(t.outcome for t in self.tests.values())
        lines.append(f"{len(self.tests)} tests: " + ", ".join(f"{n} {what}" for what, n in sorted(outcomes.items())))
        passed = [t for t in self.tests.values() if t.outcome == "passed"]
        for where, text in IDS.items():
            lines.append(f"  passed {text}: {sum(t.where == where for t in passed)}")
        for outcome in ("skipped", "failed"):
            for name, test in self.tests.items():
                if test.outcome == outcome:
                    lines.append(f"  {outcome}: {name}: {test.why[:200]}")
        reasons = Counter(r for t in self.tests.values() for r in set(t.reasons))
        lines.extend(f"  in Brian2's loop ({n} tests): {reason[:200]}" for reason, n in reasons.most_common())
        return "\n".join(lines)


def run(kind: str, dtype: Any, arguments: list[str]) -> Table:
    """Run one of the sets."""
    brian2.prefs.read_preference_file(__import__("io").StringIO(brian2.prefs.defaults_as_file))
    brian2.prefs["codegen.target"] = "numpy"
    brian2.prefs["core.default_float_dtype"] = dtype
    plugin = PreferencePlugin(brian2.prefs, fail_for_not_implemented=False)
    plugin.device = "jaxsnn"
    plugin.device_options = {"directory": None, "with_output": False}
    if kind == "multiple":
        plugin.device_options["build_on_run"] = False
    table = Table()
    folder = os.path.join(os.path.dirname(brian2.__file__), "tests")
    argv = make_argv([folder], SETS[kind])
    pytest.main([*argv, "-p", "no:xdist", "-p", "no:cacheprovider", *arguments], plugins=[plugin, table])
    return table


def main(arguments: list[str]) -> int:
    """Run the sets that are named, or all of them; print the tables."""
    kinds = [a for a in arguments if a in SETS] or list(SETS)
    dtype = np.float32 if "--float32" in arguments else np.float64
    rest = [a for a in arguments if a not in SETS and a != "--float32"]
    tables = {kind: run(kind, dtype, rest) for kind in kinds}
    failed = 0
    for kind, table in tables.items():
        print(f"\n== {kind}, {np.dtype(dtype)}, Brian2 {brian2.__version__}\n{table}")
        failed += sum(t.outcome == "failed" for t in table.tests.values())
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
