"""The command line and the benchmark networks: arguments, output, and numbers that can be checked by hand."""

import json
import re
import sys

import jax
import numpy as np
import pytest

import jaxsnn
from jaxsnn.__main__ import main
from jaxsnn.bench import NETWORKS, PUBLISHED, Result, Spec, as_json, build, compare, from_json, table
from jaxsnn.bench.measure import BenchmarkError, Process, default_steps
from jaxsnn.errors import ArgumentError, NotSupportedError
from jaxsnn.units import ms


def result(simulator="jaxsnn", step_us=10.0, rate=5.5, size=4000, start=2.0, device="cpu", **more):
    spec = Spec("cuba", size, simulator, "float32", True, 2000, "bare_us" in more)
    first = start + step_us * 1e-3
    return Result(spec, device, 320_000, step_us, 2 * step_us, start, first, 0.1, rate, {"cells": rate}, **more)


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
    with pytest.raises(ArgumentError, match="no benchmark network 'cub'; there are cuba, cuba-1000, cobahh"):
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
    assert "without recording, which adds" in said
    (row,) = json.loads(path.read_text())["results"]
    assert row["size"] == 200
    assert 0 < row["step_us"] <= row["median_us"]
    assert row["first_s"] == pytest.approx(row["start_s"] + row["step_us"] * 1e-3)
    assert row["build_s"] < row["start_s"]
    assert row["rate"] == row["rates"]["cells"] >= 0
    assert row["bare_us"] > 0
    # source and target of each synapse, 4 bytes each, and where the synapses of each source begin (161 + 41 of them)
    assert row["synapse_bytes"] == pytest.approx(8 + 4 * (161 + 41) / row["synapses"])


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
    lines = table(
        [result(bare_us=8.0, compile_s=1.5, synapse_bytes=8.1), result("brian2", 20.0, start=16.0)]
    ).splitlines()
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert len({len(line) for line in lines[:4]}) == 1  # aligned
    head = [cell.strip() for cell in lines[0].strip("|").split("|")]
    row = dict(zip(head, cells, strict=True))
    assert row == {
        "network": "CUBA", "N": "4000", "synapses": "320000", "simulator": "jaxsnn float32", "target": "-",
        "us/step": "10.0", "best peer": "-", "ratio": "-", "rate": "5.50 Hz", "recording": "+2.0 us",
        "first call": "1.50 s", "build": "0.1 s", "B/synapse": "8.1",
    }  # fmt: skip
    assert lines[4] == ""
    assert lines[5].startswith("on cpu.")
    assert "step 2.00 times as fast, first 100 ms 7.97 times" in lines[6]  # 16.02 / 2.01
    assert lines[7].endswith("8.0 us a step without recording, which adds 2.0 us (25 %)")
    assert len(lines) == 8


def test_table_holds_results_against_the_card_they_were_published_for():
    lines = table([result(device="NVIDIA H200", step_us=5.0, peak_bytes=3 * 2**29)]).splitlines()
    assert " |      4 |     5.0 | GeNN 12.9 |  2.58 |" in lines[2]  # target 4.0; 12.9 / 5
    assert "NVIDIA H200, 2026-11-22" in lines[5]
    assert lines[6].endswith("at most 1.50 GiB of device memory")
    assert "GeNN" not in table([result(device="NVIDIA A100")])


def test_table_notes_a_wrong_rate_only_where_it_is_known():
    assert "note: CUBA 4000 fires at 9.00 Hz" in table([result(rate=9.0)])
    assert "note" not in table([result(rate=9.0, size=400)])
    assert "note" not in table([result(rate=5.5)])


def test_json_holds_the_numbers_and_where_they_come_from():
    given = [result(device="NVIDIA H200", bare_us=9.0), result(size=400)]
    data = json.loads(as_json(given))
    assert data["versions"]["jax"] == jax.__version__
    assert data["results"][0]["network"] == "cuba"
    assert data["results"][0]["step_us"] == 10.0
    assert data["results"][0]["published"]["target"] == 4.0
    assert data["results"][1]["published"] is None
    assert from_json(as_json(given)) == given


@pytest.mark.parametrize(
    ("arguments", "networks", "bare"),
    [([], {"cuba", "cobahh"}, False), (["--set", "published"], set(NETWORKS), True)],
)
def test_sets_of_networks(arguments, networks, bare, monkeypatch, tmp_path, capsys):
    """What would be measured, with the measuring left out; a network that fails leaves the others their results."""
    asked = []

    def measured(specs, repeats, say):
        asked.extend(specs)
        if specs[0].network == "cobahh":
            raise BenchmarkError("out of memory")
        return [result(size=spec.size) for spec in specs]

    monkeypatch.setattr("jaxsnn.__main__.compare", measured)
    path = tmp_path / "numbers.json"
    assert main(["bench", *arguments, "--json", str(path)]) == 1
    assert "out of memory" in capsys.readouterr().err
    assert {spec.network for spec in asked} == networks
    assert {spec.bare for spec in asked} == {bare}
    sizes = [spec.size for spec in asked if spec.network == "cuba"]
    assert sizes == ([4000, 100_000, 1_000_000] if bare else [4000, 4000, 40_000, 40_000])
    assert len(from_json(path.read_text())) == len([s for s in asked if s.network != "cobahh"])


def test_published_numbers_are_of_networks_and_sizes_that_are_measured():
    for (name, size), numbers in PUBLISHED.items():
        assert size in NETWORKS[name].sizes
        assert numbers.best is None or numbers.target < numbers.best[1]
    assert PUBLISHED["stdp-heterogeneous", 1_000_000].best is None
