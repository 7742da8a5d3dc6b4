"""Programs of one pathway or two, built by hand, and a plain interpreter of their code in NumPy.

The interpreter keeps a queue of single arrivals and carries each statement out for the synapses in it, in
order, or the whole block for one synapse after the other if it writes what it has read of a neuron. So it knows
nothing of wirings, rings, stages or executions.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.equations.expressions import Binary, Call, Name, Number, Unary, names, parse
from jaxsnn.equations.statements import parse_block
from jaxsnn.network.assembly import Assembly
from jaxsnn.objects.base import Connections, Parts
from jaxsnn.program import Code, Deliver, Emit, Program, Ref, Variable, Window
from jaxsnn.random import CounterDraw, name_words, step_words
from jaxsnn.simulation import Simulation

DT = 1e-3
SEED = 11


@dataclass(frozen=True)
class Statement:
    """``text`` for the simulator; for the interpreter what it means: ``target``, ``action``, ``value``."""

    text: str
    target: str
    action: str
    value: str


@dataclass
class Network:
    """Groups a and b (or a alone, connected to itself), synapses s, spikes ``{group: (steps, n) bool}``."""

    i: np.ndarray
    j: np.ndarray
    sizes: dict[str, int]
    spikes: dict[str, np.ndarray]
    values: dict[tuple[str, str], np.ndarray]
    pathways: dict[str, tuple[list[Statement], np.ndarray]] = field(default_factory=dict)
    guarded: bool = False
    target: str = "b"

    @property
    def scope(self) -> dict[str, Ref]:
        scope = {"g": Ref("s", "g", "float", via="scalar"), "t": Ref("clock", "t", "float", via="scalar")}
        scope["t_in_timesteps"] = Ref("clock", "t_in_timesteps", "integer", via="scalar")
        for name in ("w", "q"):
            scope[name] = Ref("s", name, "float")
        scope["_last"] = Ref("s", "_last", "integer")
        for end, owner in (("pre", "a"), ("post", self.target)):
            for name in ("x", "y"):
                scope[f"{name}_{end}"] = Ref(owner, name, "float", via=end)
            scope[f"free_{end}"] = Ref(owner, "free", "boolean", via=end)
        return scope

    def parts(self) -> Parts:
        parts = Parts(DT)
        for (owner, name), value in self.values.items():
            kind = {"f": "float", "i": "integer", "b": "boolean"}[value.dtype.kind]
            parts.add(Variable(owner, name, kind, size=value.size, scalar=name == "g"), value)
        for owner, spikes in self.spikes.items():
            parts.events[(owner, "spike")] = self.sizes[owner]
            name = f"{owner}_emit"
            parts.schedules[name] = np.nonzero(spikes)
            window = Window(owner, 0, self.sizes[owner])
            parts.operations.append(Emit(name=name, slot="thresholds", domain=window, event="spike"))
        for trigger, (block, delay) in self.pathways.items():
            text = "\n".join(s.text for s in block)
            guarded = ("x", "y") if self.guarded else ()
            guards = {f"{n}_{end}": f"free_{end}" for n in guarded for end in ("pre", "post")}
            ends = [
                (Window("a", 0, self.sizes["a"]), self.i),
                (Window(self.target, 0, self.sizes[self.target]), self.j),
            ]
            (source, first), (target, other) = ends if trigger == "pre" else ends[::-1]
            parts.connections[f"s.{trigger}"] = Connections(first, other, delay * DT)
            parts.operations.append(
                Deliver(
                    name=f"s_{trigger}",
                    slot="synapses",
                    order=-1 if trigger == "pre" else 1,
                    synapses="s",
                    pathway=f"s.{trigger}",
                    trigger=trigger,
                    event="spike",
                    source=source,
                    target=target,
                    code=Code(parse_block(text), self.scope, guards),
                )
            )
        return parts

    def simulation(self, execution: str | None = None, dtype: str = "float64", backend: str = "cpu") -> Simulation:
        parts = self.parts()
        operations = tuple(sorted(parts.operations, key=lambda op: op.position))
        program = Program(DT, parts.variables, parts.events, operations)
        return Simulation(
            program,
            lambda key, setting: Assembly().trees(parts, key, setting),
            dtype=np.dtype(dtype),
            backend=backend,
            execution=execution,
        )

    @property
    def steps(self) -> int:
        return len(self.spikes["a"])

    def run(self, execution: str | None = None, **options) -> dict[tuple[str, str], np.ndarray]:
        sim = self.simulation(execution, **options)
        params, state = sim.init(jax.random.key(SEED))
        state, _ = sim.run(params, state, self.steps)
        return {key: np.asarray(sim.get({**params, **_merged(params, state)}, ".".join(key))) for key in self.values}

    def interpret(self, dtype: str = "float64") -> dict[tuple[str, str], np.ndarray]:
        """The values after all steps."""
        values = {key: value.copy() for key, value in self.values.items()}
        queues = {trigger: defaultdict(list) for trigger in self.pathways}
        for step in range(self.steps):
            for trigger, (block, delay) in self.pathways.items():
                owner, firing = ("a", self.i) if trigger == "pre" else (self.target, self.j)
                wait = np.broadcast_to(delay, self.i.shape)
                for neuron in np.flatnonzero(self.spikes[owner][step]):
                    for synapse in np.flatnonzero(firing == neuron):
                        queues[trigger][step + wait[synapse]].append(synapse)
                arriving = np.array(queues[trigger].pop(step, []), int)
                for part in arriving[:, None] if writes_what_it_has_read(block) else [arriving]:
                    self._block(block, trigger, part, step, values, dtype)
        return values

    def _block(self, block, trigger, arriving, step, values, dtype) -> None:
        draws = _Draws(trigger, step, arriving, dtype)
        scope, local = self.scope, {}

        def index(ref):
            return {"self": arriving, "pre": self.i[arriving], "post": self.j[arriving]}[ref.via]

        def read(name):
            if name in local:
                return local[name]
            if name in ("t", "t_in_timesteps", "dt"):
                return {"t": step * DT, "t_in_timesteps": step, "dt": DT}[name]
            ref = scope[name]
            return values[ref.key][0] if ref.via == "scalar" else values[ref.key][index(ref)]

        for statement in block:
            value = np.broadcast_to(_evaluate(parse(statement.value), read, draws), arriving.shape).copy()
            if statement.action == "local":
                local[statement.target] = value
                continue
            ref = scope[statement.target]
            array, places = values[ref.key], index(ref)
            if self.guarded and ref.via != "self":
                free = values[(ref.owner, "free")][places]
                places, value = places[free], value[free]
            {
                "assign": lambda a, p, v: a.__setitem__(p, v),
                "add": np.add.at,
                "multiply": np.multiply.at,
                "divide": np.divide.at,
            }[statement.action](array, places, value)


def writes_what_it_has_read(block: list[Statement]) -> bool:
    """Of the neurons: then synapses are carried out one after the other."""
    read: set[str] = set()
    for statement in block:
        read |= names(parse(statement.value))
        if statement.target in read and statement.target.endswith(("_pre", "_post")):
            return True
    return False


def _merged(params, state):
    owners = {*params, *state.values, *state.tables.values}
    return {o: {**params.get(o, {}), **state.tables.values.get(o, {}), **state.values.get(o, {})} for o in owners}


class _Draws:
    """The numbers that the synapses draw (their quality is tested elsewhere)."""

    def __init__(self, trigger, step, arriving, dtype):
        self.trigger, self.step, self.arriving, self.dtype = trigger, step, arriving, dtype
        self.count = 0

    def __call__(self, name):
        key = step_words(name_words(jax.random.key(SEED), f"s_{self.trigger}"), self.step)
        draw = CounterDraw(key, jnp.asarray(self.arriving, jnp.int32), np.dtype(self.dtype))
        self.count += 1
        return np.asarray(getattr(draw, name)(self.count - 1))


def _evaluate(expr, read, draws):
    match expr:
        case Number(value=value):
            return value
        case Name(id=name):
            return read(name)
        case Unary(operand=operand):
            return -_evaluate(operand, read, draws)
        case Binary(op=op, left=left, right=right):
            a, b = _evaluate(left, read, draws), _evaluate(right, read, draws)
            return {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}[op](a, b)
        case Call(function=("rand" | "randn") as name):
            return draws(name)
        case Call(function=name, args=args):
            return {"tanh": np.tanh, "clip": np.clip, "exp": np.exp}[name](*(_evaluate(a, read, draws) for a in args))
    raise TypeError(expr)


def random_network(seed: int, *, delays: str = "none", recurrent: bool = False, size=(5, 4, 16), steps: int = 10):
    """Random wiring, spikes and values; the blocks are added by the caller."""
    rng = np.random.default_rng(seed)
    n_a, n_b, s = size
    target = "a" if recurrent else "b"
    sizes = {"a": n_a} if recurrent else {"a": n_a, "b": n_b}
    i, j = rng.integers(0, n_a, s).astype(np.int32), rng.integers(0, sizes[target], s).astype(np.int32)
    spikes = {owner: rng.random((steps, n)) < 0.35 for owner, n in sizes.items()}
    values = {("s", "g"): np.array([0.7]), ("s", "w"): rng.normal(size=s), ("s", "q"): rng.normal(size=s)}
    values[("s", "_last")] = np.zeros(s, np.int32)
    for owner, n in sizes.items():
        values |= {(owner, name): rng.normal(size=n) for name in ("x", "y")}
        values[(owner, "free")] = rng.random(n) < 0.7
    network = Network(i, j, sizes, spikes, values, guarded=bool(seed % 2), target=target)
    network.delays = {
        "none": lambda: np.array(0),
        "same": lambda: np.array(3),
        "different": lambda: rng.choice([0, 1, 4], s),
    }[delays]
    return network


def random_block(rng: np.random.Generator, stages: str, length: int = 6) -> list[Statement]:
    """Statements of one stage (``stages="one"``), any that never write what they have read ("several"), or any."""
    locals_: list[str] = []
    block: list[Statement] = []
    read_ends = ["x_pre", "x_post", "y_pre", "y_post"]
    # In one stage the block reads x and adds to y.
    readable = read_ends[:2] if stages == "one" else read_ends

    def term() -> str:
        choices = ["w", "q", "g", "0.3", "rand()", "randn()", "0.01*(t_in_timesteps - _last)", *readable, *locals_]
        return rng.choice(choices)

    def value() -> str:
        form = rng.choice(["{a}*{b}", "{a} - 0.2*{b}", "tanh({a})*{b}", "clip({a} + {b}, -1, 1)", "exp(-0.1*g)*{a}"])
        return f"tanh({form.format(a=term(), b=term())})"

    for k in range(length):
        kind = rng.choice(["local", "assign", "add"] if stages == "one" else ["local", "assign", "add", "mul", "set"])
        e = value()
        if kind == "local":
            block.append(Statement(f"u{k} = {e}", f"u{k}", "local", e))
            locals_.append(f"u{k}")
        elif kind == "assign":
            name = rng.choice(["w", "q"])
            op = rng.choice(["=", "+=", "*="])
            full = {"=": e, "+=": f"{name} + ({e})", "*=": f"{name}*({e})"}[op]
            block.append(Statement(f"{name} {op} {e}", name, "assign", full))
        else:
            name = rng.choice(read_ends[2:])
            if kind == "add":
                form, sign = [
                    ("{n} += {e}", "{e}"),
                    ("{n} -= {e}", "-({e})"),
                    ("{n} = {n} + {e}", "{e}"),
                    ("{n} = {e} + {n}", "{e}"),
                    ("{n} = {n} - {e}", "-({e})"),
                ][rng.integers(2 if name in e else 5)]
                block.append(Statement(form.format(n=name, e=e), name, "add", sign.format(e=e)))
            elif kind == "mul":
                f = f"(1.5 + 0.4*{e})"
                form, action = [
                    ("{n} *= {f}", "multiply"),
                    ("{n} /= {f}", "divide"),
                    ("{n} = {n}*{f}", "multiply"),
                    ("{n} = {f}*{n}", "multiply"),
                ][rng.integers(2 if name in e else 4)]
                block.append(Statement(form.format(n=name, f=f), name, action, f))
            elif name not in e:
                block.append(Statement(f"{name} = {e}", name, "assign", e))
    if stages == "several":
        kept: list[Statement] = []
        for statement in block:
            if not writes_what_it_has_read([*kept, statement]):
                kept.append(statement)
        block = kept
    block.append(Statement("_last = t_in_timesteps", "_last", "assign", "t_in_timesteps"))
    return block
