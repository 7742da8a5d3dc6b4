"""What every test stands on: the CPU, float32, no window, and Brian2 as an oracle."""

import contextlib
import gc
import importlib
import importlib.util
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

# Before anything imports jax or pyplot: both read these once. On a machine with a GPU its tests
# run with JAX_PLATFORMS=cuda,cpu.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["MPLBACKEND"] = "Agg"
# Most of the time of most tests is LLVM optimising a step that then runs for milliseconds. Without it the suite takes
# two thirds of the time; `make test-all` sets XLA_FLAGS (to nothing) and so runs what users run.
if os.environ["JAX_PLATFORMS"] == "cpu":
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import pytest
from _pytest import doctest as pytest_doctest

# Brian2 puts a class of its own in the place of pytest's, which cannot collect doctests of packages in a folder.
collects_doctests = pytest_doctest.DoctestModule
with contextlib.suppress(ImportError):  # only the comparisons need it
    importlib.import_module("brian2")
pytest_doctest.DoctestModule = collects_doctests  # type: ignore[misc]

try:
    import hypothesis
except ImportError:  # only the property tests need it
    pass
else:
    # The first call of a jitted function compiles, so a deadline would measure XLA. The examples
    # are the same in every run: a failure in CI is there at home too.
    hypothesis.settings.register_profile("jaxsnn", deadline=None, derandomize=True)
    hypothesis.settings.load_profile("jaxsnn")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") is None:
        return
    import jax

    if jax.default_backend() != "gpu":
        pytest.skip(f"needs a GPU; JAX runs on {jax.default_backend()}")


modules = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def few_objects_to_look_at() -> None:
    """Brian2 collects garbage at each run, which looks at every object of JAX and SymPy: two thirds of its tests' time.

    What JAX has compiled would stay in memory to the end, gigabytes of it: now and then it is dropped.
    """
    if next(modules) % 20 == 19:
        importlib.import_module("jax").clear_caches()
        gc.unfreeze()
    gc.collect()
    gc.freeze()


@pytest.fixture
def x64() -> Iterator[None]:
    """64-bit floats for this one test; the rest of the suite runs in JAX's own default."""
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture(scope="session")
def brian_module() -> ModuleType:
    """Brian2, interpreted by NumPy: no compiler, and the target whose order of events we follow."""
    pytest.importorskip("brian2")
    brian2: Any = importlib.import_module("brian2")
    brian2.prefs.codegen.target = "numpy"
    # Brian2 tells which integration method it chose; a test that compares names it.
    brian2.BrianLogger.suppress_hierarchy("brian2", filter_log_file=True)
    return brian2


@pytest.fixture
def brian(brian_module: Any) -> Any:
    """Brian2 with no object of an earlier test in scope, the default time step and its own seed.

    Example:
        def test_decay(brian):
            group = brian.NeuronGroup(1, "dv/dt = -v / (10*ms) : 1", method="exact")
            brian.Network(group).run(1 * brian.ms)
    """
    brian_module.start_scope()
    brian_module.defaultclock.dt = 0.1 * brian_module.ms
    brian_module.seed(0)
    return brian_module


@pytest.fixture(scope="module")
def consolidation():
    """Imports a module of examples/consolidation by its name."""
    loaded = []

    def load(name: str) -> ModuleType:
        path = Path(__file__).resolve().parents[1] / "examples" / "consolidation" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"consolidation_{name}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # where dataclasses look up annotations
        loaded.append(spec.name)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in loaded:
        del sys.modules[name]
