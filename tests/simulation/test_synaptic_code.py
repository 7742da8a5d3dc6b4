"""Code of pathways against a plain interpreter, statement by statement over a queue of arrivals."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from simulation.synaptic_blocks import Statement, random_block, random_network, writes_what_it_has_read

from jaxsnn.equations.statements import parse_block
from jaxsnn.errors import NotSupportedError
from jaxsnn.program import Code, Summed, Update, Window
from jaxsnn.simulation.synaptic import analyse, deliver

pytestmark = pytest.mark.usefixtures("x64")
CASES = pytest.mark.parametrize(
    ("seed", "delays"),
    [
        (0, "none"),
        pytest.param(1, "same", marks=pytest.mark.slow),
        (2, "different"),
        pytest.param(3, "different", marks=pytest.mark.slow),
    ],
)


def same(got, expected):
    for key, value in expected.items():
        # Sums in another order: a few units in the last place of numbers of order one, grown over ten steps.
        np.testing.assert_allclose(got[key], value, rtol=1e-9, atol=1e-11, err_msg=str(key))


def network_of(seed, stages, delays):
    network = random_network(seed, delays=delays, recurrent=seed % 3 == 0)
    rng = np.random.default_rng(seed)
    for trigger in ("pre", "post"):
        network.pathways[trigger] = (random_block(rng, stages, 12 if stages == "any" else 6), network.delays())
    return network


def of_one_stage(network):
    return [analyse(op.code).several is None for op in network.parts().operations if hasattr(op, "trigger")]


@CASES
@pytest.mark.parametrize("stages", ["several", "any"])
def test_any_code(seed, delays, stages):
    network = network_of(seed, stages, delays)
    found = [analyse(op.code).one_by_one for op in network.parts().operations if hasattr(op, "trigger")]
    assert found == [writes_what_it_has_read(block) for block, _ in network.pathways.values()]
    assert any(found) == (stages == "any")
    same(network.run(), network.interpret())


@CASES
def test_code_of_one_stage_in_every_execution(seed, delays, monkeypatch):
    network = network_of(seed, "one", delays)
    if seed % 3:  # with a group connected to itself a block may add to one variable at both ends
        assert all(of_one_stage(network))
    expected = network.interpret()
    for execution, backend in (("masked", "cpu"), ("event_list", "cpu"), ("event_list", "gpu")):
        same(network.run(execution, backend=backend), expected)
    if delays != "different":

        def several(code):
            return replace(analyse(code), several="the test says so", changes=())

        monkeypatch.setattr(deliver, "analyse", several)
        same(network.run(), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Three synapses with w = 1, 2, 4 reach one neuron with x = 10 in one step.
        ("x_post += w; y_post = x_post", {"x": 17, "y": 17}),
        ("x_post = x_post*2", {"x": 80}),
        ("x_post = 2*x_post", {"x": 80}),
        ("x_post = w + x_post - 1", {"x": 14}),
        ("x_post /= w", {"x": 10 / 8}),
        ("x_post = w", {"x": 4}),
        # One by one, in the order w = 1, 2, 4.
        ("x_post = x_post*2 + w", {"x": 92}),
        ("x_post += w*(x_post - 9)", {"x": 39}),
        ("x_post += w*int(x_post < 12)", {"x": 13}),
        ("y_post = x_post; x_post += w", {"x": 17, "y": 13}),
        ("u = x_post; x_post = u/2; y_post += u", {"x": 1.25, "y": 17.5}),
        ("x_post += w; y_post = w*(x_post < 14)", {"x": 17, "y": 0}),
        ("u = w; u = u + 1; x_post += u; x_post += 1", {"x": 23}),
    ],
)
def test_counted_by_hand(text, expected):
    network = random_network(0, size=(3, 1, 3), steps=1)
    network.i, network.j = np.array([2, 0, 1], np.int32), np.zeros(3, np.int32)
    network.spikes = {"a": np.ones((1, 3), bool), "b": np.zeros((1, 1), bool)}
    # The queue goes by source: the synapse of source 2, the first one made, comes last.
    network.values[("s", "w")] = np.array([4.0, 1.0, 2.0])
    network.values |= {("b", "x"): np.array([10.0]), ("b", "y"): np.array([0.0])}
    network.pathways["pre"] = ([Statement(text, "", "", "")], np.array(0))
    got = network.run()
    assert {name: got[("b", name)].item() for name in expected} == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("stages", ["one", "several", "any"])
def test_vmap_is_a_loop(stages):
    network = network_of(2, stages, "none")
    sim = network.simulation()
    params, state = sim.init(jax.random.key(3))
    weights = jax.numpy.stack([state["s"]["w"], state["s"]["w"] + 0.5])

    def final(w):
        return sim.run(params, sim.put(state, "s.w", w), network.steps)[0].values

    together = jax.vmap(final)(weights)
    for k in range(2):
        alone = final(weights[k])
        jax.tree.map(lambda a, b, k=k: np.testing.assert_allclose(a[k], b, rtol=1e-12), together, alone)


def test_shared_variables_cannot_be_written():
    network = random_network(0)
    network.pathways["pre"] = ([Statement("g += w", "g", "add", "w")], np.array(0))
    with pytest.raises(NotSupportedError, match="'g' is shared by all synapses"):
        network.simulation()


def test_summed_variables_and_reads_through_synapses():
    network = random_network(5)
    parts = network.parts()
    synapses, b = Window("s", 0, network.i.size), Window("b", 0, 4)
    add = Code(parse_block("y_post = w*(x_pre - x_post)"), network.scope)
    own = Code(parse_block("q = x_pre + 10*x_post"), network.scope)
    parts.indices |= {"s.i": network.i, "s.j": network.j}
    parts.operations += [
        Summed(name="sum", slot="groups", order=-1, domain=synapses, target=b, code=add),
        Update(name="own", slot="groups", domain=synapses, code=own),
    ]
    network.parts = lambda: parts
    network.spikes = {"a": np.zeros((1, 5), bool), "b": np.zeros((1, 4), bool)}
    got = network.run()
    v = network.values
    x_pre, x_post = v[("a", "x")][network.i], v[("b", "x")][network.j]
    expected = np.zeros(4)
    np.add.at(expected, network.j, v[("s", "w")] * (x_pre - x_post))
    np.testing.assert_allclose(got[("b", "y")], expected, rtol=1e-14)
    np.testing.assert_allclose(got[("s", "q")], x_pre + 10 * x_post, rtol=1e-15)
