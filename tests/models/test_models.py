"""Contract tests over the table of models, closed forms, and Brian2 running the same strings."""

import math
import re

import numpy as np
import pytest

from jaxsnn import Network, NeuronGroup, SpikeMonitor, StateMonitor
from jaxsnn.errors import ArgumentError, EquationError
from jaxsnn.models import (
    ADEX,
    ALPHA_CONDUCTANCE,
    ALPHA_CURRENT,
    BIEXPONENTIAL_CURRENT,
    EIF,
    EXPONENTIAL_CONDUCTANCE,
    EXPONENTIAL_CURRENT,
    HODGKIN_HUXLEY,
    IZHIKEVICH,
    IZHIKEVICH_2007,
    IZHIKEVICH_UNITS,
    LIF,
    MODELS,
    QIF,
    SYNAPSES,
    TRAUB_MILES,
)
from jaxsnn.units import Hz, Quantity, get_dimensions, ms, mV, nA, nS, pA, pF, quantity

DT = 1e-4

# Currents from below rheobase to strong, and the largest plausible number of spikes in 300 ms at the strongest.
CURRENTS = {
    "LIF": ([50, 150, 300, 600] * pA, 60),  # 1/t_ref is 200 Hz
    "QIF": ([30, 60, 120, 300] * pA, 60),
    "EIF": ([10, 50, 100, 300] * pA, 100),
    "ADEX": ([300, 700, 1000, 2000] * pA, 90),
    "IZHIKEVICH": ([2, 6, 10, 20], 60),
    "IZHIKEVICH_UNITS": ([2, 6, 10, 20] * mV / ms, 60),
    "IZHIKEVICH_2007": ([40, 80, 200, 400] * pA, 60),
    "TRAUB_MILES": ([-200, 100, 300, 1000] * pA, 60),
    "HODGKIN_HUXLEY": ([100, 2000, 3000, 6000] * pA, 40),
}
STEP = {name: row[0][2] for name, row in CURRENTS.items()}

every_model = pytest.mark.parametrize("name", MODELS)


def run(model, duration, n=1, record=None, dtype="float32", dt=DT, **overrides):
    """(spike monitor, state monitor or None, group) after a run."""
    cells = model.group(n, **overrides)
    spikes = SpikeMonitor(cells)
    objects = [cells, spikes]
    if record:
        objects.append(StateMonitor(cells, record, record=True))
    Network(*objects, dt=Quantity(dt, ms.dim), dtype=dtype).run(duration)
    return spikes, objects[-1] if record else None, cells


# ---- the contract ------------------------------------------------------------------------------------


def test_every_model_has_a_row_of_currents():
    assert CURRENTS.keys() == MODELS.keys()


@every_model
def test_step_current_in_float32(name):
    currents, most = CURRENTS[name]
    spikes, trace, _ = run(MODELS[name], 300 * ms, n=4, record=["v"], I=currents)
    assert np.all(np.isfinite(quantity(trace.v) / (1 if "volt" not in str(get_dimensions(trace.v)) else mV)))
    count = spikes.count
    assert count[0] == 0, "below rheobase"
    assert np.all(np.diff(count) > 0), "more current, more spikes"
    assert 10 <= count[-1] <= most


@every_model
def test_print_shows_every_text_and_value(name):
    model = MODELS[name]
    shown = str(model)
    for line in model.equations.strip().splitlines():
        assert line.strip() in shown
    for text in (model.threshold, model.method if isinstance(model.method, str) else model.method[0]):
        assert text in shown
    for constant in (*model.values, *model.initial, *model.patterns):
        assert f" {constant}" in shown
    assert model.citation.doi.startswith("10.")
    assert model.citation.doi in shown


@every_model
def test_every_value_is_used(name):
    model = MODELS[name]
    texts = [model.equations, model.threshold, model.reset, str(model.refractory), *map(str, model.initial.values())]
    words = set(re.findall(r"\w+", " ".join(texts)))
    assert set(model.values) <= words


def to_brian(brian, value):
    if isinstance(value, str) or get_dimensions(value).is_dimensionless:
        return value
    dimension = brian.units.fundamentalunits.get_or_create_dimension(list(map(float, value.dim.exponents)))
    return brian.Quantity(np.asarray(value.value), dim=dimension)


def brian_group(brian, model, synapses=(), **overrides):
    """The strings of the model typed into Brian2."""
    changed = model.with_values(**overrides)
    namespace = dict(changed.values)
    for synapse in synapses:
        namespace |= synapse.values
    group = brian.NeuronGroup(
        1,
        model.text(synapses),
        threshold=model.threshold,
        reset=model.reset,
        refractory=model.refractory,
        method=model.method,
        namespace={n: to_brian(brian, v) for n, v in namespace.items()},
    )
    for variable, value in changed.initial.items():
        setattr(group, variable, to_brian(brian, value))
    return group


@every_model
def test_same_as_brian(name, brian, x64):
    model = MODELS[name]
    variables = [line[1 : line.index("/")] for line in map(str.strip, model.equations.splitlines()) if "/dt" in line]
    spikes, trace, _ = run(model, 100 * ms, record=variables, dtype="float64", I=STEP[name])

    group = brian_group(brian, model, I=STEP[name])
    brian_spikes = brian.SpikeMonitor(group)
    brian_trace = brian.StateMonitor(group, variables, record=True)
    brian.Network(group, brian_spikes, brian_trace).run(100 * brian.ms)

    steps = np.round(np.asarray(brian_spikes.t_) / DT).astype(int)
    assert steps.size > 1
    assert np.round(spikes.t.value / DT).astype(int).tolist() == steps.tolist()
    for variable in variables:
        ours = np.asarray(getattr(trace, f"{variable}_"))[0, :200]
        theirs = np.asarray(getattr(brian_trace, f"{variable}_"))[0, :200]
        # A value that passes through 0 has no relative precision: the scale is that of the variable.
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max(), err_msg=variable)


def test_conductances_same_as_brian(brian, x64):
    kinds = [EXPONENTIAL_CONDUCTANCE("e"), ALPHA_CONDUCTANCE("i", tau=3 * ms, E=-80 * mV)]
    cells = LIF.group(1, synapses=kinds, I=150 * pA, g_e=5 * nS, x_i=8 * nS)
    trace = StateMonitor(cells, ["v", "g_i", "I_syn"], record=True)
    Network(cells, trace, dtype="float64").run(50 * ms)

    group = brian_group(brian, LIF, kinds, I=150 * pA)
    group.g_e, group.x_i = 5 * brian.nS, 8 * brian.nS
    brian_trace = brian.StateMonitor(group, ["v", "g_i", "I_syn"], record=True)
    brian.Network(group, brian_trace).run(50 * brian.ms)
    for variable in ("v", "g_i", "I_syn"):
        theirs = np.asarray(getattr(brian_trace, f"{variable}_"))
        ours = np.asarray(getattr(trace, f"{variable}_"))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12 * np.abs(theirs).max(), err_msg=variable)


# ---- closed forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize("current", [120, 200, 500])
def test_lif_rate(current, x64):
    spikes, _, _ = run(LIF, 400 * ms, dtype="float64", dt=1e-5, I=current * pA)
    tau, v_inf = 20e-3, -60e-3 + current * 1e-12 / 10e-9
    period = 5e-3 + tau * math.log((v_inf + 60e-3) / (v_inf + 50e-3))
    intervals = np.diff(spikes.t.value)
    assert intervals.size >= 5
    # A crossing is seen at the end of its step; the step that begins when the refractory period is over is
    # integrated, so that its end is one step early.
    assert np.all(intervals > period - 1e-5 - 1e-9)
    assert np.all(intervals < period + 1e-9)


@pytest.mark.parametrize("current", [60, 150, 400])
def test_qif_period(current, x64):
    spikes, _, _ = run(QIF, 300 * ms, dtype="float64", dt=1e-5, I=current * pA)
    # With u the distance from the middle of E_L and V_T: tau width du/dt = u^2 + c^2.
    width, middle, tau = 15e-3, -57.5e-3, 10e-3
    c = math.sqrt(width * current * 1e-12 / 10e-9 - width**2 / 4)
    period = tau * width / c * (math.atan((20e-3 - middle) / c) - math.atan((-70e-3 - middle) / c))
    intervals = np.diff(spikes.t.value)
    assert intervals.size >= 3
    assert np.all(intervals > period - 1e-7)
    assert np.all(intervals < period + 1e-5 + 1e-7)


def test_rheobase_of_eif():
    # g_L (V_T - E_L - Delta_T), where the curve of the current has its minimum.
    rheobase = 10e-9 * (-59.9e-3 + 65e-3 - 3.48e-3) / 1e-12
    spikes, _, _ = run(EIF, 800 * ms, n=2, I=[rheobase - 1, rheobase + 1] * pA)
    assert spikes.count[0] == 0
    assert spikes.count[1] > 0


@pytest.mark.parametrize("name", ["IZHIKEVICH", "HODGKIN_HUXLEY", "LIF", "ADEX"])
def test_rests_where_it_starts(name):
    _, trace, _ = run(MODELS[name], 50 * ms, record=["v"], I=0 if name == "IZHIKEVICH" else 0 * pA)
    v = np.asarray(trace.v_)[0] * (1 if name == "IZHIKEVICH" else 1e3)
    assert np.ptp(v) < 0.1, "mV"  # AdEx: the exponential shifts the rest by 2 mV exp(-10); H&H round their E_L


def test_izhikevich_with_units_is_the_printed_model(x64):
    plain, trace, _ = run(IZHIKEVICH.pattern("chattering"), 200 * ms, record=["v", "u"], dtype="float64")
    units, with_units, _ = run(IZHIKEVICH_UNITS.pattern("chattering"), 200 * ms, record=["v", "u"], dtype="float64")
    assert plain.num_spikes > 5
    np.testing.assert_allclose(units.t.value, plain.t.value)
    np.testing.assert_allclose(with_units.v_[0, :400] * 1e3, trace.v[0, :400], rtol=1e-7)
    np.testing.assert_allclose(with_units.u_[0, :400], trace.u[0, :400], rtol=1e-7)


@pytest.mark.parametrize("model", [TRAUB_MILES, HODGKIN_HUXLEY], ids=lambda model: model.name)
def test_rates_have_no_hole(model):
    """The printed form r x/(exp(x/s) - 1) beside each x = 0, and its limit r s there."""
    table = {
        TRAUB_MILES.name: {
            "alpha_m": (13 - 63, 0.32, 4, -1), "beta_m": (40 - 63, 0.28, 5, 1), "alpha_n": (15 - 63, 0.032, 5, -1),
        },
        HODGKIN_HUXLEY.name: {"alpha_m": (25 - 65, 0.1, 10, -1), "alpha_n": (10 - 65, 0.01, 10, -1)},
    }  # fmt: skip
    for rate, (hole, r, s, sign) in table[model.name].items():
        v = hole + np.array([-20.0, -1.0, 0.0, 1.0, 20.0])
        cells = model.group(5, v=v * mV)
        x = sign * (v - hole)
        with np.errstate(invalid="ignore"):
            expected = np.where(x == 0, r * s, r * x / np.expm1(x / s))
        np.testing.assert_allclose(getattr(cells, rate)[:] / (1000 * Hz), expected, rtol=1e-12)


# ---- firing patterns ---------------------------------------------------------------------------------


def intervals(model, duration=500 * ms):
    spikes, _, _ = run(model, duration)
    return np.diff(spikes.t.value) * 1e3


def test_adex_patterns_do_what_their_names_say():
    found = {name: intervals(ADEX.pattern(name)) for name in ADEX.patterns}
    tonic, adapting = found["tonic spiking"], found["adaptation"]
    assert np.ptp(tonic[5:]) < 0.3
    assert np.all(np.diff(adapting[:5]) > 0)
    assert adapting[4] > 3 * adapting[0]
    first = found["initial burst"]
    assert first[0] < 10 < 40 < np.min(first[2:])
    burst = found["regular bursting"][2:]
    assert np.all((burst < 10) | (burst > 100))
    assert 0.3 < np.mean(burst > 100) < 0.7
    assert np.all(np.diff(found["delayed accelerating"][:8]) < 0)
    assert found["transient spiking"].size < 5
    late = found["irregular spiking"][10:]
    assert np.unique(late.round()).size > 6


def test_izhikevich_patterns_do_what_their_names_say():
    found = {name: intervals(IZHIKEVICH.pattern(name)) for name in IZHIKEVICH.patterns}
    assert found["fast spiking"][-1] < 10 < 30 < found["regular spiking"][-1]
    assert found["intrinsically bursting"][0] < 5 < 20 < found["intrinsically bursting"][-1]
    chattering = found["chattering"]
    assert chattering.min() < 3
    assert chattering.max() > 20 * chattering.min()


@pytest.mark.parametrize("kind", IZHIKEVICH_2007.patterns)
def test_izhikevich_2007_fires_in_every_pattern(kind):
    assert intervals(IZHIKEVICH_2007.pattern(kind)).size >= 3


# ---- synapses ----------------------------------------------------------------------------------------


def after_one_spike(kind, dt=1e-5, duration=30 * ms, w=3.0):
    """The variable that drives the current, from the arrival of a spike of weight w on; w in nano-units."""
    unit = nA if kind.unit == "amp" else nS
    source = NeuronGroup(1, "x : 1", threshold="x > 0.5", reset="x = 0")
    source.x = 1
    target = NeuronGroup(1, kind.equations + "\nv : volt", method="exact", namespace=kind.values)
    wire = kind.synapses(source, target, weight=w * unit)
    wire.connect()
    trace = StateMonitor(target, kind.variables[0], record=True)
    Network(source, target, wire, trace, dt=Quantity(dt, ms.dim), dtype="float64").run(duration)
    # What a spike adds in step 0 is seen from the start of step 1 on.
    return np.asarray(getattr(trace, kind.variables[0] + "_"))[0, 1:] * 1e9


@pytest.mark.parametrize("name", SYNAPSES)
def test_weight_is_the_peak(name, x64):
    kind = SYNAPSES[name]("e")
    curve = after_one_spike(kind)
    rise, decay = (kind.values.get(f"tau_{n}_e", 0 * ms) / (1 * ms) for n in ("rise", "decay"))
    tau = kind.values.get("tau_e", 0 * ms) / (1 * ms)
    if rise:
        peak = rise * decay / (decay - rise) * math.log(decay / rise)
    else:
        peak = 0.0 if name.startswith("exponential") else tau
    assert np.max(curve) == pytest.approx(3, rel=1e-5)  # the step misses the peak by at most 5 us
    assert np.argmax(curve) * 0.01 == pytest.approx(peak, abs=0.0101)
    t = np.arange(curve.size) * 0.01
    if peak == 0.0:
        expected = np.exp(-t / tau)
    elif rise == 0:
        expected = t / tau * np.exp(1 - t / tau)
    else:
        expected = np.exp(-t / decay) - np.exp(-t / rise)
        expected /= np.exp(-peak / decay) - np.exp(-peak / rise)
    np.testing.assert_allclose(curve, 3 * expected, rtol=1e-9, atol=1e-12)


def test_equal_time_constants_give_the_alpha_function(x64):
    both = BIEXPONENTIAL_CURRENT("e", tau_rise=2 * ms, tau_decay=2 * ms)
    alpha = ALPHA_CURRENT("e", tau=2 * ms)
    np.testing.assert_allclose(after_one_spike(both), after_one_spike(alpha), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SYNAPSES)
def test_synapses_act_on_every_kind_of_neuron_in_float32(name):
    kind = SYNAPSES[name]("e")
    weight = 300 * pA if kind.unit == "amp" else 20 * nS
    for model in (LIF, ADEX):
        cells = model.group(2, synapses=kind, equations="kick : 1", I=-50 * pA)
        source = NeuronGroup(1, "x : 1", threshold="x > 0.5", reset="x = 0")
        source.x = 1
        wire = kind.synapses(source, cells, weight=weight)
        wire.connect(j="0")
        trace = StateMonitor(cells, "v", record=True)
        Network(source, cells, wire, trace).run(8 * ms)
        v = np.asarray(trace.v_)
        assert np.all(np.isfinite(v))
        assert np.max(v[0] - v[1]) > 1e-3


def test_labels_keep_two_kinds_apart():
    text = LIF.text([EXPONENTIAL_CONDUCTANCE("e"), ALPHA_CONDUCTANCE("i")], "z : 1")
    assert text.splitlines() == [
        "dv/dt = (g_L*(E_L - v) + (I + I_syn))/C : volt (unless refractory)",
        "I : amp",
        "I_syn = g_e*(E_e - v) + g_i*(E_i - v) : amp",
        "dg_e/dt = -g_e/tau_e : siemens",
        "dg_i/dt = (exp(1)*x_i - g_i)/tau_i : siemens",
        "dx_i/dt = -x_i/tau_i : siemens",
        "z : 1",
    ]


def test_synapse_without_units():
    kind = EXPONENTIAL_CURRENT("e", unit="1")
    cells = IZHIKEVICH.group(2, synapses=kind, I_e=[0, 20])
    trace = StateMonitor(cells, "v", record=True)
    Network(cells, trace).run(2 * ms)
    assert trace.v[1, -1] > trace.v[0, -1] + 5


def test_each_synapse_has_a_weight_unless_one_is_given():
    kind = EXPONENTIAL_CURRENT("e")
    cells = LIF.group(3, synapses=kind)
    wires = kind.synapses(cells, delay=1 * ms)
    wires.connect(condition="i != j")
    wires.weight = "i*pA"
    assert np.allclose(wires.weight[:] / pA, wires.i[:])


# ---- arguments ---------------------------------------------------------------------------------------


def test_constants_by_number_text_and_array(x64):
    cells = LIF.group(3, C=[100, 200, 400] * pF, g_L="(10 + i)*nS", t_ref=1 * ms, I=200 * pA)
    assert cells.C[:] / pF == pytest.approx([100, 200, 400])
    assert cells.g_L[:] / nS == pytest.approx([10, 11, 12])
    trace = StateMonitor(cells, "v", record=True)
    Network(cells, trace, dtype="float64").run(5 * ms)
    tau = np.array([100 / 10, 200 / 11, 400 / 12])
    expected = -60 + 200 / np.array([10, 11, 12]) * (1 - np.exp(-4.9 / tau))
    np.testing.assert_allclose(np.asarray(trace.v_)[:, 49] * 1e3, expected, rtol=1e-9)


def test_initial_text_is_evaluated_with_the_overrides():
    cells = LIF.group(2, E_L=-70 * mV)
    assert cells.v[:] / mV == pytest.approx([-70, -70])


def test_models_cannot_be_changed_in_place():
    with pytest.raises(TypeError):
        LIF.values["C"] = 1 * pF
    with pytest.raises(TypeError):
        EXPONENTIAL_CURRENT.values["tau"] = 1 * ms


def test_with_values_leaves_the_original():
    changed = LIF.with_values(C=1 * pF, v=-65 * mV)
    assert (changed.values["C"] / pF, changed.initial["v"] / mV) == (1.0, -65.0)
    assert (LIF.values["C"] / pF, LIF.initial["v"]) == (200.0, "E_L")


@pytest.mark.parametrize(
    "call, part",
    [
        (lambda: LIF.group(1, tau=1 * ms), "no constant or variable 'tau'"),
        (lambda: ADEX.group(1, Delta_t=1 * mV), "Did you mean 'Delta_T'"),
        (lambda: LIF.with_values(c=1), "no constant or variable 'c'"),
        (lambda: ADEX.pattern("regular spiking"), "no pattern 'regular spiking'"),
        (lambda: LIF.pattern("tonic"), "known: none"),
        (lambda: EXPONENTIAL_CURRENT("e_1"), "letters and digits"),
        (lambda: EXPONENTIAL_CURRENT("post"), "neither 'pre' nor 'post'"),
        (lambda: BIEXPONENTIAL_CURRENT("e", tau_ries=1 * ms), "Did you mean 'tau_rise'"),
        (lambda: LIF.group(1, synapses=[EXPONENTIAL_CURRENT("e"), ALPHA_CURRENT("e")]), "another label"),
        (lambda: LIF.group(1, synapses=EXPONENTIAL_CURRENT), "another label"),
        (lambda: LIF.group(1, synapses=EXPONENTIAL_CONDUCTANCE("L")), "another label"),
        (lambda: EXPONENTIAL_CURRENT("e").synapses(LIF.group(1), weight=1 * pA), "has no variable 'I_e'"),
    ],
)
def test_errors_say_what_to_write(call, part):
    with pytest.raises(ArgumentError, match=part.replace("(", r"\(")):
        call()


def test_a_line_defined_twice_is_an_error():
    with pytest.raises(EquationError, match="defined twice"):
        LIF.group(1, equations="I : amp")
