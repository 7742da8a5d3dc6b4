"""A parameter sweep of a whole network in one call, and the gradient of a membrane with respect to its constants.

What it shows: the JAX way. ``net.compile`` gives pure functions over trees of numbers; `jax.vmap` runs the network for
every point of a grid at once, `jax.grad` differentiates through the simulation.

* 200 excitatory and 50 inhibitory cells with external input, for each pair of (relative inhibition g, external rate):
  mean rate and irregularity (coefficient of variation of the intervals), as in the phase diagram of N. Brunel (2000),
  doi:10.1023/A:1008925309027, only smaller. The external spikes are white noise of their mean and variance.
* A passive membrane with an exponential synapse, driven by regular spikes: the derivative of the mean square of v with
  respect to both time constants and the weight, next to central differences.

How it was checked: a network of the batch fires the same spikes as the same network run by itself; gradients and
central differences agree to 0.1 %; the mean square of the linear membrane is quadratic in the weight (sensitivity 2).
How long it takes: 11 s of processor time on a CPU with 2 cores, imports and compilation included.

    python examples/sweep_vmap.py             # a grid of 10 x 10 networks, 0.5 s each
    python examples/sweep_vmap.py --small     # 3 x 3 networks, 0.1 s each (also with JAXSNN_EXAMPLE_SMALL=1)
"""

import os
import sys
import time
from pathlib import Path

import matplotlib

if "--show" not in sys.argv:
    matplotlib.use("Agg")
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxsnn as snn
from jaxsnn.units import Hz, ms, mV, second

SMALL = "--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
OUT = Path(__file__).resolve().parents[1] / "out"

snn.seed(1)
size = 3 if SMALL else 10
duration = 0.1 * second if SMALL else 0.5 * second

# ---- the network ------------------------------------------------------------------------------------

tau, theta, Vr, refractory = 20 * ms, 20 * mV, 10 * mV, 2 * ms
J, g, C_ext, nu_ext = 0.8 * mV, 4.0, 40.0, 30 * Hz

cells = snn.NeuronGroup(
    250,
    "dv/dt = (C_ext*J*nu_ext*tau - v + J*sqrt(C_ext*nu_ext)*tau*xi)/tau : volt (unless refractory)",
    threshold="v > theta",
    reset="v = Vr",
    refractory=refractory,
    method="euler",
)
cells.v = "rand()*theta"
exc = snn.Synapses(cells[:200], cells, on_pre="v_post += J", delay=1.5 * ms)
exc.connect(p=0.2)
inh = snn.Synapses(cells[200:], cells, on_pre="v_post -= g*J", delay=1.5 * ms)
inh.connect(p=0.2)
spikes = snn.SpikeMonitor(cells)

# ---- all networks of the grid at once ---------------------------------------------------------------

# Weights here are constants of the run, so a matrix product delivers the spikes of all networks at once.
sim = snn.Network(cells, exc, inh, spikes).compile(dt=0.1 * ms, execution="dense")
params, state = sim.init(jax.random.key(0))
print("numbers that can be swept:", ", ".join(sim.paths(params)))

inhibition = jnp.linspace(2, 7, size)
rates = jnp.linspace(20, 80, size)  # Hz; v reaches the threshold in the mean at 31 Hz
grid_g, grid_rate = (x.ravel() for x in jnp.meshgrid(inhibition, rates, indexing="ij"))


def network(g: jax.Array, rate: jax.Array) -> snn.SpikeRecord:
    """The spikes of one network, eight to a byte."""
    changed = sim.put(sim.put(params, "inh.g", g), "cells.nu_ext", rate)
    _, record = sim.run(changed, state, duration)
    return record["spikes"]


started = time.perf_counter()
records = jax.block_until_ready(jax.jit(jax.vmap(network))(grid_g, grid_rate))
elapsed = time.perf_counter() - started
print(f"{size * size} networks of {len(cells)} neurons, {duration} each, in {elapsed:.1f} s (compilation included)")

alone = network(grid_g[-1], grid_rate[-1])
same = np.array_equal(records.packed[-1], alone.packed)
print("the last network of the batch and the same one by itself fire the same spikes:", same)


def rate_and_irregularity(record: snn.SpikeRecord) -> tuple[float, float]:
    """Mean rate in Hz, and the mean coefficient of variation of cells with five intervals or more."""
    fired = np.asarray(record.dense())
    intervals = [np.diff(np.flatnonzero(train)) for train in fired.T]
    variations = [x.std() / x.mean() for x in intervals if len(x) >= 5]
    return fired.mean() / sim.dt, float(np.mean(variations)) if variations else float("nan")


mean_rate, irregularity = np.array(
    [rate_and_irregularity(jax.tree.map(lambda x, k=k: x[k], records)) for k in range(size * size)]
).T.reshape(2, size, size)
for k, name in ((0, "excitation wins"), (size - 1, "inhibition wins")):
    print(f"g = {inhibition[k]:.1f} ({name}): {mean_rate[k].min():.1f} to {mean_rate[k].max():.1f} Hz")

# ---- the gradient of a membrane ---------------------------------------------------------------------

w, taum, taue = 2 * mV, 20 * ms, 5 * ms
source = snn.SpikeGeneratorGroup(1, indices=[0], times=[10] * ms, period=20 * ms)
passive = snn.NeuronGroup(1, "dv/dt = (ge - v)/taum : volt\ndge/dt = -ge/taue : volt", method="exact")
synapse = snn.Synapses(source, passive, on_pre="ge_post += w")
synapse.connect()
trace = snn.StateMonitor(passive, "v")
membrane = snn.Network(source, passive, synapse, trace).compile(dt=0.1 * ms, execution="dense")
p0, s0 = membrane.init(0)


def mean_square(p: dict) -> jax.Array:
    """Mean of (v/mV)**2 over 100 ms."""
    _, record = membrane.run(p, s0, 100 * ms)
    return jnp.mean((record["trace"]["v"] / 1e-3) ** 2)


gradient = jax.jit(jax.grad(mean_square))(p0)
value = jax.jit(mean_square)
print("relative sensitivity of the mean square of v, (p/L) dL/dp:")
for path in ("passive.taum", "passive.taue", "synapse.w"):
    here, step = membrane.get(p0, path), 0.01
    up, down = (value(membrane.put(p0, path, here * (1 + sign * step))) for sign in (1, -1))
    by_differences = float((up - down) / (2 * step) / value(p0))
    by_gradient = float(membrane.get(gradient, path) * here / value(p0))
    print(f"  {path:13s} jax.grad {by_gradient:+.4f}, central differences {by_differences:+.4f}")

# ---- figure -----------------------------------------------------------------------------------------

fig, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
for axes, values, label in ((left, mean_rate, "mean rate (Hz)"), (middle, irregularity, "CV of intervals")):
    image = axes.pcolormesh(rates, inhibition, values, cmap="viridis", shading="nearest")
    axes.set(xlabel="external rate of one input (Hz)", ylabel="relative inhibition g")
    fig.colorbar(image, ax=axes, label=label)
left.set_title(f"{size * size} networks in one call")
middle.set_title("irregular firing (white: too few spikes)")
times = jnp.linspace(5e-3, 60e-3, 56)
curve = jax.vmap(lambda x: mean_square(membrane.put(p0, "passive.taum", x)))(times)
here, slope = float(taum / second), float(gradient["passive"]["taum"])
tangent = np.array([0.5, 1.5]) * here
right.plot(times * 1e3, curve, color="#0072B2", label="vmap over taum")
right.plot(tangent * 1e3, value(p0) + slope * (tangent - here), "--", color="#D55E00", label="slope from jax.grad")
right.plot(here * 1e3, value(p0), "o", color="#D55E00", markersize=5)
right.set(xlabel="membrane time constant (ms)", ylabel="mean of v$^2$ (mV$^2$)", title="a passive membrane")
right.legend(frameon=False)
OUT.mkdir(exist_ok=True)
fig.savefig(OUT / "sweep_vmap.png", dpi=120)
print(f"figure: {OUT / 'sweep_vmap.png'}")
if "--show" in sys.argv:
    plt.show()
