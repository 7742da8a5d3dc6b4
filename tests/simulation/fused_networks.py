"""Small networks whose groups can have kernels of their own, each with something that is easy to get wrong."""

import jaxsnn as snn
from jaxsnn.units import Hz, ms

LEAKY = """
dv/dt = (ge + gi + I - v)/(10*ms) : 1 (unless refractory)
dge/dt = -ge/(3*ms) : 1
dgi/dt = -gi/(6*ms) : 1
I : 1
"""


def ring_pairs(n, reach):
    return [k for k in range(n) for _ in range(reach)], [(k + d) % n for k in range(n) for d in range(1, reach + 1)]


def recurrent(delay=None, n=19):
    cells = snn.NeuronGroup(n, LEAKY, threshold="v > 1", reset="v = 0", refractory=2 * ms, method="exact", name="cells")
    cells.I = "3 + 2*i/N"
    cells.v = "i/N"
    split = n // 2
    one = snn.Synapses(cells[:split], cells, "w : 1", on_pre="ge_post += w", name="one")
    two = snn.Synapses(cells[split:], cells, on_pre="gi_post -= 0.05", name="two")
    for synapses, size in ((one, split), (two, n - split)):
        i, j = ring_pairs(size, 5)
        synapses.connect(i=i, j=[(3 * t + s) % n for s, t in zip(i, j, strict=True)])
        if delay is not None:
            synapses.delay = delay
    one.w = "0.02*(1 + i % 3)"
    spikes = snn.SpikeMonitor(cells, name="spikes")
    return [cells, one, two, spikes]


def subthreshold_reset():
    """The reset reads what has just arrived, and changes a threshold; half of the spikes are recorded, and values."""
    n = 10
    cells = snn.NeuronGroup(
        n,
        "dv/dt = (I - v)/(4*ms) : 1\ndb/dt = (1 - b)/(20*ms) : 1\nI : 1",
        threshold="v > b",
        reset="v -= b\nb += 0.2",
        method="euler",
        name="cells",
    )
    cells.I = "2.5 + 0.05*i"
    cells.b = 1
    synapses = snn.Synapses(cells, cells, on_pre="v_post += 0.05", name="synapses")
    i, j = ring_pairs(n, 3)
    synapses.connect(i=i, j=j)
    return [
        cells,
        synapses,
        snn.SpikeMonitor(cells[:7], name="spikes"),
        snn.StateMonitor(cells, ["v", "b"], record=[0, 7, 9], name="values"),
        snn.PopulationRateMonitor(cells, name="rate"),
    ]


def noisy():
    """Two random numbers for each neuron in each step, and sources that fire at random."""
    cells = snn.NeuronGroup(
        9,
        "dv/dt = (1.2 - v)/(5*ms) + 0.3*xi/sqrt(5*ms) : 1",
        threshold="v > 1 + 0.1*rand()",
        reset="v = 0",
        refractory=1 * ms,
        method="euler",
        name="cells",
    )
    inputs = snn.PoissonGroup(7, rates=700 * Hz, name="inputs")
    synapses = snn.Synapses(inputs, cells, on_pre="v_post += 0.2", delay=0.5 * ms, name="synapses")
    synapses.connect()
    return [cells, inputs, synapses, snn.SpikeMonitor(cells, name="spikes"), snn.SpikeMonitor(inputs, name="sources")]


def plastic(delay=None):
    """Traces and clipped weights, written at spikes of either side."""
    inputs = snn.NeuronGroup(
        12, "dx/dt = rate : 1\nrate : Hz", threshold="x > 1", reset="x -= 1", method="euler", name="inputs"
    )
    inputs.rate = "(700 + 97*i)*Hz"
    cells = snn.NeuronGroup(
        3, "dv/dt = (g - v)/(10*ms) : 1\ndg/dt = -g/(5*ms) : 1", threshold="v > 0.2", reset="v = 0", name="cells"
    )
    synapses = snn.Synapses(
        inputs,
        cells,
        """
        w : 1
        da/dt = -a/(20*ms) : 1 (event-driven)
        db/dt = -b/(20*ms) : 1 (event-driven)
        """,
        on_pre="g_post += w\na += 0.05\nw = clip(w + b, 0, 1)",
        on_post="b -= 0.04\nw = clip(w + a, 0, 1)",
        name="synapses",
    )
    synapses.connect()
    synapses.w = "0.1 + 0.02*((3*i + j) % 7)"
    if delay is not None:
        synapses.delay = delay
    return [inputs, cells, synapses, snn.SpikeMonitor(inputs, name="sources"), snn.SpikeMonitor(cells, name="spikes")]


def plastic_loop():
    """Both pathways of one group write the same synapses: the second must not overtake the first."""
    cells = snn.NeuronGroup(
        14, "dx/dt = rate : 1\nrate : Hz", threshold="x > 1", reset="x = 0", method="euler", name="cells"
    )
    cells.rate = "(200 + 31*i)*Hz"
    synapses = snn.Synapses(
        cells, cells, "w : 1\nn : 1", on_pre="x_post += w\nn += 1", on_post="w = 0.001*n\nn *= 0.5", name="synapses"
    )
    synapses.connect(condition="i != j")
    return [cells, synapses, snn.SpikeMonitor(cells, name="spikes")]


def several_groups():
    """A generator, a group with a kernel, one without (it looks up a table), and a pathway that reads a membrane."""
    source = snn.SpikeGeneratorGroup(4, [0, 1, 2, 3, 0], [1, 2, 3, 4, 5] * ms, name="source")
    middle = snn.NeuronGroup(
        9,
        "dv/dt = (g - v)/(10*ms) : 1\ndg/dt = -g/(3*ms) : 1",
        threshold="v > 0.3",
        reset="v = 0",
        method="exact",
        name="middle",
    )
    drive = snn.TimedArray([0.5, 2.5, 1.0], dt=3 * ms)
    last = snn.NeuronGroup(
        5,
        "dv/dt = (drive(t) - v)/(4*ms) : 1",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="last",
        namespace={"drive": drive},
    )
    first = snn.Synapses(source, middle, on_pre="g_post += 1.5", name="first")
    first.connect()
    second = snn.Synapses(middle, last, on_pre="v_post += 0.1*v_pre", delay=0.3 * ms, name="second")
    second.connect(condition="(i + j) % 2 == 0")
    back = snn.Synapses(last, middle, on_pre="g_post += 0.2", name="back")
    back.connect()
    monitors = [snn.SpikeMonitor(group, name=f"{group.name}_spikes") for group in (middle, last)]
    return [source, middle, last, first, second, back, *monitors]


def driven(watched=False):
    """A generator that repeats, and that a monitor looks at or none does: it drives two groups; plastic synapses."""
    times = [0.1, 0.1, 0.3, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.8] * ms
    source = snn.SpikeGeneratorGroup(7, [0, 3, 5, 6, 1, 2, 0, 4, 5, 3], times, period=1.1 * ms, name="source")
    one, two = (
        snn.NeuronGroup(n, LEAKY, threshold="v > 0.4", reset="v = 0", refractory=1 * ms, method="exact", name=name)
        for n, name in ((13, "one"), (6, "two"))
    )
    one.I = two.I = "1 + 0.1*i"
    plain = snn.Synapses(source, one, "w : 1", on_pre="ge_post += w", name="plain")
    plain.connect(condition="(i + j) % 2 == 0")
    plain.w, plain.delay = "0.2 + 0.02*i", "0.1*(i % 3)*ms"
    plastic = snn.Synapses(source, two, "w : 1", on_pre="ge_post += w\nw *= 0.9", on_post="w += 0.01", name="plastic")
    plastic.connect()
    plastic.w = "0.3 + 0.01*j"
    between = [snn.Synapses(a, b, on_pre="gi_post -= 0.02", name=f"from_{a.name}") for a, b in ((one, two), (two, one))]
    for synapses in between:
        synapses.connect(condition="i != j")
    monitors = [snn.SpikeMonitor(g, name=f"{g.name}_spikes") for g in ((one, two, source) if watched else (one, two))]
    return [source, one, two, plain, plastic, *between, *monitors]


def events():
    """A group with several events, which takes the plain way, and one with a kernel that runs code in every step."""
    cells = snn.NeuronGroup(
        8,
        "dv/dt = (I - v)/(5*ms) : 1\nI : 1\nn : integer",
        threshold="v > 1",
        reset="v = 0",
        events={"half": "v > 0.5 and v < 0.7"},
        method="exact",
        name="cells",
    )
    cells.I = "2 + 0.5*i"
    cells.run_on_event("half", "n += 1")
    sink = snn.NeuronGroup(
        6, "dv/dt = -v/(8*ms) : 1\nslow : 1", threshold="v > 1", reset="v -= 1", method="exact", name="sink"
    )
    sink.run_regularly("slow += 0.01*(v - slow); v += 0.02*slow")
    other = snn.NeuronGroup(4, "dv/dt = 0.3/ms : 1", threshold="v > 1", reset="v = 0", method="euler", name="other")
    other.run_regularly("v += 0.05*i", dt=0.4 * ms)  # with a clock of its own there is no kernel
    half = snn.Synapses(cells, sink, on_pre="v_post += 0.3", on_event="half", name="half")
    half.connect(condition="(i + j) % 2 == 0")
    usual = snn.Synapses(cells, sink, on_pre="v_post += 0.2", delay=0.5 * ms, name="usual")
    usual.connect(condition="(i + j) % 3 == 0")
    back = snn.Synapses(sink, cells, on_pre="v_post += 0.1", name="back")
    back.connect(condition="(i + j) % 2 == 1")
    return [
        cells,
        sink,
        other,
        half,
        usual,
        back,
        snn.SpikeMonitor(cells, name="spikes"),
        snn.SpikeMonitor(sink, name="sink_spikes"),
        snn.EventMonitor(cells, "half", name="half_events"),
        snn.SpikeMonitor(other, variables="v", name="other_spikes"),
    ]


def everyone(delay=None):
    """Every neuron fires in every step, and counts: whole numbers, so that none can be lost."""
    cells = snn.NeuronGroup(17, "v : 1\nlast : 1", threshold="v >= 0", reset="last = v", name="cells")
    synapses = snn.Synapses(cells, cells, "w : 1\nn : 1", on_pre="v_post += w\nn += 1", name="synapses")
    synapses.connect(condition="(i + 2*j) % 3 != 0")
    synapses.w = "1 + i % 3"
    if delay is not None:
        synapses.delay = delay
    return [cells, synapses, snn.SpikeMonitor(cells, name="spikes")]


def counted():
    """Pathways that leave a kernel: carried out statement by statement, and synapse by synapse."""
    cells = snn.NeuronGroup(8, "dv/dt = (I - v)/(4*ms) : 1\nI : 1", threshold="v > 1", reset="v = 0", name="cells")
    cells.I = "2.5 + 0.1*i"
    counters = snn.NeuronGroup(3, "n : 1\nlast : 1", name="counters")
    one = snn.Synapses(cells, counters, on_pre="n_post += 1; last_post = n_post", name="one")
    two = snn.Synapses(cells, counters, on_pre="n_post += int(n_post >= 0)", delay=0.3 * ms, name="two")
    one.connect()
    two.connect(condition="i > j")
    return [cells, counters, one, two, snn.SpikeMonitor(cells, name="spikes")]


NETWORKS = {
    "everyone": everyone,
    "everyone, different delays": lambda: everyone("0.1*((i + j) % 6)*ms"),
    "recurrent": recurrent,
    "recurrent, one delay": lambda: recurrent(1.1 * ms),
    "recurrent, different delays": lambda: recurrent("0.3*((i + 2*j) % 9)*ms"),
    "recurrent, never at once": lambda: recurrent("0.1*(1 + (i + 2*j) % 9)*ms"),
    "reset that reads": subthreshold_reset,
    "counted": counted,
    "noisy": noisy,
    "plastic": plastic,
    "plastic, one delay": lambda: plastic(0.7 * ms),
    "plastic, different delays": lambda: plastic("0.4*((i + j) % 10)*ms"),
    "plastic loop": plastic_loop,
    "several groups": several_groups,
    "driven": driven,
    "driven, and watched": lambda: driven(watched=True),
    "events": events,
}
