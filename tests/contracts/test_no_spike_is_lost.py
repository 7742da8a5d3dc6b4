"""Every neuron fires in every step, and every spike is counted: sums of whole numbers, exact in any order.

No list of spikes may be too short, no slot of a delay be overwritten, no two additions fall into one. What is expected
is counted by hand: a synapse with a delay of d steps delivers T - d spikes in T steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh

import jaxsnn as snn
from jaxsnn.events import kernel
from jaxsnn.network import network as roof
from jaxsnn.units import ms

STEPS = 13
Counts = dict[str, np.ndarray]


@dataclass(frozen=True)
class Synapse:
    """All synapses of a network, with delays in steps."""

    i: np.ndarray
    j: np.ndarray
    w: np.ndarray
    pre: np.ndarray
    post: np.ndarray

    def arrivals(self, delay: Any) -> np.ndarray:
        """How many spikes have arrived at each synapse after the run."""
        return np.maximum(STEPS - np.broadcast_to(delay, self.i.shape), 0)


@dataclass(frozen=True)
class Case:
    """Synapses between firing neurons.

    counts: what is in ``u`` of the source's neurons, ``v``, ``last``, ``flip`` of the target's and ``w`` of the
    synapses after the run; own, own_post: whether synapses have delays of their own; executions: that may carry it out.
    """

    name: str
    counts: Callable[[Synapse, Callable[..., np.ndarray]], Counts]
    on_pre: str | None = None
    on_post: str | None = None
    own: bool = False
    own_post: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    executions: tuple[str, ...] = ("dense", "masked", "event_list", "event_list gpu")


def learned(s: Synapse, sum_at: Callable[..., np.ndarray]) -> Counts:
    """on_pre adds w and then raises it by 1, on_post raises it by 2; of both in one step on_pre is first."""
    v, w = np.zeros(s.i.size), s.w.astype(float)
    for t in range(STEPS):
        v += w * (t >= s.pre)
        w += 1.0 * (t >= s.pre) + 2.0 * (t >= s.post)
    return {"v": sum_at("v", v), "w": w}


def both_ends(delay: Any) -> Callable[[Synapse, Callable[..., np.ndarray]], Counts]:
    def counts(s: Synapse, sum_at: Callable[..., np.ndarray]) -> Counts:
        n = s.arrivals(s.pre if delay is None else delay)
        return {"v": sum_at("v", s.w * n), "u": sum_at("u", n)}

    return counts


def statements(s: Synapse, sum_at: Callable[..., np.ndarray]) -> Counts:
    n = s.arrivals(s.pre)
    v = sum_at("v", s.w * n)
    return {"v": v, "last": v, "flip": 1.0 - 2 * (sum_at("v", n) % 2)}


def halves(s: Synapse, sum_at: Callable[..., np.ndarray]) -> Counts:
    """Delays of d + 1/2 steps: one half after d, one after d + 1; weights are even."""
    return {"v": sum_at("v", s.w * (s.arrivals(s.pre) + s.arrivals(s.pre + 1)))}


GENERAL = ("masked", "event_list", "event_list gpu")
ADD = "v_post += w; u_pre += 1"
CASES = [
    Case("no delay", both_ends(0), ADD),
    Case("one delay", both_ends(4), ADD, options={"delay": 0.4 * ms}),
    Case("delays", both_ends(None), ADD, own=True),
    Case("on_post", lambda s, at: {"u": at("u", s.w * s.arrivals(0))}, on_post="u_pre += w"),
    Case(
        "on_post, delays", lambda s, at: {"u": at("u", s.w * s.arrivals(s.post))}, on_post="u_pre += w", own_post=True
    ),
    Case(
        "read at arrival",
        lambda s, at: {"v": at("v", s.w * s.arrivals(s.pre))},
        "v_post += w*x_pre",
        own=True,
        executions=GENERAL,
    ),
    Case("learning", learned, "v_post += w; w += 1", "w += 2", executions=GENERAL),
    Case("learning, delays", learned, "v_post += w; w += 1", "w += 2", own=True, own_post=True, executions=GENERAL),
    Case(
        "statement by statement", statements, "v_post += w; last_post = v_post; flip_post *= -1", executions=("masked",)
    ),
    Case(
        "statement by statement, delays",
        statements,
        "v_post += w; last_post = v_post; flip_post *= -1",
        own=True,
        executions=("masked",),
    ),
    Case(
        "one by one",
        lambda s, at: {"v": at("v", s.w * s.arrivals(0))},
        "v_post += w*int(v_post >= 0)",
        executions=("masked",),
    ),
    Case(
        "one by one, delays",
        lambda s, at: {"v": at("v", s.w * s.arrivals(s.pre))},
        "v_post += w*int(v_post >= 0)",
        own=True,
        executions=("masked",),
    ),
    Case("between steps", halves, "v_post += 2*w", own=True, options={"max_delay": 1 * ms}),
]
PATTERNS = {"all": (40, 70), "sparse": (300, 90), "long rows": (2, 1500)}
"""Sources and targets. Rows of 1,500 are longer than what an execution takes at a time."""


def network(case: Case, pattern: str) -> tuple[snn.Network, Synapse]:
    n_source, n_target = PATTERNS[pattern]
    # x counts the steps to see that it is read, and stays 1 when it is.
    source = snn.NeuronGroup(n_source, "u : 1\nx : 1", threshold="u >= 0", reset="x = 1")
    target = snn.NeuronGroup(n_target, "v : 1\nlast : 1\nflip : 1", threshold="v >= 0", reset="")
    source.x, target.flip = 1, 1
    code = {key: text for key, text in (("on_pre", case.on_pre), ("on_post", case.on_post)) if text is not None}
    synapses = snn.Synapses(source, target, "w : 1", **code, **case.options)
    i, j = np.divmod(np.arange(n_source * n_target), n_target)
    if pattern == "sparse":
        keep = (i * 7 + j * 3) % 11 == 0
        # In no order, and some pairs twice.
        i, j = (np.concatenate([x[keep][::-1], x[keep][:200]]) for x in (i, j))
    synapses.connect(i=i, j=j)
    number = np.arange(i.size)
    s = Synapse(i, j, 1 + number % 3, number % 8, number % 5)
    synapses.w = s.w
    late = 0.05 if "max_delay" in case.options else 0
    if case.own:
        synapses.pre.delay = (0.1 * s.pre + late) * ms
    if case.own_post:
        synapses.post.delay = 0.1 * s.post * ms
    for label, given in (("source", source), ("target", target), ("synapses", synapses)):
        given.label(label)
    return snn.Network(source, target, synapses), s


def expected(case: Case, s: Synapse, pattern: str) -> dict[tuple[str, str], np.ndarray]:
    def sum_at(name: str, values: np.ndarray) -> np.ndarray:
        end, n = (s.i, PATTERNS[pattern][0]) if name == "u" else (s.j, PATTERNS[pattern][1])
        return np.bincount(end, values, n)

    own = s if case.own_post else Synapse(s.i, s.j, s.w, s.pre, 0 * s.post)
    own = own if case.own else Synapse(own.i, own.j, own.w, 0 * own.pre, own.post)
    owner = {"u": "source", "w": "synapses"}
    return {(owner.get(name, "target"), name): values for name, values in case.counts(own, sum_at).items()}


def exact(state: Any, case: Case, s: Synapse, pattern: str) -> None:
    for (owner, name), values in expected(case, s, pattern).items():
        assert 0 < np.abs(values).max() < 2**24, "a float32 holds it"
        np.testing.assert_array_equal(np.asarray(state[owner][name]), values, err_msg=f"{owner}.{name}")


def compiled(net: snn.Network, execution: str | None, monkeypatch: Any) -> Any:
    name, _, backend = (execution or "").partition(" ")
    if backend:
        monkeypatch.setattr(roof, "_backend", lambda: backend)
    return net.compile(execution=name or None, unroll=1)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(
    "pattern", ["sparse", *(pytest.param(p, marks=pytest.mark.slow) for p in ("all", "long rows"))]
)
def test_every_spike_counts(case, pattern, monkeypatch):
    net, s = network(case, pattern)
    for execution in case.executions:
        with monkeypatch.context() as patch:
            sim = compiled(net, execution, patch)
            exact(sim.run(*sim.init(0), STEPS)[0], case, s, pattern)


@pytest.mark.parametrize("case", [c for c in CASES if "delay" in c.name or c.options], ids=lambda case: case.name)
def test_every_spike_counts_across_runs(case):
    """In three runs, with what the machine chooses, and with every spike recorded."""
    net, s = network(case, "sparse")
    spikes = snn.SpikeMonitor(net["source"])
    net.add(spikes)
    for duration in (0.1, 0.5, 0.7):
        net.run(duration * ms)
    assert spikes.num_spikes == STEPS * 300
    for (owner, name), values in expected(case, s, "sparse").items():
        np.testing.assert_array_equal(np.asarray(getattr(net[owner], f"{name}_")), values, err_msg=f"{owner}.{name}")


@pytest.mark.parametrize("case", [c for c in CASES if len(c.executions) > 1], ids=lambda case: case.name)
def test_kernels_lower_for_cuda(case, monkeypatch):
    """A kernel for each pathway; those of whole groups have their own tests."""
    monkeypatch.setattr(kernel, "available", lambda backend: True)
    monkeypatch.setattr("jaxsnn.network.assembly._by_bits", lambda *given: False)
    net, _ = network(case, "sparse")
    sim = net.compile(execution="kernel", unroll=1)
    params, state = sim.init(0)
    device = AbstractDevice("NVIDIA H200", 132, "gpu")
    with use_abstract_mesh(AbstractMesh((), (), abstract_device=device)):
        run = jax.jit(lambda p, s: sim._run_steps(p, s, None, steps=3, phase=None))
        text = run.trace(params, state).lower(lowering_platforms=("cuda",)).as_text()
    assert text.count("__gpu$xla.gpu.triton") == (case.on_pre is not None) + (case.on_post is not None)


@pytest.mark.gpu
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_spike_counts_on_a_gpu(case, pattern, monkeypatch):
    net, s = network(case, pattern)
    for execution in (None, *(name for name in case.executions if " " not in name)):
        sim = compiled(net, execution, monkeypatch)
        exact(sim.run(*sim.init(0), STEPS)[0], case, s, pattern)
