"""Functions of the user in a run: pure ones in the step, functions of Python between steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.errors import ArgumentError, NotSupportedError
from jaxsnn.units import Quantity, ms, mV


def growing(**arguments):
    return snn.NeuronGroup(2, "dv/dt = 1/ms : 1\nI : 1", method="euler", name="cells", **arguments)


def test_a_pure_function_reads_and_writes():
    """I counts the calls, at 0, 0.2, 0.4 ms; v gets I in each of them: 1 + 2 + 3 besides the 6 steps of 0.1."""
    cells = growing()

    def op(t, values):
        count = values["cells.I"] + 1
        return {"cells.I": count, "cells.v": values["cells.v"] + count}

    net = snn.Network(cells, snn.NetworkOperation(op, writes=["cells.I", cells.v], dt=0.2 * ms))
    net.run(0.5 * ms)
    net.run(0.1 * ms)
    np.testing.assert_allclose(cells.v[:], 6 + 0.6, rtol=1e-6)
    np.testing.assert_array_equal(cells.I[:], 3)


def test_a_pure_function_sees_events_and_time():
    """A neuron that fires gets the time of it; slots decide what is seen."""
    cells = snn.NeuronGroup(2, "dv/dt = (1 + i)/ms : 1\nat : second", threshold="v > 0.95", reset="v = 0",
                            method="euler", name="cells")  # fmt: skip

    @snn.network_operation(writes=[cells.at], when="after_thresholds")
    def note(t, values):
        return {"cells.at": jnp.where(values["cells.spike"], t, values["cells.at"])}

    snn.Network(cells, note).run(1 * ms)
    np.testing.assert_allclose(cells.at / ms, [0.9, 0.9], rtol=1e-6)
    snn.Network(cells, note)


def test_a_function_of_a_subgroup_is_given_the_whole():
    cells = growing()
    part = cells[1:]
    op = snn.NetworkOperation(lambda t, values: {"cells.I": values["cells.I"].at[1].add(1)}, writes=part.I)
    snn.Network(cells, op).run(0.3 * ms)
    np.testing.assert_array_equal(cells.I[:], [0, 3])


def test_at_chosen_times():
    cells = growing()
    op = snn.NetworkOperation(
        lambda t, values: {"cells.I": values["cells.I"] + 1}, "cells.I", clock=snn.EventClock([0.1, 0.4, 9] * ms)
    )
    snn.Network(cells, op).run(0.5 * ms)
    np.testing.assert_array_equal(cells.I[:], 2)


def test_random_numbers_differ_from_step_to_step_and_not_from_run_to_run():
    def values(cut):
        snn.seed(3)
        cells = snn.NeuronGroup(3, "x : 1\nlast : 1", name="cells")

        def op(t, values):
            new = jax.random.uniform(values.key, (3,))
            return {"cells.x": values["cells.x"] + (new == values["cells.last"]), "cells.last": new}

        net = snn.Network(cells, snn.NetworkOperation(op, writes=["cells.x", "cells.last"], name="op"))
        for steps in cut:
            net.run(steps * 0.1 * ms)
        return cells.x[:], cells.last[:]

    (same, whole), (_, pieces) = values([6]), values([2, 4])
    np.testing.assert_array_equal(same, 0)
    np.testing.assert_array_equal(whole, pieces)
    assert len(set(whole)) == 3


def test_pure_functions_are_differentiated_and_batched():
    """v after three calls of v*a is a**3, its derivative 3*a**2."""
    cells = snn.NeuronGroup(1, "v : 1\na : 1", name="cells")
    cells.v = 1
    op = snn.NetworkOperation(lambda t, values: {"cells.v": values["cells.v"] * values["cells.a"]}, "cells.v")
    sim = snn.Network(cells, op).compile()
    params, state = sim.init()

    def final(a):
        return sim.run(sim.put(params, "cells.a", a), state, 3)[0]["cells"]["v"][0]

    np.testing.assert_allclose(jax.vmap(final)(jnp.array([1.0, 2.0])), [1, 8])
    np.testing.assert_allclose(jax.vmap(jax.grad(final))(jnp.array([1.0, 2.0])), [3, 12])


@pytest.mark.parametrize("when", ["start", "end"])
def test_a_function_of_python_between_steps(brian, x64, when):
    """The same in Brian2: what it reads at each call, and what its assignments change."""
    seen = {}

    def look(lib, units, cells, spikes, rows):
        @lib.network_operation(dt=0.2 * units.ms, when=when)
        def op(t):
            rows.append((round(float(t / units.ms), 6), *np.asarray(cells.v[:]), int(spikes.num_spikes)))
            cells.v = cells.v[:] + np.array([0.3, 0.5])

        return op

    for lib in (snn, brian):
        units = snn.units if lib is snn else brian
        cells = lib.NeuronGroup(2, "dv/dt = -v/(5*ms) : 1 (unless refractory)", threshold="v > 1", reset="v = 0",
                                refractory=0.3 * units.ms, method="exact", namespace={"ms": units.ms})  # fmt: skip
        spikes = lib.SpikeMonitor(cells)
        rows = seen[lib] = []
        arguments = {"dtype": "float64"} if lib is snn else {}
        net = lib.Network(cells, spikes, look(lib, units, cells, spikes, rows), **arguments)
        net.run(1 * units.ms)
        net.run(1.3 * units.ms)
        rows.append(tuple(np.asarray(cells.v[:])))
    np.testing.assert_allclose(
        np.concatenate([np.ravel(r) for r in seen[snn]]), np.concatenate([np.ravel(r) for r in seen[brian]]), rtol=1e-9
    )
    assert seen[snn][-2][-1] > 0


def test_monitors_are_up_to_date():
    cells = growing()
    trace = snn.StateMonitor(cells, "v", record=0)
    found = []
    op = snn.NetworkOperation(lambda t: found.append((float(t / ms), trace.v.shape[1])), dt=0.3 * ms)
    snn.Network(cells, trace, op).run(1 * ms)
    np.testing.assert_allclose(found, [(0, 0), (0.3, 3), (0.6, 6), (0.9, 9)])


def test_functions_without_arguments_and_their_order():
    cells = growing()
    calls = []
    first = snn.NetworkOperation(lambda: calls.append("first"), order=-1, dt=0.2 * ms)
    last = snn.NetworkOperation(lambda: calls.append("last"), dt=0.2 * ms, when="end")
    second = snn.NetworkOperation(lambda: calls.append("second"), dt=0.1 * ms)
    snn.Network(cells, last, second, first).run(0.3 * ms)
    assert calls == ["first", "second", "last", "second", "first", "second", "last"]


def test_stop(brian):
    """As in Brian2 the step is finished; the next run goes on from there."""
    times = []

    def stopping(lib, units, net, when):
        @lib.network_operation(when=when)
        def op(t):
            if abs(t - 0.4 * units.ms) < 0.01 * units.ms:
                net.stop()

        return op

    for lib in (snn, brian):
        units = snn.units if lib is snn else brian
        for when in ("start", "end"):
            cells = lib.NeuronGroup(1, "dv/dt = 1/ms : 1", method="euler", namespace={"ms": units.ms})
            net = lib.Network(cells)
            net.add(stopping(lib, units, net, when))
            for duration in (1, 0.2):
                net.run(duration * units.ms)
                times.append((float(net.t / units.ms), float(np.asarray(cells.v[:])[0])))
    np.testing.assert_allclose(times[:4], times[4:], rtol=1e-5)
    np.testing.assert_allclose(times[0][0], 0.5)


def test_stop_from_a_report():
    cells = growing()
    net = snn.Network(cells)
    net.run(1 * ms)

    def report(elapsed, completed, start, duration):
        if completed > 0:
            net.stop()

    net.run(1e5 * ms, report=report, report_period=0 * ms)
    assert 1 * ms < net.t < 1e5 * ms
    np.testing.assert_allclose(cells.v[0], net.t / ms, rtol=1e-3)


def test_a_run_of_no_steps_calls_nothing():
    calls = []
    net = snn.Network(growing(), snn.NetworkOperation(lambda: calls.append(1)))
    net.run(0 * ms)
    assert not calls


def test_an_inactive_function_is_not_called():
    cells = growing()
    calls = []
    op = snn.NetworkOperation(lambda: calls.append(1))
    net = snn.Network(cells, op)
    op.active = False
    net.run(0.3 * ms)
    net.compile()
    assert not calls


def test_times_are_quantities():
    found = []
    snn.Network(growing(), snn.NetworkOperation(found.append, dt=0.2 * ms)).run(0.3 * ms)
    assert [isinstance(t, Quantity) for t in found] == [True, True]


BAD = {
    "no function": (lambda c: snn.NetworkOperation(3), "needs a function"),
    "arguments": (lambda c: snn.NetworkOperation(lambda a, b: None), "takes the arguments (t), or none"),
    "arguments of a pure one": (lambda c: snn.NetworkOperation(lambda t: None, writes=[]), "(t, values)"),
    "positional": (lambda c: snn.network_operation(1 * ms), "by name"),
    "not dotted": (lambda c: run(c, lambda t, x: {}, ["v"]), "no dotted name"),
    "unknown": (lambda c: run(c, lambda t, x: {}, ["cells.vv"]), "'cells.vv' to write. Did you mean 'cells.v'?"),
    "undeclared": (lambda c: run(c, lambda t, x: {"cells.I": 1}, ["cells.v"]), "writes=['cells.I']"),
    "unread": (lambda c: run(c, lambda t, x: {"cells.v": x["cells.w"]}, ["cells.v"]), "no variable 'cells.w' to read"),
    "shape": (lambda c: run(c, lambda t, x: {"cells.v": jnp.ones(3)}, ["cells.v"]), "shape (3,); it needs (2,)"),
    "no dictionary": (lambda c: run(c, lambda t, x: x["cells.v"], ["cells.v"]), "returns a dictionary"),
}


def run(cells, function, writes):
    snn.Network(cells, snn.NetworkOperation(function, writes)).run(0.1 * ms)


@pytest.mark.parametrize(("bad", "words"), BAD.values(), ids=BAD.keys())
def test_mistakes(bad, words):
    with pytest.raises(ArgumentError) as error:
        bad(growing())
    assert words in str(error.value)


def test_python_is_not_compiled_nor_called_inside_a_step():
    op = snn.NetworkOperation(lambda t: None, when="thresholds", name="op")
    net = snn.Network(growing(threshold="v > 1", reset="v = 0"), op)
    with pytest.raises(NotSupportedError, match="op is a function of Python, which a compiled simulation cannot call"):
        net.compile()
    with pytest.raises(NotSupportedError, match=r"comes after .*thresholder and before .*resetter"):
        net.run(1 * ms)


def test_units_of_a_variable_that_is_written():
    """Values are in base units."""
    cells = snn.NeuronGroup(1, "v : volt", name="cells")
    snn.Network(cells, snn.NetworkOperation(lambda t, values: {"cells.v": 0.005}, "cells.v")).run(0.1 * ms)
    assert abs(cells.v[0] - 5 * mV) < 1e-6 * mV
