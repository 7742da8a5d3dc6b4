"""Not in the article: the first two levels of the hierarchy of Figure 5 with spikes and pair STDP instead of rates.

What it shows: `jaxsnn.plasticity.STDP` with two pathways at each synapse, one that transmits a spike and one that
learns from it; neurons that fire at random; weights that are read and changed between pieces of a run. Two results:
the mean change of nearly frozen weights (the drift) against theory, and a memory that is imprinted in the indirect
pathway and then appears in level 1, and later in level 2.
Model: M. W. H. Remme et al. (2021), doi:10.1371/journal.pcbi.1009681. The article uses rates for Figure 5, and notes
that linear Poisson neurons obey the same theory. Delays (D = 5 ms), the rate of the inputs (10 Hz) and the paths are
those of Figure 5; the rest had to change:

* HPC fires in a step with the sum of the weights whose inputs arrive as its probability, a neuron of level 1 or 2 with
  half of that sum, and half of the spikes of its neuron one level before are added. All neurons are linear.
* An input spike causes output spikes by the synapse itself. In the rates of Figure 5 what a synapse does to itself is
  potentiated and depressed nearly alike; here, cause comes before effect. The article's window counts a pair at zero
  lag as depression, so synapses transmit one step before they learn: what they cause is at zero lag, and each weight
  decays towards its teacher. That is A(0) = -A_minus, as in Figure 6, and bounds are not needed to forget.
* Inputs of 10 Hz have a variance r/dT = 2000 Hz^2 in steps of 5 ms, where the rates of Figure 5 have 24 Hz^2, so a pair
  has to change a weight less: A_plus is such that level 1 learns with a time constant of 600 s, level 2 of 1200 s.
* A_minus = A_plus exp(-dt/tau). Then lags of unrelated spikes add up to nothing (zero lag counts as depression), and no
  term of the mean rates is left. The sum of the weights of a neuron follows that of its teacher.
* A memory is a matrix with 2/N in a random half of each row. 16 inputs instead of 256: pairs of spikes by chance blur
  weights, the more the smaller they are (panel D). Rows of weights learn alone: 128 output neurons share the inputs.

Panels. A: drift of the weights of both levels over that expected, for each path (bars: standard errors). B: correlation
with a memory by its age, mean over memories (lines: theory without chance). C: the part of a memory in the weights, the
slope of the weights over it, against theory (lines). D: weights of level 1 in the end against those of the theory.

How it was checked: all five drift coefficients are within 1.2 % and 1.1 standard errors (0.5 to 1.9 %) of theory. The
part of a memory is largest in level 1 after night 1 (counted from 0) with 0.140 (theory 0.141), in level 2 after night
4 with 0.0445 (0.0442); correlations then are 0.41 and 0.25. No weight is at a bound in the end.
How long it takes: 2 minutes of processor time on a CPU with 2 cores, half a minute with --small.

    python examples/consolidation/spiking_levels.py             # drift: 300 s at 1 ms; 60 nights at 5 ms
    python examples/consolidation/spiking_levels.py --small     # drift: 40 s at 2.5 ms; 14 nights at 5 ms
"""

import math
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib

if "--show" not in sys.argv:
    matplotlib.use("Agg")
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxsnn as snn
from jaxsnn.plasticity import STDP
from jaxsnn.units import Hz, second

OUT = Path(__file__).resolve().parents[2] / "out" / "consolidation"
TAU, D, RATE = 0.020, 0.005, 10.0  # s, s, Hz


@dataclass(frozen=True)
class Levels:
    """Two levels: N inputs x, and populations HPC, y_1 and y_2 of as many rows each.

        y_HPC(t) = V x(t - 2D),    y_1(t) = (W_1 x(t - 2D) + y_HPC(t - D))/2,    y_2(t) = (W_2 x(t - D) + y_1(t - D))/2

    x is the farther input, x_2 in the article; the nearer one, x_1, is the same a delay later. All three matrices have
    the shape (rows, N).

    Attributes:
        dt: Time step in s; D is a multiple of it.
        speed: 1/time constant with which W_1 and W_2 learn, in 1/s.
    """

    N: int = 16
    rows: int = 128
    dt: float = 0.005
    speed: tuple[float, float] = (1 / 600, 1 / 1200)
    dtype: str = "float32"

    @property
    def w_max(self) -> float:
        """Upper bound of the weights, twice the mean of V."""
        return 2 / self.N

    @property
    def variation(self) -> float:
        """Covariance of an input with itself, per second: inputs fire at most once a step."""
        return RATE * (1 - RATE * self.dt)

    @property
    def amplitudes(self) -> tuple[float, float]:
        """A_plus of both levels, the change of a weight by two spikes: speed = A_minus variation/2."""
        return tuple(2 * s / (self.variation * math.exp(-self.dt / TAU)) for s in self.speed)

    def drift(self) -> np.ndarray:
        """(2, 3): change of W_1 and W_2 per second, as combinations of V, W_1 and W_2.

        An input spike reaches y_1 directly, and D later through HPC; it reaches y_2 directly, 2D later through W_1 and
        3D later through HPC. A pair at the lag n D > 0 counts A_plus exp(-n D/tau), a pair at lag 0 -A_minus. With
        A_minus = A_plus exp(-dt/tau), lags 0, 1, 2, ... steps of unrelated spikes add up to nothing.
        """
        late = math.exp(-D / TAU)
        own = -math.exp(-self.dt / TAU)
        paths = np.array([[late / 2, own / 2, 0], [late**3 / 4, late**2 / 4, own / 2]])
        return self.variation * np.array(self.amplitudes)[:, None] * paths

    def network(self, V: np.ndarray, W: tuple[np.ndarray, np.ndarray]) -> snn.Simulation:
        """The simulation; weights are ``hpc.w``, ``one.w`` and ``two.w``, a row after the other."""
        dt, lag = self.dt * second, D * second
        inputs = snn.PoissonGroup(self.N, RATE * Hz)
        hpc, y_1, y_2 = (
            snn.NeuronGroup(self.rows, "p : 1", threshold="rand() < p", reset="", name=name)
            for name in ("HPC", "y_1", "y_2")
        )
        # What arrives in a step is the probability of the next one, and is then forgotten.
        for group in (hpc, y_1, y_2):
            group.run_regularly("p = 0", when="after_thresholds", dt=dt)

        taught = snn.Synapses(inputs, hpc, "w : 1", on_pre="p_post += w", delay=2 * lag - dt, name="hpc")
        taught.connect()
        taught.w = V.T.ravel()
        rule = replace(STDP, on_pre={"transmit": "p_post += 0.5*w", "pre": STDP.on_pre})
        plastic = []
        for name, group, times, weights, A_plus in zip(
            ("one", "two"), (y_1, y_2), (2, 1), W, self.amplitudes, strict=True
        ):
            synapses = rule.synapses(
                inputs,
                group,
                connect=True,
                delay={"transmit": times * lag - dt, "pre": times * lag},
                name=name,
                w_max=self.w_max,
                A_plus=A_plus / self.w_max,
                A_minus=A_plus / self.w_max * math.exp(-self.dt / TAU),
                tau_plus=TAU * second,
                tau_minus=TAU * second,
            )
            synapses.w = weights.T.ravel()
            synapses.post.order = -2  # before `pre`: a pair in the same step is depression
            plastic.append(synapses)
        relays = []
        for name, below, above in (("outward_1", hpc, y_1), ("outward_2", y_1, y_2)):
            relay = snn.Synapses(below, above, on_pre="p_post += 0.5", delay=lag - dt, name=name)
            relay.connect(condition="i == j")
            relays.append(relay)
        net = snn.Network(inputs, hpc, y_1, y_2, taught, *plastic, *relays)
        return net.compile(dt=dt, dtype=self.dtype)

    def matrix(self, values: jax.Array) -> np.ndarray:
        """(rows, N) of the weights of a pathway, which are ordered by input."""
        return np.asarray(values).reshape(self.N, self.rows).T


def memory(rng: np.random.Generator, levels: Levels) -> np.ndarray:
    """A random matrix (rows, N): half of each row is 0, the other half 2/N."""
    row = np.arange(levels.N) % 2 * 2 / levels.N
    return rng.permuted(np.tile(row, (levels.rows, 1)), axis=1)


# ---- the drift of nearly frozen weights -------------------------------------------------------------

PATHS = (("V in W_1", 0, 0), ("W_1 in W_1", 0, 1), ("V in W_2", 1, 0), ("W_1 in W_2", 1, 1), ("W_2 in W_2", 1, 2))
"""Which coefficients are not zero: name, level, term."""


def measure_drift(levels: Levels, duration: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The drift coefficients of `Levels.drift` from a run of ``duration`` s, and their standard errors, both (2, 3).

    The change of all weights is regressed on V, W_1 and W_2, which are independent of each other. The speed should be
    so small that weights hardly move, and the dtype float64.
    """
    rng = np.random.default_rng(seed)
    V, *W = (memory(rng, levels) for _ in range(3))
    W_1, W_2 = (0.9 * w + 0.1 / levels.N for w in W)  # away from the bounds
    sim = levels.network(V, (W_1, W_2))
    params, state = sim.init(seed)
    state, _ = sim.run(params, state, duration * second)
    columns = np.stack([np.ones(V.size), V.ravel(), W_1.ravel(), W_2.ravel()], axis=1)
    inverse = np.linalg.inv(columns.T @ columns)
    found, errors = [], []
    for name, before in (("one", W_1), ("two", W_2)):
        change = (levels.matrix(state[name]["w"]) - before).ravel() / duration
        b = inverse @ columns.T @ change
        residual = change - columns @ b
        # Errors of the weights of one output neuron go together, those of different neurons less.
        scores = (columns * residual[:, None]).reshape(levels.rows, levels.N, 4).sum(axis=1)
        found.append(b[1:])
        errors.append(np.sqrt(np.diag(inverse @ scores.T @ scores @ inverse))[1:])
    return np.array(found), np.array(errors)


# ---- a memory on its way ----------------------------------------------------------------------------


def propagate(levels: Levels, W: np.ndarray, V: np.ndarray, duration: float) -> np.ndarray:
    """Both plastic matrices (2, rows, N) after a time of drift with V held, without chance and bounds: closed form."""
    (a, b, _), (c, d, e) = levels.drift()
    at_rest_1 = -a / b * V
    at_rest_2 = -(c * V + d * at_rest_1) / e
    first, second_level = np.exp(b * duration), np.exp(e * duration)
    away = W[0] - at_rest_1
    between = d * duration * first if b == e else d * (first - second_level) / (b - e)
    return np.stack([at_rest_1 + first * away, at_rest_2 + second_level * (W[1] - at_rest_2) + between * away])


def part(weights: np.ndarray, M: np.ndarray) -> tuple[float, float]:
    """Slope of weights over a memory, and their correlation."""
    w, m = weights - weights.mean(), M - M.mean()
    return float((w * m).sum() / (m * m).sum()), float(np.corrcoef(w.ravel(), m.ravel())[0, 1])


def nights(levels: Levels, number: int, tracked: int, length: float = 150.0, past: int = 60, seed: int = 1) -> dict:
    """Imprint a memory every night, let the synapses learn, and follow the first ``tracked`` memories.

    Before the first night stand ``past`` others of which only the theory is computed. Returns arrays over the age in
    nights: ``simulated`` and ``expected``, (HPC, level 1, level 2; slope, correlation), means over memories.
    """
    rng = np.random.default_rng(seed)
    V = memory(rng, levels)
    W = np.stack([V * 0.8, V * 0.5])
    for _ in range(past):
        V = (V + memory(rng, levels)) / 2
        W = propagate(levels, W, V, length)
    theory = W
    sim = levels.network(V, (W[0], W[1]))
    params, state = sim.init(seed)
    run = jax.jit(lambda params, state: sim.run(params, state, length * second)[0])
    memories, history, expected = [], [], []
    for _ in range(number):
        memories.append(memory(rng, levels))
        V = (V + memories[-1]) / 2
        params = sim.put(params, "hpc.w", jnp.asarray(V.T.ravel(), levels.dtype))
        state = run(params, state)
        theory = propagate(levels, theory, V, length)
        history.append((V, *(levels.matrix(state[name]["w"]) for name in ("one", "two"))))
        expected.append((V, *theory))
    ages = number - tracked + 1

    def by_age(course: list) -> np.ndarray:
        """(age, matrix, measure): means over the memories."""
        each = [[[part(w, memories[k]) for w in course[k + age]] for k in range(tracked)] for age in range(ages)]
        return np.array(each).mean(axis=1)

    return {"simulated": by_age(history), "expected": by_age(expected), "last": history[-1], "theory": expected[-1]}


# ---- numbers and figure -----------------------------------------------------------------------------


def draw(levels: Levels, ratios: np.ndarray, errors: np.ndarray, found: dict) -> None:
    """The panels that the docstring lists."""
    fig, ((a, b), (c, d)) = plt.subplots(2, 2, figsize=(10, 8), layout="constrained")
    place = np.arange(len(PATHS))
    a.errorbar(place, ratios, errors, fmt="o", color="#0072B2", capsize=3)
    a.axhline(1, color="0.7", linewidth=0.8, linestyle=":")
    a.set_xticks(place, [name for name, *_ in PATHS], fontsize=8)
    a.set(ylabel="drift coefficient, measured / theory", title="A  what each path does to the weights", ylim=(0.8, 1.2))
    ages = np.arange(len(found["simulated"]))
    colours = ("0.4", "#0072B2", "#D55E00")
    for axes, measure in ((b, 1), (c, 0)):
        for k, (name, colour) in enumerate(zip(("HPC", "level 1", "level 2"), colours, strict=True)):
            axes.semilogy(ages, found["simulated"][:, k, measure], "o", markersize=3, color=colour, label=name)
            axes.semilogy(ages, found["expected"][:, k, measure], color=colour, linewidth=1)
        axes.set(xlabel="age of the memory (nights of 150 s)", xlim=(-1, 31))
    b.set(ylabel="correlation with the memory", title="B  a memory moves outward", ylim=(0.01, 1))
    c.set(ylabel="part of the memory in the weights", title="C  against theory (lines)", ylim=(3e-3, 1))
    b.legend(frameon=False, fontsize=8)
    d.plot(found["theory"][1].ravel(), found["last"][1].ravel(), ".", color=colours[1], markersize=2, label="level 1")
    d.plot(found["theory"][2].ravel(), found["last"][2].ravel(), ".", color=colours[2], markersize=2, label="level 2")
    reach = [0, levels.w_max]
    d.plot(reach, reach, color="k", linewidth=0.8)
    d.set(xlabel="weight, theory without chance", ylabel="weight after the last night", xlim=reach, ylim=reach)
    d.set_title("D  chance pairs blur the weights")
    d.legend(frameon=False, fontsize=8)
    OUT.mkdir(parents=True, exist_ok=True)
    fig.savefig(OUT / "spiking_levels.png", dpi=120)
    print(f"figure: {OUT / 'spiking_levels.png'}")


def main(small: bool) -> None:
    """Both parts, their numbers, and the figure."""
    jax.config.update("jax_enable_x64", True)  # weights that hardly move
    frozen = Levels(rows=256, dt=0.0025 if small else 0.001, speed=(1e-9, 1e-9), dtype="float64")
    duration = 40 if small else 300
    started = time.perf_counter()
    measured, errors = measure_drift(frozen, duration)
    theory = frozen.drift()
    print(f"drift of nearly frozen weights in {duration} s of activity ({time.perf_counter() - started:.0f} s):")
    for name, level, term in PATHS:
        ratio, error = measured[level, term] / theory[level, term], errors[level, term] / abs(theory[level, term])
        print(f"  {name:10} measured / theory {ratio:.3f} +- {error:.3f}")
    at = tuple(np.array([(level, term) for _, level, term in PATHS]).T)

    levels = Levels()
    number, tracked = (14, 4) if small else (60, 20)
    started = time.perf_counter()
    found = nights(levels, number, tracked)
    print(f"{number} nights of 150 s: {time.perf_counter() - started:.0f} s")
    for k, name in enumerate(("HPC", "level 1", "level 2")):
        slope, correlation = found["simulated"][:, k, 0], found["simulated"][:, k, 1]
        expected = found["expected"][:, k, 0]
        print(f"{name}: largest correlation {correlation.max():.3f} at night {correlation.argmax()}; ", end="")
        print(f"part of the memory at night 1 {slope[1]:.4f} (theory {expected[1]:.4f}), ", end="")
        print(f"largest {slope.max():.4f} at night {slope.argmax()} ({expected.max():.4f} at {expected.argmax()})")
    later = [int(np.argmax(found[what][:, 2, 0] > found[what][:, 1, 0])) for what in ("simulated", "expected")]
    print(f"level 2 has the larger part of a memory from night {later[0]} on (theory {later[1]})")
    for k, name in ((1, "level 1"), (2, "level 2")):
        w = found["last"][k]
        together = np.corrcoef(w.ravel(), found["theory"][k].ravel())[0, 1]
        print(f"{name}: correlation with theory {together:.3f}, ", end="")
        print(f"at a bound {100 * np.mean((w <= 0) | (w >= levels.w_max)):.2f} % of the weights")
    draw(levels, measured[at] / theory[at], errors[at] / np.abs(theory[at]), found)


if __name__ == "__main__":
    main("--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL")))
    if "--show" in sys.argv:
        plt.show()
