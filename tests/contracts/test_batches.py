"""A batch under `jax.vmap` equals a loop, through every kind of synapse: parameters, weights, states, random keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contracts.compare import agree

import jaxsnn as snn
from jaxsnn.units import ms

N, STEPS, BATCH = 24, 50, 3
SOME = np.divmod(np.arange(0, N * N, 5), N)


@dataclass(frozen=True)
class Case:
    """Synapses by their arguments, and the executions that differ for their code."""

    arguments: dict[str, Any]
    executions: tuple[str, ...] = ("masked", "event_list")
    prepare: Callable[[Any], None] = lambda synapses: None


def spread(*names: str, longest: float = 1.9) -> Callable[[Any], None]:
    def prepare(synapses: Any) -> None:
        for k, name in enumerate(names):
            number = (np.arange(len(synapses)) * (5 + 2 * k)) % 17
            getattr(synapses, name).delay = longest * number / 16 * ms

    return prepare


STDP = "w : 1\nda/dt = -a/(4*ms) : 1 (event-driven)\ndb/dt = -b/(6*ms) : 1 (event-driven)"
PRE, POST = "v_post += w; a += 0.1; w = clip(w - 0.2*b, 0, 1)", "b += 0.1; w = clip(w + 0.2*a, 0, 1)"
ALL = ("dense", "masked", "event_list")
CASES = {
    "no delay": Case({"model": "w : 1", "on_pre": "v_post += w"}, ALL),
    "one delay": Case({"model": "w : 1", "on_pre": "v_post += w", "delay": 0.7 * ms}, ALL),
    "delays": Case({"model": "w : 1", "on_pre": "v_post += w; x_pre += w"}, ALL, spread("pre")),
    "interpolated": Case({"model": "w : 1", "on_pre": "v_post += w", "max_delay": 2 * ms}, ALL, spread("pre")),
    "read at arrival": Case({"model": "w : 1", "on_pre": "v_post += w*(1 + x_pre)"}, prepare=spread("pre")),
    "plastic": Case({"model": STDP, "on_pre": PRE, "on_post": POST, "delay": 0.3 * ms}),
    "plastic, delays": Case({"model": STDP, "on_pre": PRE, "on_post": POST}, prepare=spread("pre", "post")),
    "by chance": Case({"model": "w : 1", "on_pre": "v_post += w*int(rand() < 0.6)"}, prepare=spread("pre")),
    "statement by statement": Case(
        {"model": "w : 1", "on_pre": "v_post += w; w = clip(w - 0.02*v_post, 0, 1)"}, ("masked",), spread("pre")
    ),
    "one by one": Case({"model": "w : 1", "on_pre": "v_post += w*(1.5 - v_post)"}, ("masked",), spread("pre")),
}


def compiled(case: Case, execution: str) -> Any:
    cells = snn.NeuronGroup(
        N,
        "dv/dt = (I - v)/tau : 1\ndx/dt = -x/(5*ms) : 1\nI : 1 (constant)",
        threshold="v > 1",
        reset="v = 0; x += 0.1",
        method="exact",
        namespace={"tau": 5 * ms},
    )
    cells.I = 1.1 + np.arange(N) % 7 / 5
    cells.v = np.arange(N) / N
    synapses = snn.Synapses(cells, cells, **case.arguments)
    synapses.connect(i=SOME[0][::-1], j=SOME[1][::-1])
    synapses.w = 0.02 * (1 + np.arange(len(synapses)) % 5)
    case.prepare(synapses)
    spikes = snn.SpikeMonitor(cells)
    for label, given in (("cells", cells), ("synapses", synapses), ("spikes", spikes)):
        given.label(label)
    return snn.Network(cells, synapses, spikes).compile(execution=execution)


def stacked(trees: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def put_weights(params: Any, state: Any, factor: Any) -> tuple[Any, Any]:
    """Weights are state where the code changes them, parameters elsewhere."""
    if "w" in params.get("synapses", {}):
        return {**params, "synapses": {**params["synapses"], "w": params["synapses"]["w"] * factor}}, state
    values = {**state.values, "synapses": {**state.values["synapses"], "w": state.values["synapses"]["w"] * factor}}
    return params, replace(state, values=values)


def moving(state: Any) -> Any:
    return {name: getattr(state, name) for name in ("step", "values", "events", "rings", "cursors")}


def batches(sim: Any, what: str) -> tuple[Callable[[Any], tuple[Any, Any]], Any]:
    """A function from what is batched to parameters and state, and a batch of it."""
    params, state = sim.init(1)
    factors = jnp.array([0.7, 1.0, 1.3])
    match what:
        case "parameters":
            return lambda f: (sim.put(params, "cells.tau", sim.get(params, "cells.tau") * f), state), factors
        case "weights":
            return lambda f: put_weights(params, state, f), factors
        case "states":  # with spikes on their way, and at different times
            states = [moving(sim.run(params, state, n)[0]) for n in (0, 11, 22)]
            return lambda given: (params, replace(state, **given)), stacked(states)
        case "keys":
            keys = jax.random.split(jax.random.key(3), BATCH)
            return lambda key: (params, replace(state, tables=replace(state.tables, key=key))), keys
        case "delays":
            delay = params["synapses"]["delay"]
            return lambda f: (sim.put(params, "synapses.delay", delay * f), state), jnp.array([0.0, 0.83, 1.0])
    raise KeyError(what)


def product() -> list[Any]:
    found = []
    for k, (name, case) in enumerate(CASES.items()):
        for e, execution in enumerate(case.executions):
            kinds = ["parameters", "weights", "states"]
            kinds += ["keys"] if name == "by chance" else ["delays"] if name == "interpolated" else []
            for m, what in enumerate(kinds):
                # One of each case; the rest takes long.
                now = e == k % len(case.executions) and m == len(kinds) - 1 - k % 2
                marks = [] if now else [pytest.mark.slow]
                found.append(pytest.param(name, execution, what, marks=marks))
    return found


@pytest.mark.parametrize(("name", "execution", "what"), product())
def test_a_batch_equals_a_loop(name, execution, what):
    sim = compiled(CASES[name], execution)
    given, batch = batches(sim, what)

    def run(entry: Any) -> Any:
        state, record = sim.run(*given(entry), STEPS)
        return moving(state), record["spikes"].packed

    many, packed = jax.jit(jax.vmap(run))(batch)
    alone = jax.jit(run)
    each = [alone(jax.tree.map(lambda leaf, k=k: leaf[k], batch)) for k in range(BATCH)]
    assert np.any(np.asarray(packed), axis=(1, 2)).all(), "a network without spikes shows nothing"
    v = np.asarray(many["values"]["cells"]["v"])
    assert not np.allclose(v[0], v[2], rtol=1e-3), "what is batched has no effect here"
    for k, (state, its) in enumerate(each):
        np.testing.assert_array_equal(packed[k], its)
        agree(state, jax.tree.map(lambda leaf, k=k: leaf[k], many))
