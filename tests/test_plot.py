"""Labels, limits and data of the pictures, read back from the Axes."""

import builtins

import matplotlib.pyplot as plt
import numpy as np
import pytest

from jaxsnn import Network, NeuronGroup, PopulationRateMonitor, SpikeMonitor, StateMonitor, Synapses, plot
from jaxsnn.errors import ArgumentError
from jaxsnn.units import Hz, ms, mV, second, uvolt


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def recorded():
    """Neuron i of 6 fires every 10/(i + 1) ms for 50 ms."""
    cells = NeuronGroup(
        6, "dv/dt = (i + 1)*mV/(10*ms) : volt", threshold="v >= 0.9999*mV", reset="v = 0*mV", method="euler"
    )
    spikes, rate = SpikeMonitor(cells), PopulationRateMonitor(cells)
    trace = StateMonitor(cells, "v", record=[1, 3, 5])
    Network(cells, spikes, rate, trace).run(50 * ms)
    return spikes, rate, trace


def figure_is_drawable(ax):
    ax.figure.canvas.draw()


# ---- raster ------------------------------------------------------------------------------------------


def test_raster_shows_every_spike_once(recorded):
    spikes = recorded[0]
    ax = plot.raster(spikes)
    (line,) = ax.lines
    assert np.array_equal(line.get_ydata(), spikes.i)
    np.testing.assert_allclose(line.get_xdata(), spikes.t / ms)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time (ms)", "Neuron")
    assert ax.get_ylim() == (-0.5, 5.5)
    assert ax.get_xlim() == pytest.approx((0, spikes.t[-1] / ms))
    figure_is_drawable(ax)


def test_raster_of_groups(recorded):
    spikes = recorded[0]
    ax = plot.raster(spikes, groups={"slow": slice(0, 2), "fast": (2, 6)})
    slow, fast = ax.lines
    assert set(slow.get_ydata()) == {0, 1}
    assert set(fast.get_ydata()) == {2, 3, 4, 5}
    assert slow.get_color() != fast.get_color()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["slow", "fast"]
    figure_is_drawable(ax)


def test_raster_of_arrays_in_a_window_of_seconds():
    given = ([4, 0, 7], [0.5, 1.5, 8.0] * second)
    _, ax = plt.subplots()
    assert plot.raster(given, ax, time=(1 * second, 9 * second), n=10) is ax
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [1.5, 8.0]
    assert ax.get_xlabel() == "Time (s)"
    assert (ax.get_xlim(), ax.get_ylim()) == ((1, 9), (-0.5, 9.5))


def test_marks_shrink_with_the_number_of_neurons():
    few, many = (plot.raster(([0], [1] * ms), n=n).lines[0] for n in (10, 4000))
    assert few.get_marker() == "|"
    assert many.get_marker() == "."
    assert few.get_markersize() > 5 * many.get_markersize()
    assert plot.raster(([0], [1] * ms), marker_size=3.5).lines[0].get_markersize() == 3.5


def test_raster_of_nothing(recorded):
    ax = plot.raster(([], [] * ms))
    assert ax.get_ylim() == (-0.5, 0.5)
    figure_is_drawable(ax)


# ---- traces ------------------------------------------------------------------------------------------


def test_traces_in_a_suitable_unit(recorded):
    trace = recorded[2]
    ax = plot.traces(trace)
    assert ax.get_ylabel() in ("v (mV)", "v (uV)")
    size = 1e-3 if "mV" in ax.get_ylabel() else 1e-6
    assert [line.get_label() for line in ax.lines] == ["1", "3", "5"]
    for line, row in zip(ax.lines, trace.v_, strict=True):
        np.testing.assert_allclose(line.get_ydata() * size, row)
        np.testing.assert_allclose(line.get_xdata(), trace.t / ms)
    assert ax.get_xlim() == pytest.approx((0, 49.9))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["1", "3", "5"]


def test_traces_in_the_unit_asked_for(recorded):
    ax = plot.traces(recorded[2], "v", elements=3, unit=uvolt)
    (line,) = ax.lines
    assert ax.get_ylabel() == "v (uV)"
    np.testing.assert_allclose(line.get_ydata(), recorded[2][3].v / uvolt)
    assert ax.get_legend() is None


def test_offset_keeps_traces_apart(recorded):
    trace = recorded[2]
    ax = plot.traces(trace, "v", offset=2 * mV, unit=mV)
    lines = [line for line in ax.lines if not line.get_label().startswith("_")]
    for k, line in enumerate(lines):
        np.testing.assert_allclose(line.get_ydata(), trace.v_[k] * 1e3 + 2 * k)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["1", "3", "5"]
    assert [text.get_text() for text in ax.texts] == ["2 mV"]
    bar = ax.lines[-1].get_ydata()
    assert bar[1] - bar[0] == pytest.approx(2)
    automatic = [line.get_ydata() for line in plot.traces(trace, "v", offset=True).lines][:3]
    assert automatic[0].max() < automatic[1].min() + 0.1 * np.ptp(automatic[0])
    figure_is_drawable(ax)


def test_traces_of_arrays_without_unit():
    ax = plot.traces(([0, 1, 2] * ms, np.array([1.0, 4.0, 9.0])), "x")
    assert ax.get_ylabel() == "x"
    assert ax.lines[0].get_ydata().tolist() == [1, 4, 9]


# ---- rates -------------------------------------------------------------------------------------------


def test_rate_of_a_regular_population():
    # 200 neurons, each every 100 ms, evenly spread: 10 Hz at all times, the ends included.
    t = np.arange(0.25, 1000, 0.5)
    ax = plot.population_rate((np.arange(t.size) % 200, t * ms), n=200, width=10 * ms, time=(0 * ms, 1 * second))
    rate = ax.lines[0].get_ydata()
    np.testing.assert_allclose(rate, 10, rtol=1e-6)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time (ms)", "Rate (Hz)")
    assert ax.get_xlim() == (0, 1000)
    assert ax.get_ylim() == pytest.approx((0, 10.5))


def test_one_spike_is_a_gaussian():
    ax = plot.population_rate(([0], [100] * ms), n=4, width=10 * ms, time=(0 * ms, 200 * ms))
    t, rate = ax.lines[0].get_data()
    exact = np.exp(-0.5 * ((t - 100) / 10) ** 2) / (np.sqrt(2 * np.pi) * 0.01) / 4
    # The bins are a tenth of the width, so the spike sits up to half of that off.
    np.testing.assert_allclose(rate, exact, atol=0.05 * exact.max())
    assert np.sum(rate) * (t[1] - t[0]) * 1e-3 == pytest.approx(0.25, rel=1e-3)


def test_both_monitors_give_the_same_rate(recorded):
    spikes, rate, _ = recorded
    window = {"width": 5 * ms, "time": (0 * ms, 50 * ms)}
    from_spikes = plot.population_rate(spikes, **window).lines[0]
    from_rate = plot.population_rate(rate, **window).lines[0]
    at = np.arange(5.0, 45.0)
    one, other = (np.interp(at, *line.get_data()) for line in (from_spikes, from_rate))
    np.testing.assert_allclose(one, other, rtol=0.02)
    assert np.mean(one) == pytest.approx(spikes.num_spikes / 6 / 0.05, rel=0.1)


def test_labels_of_rates_make_a_legend(recorded):
    ax = plot.population_rate(recorded[1], label="all")
    plot.population_rate(recorded[1], ax, width=10 * ms, label="smooth")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["all", "smooth"]


# ---- connections -------------------------------------------------------------------------------------


@pytest.fixture
def wires():
    cells = NeuronGroup(5, "v : volt", threshold="v > 1*mV", reset="v = 0*mV")
    wires = Synapses(cells[:3], cells, "w : volt", on_pre="v_post += w")
    wires.connect(i=[0, 1, 2], j=[4, 1, 0])
    wires.w = [1, 2, 3] * mV
    return wires


def test_matrix(wires):
    ax = plot.connectivity(wires)
    image = ax.images[0].get_array()
    assert image.shape == (3, 5)
    assert sorted(zip(*np.nonzero(image.filled(0)), strict=True)) == [(0, 4), (1, 1), (2, 0)]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Target neuron", "Source neuron")
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.5, 4.5), (-0.5, 2.5))
    assert ax.get_title() == "3 synapses"


def test_matrix_of_weights(wires):
    ax = plot.connectivity(wires, weight="w")
    image = ax.images[0].get_array()
    assert (image[0, 4], image[1, 1], image[2, 0]) == pytest.approx((1, 2, 3))
    assert image.mask.sum() == 12
    assert ax.figure.axes[1].get_ylabel() == "w (mV)"


def test_large_matrix_shares_pixels_and_loses_no_synapse():
    random = np.random.default_rng(1)
    i, j = random.integers(0, 2000, (2, 10000))
    ax = plot.connectivity((i, j))
    image = ax.images[0].get_array()
    assert max(image.shape) == 400
    assert image.sum() == 10000
    assert ax.figure.axes[1].get_ylabel() == "Synapses a pixel"


def test_lines(wires):
    ax = plot.connectivity(wires, kind="lines", weight="w")
    segments = [tuple(map(tuple, segment)) for segment in ax.collections[0].get_segments()]
    assert segments == [((0, 0), (1, 4)), ((0, 1), (1, 1)), ((0, 2), (1, 0))]
    assert ax.collections[0].get_array().tolist() == pytest.approx([1, 2, 3])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["Source", "Target"]
    assert [line.get_ydata().size for line in ax.lines] == [3, 5]


def test_too_many_lines_are_thinned_and_said():
    i, j = np.divmod(np.arange(10000), 100)
    ax = plot.connectivity((i, j), kind="lines")
    assert ax.get_title() == "5000 of 10000 synapses"
    assert len(ax.collections[0].get_segments()) == 5000


# ---- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, part",
    [
        (lambda r: plot.raster(3), "got int"),
        (lambda r: plot.raster(([0, 1], [1] * ms)), "2 neuron numbers, but 1 times"),
        (lambda r: plot.raster(r[0], time=(2 * ms, 1 * ms)), "before it begins"),
        (lambda r: plot.traces(r[2], "v", elements=[0]), "element 0 was not recorded"),
        (lambda r: plot.traces(r[2], "v", unit=Hz), "cannot be shown in Hz"),
        (lambda r: plot.traces(([0, 1] * ms, np.zeros(3))), "2 times, but 3 values"),
        (lambda r: plot.population_rate(([0], [1] * ms)), "give n="),
        (lambda r: plot.population_rate(r[0], width=0 * ms), "above 0"),
        (lambda r: plot.connectivity(([0], [1]), kind="matrices"), "Did you mean 'matrix'"),
    ],
)
def test_errors_say_what_to_write(recorded, call, part):
    with pytest.raises(ArgumentError, match=part.replace("(", r"\(")):
        call(recorded)


def test_counts_alone_cannot_be_drawn():
    cells = NeuronGroup(1, "v : 1", threshold="v > 1", reset="v = 0")
    with pytest.raises(ArgumentError, match="record=False"):
        plot.raster(SpikeMonitor(cells, record=False))


def test_without_matplotlib(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install jaxsnn-sim\[plot\]"):
        plot.raster(([0], [1] * ms))
