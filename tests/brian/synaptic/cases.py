"""Synaptic programs that jaxsnn and Brian2 both run: a table of `Case`.

Neurons fire by a clock of their own, so that both ends of every synapse are active whatever the code does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from brian.pairs import Both, draw, pairs

NEURON = """
dv/dt = -v/tau : 1
dx/dt = -x/tau : 1
y : 1
I : 1
c : 1
b = 2*c + x : 1
u : integer
period : integer
"""
STDP = """
w : 1
dapre/dt = -apre/taupre : 1 (event-driven)
dapost/dt = -apost/taupost : 1 (event-driven)
"""
PRE = "v_post += w; apre += 0.1; w = clip(w + apost, 0, 0.4)"
POST = "apost -= 0.12; w = clip(w + apre, 0, 0.4)"
TRIPLET = """
w : 1
dr1/dt = -r1/taupre : 1 (event-driven)
dr2/dt = -r2/tau2 : 1 (event-driven)
do1/dt = -o1/taupost : 1 (event-driven)
do2/dt = -o2/tau2 : 1 (event-driven)
"""
PLASTICITY = """
w : 1
df/dt = -f/taupre : 1 (event-driven)
dd/dt = (1 - d)/taupost : 1 (event-driven)
"""
NMDA = """
w : 1
ds/dt = -s/taupost + h*(1 - s)/taupre : 1 (clock-driven)
dh/dt = -h/tau2 : 1 (clock-driven)
g_post = w*s : 1 (summed)
"""


def constants(lib):
    return {"tau": 5 * lib.ms, "taupre": 3 * lib.ms, "taupost": 4 * lib.ms, "tau2": 9 * lib.ms, "eta": 0.1}


def cells(lib, n, first, model=NEURON, threshold="(t_in_timesteps + u) % period == 0", reset="", **arguments):
    group = lib.NeuronGroup(
        n, model, threshold=threshold, reset=reset, method="exact", namespace=constants(lib), **arguments
    )
    group.u = np.arange(n)
    group.period = first + 2 * np.arange(n)
    group.v = np.linspace(0.1, 0.9, n)
    group.c = 0.05 * np.arange(1, n + 1)
    return group


def nothing(lib, synapses):
    """The synapses as they are."""


@dataclass(frozen=True)
class Case:
    """A program: the arguments of Synapses, and what is done after connecting."""

    name: str
    on_pre: Any = None
    model: str = "w : 1"
    on_post: Any = None
    prepare: Callable[[Any, Any], None] = nothing
    arguments: Callable[[Any], Mapping[str, Any]] = lambda lib: {}
    source: Callable[[Any], Any] = lambda lib: cells(lib, 5, 3)
    target: Callable[[Any], Any] = lambda lib: cells(lib, 4, 4)
    parts: tuple[slice, slice] = (slice(None), slice(None))
    connect: Mapping[str, Any] = field(default_factory=lambda: dict(zip("ij", pairs(5, 4, 0.7, 1), strict=True)))


def delays(*names: str, steps: int = 25) -> Callable[[Any, Any], None]:
    """Different delays on pathways."""

    def prepare(lib, synapses):
        for k, name in enumerate(names):
            getattr(synapses, name).delay = draw(k).integers(0, steps, len(synapses)) * 0.1 * lib.ms

    return prepare


def order(**orders: int) -> Callable[[Any, Any], None]:
    def prepare(lib, synapses):
        for name, value in orders.items():
            getattr(synapses, name).order = value

    return prepare


def assign(**values: Any) -> Callable[[Any, Any], None]:
    def prepare(lib, synapses):
        for name, value in values.items():
            setattr(synapses, name, value)

    return prepare


def protected(lib, n, first):
    model = NEURON.replace("dv/dt = -v/tau : 1", "dv/dt = -v/tau : 1 (unless refractory)")
    return cells(lib, n, first, model, refractory=0.5 * lib.ms)


def conductance(lib):
    return cells(lib, 4, 4, NEURON.replace("-v/tau", "(g - v)/tau") + "g : 1")


def coupled(lib):
    return cells(lib, 5, 4, NEURON.replace("-v/tau", "(I - v)/tau"))


PAIR = {"on_pre": PRE, "on_post": POST, "model": STDP}
GAP = "w : 1\nI_post = w*(v_pre - v_post) : 1 (summed)"
CASES = [
    # spike-timing-dependent plasticity
    Case("pair STDP", **PAIR),
    Case("pair STDP, one delay", **PAIR, arguments=lambda lib: {"delay": 0.7 * lib.ms}),
    Case("pair STDP, delays on pre", **PAIR, prepare=delays("pre")),
    Case("pair STDP, delays on both", **PAIR, prepare=delays("pre", "post")),
    Case("pair STDP, a delay each", **PAIR, arguments=lambda lib: {"delay": {"pre": 1 * lib.ms, "post": 0.3 * lib.ms}}),
    Case(
        "pair STDP, one delay and delays", **PAIR, arguments=lambda lib: {"delay": 1 * lib.ms}, prepare=delays("post")
    ),
    Case("pair STDP, post before pre", **PAIR, prepare=order(pre=2, post=-3)),
    Case(
        "pair STDP of subgroups",
        **PAIR,
        source=lambda lib: cells(lib, 9, 3),
        target=lambda lib: cells(lib, 7, 4),
        parts=(slice(3, 8), slice(2, 6)),
    ),
    Case(
        "triplet STDP",
        "v_post += w; w = clip(w - 0.02*o1*(1 + r2), 0, 1); r1 += 1; r2 += 1",
        TRIPLET,
        "w = clip(w + 0.03*r1*(1 + o2), 0, 1); o1 += 1; o2 += 1",
    ),
    Case(
        "short-term plasticity",
        "f += 0.2*(1 - f); q = f*d; d -= q; v_post += w*q",
        PLASTICITY,
        prepare=assign(d=1),
    ),
    Case(
        "short-term plasticity, delays",
        "f += 0.2*(1 - f); q = f*d; d -= q; v_post += w*q",
        PLASTICITY,
        prepare=delays("pre"),
    ),
    Case(
        "event-driven in a chain",
        "v_post += w*q; p += 1",
        "w : 1\ndp/dt = -p/taupre : 1 (event-driven)\ndq/dt = (p - q)/taupost : 1 (event-driven)",
    ),
    Case(
        "event-driven in a chain of equal rates",
        "v_post += w*q; p += 1",
        "w : 1\ndp/dt = -p/taupre : 1 (event-driven)\ndq/dt = (p - q)/taupre : 1 (event-driven)",
        on_post="q *= 0.9",
    ),
    Case(
        "event-driven towards a neuron's value",
        "v_post += w*p",
        "w : 1\nk : 1\ndp/dt = (goal - p)/taupre : 1 (event-driven)\ngoal = c_post*(1 + c_pre) + k : 1",
        prepare=assign(k="0.1*i", p=0.5),
    ),
    Case(
        "time and the last update",
        "w = p; p = (t - lastupdate)/ms; v_post += 0.01*p",
        "w : 1\ndp/dt = -p/taupre : 1 (event-driven)",
        on_post="w = t/ms",
    ),
    Case("trace that nobody reads", "v_post += w", STDP, prepare=assign(apre="1 + i", apost=2)),
    # pathways
    Case("on_post", on_post="w += 0.1*x_post + c_post; v_pre += 0.05*w"),
    Case("on_post, delays", on_post="w += 0.1*v_post; v_pre += 0.05*w", prepare=delays("post")),
    Case("both change one neuron", "v_post += w; x_pre += 0.1*w", on_post="v_post -= 0.5*w; x_pre *= 0.9"),
    Case(
        "two pathways with their delays",
        {"fast": "v_post += w", "slow": "v_post -= 0.4*w; w *= 0.99"},
        arguments=lambda lib: {"delay": {"fast": 0.2 * lib.ms, "slow": 1.1 * lib.ms}},
    ),
    Case("pathways by name", {"b_add": "v_post += w", "a_mul": "v_post *= 1.2"}),
    Case("pathways by order", {"b_add": "v_post += w", "a_mul": "v_post *= 1.2"}, prepare=order(b_add=-2)),
    Case(
        "pathways of both ends by name",
        {"transmit": "v_post += w", "learn": "apre += 0.1; w = clip(w + apost, 0, 1)"},
        STDP,
        {"back": POST},
        prepare=delays("transmit", "learn", "back"),
    ),
    # code that reads its delay, each pathway its own
    Case("delay", "v_post += w*exp(-delay/taupre)", prepare=delays("pre")),
    Case("delay for all", "v_post *= 1 + delay/taupre; y = v_post", arguments=lambda lib: {"delay": 0.7 * lib.ms}),
    Case(
        "delays of both ends",
        "v_post += w; w = clip(w + 0.1*delay/taupre, 0, 1)",
        on_post="w = clip(w - 0.05*delay/taupre, 0, 1); x_pre += delay/taupre",
        prepare=delays("pre", "post"),
    ),
    Case("delay, one by one", "v_post += w*(1 - v_post)*delay/taupre", prepare=delays("pre")),
    # the order of statements and of synapses
    Case("a sum is read by the next statement", "v_post += w; y = v_post"),
    Case("a sum is read by a synapse", "v_post += w; w = clip(w - 0.01*v_post, 0, 1)"),
    Case("a sum is read, delays", "v_post += w; w = clip(w - 0.01*v_post, 0, 1)", prepare=delays("pre")),
    Case("overwrite", "v_post = w"),
    Case("overwrite, delays", "v_post = w", prepare=delays("pre")),
    Case("overwrite on post", on_post="v_pre = w; w = v_post"),
    Case("twice", "v_post *= 2; v_post /= 3"),
    Case("multiply", "v_post *= 1 + w"),
    Case("rewritten sums", "v = v + w; x = w + x; y = y - w"),
    Case("rewritten products", "v = v*1.1; x = 0.9*x; y = y/2"),
    Case("condition", "x_post += w*int(v_post < 0.5 and c_pre > 0.1); w += 0.1*int(x_post > 1)"),
    Case("local variables", "gain = w*c_pre; gain = gain + 1; v_post += gain; w = 0.1*gain"),
    Case(
        "operators",
        "w *= 1.1; w /= 1.05; w -= 0.001*i; n += 1; n = n % 3; m = m // 2",
        "w : 1\nn : integer\nm : integer",
        prepare=assign(m="100 + i"),
    ),
    # variables of all kinds
    Case(
        "integers and booleans",
        "n += 1; on = (n % 3 == 1); v_post += w*int(on)",
        "w : 1\nn : integer\non : boolean",
        on_post="n += 2; on = not on",
    ),
    Case(
        "constant and shared",
        "v_post += s*w*q",
        "w : 1\nq : 1 (constant)\ns : 1 (shared)",
        prepare=assign(q="0.1*i", s=0.5),
    ),
    Case("sub-expression", "v_post += drive; w = 0.1*drive", "w : 1\ndrive = w*b_pre + b_post : 1"),
    Case("sub-expression over dt", "v_post += drive", "w : 1\ndrive = w*v_pre + t/second : 1 (constant over dt)"),
    Case("sub-expressions of neurons", "v_post += 0.1*b_pre + w*b; w += 0.01*b_post"),
    Case("numbers of synapses", "v_post += w/N_incoming; w += 0.01*N_outgoing + 0.001*N + 0.01*(i - j)"),
    Case("weights from text", "v_post += w", prepare=assign(w="0.1*c_pre + 0.02*c_post + 0.001*(i*N_post + j)")),
    Case(
        "autapses",
        "v_post += w; v_pre -= 0.1*w",
        source=lambda lib: cells(lib, 4, 3),
        target=lambda lib: None,
        connect={},
    ),
    Case(
        "constants of the namespace", "v_post += eta*w; w -= eta*w", arguments=lambda lib: {"namespace": constants(lib)}
    ),
    Case("no synapses", "v_post += w; w = v_post", STDP, POST, connect={"condition": False}),
    Case("refractory neurons are protected", "v_post += w; x_post += w", target=lambda lib: protected(lib, 4, 6)),
    Case(
        "refractory, delays",
        "v_post += w; w = 0.5*(w + v_post)",
        target=lambda lib: protected(lib, 4, 6),
        prepare=delays("pre"),
    ),
    Case("refractory sources", on_post="v_pre += w; w = v_pre", source=lambda lib: protected(lib, 5, 5)),
    Case(
        "last spike of neurons",
        "w = (t - lastspike_post)/second; v_post += 0.1*w",
        target=lambda lib: protected(lib, 4, 6),
    ),
    # in every step
    Case("gating of receptors", "h += 1", NMDA, target=conductance),
    Case("gating by Euler's method", "h += 1", NMDA, target=conductance, arguments=lambda lib: {"method": "euler"}),
    Case("gating by Runge and Kutta's", "h += 1", NMDA, target=conductance, arguments=lambda lib: {"method": "rk4"}),
    Case(
        "clock-driven, exact",
        "h += w; v_post += s",
        "w : 1\ndh/dt = -h/taupre : 1 (clock-driven)\nds/dt = (h + v_post - s)/taupost : 1 (clock-driven)",
        arguments=lambda lib: {"method": "exact"},
    ),
    Case("clock-driven without a flag", "h += w; v_post += h", "w : 1\ndh/dt = -h/taupre : 1", prepare=delays("pre")),
    Case("gap junctions", model=GAP, source=coupled, target=lambda lib: None, connect={"condition": "i != j"}),
    Case(
        "gap junctions into the source",
        model=GAP.replace("I_post", "I_pre"),
        source=coupled,
        target=lambda lib: cells(lib, 4, 4),
    ),
    Case("sum into a subgroup", model=GAP, target=coupled, parts=(slice(None), slice(1, 4)), connect={}),
    Case(
        "sum with everything",
        "w += 0.01",
        "w : 1\nI_post = w*b_pre*int(i != j) + 0.1*(t/second) + 0.1*N_incoming : 1 (summed)",
        target=coupled,
    ),
]

# A block that writes what it has read is carried out by Brian2 synapse by synapse, each reading what the one before
# has written.
ONE_BY_ONE = [
    Case("overwrite at the source", "x_pre = w + v_post; v_post = 0.5*w"),
    Case("exchange", "z = x_pre; x_pre = 0.9*v_post; v_post = 0.9*z"),
    Case("condition", "v_post += w*int(v_post < 0.5 and c_pre > 0.1); w += 0.1*int(v_post > 1)"),
    Case("condition on what is written", "v_post += w*int(v_post < 0.5)"),
    Case("saturation", "v_post += w*(1 - v_post)"),
]


def build(lib, case: Case) -> dict[str, Any]:
    groups = [group for group in (case.source(lib), case.target(lib)) if group is not None]
    ends = [g if part == slice(None) else g[part] for g, part in zip(groups, case.parts, strict=False)]
    arguments = {"namespace": constants(lib), **case.arguments(lib)}
    code = {key: value for key, value in (("on_pre", case.on_pre), ("on_post", case.on_post)) if value is not None}
    synapses = lib.Synapses(*ends, model=case.model, **code, **arguments)
    synapses.connect(**case.connect)
    if len(synapses) and case.model.startswith(("w", "\nw")):
        synapses.w = "0.03*(i + 1) + 0.01*j"
    case.prepare(lib, synapses)
    found = dict(zip(("source", "target"), groups, strict=False)) | {"synapses": synapses}
    found |= {f"part_{k}": end for k, end in enumerate(ends) if end is not groups[k]}
    for name, group in zip(("source", "target"), groups, strict=False):
        found[f"{name}_trace"] = lib.StateMonitor(group, ["v", "x", "y", "I"], record=True)
    if len(synapses):
        variables = [v for v in ("w", "h", "n", "on") if v in synapses.equations]
        found["synapse_trace"] = lib.StateMonitor(synapses, variables, record=True)
    return found


def same_synapses(both: Both, atol: float = 1e-12) -> None:
    """The same values of all variables of all Synapses."""
    for name, ours in both.objects[0].items():
        if type(ours).__name__ != "Synapses":
            continue
        theirs = both.objects[1][name]
        np.testing.assert_array_equal(ours.i[:], theirs.i[:])
        np.testing.assert_array_equal(ours.j[:], theirs.j[:])
        stored = [*ours.model.stored, *(["lastupdate"] if ours.model.event_driven else [])]
        for variable in stored:
            new = np.asarray(getattr(ours, f"{variable}_"))
            expected = np.asarray(getattr(theirs, f"{variable}_")[:])
            np.testing.assert_allclose(new.ravel(), expected.ravel(), rtol=1e-9, atol=atol, err_msg=variable)
