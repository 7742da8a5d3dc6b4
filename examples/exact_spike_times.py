"""Exact spike times: the output spikes of a small network are moved onto targets, by the exact gradient of their times.

What it shows: `jaxsnn.adjoint`, a network carried out event by event in continuous time. Two layers of
integrate-and-fire neurons with exponential synapses; all weights and the delay of every synapse are learned by Adam
from the squared distance of the first output spikes to their targets. No surrogate is involved: the gradient is that of
the implicit function theorem at every threshold crossing (T. C. Wunderlich, C. Pehle 2021,
doi:10.1038/s41598-021-91786-z).

How it was checked: before learning, the gradient by one weight, one delay and one time constant agrees with central
differences of the loss to 6 digits; after 300 updates every output spike is within 1 us of its target.
How long it takes: 35 s of processor time on a CPU with 2 cores, most of it compilation.

    python examples/exact_spike_times.py             # 12 inputs, 10 hidden, 4 output neurons
    python examples/exact_spike_times.py --small     # 5 inputs, 4 hidden, 2 output neurons
                                                     # (also with JAXSNN_EXAMPLE_SMALL=1)
"""

import os
import sys
from pathlib import Path

import jax
import matplotlib

if "--show" not in sys.argv:
    matplotlib.use("Agg")
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import jaxsnn as snn
from jaxsnn.units import ms

jax.config.update("jax_enable_x64", True)

SMALL = "--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
OUT = Path(__file__).resolve().parents[1] / "out"

snn.seed(2)
n_in, n_hidden, n_out = (5, 4, 2) if SMALL else (12, 10, 4)
updates = 150 if SMALL else 300
duration = 30 * ms

# ---- the network ------------------------------------------------------------------------------------

equations = """
dv/dt = (g - v)/taum : 1
dg/dt = -g/taus : 1
"""
settings = {
    "threshold": "v > theta",
    "reset": "v = 0",
    "method": "exact",
    "namespace": {"taum": 10 * ms, "taus": 5 * ms, "theta": 1.0},
}
rng = np.random.default_rng(1)
source = snn.SpikeGeneratorGroup(n_in, np.arange(n_in), np.sort(rng.uniform(1, 8, n_in)) * ms)
hidden = snn.NeuronGroup(n_hidden, equations, **settings)
output = snn.NeuronGroup(n_out, equations, **settings)
first = snn.Synapses(source, hidden, "w : 1", on_pre="g_post += w")
first.connect()
first.w = f"(0.5 + rand())*7/{n_in}"
first.delay = "(0.5 + rand())*ms"
second = snn.Synapses(hidden, output, "w : 1", on_pre="g_post += w")
second.connect()
second.w = f"(0.5 + rand())*7/{n_hidden}"
second.delay = "(0.5 + rand())*ms"

net = snn.Network(source, hidden, output, first, second)
exact = snn.adjoint.compile(net, dt=1 * ms, max_spikes=8 * (n_hidden + n_out))
params, state = exact.init()
print(exact)

# ---- learning ---------------------------------------------------------------------------------------

targets = jnp.linspace(12e-3, 16e-3, n_out)
learned = ("first.w", "first.delay", "second.w", "second.delay")
scale = {"w": 1.0, "delay": 1e-3}  # what is learned is of order 1, so that one learning rate fits all


def with_values(values):
    """The parameters with the values that are learned."""
    given = params
    for path, value in values.items():
        given = exact.put(given, path, value * scale[path.split(".")[1]])
    return given


def first_spikes(given):
    """Of each output neuron, in second."""
    return exact.run(given, state, duration)[1].trains("output", 1)[:, 0]


def loss_of(given):
    """Mean squared distance in ms**2. A neuron that does not fire counts nothing, as it has no derivative."""
    distance = (first_spikes(given) - targets) * 1e3
    return jnp.mean(jnp.where(jnp.isfinite(distance), distance, 0) ** 2)


values = {path: exact.get(params, path) / scale[path.split(".")[1]] for path in learned}
optimizer = optax.adam(optax.cosine_decay_schedule(0.02, updates))
moments = optimizer.init(values)


@jax.jit
def update(values, moments):
    """One step of the optimizer."""
    loss, slopes = jax.value_and_grad(lambda values: loss_of(with_values(values)))(values)
    changes, moments = optimizer.update(slopes, moments)
    values = optax.apply_updates(values, changes)
    # A delay cannot be negative.
    return {path: jnp.maximum(v, 0.01) if "delay" in path else v for path, v in values.items()}, moments, loss


slopes = jax.grad(loss_of)(params)
print("gradient of the loss before learning")
for path, k in (("first.w", 1), ("second.delay", 2), ("hidden.taum", ())):
    old = exact.get(params, path)
    h = 1e-5 * float(old[k])
    up, down = (loss_of(exact.put(params, path, old.at[k].add(sign * h))) for sign in (1, -1))
    by_differences, by_gradient = (up - down) / (2 * h), float(exact.get(slopes, path)[k])
    print(f"  {path:13} jax.grad {by_gradient:+.6e}, central differences {by_differences:+.6e}")

before = first_spikes(params)
losses = []
for _ in range(updates):
    values, moments, loss = update(values, moments)
    losses.append(float(loss))
after = first_spikes(with_values(values))

# ---- numbers ----------------------------------------------------------------------------------------

exact.check(exact.run(with_values(values), state, duration)[1])
print(f"targets in ms:          {np.round(np.asarray(targets) * 1e3, 3)}")
print(f"first spikes before:    {np.round(np.asarray(before) * 1e3, 3)}")
print(f"first spikes after:     {np.round(np.asarray(after) * 1e3, 3)}")
worst = [float(jnp.max(jnp.abs(times - targets))) * 1e6 for times in (before, after)]
print(f"largest distance to a target: {worst[0]:.1f} us at first, {worst[1]:.3f} us after {updates} updates")

# ---- figure -----------------------------------------------------------------------------------------

fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
axes[0].semilogy(np.sqrt(losses), color="#0072B2")
axes[0].set(xlabel="update", ylabel="distance to the targets (ms, root mean square)")
for given, color, label in ((params, "0.6", "before"), (with_values(values), "#D55E00", "after")):
    _, spikes = exact.run(given, state, duration)
    for name, offset in (("hidden", 0), ("output", n_hidden + 1)):
        index, when = spikes.events_of(name)
        axes[1].plot(when * 1e3, index + offset, "|", color=color, markersize=7, label=label if offset else None)
axes[1].plot(
    np.asarray(targets) * 1e3, np.arange(n_out) + n_hidden + 1, "o", mfc="none", color="#009E73", label="target"
)
axes[1].axhline(n_hidden, color="0.8", linewidth=0.8)
axes[1].set(xlabel="time (ms)", ylabel="neuron (hidden below, output above)")
axes[1].legend(frameon=False, fontsize=8)
OUT.mkdir(exist_ok=True)
fig.savefig(OUT / "exact_spike_times.png", dpi=120)
print(f"figure: {OUT / 'exact_spike_times.png'}")
if "--show" in sys.argv:
    plt.show()
