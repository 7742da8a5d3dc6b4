"""The cell of Figure 1 with its two pathways: many trials in one network, run in pieces that can be continued.

Model: M. W. H. Remme et al. (2021), doi:10.1371/journal.pcbi.1009681, "Consolidation in a single integrate-and-fire
neuron"; the parameters are the article's. The plasticity is that of S. Song, K. D. Miller, L. F. Abbott (2000),
doi:10.1038/78829: additive, all pairs of spikes, hard bounds.

Where the article leaves a choice, and what it is here:

* Order in a step of 0.1 ms: Euler's step of v and ge, the threshold, arriving spikes (trace, weight, then ge grows by
  the weight just changed), plasticity of an output spike, reset. The authors' program tests the threshold first and
  adds the weight after both changes; that is one step of difference in a few of 10,000 spikes.
* Refractory: 1.75 ms are 17 steps after the one with the spike.
* Each input fires at most once in a step, with the probability rate*dt, whatever the others do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

import jaxsnn as snn
from jaxsnn.units import Hz, Quantity, ms, mV, second

G_MAX = 0.006
"""Largest weight, in units of the leak conductance."""

PARAMETERS = {
    "El": -70 * mV,
    "Ee": 0 * mV,
    "Vt": -54 * mV,
    "Vr": -60 * mV,
    "taum": 20 * ms,
    "taue": 5 * ms,
    "g_max": G_MAX,
    "A_plus": 0.005 * G_MAX,
    "A_minus": 1.05 * 0.005 * G_MAX,
    "tau": 20 * ms,
}


@dataclass(frozen=True)
class Trial:
    """One cell.

    seed: of its first weights; delay: ms by which the teaching pathway is later than the plastic one. If it is
    negative, the plastic pathway is the later one (the reversed direction).
    """

    seed: int
    delay: float

    def weights(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """First weights of the plastic and of the teaching pathway, as parts of the largest one, shape (n,) each.

        Half of them are low, exponential with mean 0.05, the others as much below 1. Those of the teaching pathway are
        in this order, those of the plastic one are drawn anew and shuffled.

        >>> plastic, teaching = Trial(seed=0, delay=5.0).weights(1000)
        >>> print(f"{teaching[:500].mean():.2f} {teaching[500:].mean():.2f} {plastic[:500].mean():.1f}")
        0.05 0.95 0.5
        """
        random = np.random.default_rng(self.seed)

        def draw() -> np.ndarray:
            small = np.minimum(random.exponential(0.05, n), 1)
            return np.where(np.arange(n) < n // 2, small, 1 - small)

        teaching = draw()
        return random.permutation(draw()), teaching


def protocol(seeds: int, delays: Sequence[float]) -> list[Trial]:
    """Trials of both directions with the article's 5 ms, and one for each other delay, with first weights of its own.

    >>> [trial.delay for trial in protocol(2, [20, 80])]
    [5.0, 5.0, -5.0, -5.0, 20.0, 80.0]
    """
    both = [Trial(seed, delay) for delay in (5.0, -5.0) for seed in range(seeds)]
    return both + [Trial(seeds + k, float(delay)) for k, delay in enumerate(delays)]


class Cells:
    """One network in which each trial is a cell with inputs of its own, which reach it twice.

    Args:
        trials: One cell each.
        n: Inputs of a cell.
        rate: Of an input.
        inputs: What fires instead of Poisson inputs, n*len(trials) elements: those of trial k are k*n to (k + 1)*n - 1.
        dtype: As for `jaxsnn.Network`.

    Random numbers are those of `jaxsnn.seed`.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        n: int = 1000,
        rate: Quantity = 10 * Hz,
        inputs: snn.PoissonGroup | snn.SpikeGeneratorGroup | None = None,
        dtype: str = "float32",
    ) -> None:
        self.trials, self.n = tuple(trials), n
        self.inputs = snn.PoissonGroup(len(trials) * n, rates=rate, name="inputs") if inputs is None else inputs
        self.cells = snn.NeuronGroup(
            len(trials),
            """
            dv/dt = (El - v + ge*(Ee - v))/taum : volt (unless refractory)
            dge/dt = -ge/taue : 1
            """,
            threshold="v > Vt",
            reset="v = Vr",
            refractory=1.75 * ms,
            method="euler",
            namespace=PARAMETERS,
            name="cells",
        )
        self.cells.v = "El"
        self.plastic = snn.Synapses(
            self.inputs,
            self.cells,
            """
            w : 1
            dApre/dt = -Apre/tau : 1 (event-driven)
            dApost/dt = -Apost/tau : 1 (event-driven)
            """,
            on_pre="Apre += A_plus; w = clip(w + Apost, 0, g_max); ge_post += w",
            on_post="Apost -= A_minus; w = clip(w + Apre, 0, g_max)",
            namespace=PARAMETERS,
            name="plastic",
        )
        self.teaching = snn.Synapses(self.inputs, self.cells, "w : 1", on_pre="ge_post += w", name="teaching")
        drawn = [trial.weights(n) for trial in trials]
        late = np.array([trial.delay for trial in trials])
        for k, (synapses, delay) in enumerate(((self.plastic, -late), (self.teaching, late))):
            synapses.connect(i=np.arange(len(trials) * n), j=np.arange(len(trials) * n) // n)
            synapses.w = G_MAX * np.concatenate([pair[k] for pair in drawn])
            synapses.delay = np.repeat(np.maximum(delay, 0), n) * ms
        self.spikes = snn.SpikeMonitor(self.cells, record=False, name="spikes")
        self.net = snn.Network(
            self.inputs, self.cells, self.plastic, self.teaching, self.spikes, dt=0.1 * ms, dtype=dtype
        )

    def weights(self, synapses: snn.Synapses) -> np.ndarray:
        """Weights as parts of the largest one, a row for each trial."""
        return np.asarray(synapses.w[:], dtype=np.float64).reshape(len(self.trials), self.n) / G_MAX


@dataclass(frozen=True)
class Course:
    """What a run has recorded at the ends of its pieces (P of them, and the beginning) in K trials of n inputs.

    seed, delay: (K,) the trials; minutes: (P + 1,); correlation: (P + 1, K) of plastic and teaching weights, Pearson;
    low, high: (P + 1, K) mean of the plastic weights whose teaching weights are low or high; spikes: (P + 1, K) since
    the beginning; first, last, teaching: (K, n) weights. Weights are parts of the largest one.
    """

    seed: np.ndarray
    delay: np.ndarray
    minutes: np.ndarray
    correlation: np.ndarray
    low: np.ndarray
    high: np.ndarray
    spikes: np.ndarray
    first: np.ndarray
    last: np.ndarray
    teaching: np.ndarray

    @staticmethod
    def start(cells: Cells) -> Course:
        """Of a run that has not begun."""
        seed, delay = (np.array([getattr(trial, name) for trial in cells.trials]) for name in ("seed", "delay"))
        none = np.zeros((0, len(seed)))
        plastic, teaching = cells.weights(cells.plastic), cells.weights(cells.teaching)
        return Course(seed, delay, np.zeros(0), none, none, none, none, plastic, plastic, teaching).then(cells)

    def then(self, cells: Cells) -> Course:
        """With what the cells are like now."""
        w, v, half = cells.weights(cells.plastic), self.teaching, cells.n // 2
        now = {
            "minutes": float(cells.net.t / second) / 60,
            "correlation": [np.corrcoef(one, other)[0, 1] for one, other in zip(w, v, strict=True)],
            "low": w[:, :half].mean(1),
            "high": w[:, half:].mean(1),
            "spikes": np.asarray(cells.spikes.count[:]),
        }
        longer = {name: np.concatenate([getattr(self, name), np.asarray(row)[None]]) for name, row in now.items()}
        return replace(self, last=w, **longer)

    def until(self, cells: Cells) -> Course:
        """Without what was recorded later than the time that the cells have reached."""
        kept = self.minutes < float(cells.net.t / second) / 60 + 1e-6
        rows = ("minutes", "correlation", "low", "high", "spikes")
        return replace(self, last=cells.weights(cells.plastic), **{name: getattr(self, name)[kept] for name in rows})

    @staticmethod
    def joined(courses: Sequence[Course]) -> Course:
        """Trials of several runs that were recorded at the same times, as those of one."""
        if any(not np.array_equal(course.minutes, courses[0].minutes) for course in courses):
            raise ValueError("these runs were not recorded at the same times")
        rows = {"correlation": 1, "low": 1, "high": 1, "spikes": 1} | dict.fromkeys(
            ("seed", "delay", "first", "last", "teaching"), 0
        )
        values = {name: np.concatenate([getattr(c, name) for c in courses], axis) for name, axis in rows.items()}
        return Course(minutes=courses[0].minutes, **values)

    def rates(self) -> np.ndarray:
        """(P, K) output rates in the pieces, in Hz."""
        return np.diff(self.spikes, axis=0) / (60 * np.diff(self.minutes)[:, None])

    def save(self, path: Path) -> None:
        """Into a file that is there whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with _new(path).open("wb") as file:
            np.savez_compressed(file, **{field.name: getattr(self, field.name) for field in fields(self)})
        _new(path).replace(path)

    @staticmethod
    def load(path: Path) -> Course:
        """From a file of `save`."""
        with np.load(path, allow_pickle=False) as file:
            return Course(**{name: file[name] for name in file.files})


def run(
    cells: Cells,
    minutes: float,
    piece: float = 30.0,
    checkpoint: Path | None = None,
    deadline: float = math.inf,
    tell: Callable[[Course, float], None] = lambda course, seconds: None,
) -> Course:
    """Run in pieces of ``piece`` seconds of biological time, and go on where an earlier process has stopped.

    Args:
        checkpoint: File that takes the state of the network, about once a minute and in the end; what has been
            recorded is in a second one, named like it with ``.course.npz``. If they are there, the run goes on.
        deadline: Value of ``time.monotonic()`` that no piece should pass: it ends a run early.
        tell: Called after each piece with the course, and the seconds the piece took.

    A run in pieces is the run in one piece: the same random numbers, and on a CPU the same bits.
    """
    beside = None if checkpoint is None else checkpoint.with_name(checkpoint.name + ".course.npz")
    course = Course.start(cells)
    if checkpoint is not None and beside is not None and checkpoint.exists():
        kept = Course.load(beside)
        for name in ("seed", "delay", "first", "teaching"):
            if not np.array_equal(getattr(kept, name), getattr(course, name)):
                raise ValueError(
                    f"{checkpoint} holds {len(kept.seed)} trials of {kept.first.shape[1]} inputs that differ from those"
                    f" of this run in {name!r}; go on with the trials of that run, or name another file"
                )
        cells.net.restore(filename=checkpoint, restore_random_state=True)
        course = kept.until(cells)

    def save() -> None:
        if checkpoint is not None and beside is not None:
            course.save(beside)  # first: what it has beyond the state is left out again
            cells.net.store(filename=_new(checkpoint))
            _new(checkpoint).replace(checkpoint)

    slowest, saved = 0.0, time.monotonic()
    while (left := 60 * minutes - float(cells.net.t / second)) > 1e-6:
        begun = time.monotonic()
        if begun + slowest > deadline:
            break
        cells.net.run(min(piece, left) * second)
        course = course.then(cells)
        took = time.monotonic() - begun
        slowest = max(slowest, took)
        if time.monotonic() - saved > 60:
            save()
            saved = time.monotonic()
        tell(course, took)
    save()
    return course


def run_alone(
    trial: Trial,
    minutes: float,
    piece: float = 600.0,
    tell: Callable[[Course, float], None] = lambda course, seconds: None,
) -> Course:
    """One trial as a network of its own, with inputs drawn before each piece of ``piece`` seconds instead of in it.

    The statistics are those of `Cells`, the spikes are others. For a CPU, which is quickest with few cells and few
    random numbers.
    """
    cells = Cells([trial], inputs=snn.SpikeGeneratorGroup(1000, [], [] * second, name="inputs"))
    course = Course.start(cells)
    steps = round(piece / 1e-4)
    for number in range(math.ceil(60 * minutes / piece - 1e-9)):
        random = np.random.default_rng([trial.seed, int(trial.delay < 0), number])
        # Of all inputs in all steps those that fire, each with probability rate*dt.
        fired = np.unique(random.integers(0, cells.n * steps, random.binomial(cells.n * steps, 1e-3)))
        first = round(float(cells.net.t / second) / 1e-4)
        cells.inputs.set_spikes(fired % cells.n, (first + fired // cells.n) * 1e-4 * second)
        begun = time.monotonic()
        cells.net.run(min(piece, 60 * minutes - first * 1e-4) * second)
        course = course.then(cells)
        tell(course, time.monotonic() - begun)
    return course


def _new(path: Path) -> Path:
    return path.with_name(path.name + ".new")
