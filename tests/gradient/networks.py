"""Small networks for gradients, one for each thing that a step can do."""

from collections.abc import Callable

import numpy as np

import jaxsnn as snn
from jaxsnn.units import Hz, ms

N = 4
LIF = "dv/dt = (I - v + g)/tau : 1 {flags}\ndg/dt = -g/(3*ms) : 1\nI : 1"


def cells(n=N, flags="", equations="", **given):
    given = {"threshold": "v > th", "reset": "v = 0", "method": "exact", **given}
    space = {"tau": 5 * ms, "th": 1.0, **given.pop("namespace", {})}
    group = snn.NeuronGroup(n, LIF.format(flags=flags) + "\n" + equations, namespace=space, **given)
    group.I = np.linspace(1.1, 1.9, n)
    group.v = np.linspace(0.05, 0.85, n)
    group.g = np.linspace(0.1, 0.3, n)
    return group


def network(*objects, dt=0.1 * ms):
    groups = [o for o in objects if isinstance(o, snn.NeuronGroup)]
    monitors = [snn.SpikeMonitor(g) for g in groups if g.threshold]
    monitors += [snn.StateMonitor(g, "v", record=True) for g in groups if "v" in g.equations]
    return snn.Network(*objects, *monitors, dtype="float64", dt=dt)


def recurrent(group, model="w : 1", on_pre="g_post += w", **given):
    synapses = snn.Synapses(group, group, model, on_pre=on_pre, **given)
    synapses.connect(j="(i + k + 1) % N_post for k in range(2)")
    if "w" in synapses.model.own:
        synapses.w = 0.1 + 0.05 * np.arange(len(synapses))
    return synapses


def of_synapses(*args, **given):
    delay = given.pop("delay", None)
    group = cells()
    synapses = recurrent(group, *args, **given)
    if delay is not None:
        synapses.delay = delay
    return network(group, synapses)


def with_events():
    """An event that is no spike changes neurons, and reaches others through synapses."""
    group = cells(equations="da/dt = -a/(9*ms) : 1", events={"near": "v + a > 0.8*th"})
    group.run_on_event("near", "a += 0.2*v\ng = 0.9*g")
    synapses = snn.Synapses(group, group, "w : 1", on_pre="g_post += w", on_event="near")
    synapses.connect(j="(i + 1) % N_post")
    synapses.w = 0.1 + 0.05 * np.arange(N)
    return network(group, synapses)


def with_code():
    """Code at intervals, of neurons and of synapses that change neurons, and a function of the user."""
    group = cells(equations="s : 1 (shared)")
    group.s = 0.3
    group.run_regularly("g = g*s + 0.1*v", dt=0.7 * ms)
    synapses = recurrent(group, on_pre=None)
    synapses.run_regularly("g_post += 0.1*w*v_pre", dt=0.5 * ms)
    mean = snn.NetworkOperation(
        lambda t, values: {f"{group.name}.v": values[f"{group.name}.v"] * (1 - 0.1 * values[f"{group.name}.g"].mean())},
        writes=[group.v],
        dt=1 * ms,
    )
    return network(group, synapses, mean)


ONE = 2 * N
NETWORKS: dict[str, Callable[[], snn.Network]] = {
    # thresholds and resets
    "reset": lambda: network(cells()),
    "soft_reset": lambda: network(cells(reset="v -= th")),
    "adaptive_threshold": lambda: network(
        cells(equations="dvt/dt = (1 - vt)/(8*ms) : 1", threshold="v > vt", reset="v = 0.1\nvt += 0.3")
    ),
    "two_reset_variables": lambda: network(
        cells(equations="da/dt = -a/(9*ms) : 1", reset="v = -a\na += 0.2", method="euler")
    ),
    "compound_and": lambda: network(cells(threshold="v > th and g < 3 and t > 0.5*ms")),
    "events": with_events,
    "code": with_code,
    "compound_or_not": lambda: network(cells(threshold="not (v <= th) or i == 2 and v > 0.9*th")),
    "noisy_threshold": lambda: network(cells(threshold="v > th + 0.1*randn()")),
    # refractoriness
    "refractory_time": lambda: network(cells(flags="(unless refractory)", refractory=1 * ms)),
    "refractory_variable": lambda: network(
        cells(flags="(unless refractory)", equations="ref : second", refractory="ref + 0.5*ms")
    ),
    "refractory_condition": lambda: network(cells(flags="(unless refractory)", refractory="g > 0.1")),
    # inputs
    "poisson_group": lambda: poisson_group(),
    "poisson_input": lambda: poisson_input(),
    "generator": lambda: generator(),
    "noise": lambda: network(
        snn.NeuronGroup(
            N,
            "dv/dt = (1.2 - v)/tau + sigma*xi/sqrt(tau) : 1",
            threshold="v > 1",
            reset="v = 0.1*rand()",
            method="euler",
            namespace={"tau": 5 * ms, "sigma": 0.3},
        )
    ),
    "timed_array": lambda: timed_array(),
    # synapses
    "constant_weights": lambda: of_synapses("", "g_post += 0.3"),
    "weights": lambda: of_synapses(),
    "conductance": lambda: of_synapses("w : 1", "g_post += w*(2 - v_post)"),
    "both_ends": lambda: of_synapses("w : 1", "g_post += w\nI_pre -= 0.01*w"),
    "source_ring": lambda: of_synapses(delay=0.7 * ms),
    "target_ring": lambda: of_synapses(delay=np.linspace(0, 1, ONE) * ms),
    "spike_history": lambda: of_synapses("w : 1", "g_post += w*(2 - v_post)", delay=np.linspace(0, 1, ONE) * ms),
    "multiplied": lambda: of_synapses("w : 1", "g_post *= 1 + w"),
    "divided": lambda: of_synapses("w : 1", "I_post /= 1 + 0.1*w"),
    "overwritten": lambda: of_synapses("w : 1", "g_post = w"),
    "stages": lambda: of_synapses("w : 1", "g_post += w\nI_post += 0.01*g_post*w"),
    "one_by_one": lambda: of_synapses("w : 1", "g_post += w*(1 - g_post)"),
    "counts": lambda: of_synapses("w : 1", "g_post += w*poisson(2 + v_pre)"),
    "synaptic_noise": lambda: of_synapses("w : 1", "g_post += w*(1 + 0.2*randn())"),
    "summed": lambda: summed(),
    "clock_driven": lambda: of_synapses("ds/dt = -s/(4*ms) : 1 (clock-driven)\nw : 1", "s += w\ng_post += s"),
    "event_driven": lambda: stdp(),
    "own_clock": lambda: own_clock(),
}


def poisson_group():
    source = snn.PoissonGroup(N, np.linspace(100, 600, N) * Hz)
    group = cells()
    synapses = snn.Synapses(source, group, "w : 1", on_pre="g_post += w")
    synapses.connect()
    synapses.w = 0.2
    return network(source, group, synapses)


def poisson_input():
    group = cells()
    return network(group, snn.PoissonInput(group, "g", 20, 100 * Hz, 0.1))


def generator():
    source = snn.SpikeGeneratorGroup(N, [0, 1, 2, 3, 0], np.array([0.2, 0.5, 1.1, 2.0, 3.0]) * ms)
    group = cells()
    synapses = snn.Synapses(source, group, "w : 1", on_pre="g_post += w", delay=0.3 * ms)
    synapses.connect()
    synapses.w = np.linspace(0.1, 0.9, N * N)
    return network(source, group, synapses)


def timed_array():
    current = snn.TimedArray(np.linspace(0.9, 1.6, 12), dt=0.5 * ms)
    group = snn.NeuronGroup(
        N,
        "dv/dt = (current(t) - v)/tau : 1",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        namespace={"tau": 5 * ms, "current": current},
    )
    group.v = np.linspace(0.1, 0.9, N)
    return network(group)


def summed():
    group = snn.NeuronGroup(
        N,
        "dv/dt = (1.3 - v + total)/tau : 1\ntotal : 1",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        namespace={"tau": 5 * ms},
    )
    group.v = np.linspace(0.1, 0.9, N)
    synapses = snn.Synapses(group, group, "w : 1\ntotal_post = w*(v_pre - v_post) : 1 (summed)")
    synapses.connect(condition="i != j")
    synapses.w = 0.1
    return network(group, synapses)


def stdp():
    group = cells()
    synapses = snn.Synapses(
        group,
        group,
        "w : 1\ndx/dt = -x/taux : 1 (event-driven)\ndy/dt = -y/taux : 1 (event-driven)",
        on_pre="g_post += w\nx += 1\nw = clip(w - 0.02*y, 0, 1)",
        on_post="y += 1\nw = clip(w + 0.03*x, 0, 1)",
        namespace={"taux": 6 * ms},
    )
    synapses.connect(j="(i + k + 1) % N_post for k in range(2)")
    synapses.w = 0.1 + 0.05 * np.arange(len(synapses))
    return network(group, synapses)


def own_clock():
    group = cells()
    slow = cells(dt=0.2 * ms)
    synapses = snn.Synapses(slow, group, "w : 1", on_pre="g_post += w")
    synapses.connect()
    synapses.w = 0.2
    return network(group, slow, synapses)
