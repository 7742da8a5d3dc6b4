"""Four parameters of a plasticity rule, from the weights of some synapses and the spikes on both sides.

What it shows: `jaxsnn.fit` of a rule of `jaxsnn.plasticity`. The rule is additive STDP of S. Song, K. D. Miller and
L. F. Abbott (2000), doi:10.1038/78829,

    dw = A_plus exp(-dt/tau_plus) for dt = t_post - t_pre >= 0,    dw = -A_minus exp(dt/tau_minus) for dt < 0,

and what is fitted are both amplitudes and both time constants. Spikes are given, so the weights are a smooth function
of the parameters, and least squares with derivatives in forward mode, whose memory does not grow with the run, finds
them. Every start begins somewhere else within bounds that span a factor of 20.

How it was checked: the weights come from known parameters, recorded every 200 ms with measurement noise
of 0.001, a fiftieth of the largest change. All four come back within 1 % and two standard errors, from 10 of 10 starts.
How long it takes: 26 s of processor time on a CPU with 2 cores, imports and compilation included.

    python examples/fit_stdp.py             # 100 synapses, 10 s, 10 starts
    python examples/fit_stdp.py --small     # 20 synapses, 5 s, 3 starts (also with JAXSNN_EXAMPLE_SMALL=1)
"""

import os
import sys
import time
from pathlib import Path

import matplotlib

if "--show" not in sys.argv:
    matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import jaxsnn as snn
from jaxsnn import fit
from jaxsnn.plasticity import STDP
from jaxsnn.units import ms, second

SMALL = "--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
SEED = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else 0
OUT = Path(__file__).resolve().parents[1] / "out"
n, starts = (20, 3) if SMALL else (100, 10)
duration, dt = (5 if SMALL else 10) * second, 1 * ms
noise = 0.001  # of the measurement; weights are between 0 and 1

# ---- the experiment ---------------------------------------------------------------------------------

true = {"A_plus": 0.003, "A_minus": 0.002, "tau_plus": 17 * ms, "tau_minus": 34 * ms}
names = list(true)
rng = np.random.default_rng(SEED)
steps = round(duration / dt)


def spikes(rate):
    """Neurons that fire at random, at most once a step."""
    when, index = np.nonzero(rng.random((steps, n)) < rate * float(dt / second))
    return snn.SpikeGeneratorGroup(n, index, when * dt)


pre, post = spikes(10), spikes(10)
wires = STDP.synapses(pre, post, connect={"condition": "i == j"}, **true)
trace = snn.StateMonitor(wires, "w", dt=200 * ms)
sim = snn.Network(pre, post, wires, trace).compile(dt=dt)
params, state = sim.init(0)
_, record = sim.run(params, state, duration)
weights = np.asarray(record["trace"]["w"])
seen = weights + rng.normal(0, noise, weights.shape)
print(f"{n} synapses, {duration}: weights between {weights.min():.2f} and {weights.max():.2f}, noise {noise}")

# ---- the fit ----------------------------------------------------------------------------------------

ranges = {
    "A_plus": (0.0005, 0.01),
    "A_minus": (0.0005, 0.01),
    "tau_plus": (5 * ms, 100 * ms),
    "tau_minus": (5 * ms, 100 * ms),
}
bounds = {f"wires.{name}": fit.LogSigmoid(*ends) for name, ends in ranges.items()}
begin = {f"wires.{name}": low * (high / low) ** rng.uniform(0.02, 0.98, starts) for name, (low, high) in ranges.items()}
started = time.perf_counter()
loss = fit.trace_mse("trace.w", seen, scale=noise)
method = fit.LevenbergMarquardt(steps=30)
result = fit.fit(sim, params, state, bounds, loss, duration, method=method, starts=begin, patience=5)
print(f"{starts} fits in {time.perf_counter() - started:.1f} s (compilation included)")
print(result)

# ---- numbers ----------------------------------------------------------------------------------------

intervals = result.intervals()
for name in names:
    best, error = result.best[f"wires.{name}"], intervals.error[f"wires.{name}"]
    relative, deviation = float(best / true[name]) - 1, float((best - true[name]) / error)
    print(
        f"{name}: true {true[name]}, fitted {best:.4g}, relative error {100 * relative:+.2f} %,"
        f" {deviation:+.1f} standard errors"
    )
first, ends = (
    np.stack([np.asarray(values[f"wires.{name}"] / true[name], float) for name in names], axis=1)
    for values in (begin, result.starts)
)
print(f"all four within 5 %: {(np.abs(ends - 1).max(axis=1) < 0.05).sum()} of {starts} starts")

# ---- figure -----------------------------------------------------------------------------------------

fig, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
t = np.arange(len(seen)) * 0.2
fitted = np.asarray(result.record()["trace"]["w"])
for k in range(0, n, n // 10):
    left.plot(t, seen[:, k], ".", color="0.6", markersize=3)
    left.plot(t, fitted[:, k], color="#0072B2", linewidth=0.8)
left.set(xlabel="time (s)", ylabel="w", title="weights (dots), and the fit")
lag = np.linspace(-100, 100, 401)


def window(values):
    """The change of a weight by two spikes, at the lags."""
    plus, minus = (float(values[name] / ms) for name in ("tau_plus", "tau_minus"))
    return np.where(lag >= 0, values["A_plus"] * np.exp(-lag / plus), -values["A_minus"] * np.exp(lag / minus))


middle.plot(lag, window(true), color="0.7", linewidth=4, label="true")
middle.plot(lag, window({name: result.best[f"wires.{name}"] for name in names}), color="#0072B2", label="fitted")
middle.axhline(0, color="black", linewidth=0.5)
middle.set(xlabel="t_post - t_pre (ms)", ylabel="change of w", title="the learning window")
middle.legend(frameon=False)
for k in range(len(names)):
    right.semilogy(np.full(starts, k - 0.15), first[:, k], "o", color="0.6", markersize=3)
    right.semilogy(np.full(starts, k + 0.15), ends[:, k], "o", color="#0072B2", markersize=3)
right.axhline(1, color="black", linewidth=0.5)
right.set_xticks(range(len(names)), names)
right.set(ylabel="value / true value", title=f"{starts} starts (grey) and where they end")
OUT.mkdir(exist_ok=True)
fig.savefig(OUT / "fit_stdp.png", dpi=120)
print(f"figure: {OUT / 'fit_stdp.png'}")
if "--show" in sys.argv:
    plt.show()
