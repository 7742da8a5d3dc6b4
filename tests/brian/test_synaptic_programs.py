"""What synapses can say, each in a small network: the same as in Brian2."""

import numpy as np
import pytest
from brian.pairs import Both, draw, pairs, plain
from brian.synaptic.cases import (
    CASES,
    ONE_BY_ONE,
    PAIR,
    POST,
    PRE,
    STDP,
    Case,
    build,
    cells,
    constants,
    coupled,
    delays,
    same_synapses,
)

import jaxsnn
from jaxsnn.units import ms


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_program(brian, x64, case):
    both = Both(brian, lambda lib: build(lib, case)).run(12).same(atol=1e-12)
    same_synapses(both)


@pytest.mark.parametrize("case", ONE_BY_ONE, ids=lambda case: case.name)
def test_program_one_by_one(brian, x64, case):
    both = Both(brian, lambda lib: build(lib, case)).run(12).same(atol=1e-12)
    same_synapses(both)


# ---- between runs -------------------------------------------------------------------------------------------


def test_weights_change_between_runs(brian, x64):
    both = Both(brian, lambda lib: build(lib, Case("", **PAIR))).run(6)

    def change(lib, objects):
        objects.synapses.w = "0.5*w + 0.01*j"
        objects.synapses.apre["i > 2"] = 0.25

    same_synapses(both.each(change).run(6).same(atol=1e-12))


@pytest.mark.parametrize("text", ["v_post += w", "x_pre += w; v_post += 2*w"])
def test_delays_change_with_spikes_in_flight(brian, x64, text):
    """Spikes that are on their way keep the time at which they are due."""
    both = Both(brian, lambda lib: build(lib, Case("", text, prepare=delays("pre", steps=40)))).run(6)

    def change(lib, objects):
        objects.synapses.delay = draw(5).integers(0, 30, len(objects.synapses)) * 0.1 * lib.ms

    same_synapses(both.each(change).run(6).same(atol=1e-12))


def test_one_delay_changes_with_spikes_in_flight(brian, x64):
    case = Case("", **PAIR, arguments=lambda lib: {"delay": {"pre": 2 * lib.ms, "post": 1 * lib.ms}})
    both = Both(brian, lambda lib: build(lib, case)).run(6)

    def change(lib, objects):
        objects.synapses.pre.delay = 1.6 * lib.ms
        objects.synapses.post.delay = 1.7 * lib.ms

    same_synapses(both.each(change).run(6).same(atol=1e-12))


@pytest.mark.parametrize("text", ["v_post += w", "v_post += w; y = v_post", "v_post += w*(1 - v_post)"])
@pytest.mark.parametrize(
    "delays",
    [(2.0, 0.5), (2.0, 0.0), (1.0, 0.3, 2.0), pytest.param((2.0, 1.3, 0.6, 0.2), marks=pytest.mark.slow)],
    ids=str,
)
def test_two_spikes_of_a_neuron_are_due_in_one_step(brian, x64, text, delays):
    """A later spike with a shorter delay arrives together with an earlier one: both count."""
    case = Case("", text, arguments=lambda lib: {"delay": delays[0] * lib.ms})
    both = Both(brian, lambda lib: build(lib, case)).run(3)
    for delay in delays[1:]:

        def change(lib, objects, delay=delay):
            objects.synapses.delay = delay * lib.ms

        both.each(change).run(0.5)
    both.run(5).same(atol=1e-12)


@pytest.mark.parametrize("case", [Case("additive", "v_post += w"), Case("STDP", **PAIR)], ids=lambda case: case.name)
def test_synapses_are_added_between_runs(brian, x64, case):
    def grown(lib):
        objects = build(lib, case)
        del objects["synapse_trace"]  # which of both libraries cannot grow
        return objects

    both = Both(brian, grown).run(4)

    def change(lib, objects):
        objects.synapses.connect(i=[0, 1, 4], j=[3, 3, 0])
        objects.synapses.w["w == 0"] = 0.2

    same_synapses(both.each(change).run(6).same(atol=1e-12))


def test_restored_synapses_go_on_as_before(brian, x64):
    both = Both(brian, lambda lib: build(lib, Case("", **PAIR, prepare=delays("pre", "post")))).run(4)
    both.store().run(4)
    once = both.ours.synapses.w[:].copy()
    same_synapses(both.restore().run(4).same(atol=1e-12))
    np.testing.assert_array_equal(both.ours.synapses.w[:], once)


# ---- several objects ----------------------------------------------------------------------------------------


def test_several_synapses_on_one_target(brian, x64):
    def several(lib):
        source, target = cells(lib, 5, 3), cells(lib, 4, 4)
        arguments = {"namespace": constants(lib)}
        add = lib.Synapses(source, target, "w : 1", on_pre="v_post += w", name="z_add", **arguments)
        scale = lib.Synapses(source, target, on_pre="v_post *= 1.1", name="a_scale", **arguments)
        back = lib.Synapses(target, source, STDP, on_pre=PRE, on_post=POST, name="m_back", **arguments)
        for synapses in (add, scale, back):
            synapses.connect()
        add.w = "0.05*(i + 1)"
        traces = {k: lib.StateMonitor(g, ["v", "x"], record=True) for k, g in (("s", source), ("t", target))}
        return {"source": source, "target": target, "add": add, "scale": scale, "back": back, **traces}

    same_synapses(Both(brian, several).run(10).same(atol=1e-12))


def test_sums_into_two_subgroups(brian, x64):
    def halves(lib):
        source, target = cells(lib, 3, 3), coupled(lib)
        model = "w : 1\nI_post = w*v_pre : 1 (summed)"
        objects = {"source": source, "target": target, "first": target[:2], "last": target[2:]}
        for name in ("first", "last"):
            synapses = lib.Synapses(source, objects[name], model, name=f"to_{name}")
            synapses.connect()
            synapses.w = "0.1*(i + j)"
            objects[f"to_{name}"] = synapses
        return {**objects, "trace": lib.StateMonitor(target, ["v", "I"], record=True)}

    Both(brian, halves).run(5).same(atol=1e-12)


def test_synapses_onto_synapses(brian, x64):
    """A third group modulates the weights of synapses between two others, and reads them in a sum."""

    def modulated(lib):
        source, target, control = cells(lib, 5, 3), cells(lib, 4, 4), cells(lib, 3, 5)
        # With names: those given by number decide who comes first, and 10 sorts before 9.
        plastic = lib.Synapses(
            source, target, "w : 1\ng : 1\nm : 1", on_pre="v_post += w*g; g *= 0.99", name="modulated_weights"
        )
        plastic.connect(**dict(zip("ij", pairs(5, 4, 0.7, 1), strict=True)))
        plastic.g = 1
        plastic.w = "0.1 + 0.01*i"
        gate = lib.Synapses(
            control,
            plastic,
            "a : 1\nm_post = a*v_pre : 1 (summed)",
            on_pre="g_post += a; w_post += 0.1*m_post",
            name="modulating_gate",
        )
        gate.connect("(i + j) % 2 == 0")
        gate.a = "0.02*(i + 1)"
        gate.delay = "0.1*ms*(j % 5)"
        trace = lib.StateMonitor(plastic, ["w", "g", "m"], record=True)
        return {
            "source": source,
            "target": target,
            "control": control,
            "plastic": plastic,
            "gate": gate,
            "trace": trace,
        }

    same_synapses(Both(brian, modulated).run(8).same(atol=1e-12))


def test_several_synapses_of_a_pair(brian, x64):
    def multiple(lib):
        source, target = cells(lib, 5, 3), cells(lib, 4, 4)
        synapses = lib.Synapses(source, target, "w : 1", on_pre="v_post += w*(k + 1)", multisynaptic_index="k")
        synapses.connect(i=[0, 1, 0, 2, 0, 1], j=[1, 1, 1, 3, 1, 0])
        synapses.connect(i=[0, 2], j=[1, 3], n=2)
        synapses.w = "0.01*(k + 1)"
        synapses.delay = "0.4*k*ms"
        trace = lib.StateMonitor(synapses, "w", record=synapses[0, :])
        return {"source": source, "target": target, "synapses": synapses, "trace": trace}

    both = Both(brian, multiple).run(8).same(atol=1e-12)
    np.testing.assert_array_equal(both.ours.synapses.k[:], both.theirs.synapses.k[:])
    w = both.ours.synapses.w
    w[0, 1, 2] = 0.5  # Brian2.10 takes the third index for the number of a synapse
    np.testing.assert_array_equal(np.flatnonzero(w[:] == 0.5), [4])
    np.testing.assert_array_equal(both.ours.synapses.k[0, 1, 1:], [1, 2, 3, 4])
    np.testing.assert_array_equal(both.ours.synapses.k[2, 3, [0, 2]], [0, 2])
    np.testing.assert_array_equal(both.ours.trace.w, both.theirs.trace.w)


def test_counts_and_selections(brian):
    def make(lib):
        group = lib.NeuronGroup(4, "v : 1")
        synapses = lib.Synapses(group, group, "w : 1")
        synapses.connect(i=[0, 2, 2, 1], j=[3, 3, 0, 3])
        synapses.w = [1, 2, 3, 4]
        return group, synapses

    (_, ours), (_group, theirs) = make(jaxsnn), make(brian)
    for name in ("N_incoming", "N_outgoing"):
        np.testing.assert_array_equal(getattr(ours, name)[:], getattr(theirs, name)[:])
    for name in ("N_incoming_post", "N_outgoing_pre", "N_pre", "N_post", "N"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    np.testing.assert_array_equal(ours[2, :].indices, [1, 2])
    np.testing.assert_array_equal(ours["w > 1.5"].indices, [1, 2, 3])
    np.testing.assert_array_equal(ours.w[ours[:, 3]], [1, 2, 4])
    np.testing.assert_array_equal(jaxsnn.StateMonitor(ours, "w", record="w > 2").record, [2, 3])


# ---- random numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("delayed", [False, True], ids=["no delay", "delays"])
def test_random_numbers_for_each_arriving_synapse(brian, x64, delayed):
    """Release with probability 1/4: (releases, arrivals) of 200 synapses are binomial, and differ among synapses."""

    def build_random(lib):
        source = cells(lib, 2, 2)
        target = cells(lib, 100, 4)
        synapses = lib.Synapses(
            source,
            target,
            "n : integer\narrived : integer\ns : 1",
            on_pre="z = rand() < 0.25; n += int(z); arrived += 1; x_post += int(z); s += randn()",
        )
        synapses.connect()
        if delayed:
            synapses.delay = "0.1*ms*(j % 7)"
        return {"source": source, "target": target, "synapses": synapses}

    both = Both(brian, build_random).run(40)
    arrived = np.asarray(both.ours.synapses.arrived[:])
    np.testing.assert_array_equal(arrived, both.theirs.synapses.arrived[:])
    released = np.asarray(both.ours.synapses.n[:])
    total = int(arrived.sum())
    # Five standard deviations of a binomial, and of the sum of normal numbers.
    assert abs(released.sum() - total / 4) < 5 * np.sqrt(total * 3 / 16)
    assert np.std(released[:100]) > 0.8 * np.sqrt(arrived[0] * 3 / 16)
    s = np.asarray(both.ours.synapses.s[:])
    assert abs(s.sum()) < 5 * np.sqrt(total)
    assert abs((s**2).sum() / total - 1) < 5 * np.sqrt(2 / 200)


def test_noise_in_clock_driven_equations(brian, x64):
    """The stationary variance of an Ornstein-Uhlenbeck process is 1/2 in its units."""

    def build_noise(lib):
        source = cells(lib, 20, 3)
        synapses = lib.Synapses(
            source, source, "dz/dt = -z/tau + xi/sqrt(tau) : 1 (clock-driven)", namespace={"tau": 1 * lib.ms}
        )
        synapses.connect()
        return {"source": source, "synapses": synapses}

    both = Both(brian, build_noise).run(8)
    ours, theirs = np.asarray(both.ours.synapses.z[:]), np.asarray(both.theirs.synapses.z[:])
    # Euler's method with steps of a tenth: 1/(2 - 0.1); five standard deviations of a variance of 400 numbers.
    for values in (ours, theirs):
        assert abs(values.var() - 1 / 1.9) < 5 * np.sqrt(2 / 400) / 1.9


# ---- what only a closed form can tell ---------------------------------------------------------------------------


def test_a_protected_neuron_is_not_overwritten(x64):
    """Brian2 forgets the protection in an overwrite with its NumPy target; its other targets keep it."""
    group = jaxsnn.NeuronGroup(
        2, "dv/dt = 0/second : 1 (unless refractory)", threshold="i == 0 and t < 0.05*ms", reset="", refractory=1 * ms
    )
    synapses = jaxsnn.Synapses(group, group, on_pre="v_post = 3")
    synapses.connect()
    jaxsnn.Network(group, synapses, dtype="float64").run(0.5 * ms)
    np.testing.assert_array_equal(group.v[:], [0, 3])


@pytest.mark.parametrize("silence", [88, 700, 10_000])
def test_long_silence(silence):
    """Traces decay to their fixed points, in float32 too: nothing grows on the way, whatever the silence."""
    group = jaxsnn.NeuronGroup(1, "n : integer", threshold="t_in_timesteps == 1 or t_in_timesteps == n", reset="")
    group.n = 1 + 10 * silence
    synapses = jaxsnn.Synapses(
        group,
        group,
        """dp/dt = -p/tau : 1 (event-driven)
        dq/dt = (p - q)/(2*tau) : 1 (event-driven)
        dr/dt = (p + q - r + 1)/tau : 1 (event-driven)
        seen_p : 1
        seen_q : 1
        seen_r : 1""",
        on_pre="seen_p = p; seen_q = q; seen_r = r; p += 1; q += 1; r += 1",
        namespace={"tau": 1 * ms},
    )
    synapses.connect()
    jaxsnn.Network(group, synapses, dt=0.1 * ms).run((silence + 1) * ms)
    np.testing.assert_allclose(synapses.seen_p[:], 0, atol=1e-30)
    np.testing.assert_allclose(synapses.seen_q[:], np.exp(-silence / 2) * 2, atol=1e-18)
    np.testing.assert_allclose(synapses.seen_r[:], 1, rtol=1e-6)
    np.testing.assert_allclose(plain(synapses.lastupdate[:]), (0.1 + silence) * 1e-3, rtol=1e-6)
