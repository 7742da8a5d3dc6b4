"""A network of Brian2 as pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxsnn.bridges.brian2 import interface
from jaxsnn.bridges.brian2.device import Device
from jaxsnn.bridges.brian2.forms import Unsupported
from jaxsnn.bridges.brian2.lowering import lower
from jaxsnn.bridges.brian2.running import Boundary, Run, backend
from jaxsnn.errors import ArgumentError, NotSupportedError
from jaxsnn.simulation import Params, Setting, Simulation, State
from jaxsnn.simulation.gradient.setting import gradient_of
from jaxsnn.surrogate import Surrogate

__all__ = ["from_brian2"]


def from_brian2(
    network: Any,
    *,
    dtype: Any = None,
    namespace: Mapping[str, Any] | None = None,
    execution: str | None = None,
    unroll: int | None = None,
    inputs: tuple[str, ...] | list[str] = (),
    surrogate: Surrogate | Mapping[str, Surrogate] | None = None,
    detach_reset: bool | None = None,
    relaxed: bool = False,
    memory_limit: float | None = None,
    truncate: int | None = None,
) -> Simulation:
    """The pure `jaxsnn.Simulation` of a Brian2 ``Network``: for `jax.vmap`, `jax.grad` and fitting.

    ``init`` reads the values that Brian2's objects have at that moment. Parameters and state are addressed by Brian2's
    names: ``params["neurongroup"]["tau"]`` is the ``tau`` of the namespace of a group, ``params["synapses"]["w"]`` a
    variable of synapses. Nothing is written back to Brian2. The device that is active does not matter.

    Args:
        network: A Brian2 ``Network`` whose objects are complete.
        dtype: ``"float32"`` or ``"float64"`` (which has to be switched on in JAX); Brian2's preference if None.
        namespace: Values of names in equations; by default those visible where this is called.
        execution, unroll, inputs, surrogate, detach_reset, relaxed, memory_limit, truncate: As in
            `jaxsnn.Network.compile`.

    Raises:
        NotSupportedError: for a network with something that the bridge cannot carry, naming the object.

    Example:
        >>> import brian2, jax
        >>> from jaxsnn.bridges.brian2 import from_brian2
        >>> group = brian2.NeuronGroup(2, "dv/dt = -v/tau : 1", method="exact", name="cells")
        >>> group.v = [1, 2]
        >>> sim = from_brian2(brian2.Network(group), dtype="float32", namespace={"tau": 10 * brian2.ms})
        >>> params, state = sim.init()
        >>> final = lambda tau: sim.run({"cells": {"tau": tau}}, state, 100)[0]["cells"]["v"][0]
        >>> print(f"{jax.grad(final)(0.01):.2f}")  # exp(-T/tau) * T/tau**2 with T = tau = 10 ms
        36.79
    """
    kind = np.dtype(interface.default_dtype() if dtype is None else dtype)
    if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ArgumentError(f"dtype is 'float32' or 'float64', got {dtype!r}")
    if kind == np.float64 and not jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        raise ArgumentError(
            "Brian2 computes in float64, which has to be switched on in JAX before anything runs:"
            " jax.config.update('jax_enable_x64', True); or write from_brian2(..., dtype='float32')"
        )
    names = interface.local_namespace(1) if namespace is None else namespace
    with interface.device_for(Device):
        start, _ = interface.begin_run(network, interface.seconds(0.0), names)
        try:
            lowered = lower(interface.runners(network), kind)
        except Unsupported as reason:
            raise NotSupportedError(f"jaxsnn cannot carry this network of Brian2: {reason}") from None
        finally:
            network.after_run()
    run = Run(lowered, Boundary(), start, start)

    def make(key: Any, setting: Setting) -> tuple[Params, State]:
        return run.trees(setting, key)

    return Simulation(
        run.program,
        make,
        dtype=kind.type,
        backend=backend(),
        execution=execution,
        unroll=unroll,
        inputs=(inputs,) if isinstance(inputs, str) else tuple(inputs),
        gradient=gradient_of(run.program, surrogate, detach_reset, relaxed, memory_limit, truncate),
    )
