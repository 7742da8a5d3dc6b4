"""One script, two simulators: the same text runs in Brian2 (NumPy, float64) and in jaxsnn (float64).

A model is a function of a library, ``build(lib)``, that uses the names both have in common (``lib.NeuronGroup``,
``lib.ms``, ...) and returns its objects by name. `Both` builds it twice, runs both networks and compares everything
they hold: spikes exactly, recorded traces, rates and the variables of all groups up to rounding.

Random connections and initial values come from `draw`, a generator with the same numbers for both sides.
"""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

import jaxsnn
from jaxsnn import units

Objects = Mapping[str, Any]

OURS = SimpleNamespace(
    **{name: getattr(units, name) for name in units.__all__},
    **{
        name: getattr(jaxsnn, name)
        for name in (
            "EventMonitor",
            "NeuronGroup",
            "PoissonGroup",
            "PopulationRateMonitor",
            "SpikeGeneratorGroup",
            "SpikeMonitor",
            "StateMonitor",
            "Synapses",
        )
    },
)

RTOL = 1e-9
"""Rounding of a few hundred steps in float64, with the operations in another order."""


def draw(seed: int = 0) -> np.random.Generator:
    """Numbers that do not depend on either library."""
    return np.random.default_rng(seed)


def pairs(n_source: int, n_target: int, p: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A random synapse list (i, j), each pair with probability p."""
    return np.nonzero(draw(seed).random((n_source, n_target)) < p)


class Both:
    """A model in both simulators.

    Example:
        def test_decay(brian, x64):
            def build(lib):
                cells = lib.NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", method="exact")
                cells.v = [1, 2, 3]
                return {"cells": cells, "trace": lib.StateMonitor(cells, "v", record=True)}

            Both(brian, build).run(5).same()
    """

    def __init__(self, brian: Any, build: Callable[[Any], Objects], dt: float = 0.1) -> None:
        self.dt = dt * 1e-3
        brian.defaultclock.dt = dt * brian.ms
        brian.Network(brian.NeuronGroup(1, "")).run(0 * brian.ms)  # the clock stands where the last test ended
        self.libs = (OURS, brian)
        self.objects: tuple[Objects, Objects] = (build(OURS), build(brian))
        ours, theirs = (list(objects.values()) for objects in self.objects)
        self.networks = (jaxsnn.Network(*ours, dt=dt * units.ms, dtype="float64"), brian.Network(*theirs))

    @property
    def ours(self) -> SimpleNamespace:
        """The objects in jaxsnn, as attributes."""
        return SimpleNamespace(**self.objects[0])

    @property
    def theirs(self) -> SimpleNamespace:
        """The objects in Brian2, as attributes."""
        return SimpleNamespace(**self.objects[1])

    def run(self, milliseconds: float, namespace: Callable[[Any], Mapping[str, Any]] = lambda lib: {}) -> "Both":
        """Run both networks; ``namespace(lib)`` gives the values of names."""
        for lib, network in zip(self.libs, self.networks, strict=True):
            network.run(milliseconds * lib.ms, namespace=dict(namespace(lib)))
        return self

    def each(self, action: Callable[[Any, SimpleNamespace], Any]) -> "Both":
        """Do the same on both sides: ``action(lib, objects)``."""
        for lib, objects in zip(self.libs, self.objects, strict=True):
            action(lib, SimpleNamespace(**objects))
        return self

    def store(self, name: str = "default") -> "Both":
        for network in self.networks:
            network.store(name)
        return self

    def restore(self, name: str = "default") -> "Both":
        for network in self.networks:
            network.restore(name)
        return self

    def same(self, *, rtol: float = RTOL, atol: float = 0.0, silent: bool = False) -> "Both":
        """Compare everything; ``atol`` in base units; a spike monitor without spikes is an error unless ``silent``."""
        for name, ours in self.objects[0].items():
            theirs = self.objects[1][name]
            match type(ours).__name__:
                case "SpikeMonitor" | "EventMonitor":
                    steps = same_spikes(ours, theirs, self.dt, name)
                    assert silent or steps.size, f"{name}: nothing fired, so nothing was tested"
                    for variable in ours.variables:
                        new, expected = getattr(ours, f"{variable}_"), np.asarray(getattr(theirs, f"{variable}_")[:])
                        same_values(new, expected, rtol, atol, f"{name}.{variable}")
                case "StateMonitor":
                    same_traces(ours, theirs, rtol, atol, name)
                case "PopulationRateMonitor":
                    np.testing.assert_allclose(plain(ours.t), plain(theirs.t), rtol=0, atol=1e-12, err_msg=name)
                    np.testing.assert_allclose(plain(ours.rate), plain(theirs.rate), rtol=rtol, err_msg=name)
                case "NeuronGroup":
                    same_variables(ours, theirs, rtol, atol, name)
                case "Synapses":
                    for variable in (n for n, eq in ours.equations.items() if eq.kind != "subexpression"):
                        new, expected = np.asarray(getattr(ours, f"{variable}_")), getattr(theirs, f"{variable}_")[:]
                        same_values(new, np.asarray(expected), rtol, atol, f"{name}.{variable}")
        return self


def plain(values: Any) -> np.ndarray:
    """Values of a quantity of either library in base units."""
    return np.asarray(getattr(values, "value", values))


def same_spikes(ours: Any, theirs: Any, dt: float, name: str = "") -> np.ndarray:
    """The same neurons in the same steps, in the same order; returns the steps."""
    steps = np.rint(plain(ours.t) / dt).astype(int)
    expected = np.rint(plain(theirs.t) / dt).astype(int)
    index, expected_index = np.asarray(ours.i), np.asarray(theirs.i[:])
    n = min(steps.size, expected.size)
    wrong = np.flatnonzero((steps[:n] != expected[:n]) | (index[:n] != expected_index[:n]))
    if wrong.size or steps.size != expected.size:
        k = int(wrong[0]) if wrong.size else n

        def spike(t: np.ndarray, i: np.ndarray) -> str:
            return f"step {t[k]}, neuron {i[k]}" if k < t.size else "none"

        raise AssertionError(
            f"{name}: {steps.size} spikes, Brian2 has {expected.size}; the first that differs is spike {k}:"
            f" {spike(steps, index)}; in Brian2 {spike(expected, expected_index)}"
        )
    np.testing.assert_array_equal(ours.count, theirs.count[:], err_msg=name)
    return steps


def same_traces(ours: Any, theirs: Any, rtol: float, atol: float, name: str = "") -> None:
    """The same samples at the same times."""
    np.testing.assert_allclose(plain(ours.t), plain(theirs.t), rtol=0, atol=1e-12, err_msg=f"{name}.t")
    for variable in ours.variables:
        new, expected = getattr(ours, f"{variable}_"), np.asarray(getattr(theirs, f"{variable}_"))
        assert new.shape == expected.shape, f"{name}.{variable}: {new.shape}, in Brian2 {expected.shape}"
        same_values(new, expected, rtol, atol, f"{name}.{variable}")


def same_variables(ours: Any, theirs: Any, rtol: float, atol: float, name: str = "") -> None:
    """The same values of all stored variables."""
    stored = [n for n, eq in ours.equations.items() if eq.kind != "subexpression"]
    if "not_refractory" in theirs.variables:
        stored += ["not_refractory", "lastspike"]
    for variable in stored:
        new = np.asarray(getattr(ours, f"{variable}_"))
        expected = np.asarray(getattr(theirs, f"{variable}_")[:])
        same_values(new, expected, rtol, atol, f"{name}.{variable}")


def same_values(new: np.ndarray, expected: np.ndarray, rtol: float, atol: float, name: str) -> None:
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(new, expected, rtol=rtol, atol=atol, err_msg=name)
    else:
        np.testing.assert_array_equal(new, expected, err_msg=name)
