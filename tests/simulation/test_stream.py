"""Recordings on disk hold what the monitors would have held."""

import json

import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.errors import NetworkError
from jaxsnn.units import ms, mV, volt


def network():
    snn.seed(3)
    cells = snn.NeuronGroup(
        9, "dv/dt = (i*2*mV - v)/(3*ms) : volt\nu = v/mV : 1", threshold="v > 5*mV", reset="v = 0*mV", method="exact",
        name="cells",
    )  # fmt: skip
    cells.v = "rand()*5*mV"
    monitors = (
        snn.SpikeMonitor(cells[2:], name="spikes"),
        snn.StateMonitor(cells, ["v", "u"], record=[1, 7], dt=0.3 * ms, name="trace"),
        snn.PopulationRateMonitor(cells, name="rate"),
        snn.SpikeMonitor(cells, record=False, name="counts"),
    )
    return snn.Network(cells, *monitors), monitors


def test_equals_what_monitors_hold(tmp_path):
    plain, (spikes, trace, rate, counts) = network()
    streamed, own = network()
    folder = tmp_path / "deep" / "here"
    for duration in (20 * ms, 0.5 * ms, 30 * ms):
        plain.run(duration)
        streamed.run(duration, stream=folder)
    recording = snn.Recording(folder)
    assert set(recording) == {"spikes", "trace", "rate"}
    assert recording.t == streamed.t
    assert spikes.num_spikes > 20
    np.testing.assert_array_equal(recording["spikes"].i, spikes.i)
    np.testing.assert_allclose(recording["spikes"].t / ms, spikes.t / ms, rtol=1e-12)
    np.testing.assert_array_equal(recording["spikes"].count, spikes.count)
    assert recording["spikes"].num_spikes == spikes.num_spikes
    np.testing.assert_array_equal(recording["trace"].v_, trace.v_)
    np.testing.assert_array_equal(recording["trace"].u, trace.u)
    np.testing.assert_allclose(recording["trace"].t / ms, trace.t / ms, rtol=1e-12)
    assert recording["trace"].v.dim == volt.dim
    assert recording["trace"].record.tolist() == [1, 7]
    np.testing.assert_allclose(recording["rate"].rate.value, rate.rate.value, rtol=1e-12)
    # Nothing of it is in memory, but what asked for no record has counted.
    assert own[0].num_spikes == 0
    assert own[1].v.shape == (2, 0)
    np.testing.assert_array_equal(own[3].count, counts.count)


def test_read_lazily_by_numpy_alone(tmp_path):
    net, _ = network()
    net.run(20 * ms, stream=tmp_path)
    plain = np.load(tmp_path / "trace" / "v.npy", mmap_mode="r")
    assert isinstance(plain, np.memmap)
    assert plain.shape == (67, 2)
    assert isinstance(snn.Recording(tmp_path)["trace"].v_, np.memmap)
    size = (tmp_path / "trace" / "v.npy").stat().st_size
    assert size == 128 + 67 * 2 * 4


def test_an_interrupted_run_leaves_whole_files(tmp_path):
    net, _ = network()
    calls = []

    def stop(elapsed, completed, start, duration):
        calls.append(completed)
        if len(calls) == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        net.run(20000 * ms, report=stop, report_period=0 * ms, stream=tmp_path)
    recording = snn.Recording(tmp_path)
    steps = recording["rate"].t.size
    assert 0 < steps < 200000
    assert recording.t / ms == pytest.approx(steps * 0.1)


def test_what_is_refused(tmp_path):
    net, _ = network()
    net.store()
    net.run(2 * ms, stream=tmp_path)
    net.restore()
    with pytest.raises(NetworkError, match="until step 20, and this run begins at step 0"):
        net.run(2 * ms, stream=tmp_path)
    other = snn.NeuronGroup(2, "x : 1")
    with pytest.raises(NetworkError, match="recording of another network"):
        snn.Network(other, snn.StateMonitor(other, "x", record=True)).run(1 * ms, stream=tmp_path)
    with pytest.raises(NetworkError, match="no recording"):
        snn.Recording(tmp_path / "nowhere")
    recording = snn.Recording(tmp_path)
    with pytest.raises(KeyError, match="Did you mean 'spikes'"):
        print(recording["spike"])
    with pytest.raises(AttributeError, match="did not record 'w'; it recorded v, u"):
        print(recording["trace"].w)
    about = json.loads((tmp_path / "recording.json").read_text())
    (tmp_path / "recording.json").write_text(json.dumps(about | {"version": 99}))
    with pytest.raises(NetworkError, match="another version"):
        snn.Recording(tmp_path)
    assert mV.dim == volt.dim


def test_variables_at_spikes_and_chosen_times(tmp_path):
    """What monitors of events record with them, and values at the times of a clock, are in the files too."""

    def both(folder=None):
        cells = snn.NeuronGroup(3, "dv/dt = (1 + i)*volt/ms : volt", threshold="v > 0.95*volt", reset="v = 0*volt",
                                method="euler", name="cells")  # fmt: skip
        spikes = snn.SpikeMonitor(cells, variables="v", name="spikes")
        trace = snn.StateMonitor(cells, "v", record=1, clock=snn.EventClock([0.3, 1.1, 1.9] * ms), name="trace")
        snn.Network(cells, spikes, trace).run(2 * ms, stream=folder)
        return spikes, trace

    spikes, trace = both()
    both(tmp_path)
    recording = snn.Recording(tmp_path)
    assert spikes.num_spikes == 2 + 4 + 5  # 10, 5 and 4 steps from 0 to above 0.95 V
    np.testing.assert_array_equal(recording["spikes"].v.value, spikes.v.value)
    np.testing.assert_array_equal(recording["spikes"].i, spikes.i)
    np.testing.assert_allclose(recording["trace"].t / ms, [0.3, 1.1, 1.9])
    np.testing.assert_array_equal(recording["trace"].v.value, trace.v.value)
