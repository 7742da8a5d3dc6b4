"""Every execution against a loop over synapses in NumPy, and against sums counted by hand."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxsnn.errors import ArgumentError, IndexRangeError
from jaxsnn.events import EXECUTIONS, Operands, Output, Wiring, choose

# One name, and the backend whose variant is to be tested (event_list has two).
MEMBERS = [("dense", "cpu"), ("masked", "cpu"), ("event_list", "cpu"), ("event_list", "gpu"), ("deterministic", "cpu")]
ALL = pytest.mark.parametrize("member", MEMBERS, ids="-".join)
TARGET, SOURCE = Output("target"), Output("source")


class Case(NamedTuple):
    """A wiring in the user's order."""

    source: np.ndarray
    target: np.ndarray
    n_source: int
    n_target: int


def random_case(seed, n_source, n_target, n_synapses) -> Case:
    rng = np.random.default_rng(seed)
    source = rng.integers(0, n_source, n_synapses)
    return Case(source, rng.integers(0, n_target, n_synapses), n_source, n_target)


def skewed_case() -> Case:
    """Source 3 has 5,000 synapses, source 69 has 700, a few others one each, most none."""
    rng = np.random.default_rng(2)
    source = np.concatenate([np.full(5000, 3), np.full(700, 69), [0, 5, 17, 17, 70]])
    rng.shuffle(source)
    return Case(source, rng.integers(0, 40, source.size), 71, 40)


CASES = {
    "random": random_case(0, 100, 60, 900),
    "sorted": random_case(1, 37, 50, 400)._replace(source=np.sort(np.random.default_rng(1).integers(0, 37, 400))),
    "sparse rows": random_case(2, 1000, 30, 90),
    "words": random_case(3, 4096, 11, 6000),
    "one source": random_case(4, 1, 9, 30),
    "one target": random_case(5, 33, 1, 200),
    "no synapses": random_case(6, 20, 10, 0),
    "skewed": skewed_case(),
    "duplicates": Case(np.array([2, 2, 2, 0, 2, 0]), np.array([1, 1, 1, 1, 0, 1]), 4, 3),
}


def firing(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(n)
    one = np.zeros(n, bool)
    one[-1] = True
    return {
        "all": np.ones(n, bool),
        "none": np.zeros(n, bool),
        "last": one,
        "some": rng.random(n) < 0.05,
        "half": rng.random(n) < 0.5,
    }


def oracle(case, spikes, values, sides, accumulators, delay=None, step=0):
    """The sum over synapses, in the user's order and in float64."""
    results = [np.asarray(accumulator, np.float64).copy() for accumulator in accumulators]
    on = spikes[case.source]
    for side, value, result in zip(sides, values, results, strict=True):
        to = (case.target if side == "target" else case.source)[on]
        index = to if delay is None else ((step + delay[on]) % len(result), to)
        np.add.at(result, index, np.broadcast_to(value, case.source.shape)[on])
    return results


def weight_only(edge):
    return (edge["w"],)


def compiled(member, outputs, contribution, const=True):
    """``f(wiring, spikes, operands, accumulators, step)``: one execution, prepared and run."""
    name, backend = member
    execution = EXECUTIONS[name]

    @jax.jit
    def whole(wiring, spikes, operands, accumulators, step=0):
        prepared = execution.prepare(wiring, outputs, contribution, operands if const else None, backend=backend)
        return execution.deliver(prepared, wiring, spikes, contribution, operands, accumulators, step)

    return whole


def close(got, expected):
    # float32 sums of up to 5,000 terms of order one, in any order.
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(np.asarray(one), other, rtol=2e-5, atol=2e-4)


@ALL
@pytest.mark.parametrize("which", CASES)
def test_weights_of_single_synapses(member, which):
    case = CASES[which]
    wiring = Wiring.build(*case)
    weights = np.random.default_rng(9).normal(size=case.source.size).astype(np.float32)
    start = np.linspace(-1, 1, case.n_target, dtype=np.float32)
    operands = Operands(synapse={"w": jnp.asarray(weights)})
    deliver = compiled(member, (TARGET,), weight_only)
    for spikes in firing(case.n_source).values():
        got = deliver(wiring, spikes, operands, (start,))
        assert got[0].dtype == jnp.float32
        close(got, oracle(case, spikes, [weights], ["target"], [start]))


def expression(edge):
    """Two outputs that read every kind of operand, and a scalar for the third."""
    drive = edge["gain"] * edge["w"] * edge["u_pre"]
    return drive * (edge["v_post"] - 2.0), jnp.exp(-edge["u_pre"]) + edge["w"], edge["gain"]


@ALL
@pytest.mark.parametrize("which", ["random", "sorted", "skewed", "no synapses", "words"])
@pytest.mark.parametrize("const", [True, False], ids=["constant", "changing"])
@pytest.mark.parametrize("delayed", [False, True], ids=["at once", "delays"])
def test_expressions_with_all_operands(member, which, const, delayed):
    if member[0] == "dense" and not const:
        pytest.skip("dense needs constant contributions")
    case = CASES[which]
    rng = np.random.default_rng(5)
    w, u, v = (rng.normal(size=n) for n in (case.source.size, case.n_source, case.n_target))
    delay = rng.choice([0, 2, 3, 7], case.source.size) if delayed else None
    wiring = Wiring.build(*case, delay=delay)
    operands = Operands(
        {"w": jnp.float32(w)}, {"u_pre": jnp.float32(u)}, {"v_post": jnp.float32(v)},
        {"gain": jnp.float32(0.25)},
    )  # fmt: skip
    edge = {"w": w, "u_pre": u[case.source], "v_post": v[case.target], "gain": 0.25}
    values = [
        0.25 * edge["w"] * edge["u_pre"] * (edge["v_post"] - 2.0),
        np.exp(-edge["u_pre"]) + edge["w"],
        0.25,
    ]
    sides = ["target", "source", "target"]
    lead = (9,) if delayed else ()
    start = [rng.normal(size=(*lead, case.n_source if side == "source" else case.n_target)) for side in sides]
    deliver = compiled(member, tuple(map(Output, sides)), expression, const)
    for spikes in firing(case.n_source).values():
        got = deliver(wiring, spikes, operands, tuple(map(jnp.float32, start)), 6)
        close(got, oracle(case, spikes, values, sides, start, delay, step=6))


@ALL
def test_binary_decoder(member):
    """16 neurons firing in turn reach 4 neurons by the bits of their number (as GeNN tests it)."""
    numbers = np.arange(16)
    source, target = np.nonzero((numbers[:, None] >> np.arange(4)) & 1)
    wiring = Wiring.build(source, target, 16, 4)
    name, backend = member
    execution = EXECUTIONS[name]
    prepared = execution.prepare(wiring, (TARGET,), lambda e: (jnp.float32(1),), Operands(), backend=backend)

    def step(carry, number):
        spikes = jnp.arange(16) == number
        got = execution.deliver(prepared, wiring, spikes, None, None, (jnp.zeros(4),), 0)
        return carry, got[0]

    _, rows = lax.scan(step, None, jnp.arange(16))
    decoded = np.asarray(rows) @ (2 ** np.arange(4))
    assert decoded.tolist() == list(range(16))


@ALL
def test_delays_inside_scan_arrive_in_their_step(member):
    """One spike at step 3; synapses with delays 0, 1 and 4 arrive at steps 3, 4 and 7."""
    wiring = Wiring.build([1, 1, 1, 0], [0, 0, 2, 1], 2, 3, delay=[1, 0, 4, 2])
    name, backend = member
    execution = EXECUTIONS[name]
    weight = Operands(synapse={"w": jnp.array([1.0, 10.0, 100.0, 1000.0])})
    prepared = execution.prepare(wiring, (TARGET,), lambda e: (e["w"],), weight, backend=backend)

    def step(ring, t):
        spikes = jnp.array([False, True]) & (t == 3)
        (ring,) = execution.deliver(prepared, wiring, spikes, None, None, (ring,), t)
        return ring.at[t % 5].set(0.0), ring[t % 5]

    _, arrivals = jax.jit(lambda ring: lax.scan(step, ring, jnp.arange(12)))(jnp.zeros((5, 3)))
    expected = np.zeros((12, 3))
    expected[3, 0], expected[4, 0], expected[7, 2] = 10.0, 1.0, 100.0
    np.testing.assert_array_equal(arrivals, expected)


@ALL
def test_vmap_over_spikes_and_weights(member):
    case = CASES["skewed"]
    wiring = Wiring.build(*case)
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(3, case.source.size)).astype(np.float32)
    spikes = np.stack([np.zeros(71, bool), np.ones(71, bool), rng.random(71) < 0.1])
    name, backend = member
    execution = EXECUTIONS[name]

    def one(w, spikes):
        operands = Operands(synapse={"w": w})
        prepared = execution.prepare(wiring, (TARGET,), weight_only, operands, backend=backend)
        return execution.deliver(prepared, wiring, spikes, weight_only, None, (jnp.zeros(case.n_target),), 0)[0]

    got = jax.jit(jax.vmap(one))(weights, spikes)
    for row in range(3):
        zero = [np.zeros(case.n_target)]
        close([got[row]], oracle(case, spikes[row], [weights[row]], ["target"], zero))


@ALL
def test_integer_counts_are_exact(member):
    case = CASES["duplicates"]
    deliver = compiled(member, (TARGET,), lambda edge: (jnp.int32(1),))
    got = deliver(Wiring.build(*case), np.ones(4, bool), Operands(), (jnp.zeros(3, jnp.int32),))
    assert got[0].dtype == jnp.int32
    assert got[0].tolist() == [1, 5, 0]


@pytest.mark.parametrize("member", MEMBERS[1:], ids="-".join)
def test_infinite_values_of_silent_synapses_stay_outside(member):
    wiring = Wiring.build([0, 1, 2], [0, 0, 1], 3, 2)
    operands = Operands(source={"x": jnp.array([0.0, 4.0, jnp.nan])})
    deliver = compiled(member, (TARGET,), lambda edge: (1 / edge["x"],), const=False)
    got = deliver(wiring, np.array([False, True, False]), operands, (jnp.zeros(2),))
    assert got[0].tolist() == [0.25, 0.0]


@pytest.mark.parametrize("member", MEMBERS[:2], ids="-".join)
def test_gradients_are_the_linear_map(member):
    """d sum(c * out) / d w_s = spike * c[target]; d / d spike_i = sum over its row of w * c."""
    case = CASES["random"]
    wiring = Wiring.build(*case)
    rng = np.random.default_rng(8)
    weights, cost = rng.normal(size=case.source.size), rng.normal(size=case.n_target)
    spikes = (rng.random(case.n_source) < 0.3).astype(np.float32)
    execution = EXECUTIONS[member[0]]

    def loss(w, spikes):
        operands = Operands(synapse={"w": w})
        prepared = execution.prepare(wiring, (TARGET,), weight_only, operands)
        zero = (jnp.zeros(case.n_target),)
        (out,) = execution.deliver(prepared, wiring, spikes, weight_only, None, zero, 0)
        return jnp.sum(jnp.float32(cost) * out)

    by_weight, by_spike = jax.grad(loss, (0, 1))(jnp.float32(weights), jnp.float32(spikes))
    expected = np.zeros(case.n_source)
    np.add.at(expected, case.source, weights * cost[case.target])
    close([by_weight, by_spike], [spikes[case.source] * cost[case.target], expected])


def test_the_same_program_serves_every_spike_pattern():
    case = CASES["random"]
    wiring = Wiring.build(*case)
    traces = 0

    @partial(jax.jit, static_argnums=0)
    def deliver(name, wiring, spikes):
        nonlocal traces
        traces += 1
        execution = EXECUTIONS[name]
        prepared = execution.prepare(wiring, (TARGET,), lambda e: (jnp.float32(1),), Operands())
        return execution.deliver(prepared, wiring, spikes, None, None, (jnp.zeros(60),), 0)

    for spikes in firing(case.n_source).values():
        deliver("event_list", wiring, jnp.asarray(spikes))
    assert traces == 1


def test_wiring_keeps_a_sorted_order_and_remembers_another():
    kept = Wiring.build([0, 0, 2], [1, 0, 1], 4, 2)
    assert kept.synapse is None
    assert kept.row_start.tolist() == [0, 2, 2, 3, 3]
    assert kept.longest_row == 2
    moved = Wiring.build([2, 0, 2, 0], [5, 4, 3, 2], 3, 6, delay=[9, 8, 7, 8])
    assert moved.source.tolist() == [0, 0, 2, 2]
    assert moved.target.tolist() == [4, 2, 5, 3]  # stable: the user's order within a row
    assert moved.synapse.tolist() == [1, 3, 0, 2]
    assert moved.delay.tolist() == [8, 8, 9, 7]
    assert moved.distinct_delays == (7, 8, 9)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0, 3], [0, 0], 3, 1), IndexRangeError, "source holds 3; entries must be from 0 to 2"),
        (([0, 1], [0, -1], 3, 1), IndexRangeError, "target holds -1"),
        (([0, 1], [0], 3, 1), ArgumentError, "target has 1 entries for 2 synapses"),
        (([0.5], [0], 3, 1), ArgumentError, "source must hold whole numbers"),
        (([0], [0], 3, 1, [-2]), IndexRangeError, "delay holds -2"),
        (([], [], 2**31, 1), ArgumentError, "Split it into several pathways"),
    ],
)
def test_wiring_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        Wiring.build(*arguments)


def test_dense_refuses_changing_contributions():
    wiring = Wiring.build([0], [0], 1, 1)
    with pytest.raises(ArgumentError, match="use the 'masked' or the 'event_list' execution"):
        EXECUTIONS["dense"].prepare(wiring, (TARGET,), weight_only, None)


@pytest.mark.parametrize(
    ("n", "per_row", "constant", "on_cpu", "on_gpu"),
    [
        (20, 20, True, "dense", "dense"),
        (20, 20, False, "event_list", "masked"),
        (500, 20, True, "event_list", "dense"),
        (2_000, 20, True, "event_list", "masked"),
        (30_000, 100, True, "event_list", "event_list"),
    ],
)
def test_choice(n, per_row, constant, on_cpu, on_gpu):
    source = np.repeat(np.arange(n), per_row)
    wiring = Wiring.build(source, np.arange(source.size) % n, n, n)
    choices = [choose(wiring, constant, backend, delays=False) for backend in ("cpu", "gpu")]
    assert [choice.name for choice in choices] == [on_cpu, on_gpu]
    assert all(choice.reason for choice in choices)


def test_choice_counts_a_matrix_for_each_delay():
    source, target = np.divmod(np.arange(100 * 100), 100)
    wiring = Wiring.build(source, target, 100, 100, delay=np.arange(source.size) % 3)
    assert choose(wiring, constant=True, backend="cpu", delays=False).name == "dense"
    assert choose(wiring, constant=True, backend="cpu", delays=True).name == "event_list"
