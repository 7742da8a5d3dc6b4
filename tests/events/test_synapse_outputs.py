"""Outputs that are new values of the synapses, in every execution, against a loop over synapses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxsnn.events import EXECUTIONS, NUMBER, Operands, Output, Wiring, event_list, history_wiring

MEMBERS = pytest.mark.parametrize(
    "member", [("masked", "cpu"), ("event_list", "cpu"), ("event_list", "gpu"), ("deterministic", "cpu")]
)
OUTPUTS = (Output("synapse", "w"), Output("target"), Output("synapse", "n"), Output("source"))
N, M, S = 40, 23, 700


def contribution(values):
    """A new weight, what it adds, a count, and what the source gets."""
    weight = 0.5 * values["w"] + values["a"] * values["c"]
    return weight, weight * values["b"], values["n"] + values[NUMBER], values["w"]


def case(kind):
    rng = np.random.default_rng(3)
    source, target = rng.integers(0, N, S), rng.integers(0, M, S)
    if kind == "long row":
        source = np.where(rng.random(S) < 0.8, 5, source)
    if kind != "shuffled":
        source = np.sort(source)
    return rng, source, target


@MEMBERS
@pytest.mark.parametrize("kind", ["sorted", "shuffled", "long row", "history"])
def test_new_values(member, kind, monkeypatch):
    name, backend = member
    monkeypatch.setattr(event_list, "LANES_OF_A_ROW", 64)  # rows of several pieces
    rng, source, target = case(kind)
    wiring, virtual, n_flags = Wiring.build(source, target, N, M), source, N
    if kind == "history":
        delay = rng.choice([0, 2, 5], S)
        wiring, delays = history_wiring(source, target, N, M, delay)
        virtual, n_flags = np.searchsorted(-delays, -delay) * N + source, 3 * N
    w, a, b = (rng.normal(size=n).astype(np.float32) for n in (S, N, M))
    execution = EXECUTIONS[name]
    operands = Operands({}, {"a": a}, {"b": b}, {"c": jnp.float32(2)})

    @jax.jit
    def run(flags, accumulators):
        prepared = execution.prepare(wiring, OUTPUTS, contribution, None, backend=backend)

        def step(carry, fired):
            return execution.deliver(prepared, wiring, fired, contribution, operands, carry), None

        return lax.scan(step, accumulators, flags)[0]

    flags = rng.random((6, n_flags)) < np.array([0.1, 0, 1, 0.3, 0.02, 0.5])[:, None]
    got = run(jnp.asarray(flags), (jnp.asarray(w), jnp.zeros(M), jnp.zeros(S, jnp.int32), jnp.zeros(N)))
    weight, post, count, pre = w.astype(float), np.zeros(M), np.zeros(S, int), np.zeros(N)
    for fired in flags:
        on = np.flatnonzero(fired[virtual])
        np.add.at(pre, source[on], weight[on])
        weight[on] = 0.5 * weight[on] + 2 * a[source[on]]
        np.add.at(post, target[on], weight[on] * b[target[on]])
        count[on] += on
    # float32 sums of some hundred terms of order one
    np.testing.assert_allclose(got[0], weight, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got[1], post, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(got[2], count)
    np.testing.assert_allclose(got[3], pre, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["sorted", "shuffled"])
def test_the_variables_are_never_copied(kind):
    """In a compiled loop over steps no (S,) array is copied: work goes with the spikes alone."""
    _, source, target = case(kind)
    wiring = Wiring.build(source, target, N, M)

    def run(wiring, flags, accumulators, a, b):
        operands = Operands({}, {"a": a}, {"b": b}, {"c": jnp.float32(2)})
        prepared = event_list.prepare(wiring, OUTPUTS, contribution, None, "cpu")

        def step(carry, fired):
            return event_list.deliver(prepared, wiring, fired, contribution, operands, carry), None

        return lax.scan(step, accumulators, flags)[0]

    arguments = (wiring, jnp.zeros((5, N), bool), (jnp.zeros(S), jnp.zeros(M), jnp.zeros(S, jnp.int32), jnp.zeros(N)))
    text = jax.jit(run).lower(*arguments, jnp.zeros(N), jnp.zeros(M)).compile().as_text()
    loops, entry = text.split("ENTRY")
    assert "while(" in entry
    copies = [line for line in loops.splitlines() if " copy(" in line and f"[{S}]" in line.split(" copy(")[0]]
    assert copies == []


def test_masked_blends_with_float_spikes():
    """Half a spike moves a value half the way, so that plasticity can carry a gradient."""
    wiring = Wiring.build([1, 0], [0, 0], 2, 1)
    masked = EXECUTIONS["masked"]
    prepared = masked.prepare(wiring, OUTPUTS[:1], lambda v: (v["w"] + 4,), None)

    def weights(spikes):
        return masked.deliver(prepared, wiring, spikes, lambda v: (v["w"] + 4,), None, (jnp.array([1.0, 2.0]),))[0]

    assert weights(jnp.array([0.5, 0.0])).tolist() == [1.0, 4.0]
    assert jax.jacobian(weights)(jnp.array([0.5, 0.0])).tolist() == [[0.0, 4.0], [4.0, 0.0]]
