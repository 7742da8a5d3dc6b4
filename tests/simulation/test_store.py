"""Store and restore, seeds, several networks, other time steps."""

import jax
import numpy as np
import pytest
from contracts.compare import agree
from contracts.networks import NETWORKS, SEED, cuba_cells
from simulation.test_hostloop import contents, copy

import jaxsnn as snn
from jaxsnn.errors import NetworkError, NotSupportedError
from jaxsnn.units import ms, mV


@pytest.mark.parametrize("where", ["memory", "file"])
@pytest.mark.parametrize("name", ["delays", "noise", "own_clock", "generator"])
def test_a_restored_run_continues_as_it_would_have(name, where, tmp_path):
    """Stored while spikes are in the delay buffers; run on; restored, run on again."""
    snn.seed(SEED)
    net = NETWORKS[name]("float32")
    filename = tmp_path / "state.npz" if where == "file" else None
    net.run(1.2 * ms)
    net.store(filename=filename)
    stored = copy(contents(net))
    if name == "delays":
        assert any(np.any(ring) for rings in stored["rings"].values() for ring in rings)
    net.run(4 * ms)
    after = copy(contents(net))
    net.restore(filename=filename, restore_random_state=True)
    agree(stored, contents(net))
    net.run(4 * ms)
    agree(after, contents(net))
    net.restore(filename=filename)
    agree(stored, contents(net))
    net.run(4 * ms)
    if name == "noise":
        v = contents(net)["values"]["cells"]["v"]
        assert np.all(v != after["values"]["cells"]["v"]), "new random numbers"
    else:
        agree(after, contents(net))


def test_the_file_holds_arrays_only(tmp_path):
    net = NETWORKS["delays"]("float32")
    net.run(2 * ms)
    net.store(filename=tmp_path / "state.npz")
    with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
        arrays = {k: file[k] for k in file.files}
    assert all(a.dtype.kind in "fiub" for a in arrays.values())
    np.testing.assert_array_equal(arrays["variable|cells|v"], net["cells"]._hosts["v"].value)
    np.testing.assert_array_equal(arrays["connection|exc|j"], net["exc"].j[:])


def test_a_file_continues_in_another_network(tmp_path):
    """The same model, built again: connections, weights and delays come from the file."""
    first = NETWORKS["delays"]("float32")
    first.run(2 * ms)
    first.store(filename=tmp_path / "state.npz")
    first.run(3 * ms)
    second_network = NETWORKS["delays"]("float32")
    second_network["exc"].w = 0 * mV
    second_network["exc"].delay = 0 * ms
    second_network.restore(filename=tmp_path / "state.npz")
    second_network.run(3 * ms)
    agree(contents(first), contents(second_network))


def test_stored_before_the_first_run():
    """Objects get the names of their variables in `store` already, so `restore` finds them."""
    cells = snn.NeuronGroup(1, "dv/dt = 1/ms : 1", method="euler")
    trace = snn.StateMonitor(cells, "v", record=True)
    net = snn.Network(cells, trace)
    net.store()
    net.store("again")
    for _ in range(2):
        net.restore()
        net.run(1 * ms)
        assert cells.v[0] == pytest.approx(1, rel=1e-5)
        assert trace.v.shape == (1, 10)
        assert float(net.t / ms) == pytest.approx(1)
    net.restore("again")
    assert cells.v[0] == 0


def test_what_cannot_be_restored(tmp_path):
    net = NETWORKS["delayed"]("float32")
    with pytest.raises(NetworkError, match=r"nothing was stored under 'default'"):
        net.restore()
    net.store("a")
    with pytest.raises(NetworkError, match=r"under 'b'; stored are \['a'\]"):
        net.restore("b")
    with pytest.raises(NetworkError, match=r"no file .*missing\.npz"):
        net.restore(filename=tmp_path / "missing.npz")
    more = snn.NeuronGroup(1, "x : 1")
    more.label("more")
    net.add(more)
    with pytest.raises(NetworkError, match="'more' is not in the stored state"):
        net.restore("a")
    net.remove(more)
    net.remove(net["spikes"])
    with pytest.raises(NetworkError, match="'spikes' is in the stored state, but not in the network"):
        net.restore("a")


# ---- seeds ----------------------------------------------------------------------------------------


def noisy(name, before=False):
    """A noisy group by name; with another random group made (and scheduled) before it."""
    other = None
    if before:
        other = snn.NeuronGroup(4, "dx/dt = xi/sqrt(ms) : 1", method="euler", name="a_noise")
        other.x = "randn()"
    cells = snn.NeuronGroup(6, "dv/dt = -v/(5*ms) + xi/sqrt(5*ms) : 1", method="euler", name=name)
    cells.v = "rand()"
    return [o for o in (other, cells) if o is not None]


def test_a_seed_makes_everything_repeat():
    def end():
        objects = noisy("noisy_cells")
        net = snn.Network(*objects)
        net.run(2 * ms)
        values = np.array(objects[-1].v[:])
        net.run(2 * ms)
        return values, np.array(objects[-1].v[:])

    runs = []
    for seed in (1, 1, 2):
        snn.seed(seed)
        runs.append(end())
    agree(runs[0], runs[1])
    assert np.all(runs[0][0] != runs[2][0])
    assert np.all(runs[0][0] != runs[0][1])


def test_another_object_does_not_change_the_random_numbers_of_a_named_one():
    ends = []
    for before in (False, True):
        snn.seed(3)
        objects = noisy("noisy_named", before)
        snn.Network(*objects).run(2 * ms)
        ends.append(np.array(objects[-1].v[:]))
        del objects
    agree(ends[0], ends[1])


def test_random_numbers_of_a_run_are_independent():
    """Euler with xi alone: v after T is the sum of independent increments, variance T, in every cell."""
    snn.seed(5)
    cells = snn.NeuronGroup(4000, "dv/dt = xi/sqrt(ms) : 1", method="euler")
    net = snn.Network(cells)
    net.run(2 * ms)
    first = np.array(cells.v[:])
    net.run(2 * ms)
    second_half = np.array(cells.v[:]) - first
    # Standard error of a variance from n samples: v*sqrt(2/n) = 0.045; of a correlation: 0.016.
    assert np.var(first) == pytest.approx(2, abs=0.2)
    assert np.var(second_half) == pytest.approx(2, abs=0.2)
    assert abs(np.corrcoef(first, second_half)[0, 1]) < 0.065
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.065


# ---- several networks, other time steps -----------------------------------------------------------------


def test_two_networks_keep_their_own_time():
    one, other = cuba_cells(5), cuba_cells(5)
    one.label("cells")
    other.label("cells")
    first, second_network = snn.Network(one), snn.Network(other, dt=0.2 * ms)
    first.run(1 * ms)
    second_network.run(4 * ms)
    first.run(1 * ms)
    assert float(first.t / ms) == pytest.approx(2)
    assert float(second_network.t / ms) == pytest.approx(4)
    first.run(2 * ms)
    # Without synapses both are exact: the time step does not matter where no neuron fired.
    alike = one._hosts["lastspike"].value < -(2**29)
    alike &= other._hosts["lastspike"].value < -(2**29)
    assert alike.sum() >= 2
    np.testing.assert_allclose(np.asarray(one.v / mV)[alike], np.asarray(other.v / mV)[alike], rtol=1e-5)


def test_a_group_in_two_networks_goes_on_from_where_it_is():
    cells = snn.NeuronGroup(1, "dv/dt = 1/ms : 1", method="euler")
    snn.Network(cells).run(1 * ms)
    snn.Network(cells).run(1 * ms)
    assert cells.v[0] == pytest.approx(2, rel=1e-5)


def test_another_time_step_between_runs():
    """dv/dt = 1/ms with 0.6 ms of refractoriness, counted by hand in both time steps."""
    cells = snn.NeuronGroup(
        1,
        "dv/dt = 1/ms : 1 (unless refractory)",
        threshold="v > 0.95",
        reset="v = 0",
        refractory=0.6 * ms,
        method="euler",
    )
    spikes = snn.SpikeMonitor(cells)
    trace = snn.StateMonitor(cells, "v", record=True)
    net = snn.Network(cells, spikes, trace)
    # v reaches 1 with the 10th update, in the step at 0.9 ms; refractory until 1.5 ms.
    net.run(1.2 * ms)
    np.testing.assert_allclose(spikes.t / ms, [0.9])
    net.dt = 0.2 * ms
    # Updates of 0.2 from 1.6 ms on (0.7 ms after the spike; at 1.4 it is 0.5 ms): 1.0 with the 5th, at 2.4 ms.
    net.run(2 * ms)
    np.testing.assert_allclose(spikes.t / ms, [0.9, 2.4])
    assert float(net.t / ms) == pytest.approx(3.2)
    np.testing.assert_allclose(trace.t / ms, np.concatenate([np.arange(12) * 0.1, 1.2 + np.arange(10) * 0.2]))
    net.dt = 0.1 * ms
    net.run(0.1 * ms)
    with pytest.raises(NetworkError, match=r"t = 3\.3 ms is no multiple"):
        net.dt = 0.2 * ms
    for wrong in (0 * ms, -1 * ms, float("nan") * ms):
        with pytest.raises(snn.errors.ArgumentError, match="must be a positive time"):
            net.dt = wrong


def test_the_time_step_cannot_change_while_spikes_wait():
    net = NETWORKS["delayed"]("float32")
    net.run(0.5 * ms)
    with pytest.raises(NotSupportedError, match="spikes are waiting"):
        net.dt = 0.05 * ms


def test_compiled_for_another_time_step():
    cells = snn.NeuronGroup(1, "v : second", threshold="True", reset="v = t")
    cells.label("cells")
    net = snn.Network(cells)
    sim = net.compile(dt=0.05 * ms)
    after, _ = sim.run(*sim.init(0), 20)
    assert float(after["cells"]["v"][0]) == pytest.approx(0.95e-3, rel=1e-5)
    net.run(1 * ms)
    # 10 steps of 0.1 ms would be 10 steps of 0.05 ms there.
    with pytest.raises(NotSupportedError, match=r"reached t = 1 ms in steps of 100 us.*write net\.dt = 0\.05\*ms"):
        sim.init(0)
    net.dt = 0.05 * ms
    params, state = net.compile().init(0)
    assert int(state.step) == 20
    after, _ = net.compile().run(params, state, 1)
    assert float(after["cells"]["v"][0]) == pytest.approx(1e-3, rel=1e-5)


def test_a_network_can_be_changed_between_runs():
    cells = snn.NeuronGroup(3, "dv/dt = 1/ms : 1", threshold="v > 0.95", reset="v = 0", method="euler")
    cells.label("cells")
    net = snn.Network(cells)
    net.run(1 * ms)
    late = snn.SpikeMonitor(cells)
    push = snn.Synapses(cells, cells, on_pre="v_post += 0.22")
    push.connect(i=0, j=1)
    net.add(push, late)
    net.run(1 * ms)
    # 0 and 2 fire at 1.9 ms; 1 gets its push after it has fired, before the reset.
    np.testing.assert_allclose(late.t / ms, [1.9, 1.9, 1.9])
    cells.v = [0.5, 0, 0]
    net.run(0.9 * ms)
    # 0 needs 5 updates: it fires at 2.4 ms; 1 has 0.5 then, 0.72 with the push: 1.02 at 2.7 ms.
    np.testing.assert_allclose(late.t[3:] / ms, [2.4, 2.7])
    assert late.i[3:].tolist() == [0, 1]
    net.remove(push, late)
    net.run(1 * ms)
    assert late.num_spikes == 5


def test_the_key_is_the_trial(x64):
    """Two runs of `init` with one key are one run; another key is another."""
    sim = NETWORKS["noise"]("float64").compile()
    ends = [sim.run(*sim.init(k), 20)[0]["cells"]["v"] for k in (0, 0, 1, jax.random.key(0))]
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[0], ends[3])
    assert np.all(np.asarray(ends[0]) != np.asarray(ends[2]))
