"""Every example runs at a small size, draws its figure, and prints numbers that agree with the theory it names."""

import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples"
EXAMPLES = sorted([*FOLDER.glob("*.py"), *FOLDER.glob("*/figure*.py")])
NAMES = {path: path.relative_to(FOLDER).with_suffix("").as_posix() for path in EXAMPLES}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run an example once, in a process of its own, on a copy of the folder (figures go to `out` beside it)."""
    root = tmp_path_factory.mktemp("clone")
    shutil.copytree(FOLDER, root / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    done: dict[str, str] = {}

    def run(name: str, *options: str) -> str:
        if name not in done:
            script = root / "examples" / f"{name}.py"
            environment = os.environ | {
                "JAXSNN_EXAMPLE_SMALL": "1",
                "JAX_PLATFORMS": "cpu",
                "MPLBACKEND": "Agg",
                "PYTHONPATH": str(ROOT),
            }
            result = subprocess.run(
                [sys.executable, "-W", "error", str(script), *options],
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert result.returncode == 0, result.stderr
            figure = root / "out" / f"{name}.png"
            assert figure.stat().st_size > 10_000
            done[name] = result.stdout
        return done[name]

    return run


def numbers(text: str, pattern: str) -> list[float]:
    """The numbers in the one line that fits the pattern."""
    found = re.search(pattern, text)
    assert found is not None, text
    return [float(value) for value in found.groups()]


@pytest.mark.parametrize("path", EXAMPLES, ids=NAMES.get)
def test_docstring_says_what_how_checked_and_how_long(path):
    text = path.read_text().split('"""')[1]
    for part in ("What it shows:", "How it was checked:", "How long it takes:", f"python examples/{NAMES[path]}.py"):
        assert part in text


def test_all_examples_are_run_here():
    tested = {
        "cuba",
        "cobahh",
        "brunel_hakim",
        "fi_curve",
        "exact_spike_times",
        "noisy_oscillation",
        "sweep_vmap",
        "stdp_song_miller_abbott",
        "fit_adex_trace",
        "train_digits",
        "learn_delays",
        "fit_stdp",
        "invert_stimulus",
        "recover_weights",
        "consolidation/figure1",
        "consolidation/figure2",
        "consolidation/figure4",
        "consolidation/figure5",
        "consolidation/figure6",
    }
    assert set(NAMES.values()) == tested


def test_cuba(run):
    # The rate does not depend on the size, as every cell has 80 inputs; Brian2 gives 5.3 to 5.7 Hz for 4,000 cells.
    (rate,) = numbers(run("cuba"), r"mean rate ([\d.]+) Hz")
    assert 3 < rate < 9


def test_cobahh(run):
    (rate,) = numbers(run("cobahh"), r"mean rate ([\d.]+) Hz")
    assert rate > 0


def test_brunel_hakim(run):
    text = run("brunel_hakim")
    rate, theory = numbers(text, r"mean rate ([\d.]+) Hz; mean-field theory without oscillation ([\d.]+) Hz")
    (peak,) = numbers(text, r"oscillates at (\d+) Hz")
    assert rate == pytest.approx(theory, rel=0.15)
    # Fewer and stronger synapses make the small network slower (96 to 108 Hz in three draws) than the large one with
    # its 158 Hz. The point is that each cell fires in few of the cycles.
    assert 10 * rate < peak < 250


def test_fi_curve(run):
    text = run("fi_curve")
    (without_noise,) = numbers(text, r"largest deviation without noise: ([\d.]+) %")
    (with_noise,) = numbers(text, r"deviations with noise in standard errors: ([\d.]+)")
    assert without_noise < 0.01  # the interval is known to the step
    assert with_noise < 2.2  # of 9 numbers that are 1 in the mean


def test_noisy_oscillation(run):
    text = run("noisy_oscillation")
    for name in ("x", "y"):
        value, error, _, closed = numbers(
            text,
            rf"variance of {name}: ([\d.e+]+) \+- ([\d.e+]+) .*, closed form ([\d.e+]+), in Euler's steps ([\d.e+]+)",
        )
        assert abs(value - closed) < 4 * error
    mean, variance, closed = numbers(text, r"log z at the end: mean ([+-][\d.]+) \(0\), variance ([\d.]+) \(([\d.]+)\)")
    cells = 800
    assert abs(mean) < 4 * (closed / cells) ** 0.5
    assert abs(variance / closed - 1) < 4 * (2 / cells) ** 0.5
    assert "multiplicative" in text


def test_sweep_vmap(run):
    text = run("sweep_vmap")
    assert "the same spikes: True" in text
    for path in ("passive.taum", "passive.taue", "synapse.w"):
        by_gradient, by_differences = numbers(text, rf"{path} +jax.grad ([+-][\d.]+), central differences ([+-][\d.]+)")
        assert by_gradient == pytest.approx(by_differences, rel=0.01)
    # The mean square of a linear membrane is quadratic in the weight.
    (quadratic,) = numbers(text, r"synapse.w +jax.grad ([+-][\d.]+)")
    assert quadratic == pytest.approx(2, abs=1e-3)


def test_stdp_song_miller_abbott(run):
    text = run("stdp_song_miller_abbott")
    before, after = numbers(text, r"outer fifths: ([\d.]+) at first, ([\d.]+) in the end")
    assert before == pytest.approx(0.4, abs=0.15)  # 100 weights, uniform
    assert after > 0.6
    first, last = numbers(text, r"rate ([\d.]+) Hz in the first tenth, ([\d.]+) Hz in the last")
    assert min(first, last) > 10


def test_fit_adex_trace(run):
    text = run("fit_adex_trace")
    recovered, starts = numbers(text, r"within 2 %: (\d+) of (\d+) starts")
    assert recovered >= 0.8 * starts
    (deviation,) = numbers(text, r"largest deviation in standard errors: ([\d.]+)")
    assert deviation < 3.5  # of six normal numbers
    assert numbers(text, r"fires (\d+) spikes, Gamma factor at 1 ms: ([\d.]+)") == [17, 1.0]


def test_exact_spike_times(run):
    text = run("exact_spike_times")
    for path in ("first.w", "second.delay", "hidden.taum"):
        by_gradient, by_differences = numbers(
            text, rf"{path} +jax.grad ([+-][\d.e+-]+), central differences ([+-][\d.e+-]+)"
        )
        assert by_gradient == pytest.approx(by_differences, rel=1e-5)
    before, after = numbers(text, r"largest distance to a target: ([\d.]+) us at first, ([\d.]+) us after")
    assert before > 1000
    assert after < 50


def test_train_digits(run):
    text = run("train_digits")
    (accuracy,) = numbers(text, r"test accuracy ([\d.]+) %")
    assert accuracy > 90  # of ten classes, images that were never trained on
    (difference,) = numbers(text, r"largest difference of voltages ([\d.e+-]+)")
    assert difference < 1e-4
    for path, before in (("hidden.tau_m", 10), ("hidden.tau_s", 5)):
        found, low, high = numbers(text, rf"{path}: (\d+) ms at first, then ([\d.]+), [\d.]+, ([\d.]+) ms")
        assert found == before
        assert high > low


def test_learn_delays(run):
    text = run("learn_delays")
    for path in ("synapses.w", "synapses.delay"):
        by_gradient, by_differences = numbers(text, rf"{path} +jax.grad ([+-][\d.]+), central differences ([+-][\d.]+)")
        assert by_gradient == pytest.approx(by_differences, rel=0.02)  # the loss has kinks at whole steps and peaks
    (learned,) = numbers(text, r"delays learned: test accuracy ([\d.]+) %")
    assert learned > 95
    for held in ("all equal", "at random"):
        alone, highest = numbers(
            text, rf"delays held, {held}: test accuracy ([\d.]+) %, by the highest peak ([\d.]+) %"
        )
        assert alone < 60
        assert highest < 75
    before, after = numbers(text, r"spread of the arrivals of the own class: ([\d.]+) ms at first, ([\d.]+) ms after")
    assert before == pytest.approx(6 * (5 / 4) ** 0.5, rel=0.1)  # four spikes at 0, 6, 12, 18 ms, weights nearly equal
    assert after < 1.5


def test_recover_weights(run):
    (lowest,) = numbers(run("recover_weights"), r"lowest correlation: ([\d.]+)")
    assert lowest > 0.95


def test_fit_stdp(run):
    text = run("fit_stdp")
    recovered, starts = numbers(text, r"within 5 %: (\d+) of (\d+) starts")
    assert recovered == starts
    for name in ("A_plus", "A_minus", "tau_plus", "tau_minus"):
        relative, deviation = numbers(text, rf"{name}: .*relative error ([+-][\d.]+) %, ([+-][\d.]+) standard errors")
        assert abs(relative) < 5
        assert abs(deviation) < 3.5  # of four normal numbers


def test_invert_stimulus(run):
    text = run("invert_stimulus")
    right, cells = numbers(text, r"wanted number of spikes: (\d+) of (\d+)")
    assert right == cells
    (distance,) = numbers(text, r"largest distance of a spike to the wanted one: ([\d.]+) ms")
    assert distance <= 1


def test_consolidation_figure1(run):
    # A part of the small size: 3 cells, 12 s. What a cell learns in that time is far less than what it begins with by
    # chance, but the change is not hidden by it; tests/test_consolidation_figure1.py has the rest.
    text = run("consolidation/figure1", "--minutes", "0.2", "--pieces", "4", "--seeds", "1")
    later, earlier = numbers(text, r"change of the mean correlation: ([+-][\d.]+) .*, ([+-][\d.]+) \(earlier\)")
    assert later > earlier
    (rate,) = numbers(text, r"mean output rate in Hz: ([\d.]+)")
    assert 14 < rate < 23  # 19 Hz in the first minutes
    assert len(re.findall(r"us a step$", text, re.MULTILINE)) == 3
    assert "3 cells with 1000 + 1000 synapses on cpu" in text


def test_consolidation_figure2(run):
    text = run("consolidation/figure2")
    (difference,) = numbers(text, r"difference of closed form and quadrature: ([\d.e+-]+)")
    assert difference < 1e-3
    rows = re.findall(r"^ +(\d+) +(\d+) +(-?[\d.]+) +(-?[\d.]+) +-?[\d.]+ .*%$", text, re.MULTILINE)
    found = {(int(delay), int(tau_c)): (float(B), float(closed)) for delay, tau_c, B, closed in rows}
    # By hand from the closed form, in ms.
    for setting, expected in {(5, 10): 4.392, (20, 10): 6.156, (5, 50): 1.754}.items():
        measured, closed = found[setting]
        assert closed == pytest.approx(expected, abs=1e-3)
        assert measured == pytest.approx(closed, rel=0.1)
    measured, closed = found[5, 500]
    assert max(measured, closed) < 0
    for delay, expected in ((2, 77), (5, 179), (10, 319), (20, 514)):
        assert numbers(text, rf"B is 0 for D = {delay} ms at tau_c = (\d+) ms") == [expected]
    factor, goal, together = numbers(
        text, r"factor ([\d.]+) \(closed form ([\d.]+), .*\), correlation of W and V ([\d.]+)"
    )
    assert factor == pytest.approx(goal, rel=0.15)  # 60 s; 3 % in 600 s
    assert together > 0.8


def probabilities(text: str, group: str, pathway: str) -> dict[int, float]:
    """A row of the table of figure4.py, by day."""
    days = [int(day) for day in re.findall(r" day (\d+)", re.search(r"^ +day 0 .*$", text, re.MULTILINE)[0])]
    (found,) = re.findall(rf"^{group} +{pathway} *:(.*)$", text, re.MULTILINE)
    return dict(zip(days, map(float, re.findall(r"([\d.]+) \+-", found)), strict=True))


def test_consolidation_figure4(run):
    text = run("consolidation/figure4", "--trials", "1", "--days", "5")
    sc, ca1 = (probabilities(text, "control", pathway) for pathway in ("SC", "PPCA1"))
    assert min(sc[0], sc[1]) > 0.98
    assert ca1[5] > ca1[0] + 0.2  # what SC knows, PPCA1 learns
    assert set(probabilities(text, "lesion before day 0", "PPCA1").values()) == {0.25}
    for day_1 in re.findall(r":  day 1: ([\d.]+)", text):
        assert float(day_1) == pytest.approx(0.175 + 0.3, abs=0.006)  # by SC, which nobody took away


@pytest.mark.slow
def test_consolidation_figure4_for_a_month(run):
    text = run("consolidation/figure4", "--trials", "2")

    def row(group: str, pathway: str) -> dict[int, float]:
        return probabilities(text, group, pathway)

    sc, ca1, sub = (row("control", pathway) for pathway in ("SC", "PPCA1", "PPSUB"))
    assert min(sc[0], sc[1]) > 0.98
    assert sc[28] < 0.6
    assert ca1[1] > ca1[0] + 0.2
    assert ca1[5] > 0.8
    assert ca1[28] < ca1[7]
    assert sub[28] > sub[7] > sub[0]
    before = row("lesion before day 0", "PPSUB")
    assert sub[28] > before[28]  # CA1 teaches SUB what it has learned itself
    assert set(row("lesion before day 0", "PPCA1").values()) == {0.25}
    assert row("lesion after night 21", "PPCA1")[28] == 0.25
    assert row("lesion after night 21", "PPSUB")[28] > before[28]
    for day_1 in re.findall(r":  day 1: ([\d.]+)", text):
        assert float(day_1) == pytest.approx(0.175 + 0.3, abs=0.006)  # by SC, which nobody took away


def test_consolidation_figure5(run):
    text = run("consolidation/figure5", "--equilibrate", "2", "--nights", "8")
    rows = re.findall(r"^ +(\d) +(\d+|not yet) +([\d.]+) +([\d.]+) +[\d.]+ *$", text, re.MULTILINE)
    assert [int(level) for level, *_ in rows] == [1, 2, 3, 4]
    heights = [float(height) for _, _, height, _ in rows]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] > 0.2
    (deviation,) = numbers(text, r"of the hippocampus from its law: ([\d.]+) \(")
    assert deviation < 3 / 64  # three times what one memory does by chance


@pytest.mark.slow
def test_consolidation_figure5_until_two_levels_have_had_their_peaks(run):
    # Of the nights of the small size as many as the peaks of two levels need; tests/test_consolidation_figure5.py has
    # the rest.
    text = run("consolidation/figure5", "--equilibrate", "16", "--nights", "24")
    (deviation,) = numbers(text, r"of the hippocampus from its law: ([\d.]+) \(")
    assert deviation < 3 / 64 / 12**0.5  # three standard errors of chance, 1/N for each of 12 memories
    rows = re.findall(r"^ +(\d) +(\d+|not yet) +([\d.]+) +([\d.]+) +[\d.]+ *$", text, re.MULTILINE)
    assert [int(level) for level, *_ in rows] == [1, 2, 3, 4]
    assert int(rows[0][1]) < int(rows[1][1])  # a wave: one level after the other
    for (*_, before, _), (*_, height, error) in itertools.pairwise(rows):
        assert 2 * float(error) < float(height) < 0.75 * float(before)
    chance, expected = numbers(text, r"hippocampus ([\d.]+) \(expected 1/N = ([\d.]+)\)")
    assert chance == pytest.approx(expected, rel=0.1)


def test_consolidation_figure6(run):
    text = run("consolidation/figure6")
    (difference,) = numbers(text, r"difference of integration and closed form: ([\d.e+-]+)")
    assert difference < 1e-6
    exponent, r2, exponential = numbers(text, r"t = 10 to 1000: ([\d.-]+) .*, r2 ([\d.]+); .* exponential ([\d.]+)")
    assert exponent == pytest.approx(-0.45, abs=0.02)
    assert r2 > 0.99 > exponential
    for ratio in numbers(text, r"levels 4 to 12: ([\d.]+) to ([\d.]+) \(expected"):
        assert ratio == pytest.approx(0.724, abs=0.01)
    for factor in numbers(text, r"half of an endless hierarchy: times ([\d.]+) to ([\d.]+) a level"):
        assert factor == pytest.approx(2, abs=0.02)
