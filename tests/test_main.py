"""The command line and the benchmark networks: arguments, output, and numbers that can be checked by hand."""

import json
import re
import sys

import jax
import numpy as np
import pytest

import jaxsnn
from jaxsnn.__main__ import main
from jaxsnn.bench import NETWORKS, Result, Spec, as_json, build, compare, table
from jaxsnn.bench.measure import BenchmarkError, Process, default_steps
from jaxsnn.errors import ArgumentError, NotSupportedError
from jaxsnn.units import ms


def result(simulator="jaxsnn", step_us=10.0, rate=5.5, recording=True, size=4000, start=2.0):
    spec = Spec("cuba", size, simulator, "float32", recording, 2000)
    rate = rate if recording else None
    return Result(spec, "cpu", 320_000, step_us, 2 * step_us, start, start + step_us * 1e-3, 0.1, rate)


# ---- demo and info -----------------------------------------------------------------------------------------------


def test_demo_says_what_it_did_and_draws(tmp_path, capsys):
    picture = tmp_path / "new folder" / "raster.png"
    assert main(["demo", "--neurons", "400", "--duration", "0.05", "--output", str(picture)]) == 0
    said = capsys.readouterr().out
    rates = [float(text) for text in re.findall(r"mean rate ([\d.]+) Hz", said)]
    # 400 neurons of 80 inputs keep each other active within the range of the large network
    assert len(rates) == 2
    assert all(1 < rate < 30 for rate in rates)
    walls = [float(text) for text in re.findall(r"simulated in ([\d.]+) s", said)]
    factors = [float(text) for text in re.findall(r"real-time factor ([\d.]+)", said)]
    # both are rounded to two digits after the point
    assert factors == pytest.approx([wall / 0.05 for wall in walls], abs=0.005 / 0.05 + 0.005)
    assert picture.exists() or "no picture" in said


def test_demo_without_matplotlib_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    path = tmp_path / "x.png"
    assert main(["demo", "--neurons", "80", "--duration", "0.001", "--output", str(path)]) == 0
    assert "pip install 'jaxsnn-sim[plot]'" in capsys.readouterr().out
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--neurons", "79"], "'79' is no whole number of at least 80"),
        (["demo", "--neurons", "many"], "'many' is no whole number"),
        (["demo", "--duration", "0"], "'0' is no time in seconds"),
        (["demo", "--duration", "0.00015"], "multiple of the time step"),
        (["demo", "--duration", "nan"], "'nan' is no time"),
        (["bench", "--networks", "cubus"], "invalid choice: 'cubus'"),
        (["bench", "--peer", "neuron"], "invalid choice: 'neuron'"),
        (["bench", "--steps", "0"], "'0' is no whole number of at least 1"),
        (["benchmark"], "invalid choice"),
        ([], "required"),
    ],
)
def test_wrong_arguments_are_explained(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_info_names_versions_devices_and_executions(capsys):
    assert main(["info"]) == 0
    said = capsys.readouterr().out
    for version in (jaxsnn.__version__, jax.__version__, np.__version__):
        assert version in said
    assert "float64 off" in said
    assert re.search(r"100 x 100, all to all: dense", said)
    assert re.search(r"1,000,000 neurons, 1,000 synapses each: \w+", said)


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.strip() == f"jaxsnn {jaxsnn.__version__}"


# ---- networks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "inputs"), [("cuba", 80), ("cobahh", 80), ("brunel", 1000)])
def test_networks_have_the_published_connectivity(name, inputs):
    size = 2000
    network, objects = build(name, size)
    synapses = sum(len(x) for key, x in objects.items() if key not in ("cells", "spikes"))
    # binomial: sd of the mean number of inputs is below sqrt(inputs/size); five of them
    assert synapses / size == pytest.approx(inputs, abs=5 * np.sqrt(inputs / size))
    network.run(2 * ms)
    assert np.all(np.isfinite(objects["cells"].v[:]))
    assert name in NETWORKS


def test_cobahh_rests_where_the_currents_balance():
    """Without input the membrane stays near the resting potential of the model, -65 to -60 mV."""
    _, objects = build("cobahh", 100)
    cells = objects["cells"]
    cells.ge = 0
    cells.gi = 0
    cells.v = cells.namespace["El"]
    jaxsnn.Network(cells).run(50 * ms)
    assert np.all((cells.v_[:] > -0.066) & (cells.v_[:] < -0.059))


def test_unrecorded_network_has_no_monitor():
    assert "spikes" not in build("cuba", 80, recording=False)[1]


def test_build_refuses_what_makes_no_sense():
    with pytest.raises(ArgumentError, match="no benchmark network 'cub'; there are cuba, cobahh, brunel"):
        build("cub", 100)
    with pytest.raises(ArgumentError, match="Brunel-Hakim needs at least 1000 neurons, got 999"):
        build("brunel", 999)


@pytest.mark.slow
def test_same_text_fires_at_the_same_rate_in_brian2(brian):
    objects = NETWORKS["cuba"].objects(1000, brian)
    spikes = brian.SpikeMonitor(objects["cells"])
    brian.Network(*objects.values(), spikes).run(1 * brian.second)
    jaxsnn.seed(0)
    network, ours = build("cuba", 1000)
    network.run(1000 * ms)
    # networks drawn anew differ by some tenths of a hertz
    assert ours["spikes"].num_spikes / 1000 == pytest.approx(spikes.num_spikes / 1000, rel=0.2)


# ---- measuring ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_bench_measures_in_processes_of_its_own(tmp_path, capsys):
    path = tmp_path / "deep" / "numbers.json"
    arguments = ["bench", "--networks", "cuba", "--sizes", "200", "--dtypes", "float64", "--steps", "200"]
    assert main([*arguments, "--repeats", "2", "--recording", "--json", str(path)]) == 0
    said = capsys.readouterr().out
    assert "recording adds" in said
    rows = json.loads(path.read_text())["results"]
    assert [row["recording"] for row in rows] == [True, False]
    for row in rows:
        assert row["size"] == 200
        assert 0 < row["step_us"] <= row["median_us"]
        assert row["first_s"] == pytest.approx(row["start_s"] + row["step_us"] * 1e-3)
        assert row["build_s"] < row["start_s"]
    assert rows[0]["rate"] >= 0
    assert rows[1]["rate"] is None


@pytest.mark.slow
def test_failure_in_a_process_shows_its_last_words():
    with pytest.raises(BenchmarkError, match=r"needs at least 80 neurons, got 3"):
        compare([Spec("cuba", 3)])


def test_missing_peer_says_how_to_install_it(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NotSupportedError, match=r"pip install 'jaxsnn-sim\[brian2\]'"):
        Process(Spec("cuba", 100, "brian2"))
    assert main(["bench", "--networks", "cuba", "--sizes", "100", "--peer", "brian2"]) == 1
    assert "not installed" in capsys.readouterr().err


def test_unknown_simulator():
    with pytest.raises(ArgumentError, match="there is no simulator 'nest'; there are jaxsnn, brian2"):
        Process(Spec("cuba", 100, "nest"))


@pytest.mark.parametrize(("size", "steps"), [(80, 10_000), (4000, 10_000), (10_000, 4000), (10**6, 2000)])
def test_runs_get_shorter_as_networks_grow(size, steps):
    assert default_steps(size) == steps


# ---- reports -----------------------------------------------------------------------------------------------------


def test_table_compares_recording_and_simulators():
    lines = table([result(), result(step_us=8.0, recording=False), result("brian2", 20.0, start=16.0)]).splitlines()
    assert lines[0].split()[:4] == ["network", "neurons", "synapses", "simulator"]
    assert " ".join(lines[2].split()) == "CUBA 4000 320000 jaxsnn float32 cpu 10.0 20.0 5.50 Hz 2.00 s 2.01 s"
    assert "step 2.00 times as fast, first 100 ms 7.97 times" in lines[5]  # 16.02 / 2.01
    assert lines[6].endswith("recording adds 2.0 us a step (25 %)")
    assert len(lines) == 7


def test_table_notes_a_wrong_rate_only_where_it_is_known():
    assert "note: CUBA 4000 fires at 9.00 Hz" in table([result(rate=9.0)])
    assert "note" not in table([result(rate=9.0, size=400)])
    assert "note" not in table([result(rate=5.5)])


def test_json_holds_the_numbers_and_where_they_come_from():
    data = json.loads(as_json([result()]))
    assert data["versions"]["jax"] == jax.__version__
    assert data["results"][0]["network"] == "cuba"
    assert data["results"][0]["step_us"] == 10.0
