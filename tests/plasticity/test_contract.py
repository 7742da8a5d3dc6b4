"""Every rule: it builds, prints, runs in float32, stays in its bounds, and is the same in Brian2."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plasticity.running import run, stored

from jaxsnn import Network, NeuronGroup, PoissonGroup, SpikeGeneratorGroup, StateMonitor
from jaxsnn.errors import ArgumentError
from jaxsnn.plasticity import (
    CALCIUM,
    OJA,
    RATE_STDP,
    RULES,
    SCALING,
    SHORT_TERM,
    STDP,
    STDP_MULTIPLICATIVE,
    TRIPLET_STDP,
    VOLTAGE_STDP,
)
from jaxsnn.units import Hz, ms, mV, second, strip

every_rule = pytest.mark.parametrize("name", RULES)

# A potential that passes all thresholds of the voltage-based rule.
NEURON = """
dv/dt = (-55*mV + 35*mV*sin(2*pi*30*Hz*t) - v)/(2*ms) : volt
hits : 1
"""
FAST = {
    # Rates that move the weights to their bounds in 50 ms.
    "STDP": {"A_plus": 0.4, "A_minus": 0.5},
    "STDP_NEAREST": {"A_plus": 0.5, "A_minus": 0.4},
    "STDP_POWER": {"eta": 0.4},
    "STDP_MULTIPLICATIVE": {"c_d": 0.3},
    "TRIPLET_STDP": {"A3_plus": 0.5, "A2_minus": 0.4},
    "TRIPLET_STDP_MINIMAL": {"A3_plus": 0.9, "A2_minus": 0.4},
    "TRIPLET_STDP_NEAREST": {"A3_plus": 0.5, "A2_minus": 0.4},
    "INHIBITORY_STDP": {"eta": 3.0},
    "REWARD_STDP": {"A_plus": 6.0, "A_minus": 4.0},
    "VOLTAGE_STDP": {"A_LTP": 8e-3 / mV**2, "A_LTD": 0.05 / mV},
    "CALCIUM": {"tau": 1 * second},
    "CALCIUM_NOISY": {"tau": 1 * second},
    "SCALING": {"beta": 3.0},
    "HEBB_HARD": {"eta": 100 * Hz},
    "HEBB_SOFT": {"eta": 100 * Hz},
    "OJA": {"eta": 20 * Hz},
    "BCM": {"eta": 50 * Hz, "tau_theta": 10 * ms},
    "RATE_STDP": {"A_plus": 400 * second, "A_minus": 300 * second, "w_max": 1.0, "tau": 2 * ms},
}


def trains(n, rate, duration, seed):
    """Random spike trains as steps."""
    return [np.flatnonzero(row < rate * 1e-4) for row in np.random.default_rng(seed).random((n, duration))]


def busy(name, duration=300, rate=300, brian=None, **arguments):
    """Three neurons onto two, all of them firing a lot."""
    rule = RULES[name]
    target = {"d": [0.0, 3.0]} if "d_post" in rule.equations else {}
    x = np.array([0.4, 1.0, 0.7])
    source = {"x": x * Hz if "x : Hz" in rule.source_equations else x} if rule.source_equations else {}
    return run(
        rule,
        trains(3, rate, duration, 1),
        trains(2, rate, duration, 2),
        duration,
        brian=brian,
        connect={"condition": "True"},
        neuron=NEURON,
        source_values=source,
        target_values=target,
        **{**FAST.get(name, {}), **arguments},
    )


def bound(rule, value):
    """A bound as a number."""
    return float(np.asarray(getattr(rule.values.get(value, value), "value", rule.values.get(value, value))))


@every_rule
def test_runs_in_float32_within_its_bounds(name):
    rule = RULES[name].with_values(**FAST.get(name, {}))
    transmit = "" if rule.source_equations else "hits_post += w" + "/nS" * ("siemens" in rule.equations)
    record = list({"w", *rule.bounds})
    done = busy(name, record=record, transmit=transmit, dtype="float32")
    for variable in record:
        assert np.all(np.isfinite(getattr(done.trace, variable)))
    constant = "w : 1" in rule.equations and "w =" not in rule.on_post
    if not constant:
        assert np.ptp(done.trace.w, axis=1).min() > 0, "every weight changes"
    for variable, (low, high) in rule.bounds.items():
        found = getattr(done.trace, variable)
        assert found.min() >= bound(rule, low) - 1e-6
        if high is not None:
            assert found.max() <= bound(rule, high) * (1 + 1e-6)
    if transmit:
        assert np.all(done.target.hits_ > 0)


@every_rule
def test_prints_everything(name):
    rule = RULES[name]
    shown = str(rule)
    texts = [rule.equations, *rule._pathways().values(), rule.on_post, rule.every_step]
    texts += [rule.source_equations, rule.neuron_equations, rule.neuron_reset]
    for line in "\n".join(texts).splitlines():
        assert line.strip() in shown
    for constant, value in rule.values.items():
        assert f"    {constant} = {value}" in shown
    assert rule.citation.doi in shown
    assert rule.citation.doi.startswith("10.")


@every_rule
def test_every_value_is_used(name):
    rule = RULES[name]
    texts = [rule.equations, str(rule.pre_code()), rule.on_post, rule.every_step]
    texts += [rule.neuron_equations, rule.neuron_reset]
    texts += [str(v) for v in (*rule.initial.values(), *rule.delays.values())]
    assert set(rule.values) <= set(re.findall(r"\w+", " ".join(texts)))
    for table in rule.patterns.values():
        assert set(table) <= set(rule.values)


@every_rule
def test_same_as_brian(name, brian, x64):
    silent = {"sigma": 0.0} if name == "CALCIUM_NOISY" else {}
    rule = RULES[name]
    record = stored(rule)
    ours = busy(name, record=record, **silent)
    theirs = busy(name, record=record, brian=brian, **silent)
    for variable in record:
        new, expected = getattr(ours.trace, variable), getattr(theirs.trace, variable)
        scale = np.abs(expected).max()
        assert scale > 0
        # Brian2 2.10 on Python 3.12 records the first sample of some synaptic variables from unwritten memory.
        tolerance = {"rtol": 1e-9, "atol": 1e-12 * scale, "err_msg": variable}
        np.testing.assert_allclose(new[:, 1:], expected[:, 1:], **tolerance)
    np.testing.assert_allclose(ours.w, theirs.w, rtol=1e-9)
    for line in rule.neuron_equations.split():
        if line.startswith("d") and line.endswith("/dt"):
            variable = line[1:-3]
            np.testing.assert_allclose(
                getattr(ours.target, f"{variable}_"), getattr(theirs.target, f"{variable}_")[:], rtol=1e-9
            )


# ---- a rule as a value -------------------------------------------------------------------------------


def test_values_of_each_synapse():
    source = SpikeGeneratorGroup(3, [0, 1, 2], [1, 1, 1] * ms)
    target = SpikeGeneratorGroup(1, [0], [2] * ms)
    wires = STDP.synapses(source, target, connect=True, A_plus="0.1*(i + 1)", w=[0.1, 0.2, 0.3])
    Network(source, target, wires).run(3 * ms)
    expected = [0.1, 0.2, 0.3] + 0.1 * np.arange(1, 4) * np.exp(-1 / 20)
    np.testing.assert_allclose(wires.w[:], expected, rtol=1e-5)


def test_initial_values_after_connecting_by_hand():
    source = PoissonGroup(4, 10 * Hz)
    wires = SHORT_TERM.synapses(source, NeuronGroup(2, "g : 1"), transmit="g_post += w*released")
    wires.connect(p=1.0)
    SHORT_TERM.initialise(wires, w="0.1*(j + 1)")
    np.testing.assert_allclose(wires.x[:], 1)
    np.testing.assert_allclose(wires.w[:], np.tile([0.1, 0.2], 4), rtol=1e-6)


def test_transmission_uses_the_weight_before_the_spike_changes_it(x64):
    source = SpikeGeneratorGroup(1, [0, 0], [2, 4] * ms)
    cells = NeuronGroup(1, "u : 1\ng : 1", threshold="t_in_timesteps == 10", reset="")
    wires = STDP.synapses(source, cells, transmit="g_post += w", connect=True, A_minus=0.1)
    trace = StateMonitor(cells, "g", record=0)
    Network(source, cells, wires, trace, dtype="float64").run(6 * ms)
    first, second = 0.5, 0.5 - 0.1 * np.exp(-1 / 20)
    assert trace.g[0, [21, 41]] == pytest.approx([first, first + second])


def test_combined_rules_act_as_both_do(x64):
    both = STDP.combined(SHORT_TERM)
    pre, post = [[20, 60, 110]], [[50, 100]]
    together = run(both, pre, post, 150, record=["w", "released"])
    np.testing.assert_array_equal(together.trace.w, run(STDP, pre, post, 150).trace.w)
    # x and u themselves are also brought up to date when the postsynaptic neuron fires.
    alone = run(SHORT_TERM, pre, post, 150, record=["released"])
    np.testing.assert_allclose(together.trace.released, alone.trace.released, rtol=1e-12)


def test_combined_with_an_equation_for_the_weight(x64):
    both = STDP.combined(SCALING)
    assert "w : 1" not in both.equations.splitlines()
    assert both.equations.count("dw/dt") == 1
    assert both.method == "euler"
    assert both.neuron_reset == "a += 1/tau_a"
    flow = run(both.with_values(beta=1.0), [[10]], [[20]], 100)
    assert flow.trace.w[0, 19] > 0.5 + 19e-4 * 4.9  # 1/(Hz s) * 10 Hz * 0.5
    assert flow.trace.w[0, 21] > flow.trace.w[0, 19] + 0.0045


def test_rules_can_be_edited_as_any_dataclass():
    edited = replace(STDP, on_post=STDP.on_post + "\nw *= 0.5")
    done = run(edited, [[]], [[10, 20]], 50, dtype="float32")
    np.testing.assert_allclose(done.w, 0.125)


def test_rules_cannot_be_changed_in_place():
    with pytest.raises(TypeError):
        STDP.values["A_plus"] = 1
    with pytest.raises(TypeError):
        CALCIUM.on_pre["calcium"] = ""


def test_with_values_leaves_the_original():
    changed = STDP.with_values(A_plus=1.0, w="w_max")
    assert (changed.values["A_plus"], changed.initial["w"]) == (1.0, "w_max")
    assert (STDP.values["A_plus"], STDP.initial["w"]) == (0.005, "0.5*w_max")


def test_pattern():
    cortex, hippocampus = TRIPLET_STDP.pattern("visual cortex"), TRIPLET_STDP.pattern("hippocampus")
    assert cortex.values == TRIPLET_STDP.values
    assert hippocampus.values["A3_plus"] == 6.7e-3
    assert hippocampus.name == "triplet STDP, hippocampus"
    assert strip(CALCIUM.pattern("cortical slices").values["D"], ms.dim, "") == pytest.approx(4.6098e-3)


def rate_neurons(method="euler", name="rates"):
    equations = f"{RATE_STDP.source_equations}\n{RATE_STDP.neuron_equations}"
    return NeuronGroup(2, equations, method=method, namespace=RATE_STDP.values, name=name)


def test_order_and_statements_of_every_step(x64):
    """Order 1 unless another is asked for; two rules cut off one after the other."""
    both = RATE_STDP.combined(replace(SCALING, equations="w : 1", neuron_equations="", every_step="w = 0.25*w_max"))
    assert both.order == 1
    assert both.every_step.splitlines() == ["w = clip(w, 0, w_max)", "w = 0.25*w_max"]
    neurons = rate_neurons()
    neurons.x = [1, 2] * Hz
    assert RATE_STDP.synapses(neurons, neurons, order=3).order == 3
    wires = both.synapses(neurons, neurons, connect=True, name="wires")
    network = Network(neurons, wires, dt=5 * ms, dtype="float64")
    network.run(5 * ms)
    assert wires.order == 1
    np.testing.assert_allclose(wires.w[:], 1 / 1024)
    np.testing.assert_allclose(neurons.y[:] / Hz, 3 / 512)  # the sum of the weights as they were
    text = str(network)
    names = ("wires_summed_variable_y_post", "rates_stateupdater", "wires_stateupdater", "wires_run_regularly")
    places = [text.index(f"{name}:") for name in names]
    assert places == sorted(places)


PLAIN = {"source": lambda: PoissonGroup(2, 1 * Hz), "target": lambda: NeuronGroup(2, "v : volt")}


@pytest.mark.parametrize(
    "call, part",
    [
        (lambda s, t: STDP.with_values(a_plus=1), "Did you mean 'A_plus'"),
        (lambda s, t: STDP.synapses(s, t, tau=1 * ms), "no constant or variable 'tau'"),
        (lambda s, t: STDP.synapses(s, t, w=0.1), "connect=True"),
        (lambda s, t: STDP.pattern("cortex"), "known: none"),
        (lambda s, t: TRIPLET_STDP.pattern("cortex"), "known: 'visual cortex', 'hippocampus'"),
        (lambda s, t: VOLTAGE_STDP.synapses(s, t), "no variable 'v_minus'; add to its equations"),
        (lambda s, t: SCALING.synapses(s, t), "to its reset"),
        (lambda s, t: OJA.synapses(s, t), "the source"),
        (lambda s, t: STDP.combined(STDP_MULTIPLICATIVE.with_values(tau_plus=5 * ms)), "make them equal"),
        (lambda s, t: SCALING.combined(VOLTAGE_STDP), "has two equations"),
        (lambda s, t: RATE_STDP.synapses(rate_neurons("exact"), rate_neurons(name="more")), "write that method there"),
        (lambda s, t: RATE_STDP.synapses(rate_neurons(), rate_neurons(None, "more")), "target more has method=None"),
        (lambda s, t: RATE_STDP.combined(replace(OJA, method=None, neuron_method="rk2")), "the neuron method 'euler'"),
    ],
)
def test_errors_say_what_to_write(call, part):
    with pytest.raises(ArgumentError, match=re.escape(part)):
        call(PLAIN["source"](), PLAIN["target"]())


def test_table_of_the_documentation_is_complete():
    page = (Path(__file__).resolve().parents[2] / "docs" / "plasticity.md").read_text()
    table = page.split("## Rules\n")[1].split("\n## ")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    documented = {name: row[3] for row in rows for name in re.findall(r"`([^`]*)`", row[1])}
    assert list(documented) == list(RULES)
    for name, source in documented.items():
        assert str(RULES[name].citation.year) in source
