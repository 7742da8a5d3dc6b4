"""Values on a grid of times: the index against Brian2 and integers, equations, derivatives."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.codegen.jax_runtime import RUNTIME
from jaxsnn.codegen.printer import compile_source, print_expression
from jaxsnn.equations.expressions import Name, names, parse
from jaxsnn.errors import ArgumentError, DimensionError, EquationError, IndexRangeError
from jaxsnn.units import ms, mV, second

RATIOS = [0.25, 0.1, 0.3, 0.01, 0.037, 0.1 / 3, 0.7, 1.0, 1.25, 0.15, 3.3, 0.0625, 10 / 7, 2.5, 0.13]


def brian_indices(brian, dt_array, dt, steps):
    """Indices that Brian2 reads, from an array whose values are their own indices."""
    length = int(steps * dt / dt_array) + 3
    stimulus = brian.TimedArray(np.arange(length), dt=dt_array * brian.ms, name="stimulus")
    group = brian.NeuronGroup(1, "x = stimulus(t) : 1", dt=dt * brian.ms, namespace={"stimulus": stimulus})
    trace = brian.StateMonitor(group, "x", record=0, dt=dt * brian.ms)
    brian.Network(group, trace).run(steps * dt * brian.ms)
    return length, trace.x[0].astype(int)


def indices(array, dt, steps, text="t"):
    """Indices by the expansion of the array, evaluated in float32 and int32 as a step does."""
    call = array.expand("I", (parse(text),), dt)
    arguments = sorted(names(call))
    function = compile_source("look_up", arguments, [], [print_expression(call)], RUNTIME)
    given = {
        "I": jnp.asarray(array.values, jnp.float32),
        "t_in_timesteps": jnp.asarray(steps, jnp.int32),
        "t": jnp.asarray(steps, jnp.float32) * jnp.float32(dt),
        "dt": jnp.float32(dt),
    }
    return np.asarray(jax.jit(function)(*(given[n] for n in arguments))[0]).astype(int)


def network(array, dt=0.1 * ms, model="x = I(t) : 1", n=1, **options):
    cells = snn.NeuronGroup(n, model, namespace={"I": array}, **options)
    trace = snn.StateMonitor(cells, "x", record=True)
    return cells, trace, snn.Network(cells, trace, dt=dt)


@pytest.mark.parametrize("dt", [0.1, 0.05, 0.025])
@pytest.mark.parametrize("dt_array", RATIOS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_index_is_that_of_brian(brian, dt_array, dt):
    steps = 400
    length, expected = brian_indices(brian, dt_array, dt, steps)
    array = snn.TimedArray(np.arange(length), dt=dt_array * ms)
    np.testing.assert_array_equal(indices(array, dt * 1e-3, np.arange(steps)), expected)
    np.testing.assert_array_equal(array.evaluate(np.arange(steps) * dt * 1e-3, dt=dt * 1e-3), expected)


def test_quarter_millisecond_at_a_tenth():
    array = snn.TimedArray(np.arange(20), dt=0.25 * ms)
    assert indices(array, 1e-4, np.arange(11)).tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4]


@pytest.mark.parametrize("ratio", [Fraction(5, 2), Fraction(10), Fraction(1, 3), Fraction(37, 100), Fraction(7, 3)])
def test_index_is_exact_after_a_billion_steps(ratio):
    dt = 1e-4
    last = int(2**30 * min(ratio, 1))
    steps = np.arange(last - 500, last)
    half = Fraction(1, 2 * 2 ** int(np.ceil(np.log2(8 * float(ratio)))))  # of a point of the fine grid
    exact = np.array([int(s / ratio + half) for s in map(int, steps)])
    array = snn.TimedArray(np.zeros(2), dt=float(ratio) * dt * second)
    # The values themselves would not fit into memory: the index alone is what has to be right.
    array.values = np.broadcast_to(np.zeros(1), (exact[-1] + 10,))
    index = array._at_step(Fraction(0), dt)
    (found,) = compile_source("index", ["t_in_timesteps"], [], [print_expression(index)], RUNTIME)(
        jnp.asarray(steps, jnp.int32)
    )
    assert found.dtype == jnp.int32
    np.testing.assert_array_equal(found, exact)


def test_array_finer_than_the_step_stays_at_its_end():
    array = snn.TimedArray([1, 2, 3], dt=0.001 * ms)
    assert indices(array, 1e-4, [0, 1, 2**31 - 1]).tolist() == [1, 3, 3]


@pytest.mark.parametrize("text", ["t + dt/2", "t + 0.5*dt", "dt*0.5 + t", "t - -dt/2"])
def test_times_inside_a_step_are_exact_too(text):
    array = snn.TimedArray(np.arange(10**6), dt=0.25 * ms)
    call = array.expand("I", (parse(text),), 1e-4)
    assert names(call) == {"I", "t_in_timesteps"}
    steps = np.arange(2_000_000, 2_000_100)
    exact = [(2 * s + 1) * 2 // 10 for s in steps.tolist()]  # (s + 1/2)*0.1/0.25
    # Values up to 800,000 are exact in float32.
    np.testing.assert_array_equal(indices(array, 1e-4, steps, text), exact)


@pytest.mark.parametrize("text", ["t/2", "t - 1.5*ms", "5*dt + 2*t", "t*t/second"])
def test_other_times_in_floating_point(text):
    array = snn.TimedArray(np.arange(50), dt=0.3 * ms)
    text = text.replace("ms", "0.001").replace("second", "1")
    steps = np.arange(100)
    t = steps * 1e-4
    expected = {"t/2": t / 2, "t - 1.5*0.001": t - 1.5e-3, "5*dt + 2*t": 5e-4 + 2 * t, "t*t/1": t * t}[text]
    np.testing.assert_array_equal(indices(array, 1e-4, steps, text), array.evaluate(expected, dt=1e-4))


@pytest.mark.parametrize(
    "dt_array, constant", [(0.1, True), (0.3, True), (1.0, True), (0.25, False), (0.05, False), (0.15, False)]
)
def test_locally_constant_on_multiples_of_the_step(dt_array, constant):
    array = snn.TimedArray([1, 2], dt=dt_array * ms)
    assert array.locally_constant(1e-4) is constant
    assert "t" not in names(array.expand("I", (Name("t"),), 1e-4))


def test_exact_integration_of_a_locally_constant_input():
    tau = 5e-3
    values = np.array([3.0, -1.0, 2.0])
    array = snn.TimedArray(values, dt=2 * ms)
    _, trace, net = network(array, model="dx/dt = (I(t) - x)/(5*ms) : 1", method="exact")
    net.run(8 * ms)
    x, expected = 0.0, []
    for k in range(80):
        expected.append(x)
        drive = values[min(k // 20, 2)]
        x = drive + (x - drive) * np.exp(-1e-4 / tau)
    np.testing.assert_allclose(trace.x[0], expected, rtol=2e-5, atol=1e-6)


def test_exact_integration_refuses_an_array_finer_than_the_grid():
    array = snn.TimedArray([1, 2, 3], dt=0.25 * ms)
    _, _, net = network(array, model="dx/dt = (I(t) - x)/(5*ms) : 1", method="exact")
    with pytest.raises(EquationError, match=r"changes with time during a step"):
        net.run(1 * ms)
    _, _, net = network(array, model="dx/dt = (I(t) - x)/(5*ms) : 1")
    net.run(1 * ms)
    assert "euler: exact refuses because" in net.notes[0]


@pytest.mark.parametrize("method", ["euler", "rk2", "rk4", "exponential_euler"])
@pytest.mark.parametrize("dt_array", [0.2, 0.25, 0.05])
def test_methods_read_the_array_where_brian_reads_it(brian, x64, method, dt_array):
    values = np.random.default_rng(1).normal(size=40)
    model = "dx/dt = (I(t) - x)/({ms}) : 1"
    theirs = brian.NeuronGroup(
        1,
        "dx/dt = (I(t) - x)/(5*ms) : 1",
        method=method,
        namespace={"I": brian.TimedArray(values, dt=dt_array * brian.ms)},
    )
    expected = brian.StateMonitor(theirs, "x", record=0)
    brian.Network(theirs, expected).run(5 * brian.ms)
    array = snn.TimedArray(values, dt=dt_array * ms)
    cells = snn.NeuronGroup(1, model.format(ms="5*ms"), method=method, namespace={"I": array})
    trace = snn.StateMonitor(cells, "x", record=0)
    snn.Network(cells, trace, dtype="float64").run(5 * ms)
    np.testing.assert_allclose(trace.x[0], expected.x[0], rtol=1e-12, atol=1e-14)


def test_two_axes_and_units():
    values = np.arange(12.0).reshape(4, 3)
    array = snn.TimedArray(values * mV, dt=0.5 * ms)
    cells, trace, net = network(array, model="x = I(t, i) : volt\ny = I(t, 2 - i) : volt", n=3, dt=0.25 * ms)
    other = snn.StateMonitor(cells, "y", record=True)
    net.add(other)
    net.run(3 * ms)
    rows = np.minimum(np.arange(12) // 2, 3)
    np.testing.assert_allclose(trace.x / mV, values[rows].T, rtol=1e-6)
    np.testing.assert_allclose(other.y / mV, values[rows][:, ::-1].T, rtol=1e-6)


def test_subgroups_read_their_own_columns():
    array = snn.TimedArray(np.arange(6.0).reshape(2, 3), dt=1 * ms)
    cells = snn.NeuronGroup(5, "x : 1", namespace={"I": array})
    cells[2:5].x = "I(t + 1*ms, i)"
    assert cells.x[:].tolist() == [0, 0, 3, 4, 5]


@pytest.mark.parametrize("shape", [(1,), (1, 1), (4, 1), (1, 3)])
def test_single_values_and_columns(shape):
    values = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    n = shape[1] if len(shape) == 2 else 2
    text = "x = I(t, i) : 1" if len(shape) == 2 else "x = I(t) : 1"
    _, trace, net = network(snn.TimedArray(values, dt=1 * ms), model=text, n=n, dt=1 * ms)
    net.run(5 * ms)
    rows = np.minimum(np.arange(5), shape[0] - 1)
    expected = values[rows].T if len(shape) == 2 else np.tile(values[rows], (2, 1))
    np.testing.assert_array_equal(trace.x, expected)


def test_columns_that_do_not_exist_are_reported():
    array = snn.TimedArray(np.ones((3, 2)), dt=1 * ms)
    cells = snn.NeuronGroup(3, "dx/dt = I(t, i)/ms : 1", namespace={"I": array}, method="euler")
    with pytest.raises(FloatingPointError, match="element 2"):
        snn.Network(cells).run(1 * ms)
    with pytest.raises(IndexRangeError, match="2 columns"):
        cells.x = "I(t, i)"
    with pytest.raises(IndexRangeError, match="column -1"):
        array(0 * ms, -1)


def test_monitor_of_a_subgroup_reads_the_array_of_its_group():
    array = snn.TimedArray([1, 2], dt=1 * ms)
    cells = snn.NeuronGroup(3, "x = I(t)*b : 1\ny : 1", threshold="x > 5", reset="", namespace={"I": array, "b": 3})
    trace = snn.StateMonitor(cells[1:], "x", record=True)
    snn.Network(cells, trace, dt=0.5 * ms).run(2 * ms)
    np.testing.assert_array_equal(trace.x, [[3, 3, 6, 6]] * 2)


def test_threshold_and_reset_read_the_array():
    array = snn.TimedArray([0, 1, 0, 2], dt=1 * ms)
    cells = snn.NeuronGroup(1, "x : 1", threshold="I(t) > 0", reset="x += I(t)", namespace={"I": array})
    spikes = snn.SpikeMonitor(cells)
    snn.Network(cells, spikes, dt=0.5 * ms).run(5 * ms)
    np.testing.assert_allclose(spikes.t / ms, [1, 1.5, 3, 3.5, 4, 4.5])
    assert cells.x[0] == 2 * 1 + 4 * 2


def test_own_time_step_of_the_group():
    array = snn.TimedArray(np.arange(10), dt=0.25 * ms)
    cells = snn.NeuronGroup(1, "dx/dt = 0/ms : 1\ny : 1", threshold="True", reset="x = I(t)",
                            dt=0.5 * ms, namespace={"I": array})  # fmt: skip
    trace = snn.StateMonitor(cells, "x", record=0, when="end")
    snn.Network(cells, trace, dt=0.1 * ms).run(2 * ms)
    np.testing.assert_array_equal(trace.x[0], [0, 2, 4, 6])  # a monitor keeps the time step of its group


def test_values_can_be_differentiated_and_batched():
    tau, dt = 5e-3, 1e-4
    array = snn.TimedArray([1.0, 2.0, 3.0], dt=1 * ms)
    cells = snn.NeuronGroup(1, "dx/dt = (I(t) - x)/(5*ms) : 1", method="exact", namespace={"I": array}, name="driven")
    sim = snn.Network(cells).compile(dt=0.1 * ms)
    params, state = sim.init(0)
    np.testing.assert_array_equal(params["driven"]["I"], [1, 2, 3])

    def last(values):
        return sim.run({"driven": {**params["driven"], "I": values}}, state, 2 * ms)[0]["driven"]["x"][0]

    decay = np.exp(-dt / tau)
    weight = 1 - decay**10  # of ten steps of one value
    expected = [weight * decay**10, weight, 0]
    np.testing.assert_allclose(jax.grad(last)(jnp.array([1.0, 2, 3])), expected, rtol=1e-5, atol=1e-8)
    batch = jnp.array([[1.0, 2, 3], [0, 1, 0]])
    np.testing.assert_allclose(jax.vmap(last)(batch), batch @ jnp.array(expected), rtol=1e-5)


def test_new_values_of_equal_shape_are_used():
    cells, trace, net = network(snn.TimedArray([1, 2], dt=1 * ms), dt=1 * ms)
    net.run(1 * ms)
    cells.namespace["I"] = snn.TimedArray([5, 7], dt=1 * ms)
    net.run(1 * ms)
    assert trace.x[0].tolist() == [1, 7]


def test_called_in_python():
    array = snn.TimedArray([1, 2, 4] * mV, dt=2 * ms)
    assert array(3 * ms) == 2 * mV
    np.testing.assert_allclose(array([-1, 0, 5.99999999, 1e6] * ms) / mV, [1, 1, 4, 4])
    assert snn.TimedArray([[1, 2], [3, 4]], dt=1 * ms)(1 * ms, 1) == 4
    assert "3 values, dt = 2 ms" in repr(array)


@pytest.mark.parametrize(
    "values, dt, message",
    [
        ([], 1 * ms, "at least one"),
        (np.zeros((2, 2, 2)), 1 * ms, r"\(2, 2, 2\)"),
        (["a"], 1 * ms, "numbers|number"),
        ([1], 0 * ms, "positive"),
        ([1], -1 * ms, "positive"),
    ],
)
def test_arguments_that_make_no_sense(values, dt, message):
    with pytest.raises((ArgumentError, TypeError), match=message):
        snn.TimedArray(values, dt=dt)


def test_units_and_calls_are_checked():
    array = snn.TimedArray([1, 2] * mV, dt=1 * ms)
    with pytest.raises(DimensionError):
        snn.TimedArray([1], dt=1 * mV)
    with pytest.raises(DimensionError):
        array(1 * mV)
    with pytest.raises(ArgumentError, match=r"call it with \(t\)"):
        array(1 * ms, 0)
    for model, kind, message in [
        ("dx/dt = I(t)/ms : 1", DimensionError, "dx/dt"),
        ("dx/dt = I(5)/ms : volt", DimensionError, "needs a time"),
        ("dx/dt = I(t, i)/ms : volt", EquationError, "needs 1 argument"),
        ("dx/dt = (I(t) - I)/ms : volt", EquationError, r"write I\(t\)"),
    ]:
        cells = snn.NeuronGroup(1, model, namespace={"I": array})
        with pytest.raises(kind, match=message):
            snn.Network(cells).run(1 * ms)
    with pytest.raises(ArgumentError, match="is the unit right"):
        snn.TimedArray([1, 2], dt=1e-12 * second).expand("I", (Name("t"),), 1e-4)
