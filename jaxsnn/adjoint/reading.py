"""From a program to its meaning in continuous time, or the error that names what has none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxsnn.adjoint.pathways import Operand, Pathway, units_of
from jaxsnn.adjoint.populations import Population
from jaxsnn.codegen.lower import Block, lower
from jaxsnn.equations.expressions import Binary, Call, Compare, Expr, calls, names, render
from jaxsnn.equations.functions import FUNCTIONS
from jaxsnn.equations.statements import Adapt, Assign, Propagate, Statement
from jaxsnn.errors import ArgumentError, NetworkError, NotSupportedError, did_you_mean
from jaxsnn.program import SLOTS, Code, Deliver, Emit, Invoke, Program, Reset, Summed, Threshold, Update
from jaxsnn.simulation.synaptic import analyse

__all__ = ["Input", "Model", "read"]

_DISCRETE = ("not_refractory", "lastspike")
_OF_STEPS = {"dt": "the time step", "t_in_timesteps": "the number of the step", "_lastspike": "the step of a spike"}


@dataclass(frozen=True, eq=False)
class Input:
    """Neurons that fire at given times. first: number of the first, counted after all neurons with equations."""

    owner: str
    size: int
    first: int
    index: np.ndarray
    times: np.ndarray


@dataclass(frozen=True, eq=False)
class Model:
    """A network in continuous time.

    dt: step of the grid on which crossings are looked for (and schemes step); neurons: number of all neurons with
    equations.
    """

    dt: float
    populations: tuple[Population, ...]
    inputs: tuple[Input, ...]
    pathways: tuple[Pathway, ...]

    @property
    def neurons(self) -> int:
        return sum(p.size for p in self.populations)

    @property
    def stepped(self) -> bool:
        """Whether any group is carried along the grid."""
        return any(p.stepped for p in self.populations)

    def __str__(self) -> str:
        head = f"events in continuous time, looked for in steps of {self.dt * 1e3:g} ms"
        inputs = [f"{i.owner}: {i.index.size} spikes given" for i in self.inputs]
        return "\n".join([head, *(f"  {line}" for line in [*map(str, self.populations), *inputs, *self.pathways])])


def read(program: Program, parts: Any, own_delays: tuple[str, ...] = ()) -> Model:
    """What a program means without a clock.

    Args:
        program: The schedule of operations.
        parts: The arrays beside it.
        own_delays: Pathways (or synapses) each synapse of which gets a delay of its own, also where all are equal now.

    Raises:
        NotSupportedError: for noise, plasticity, sums over synapses and whatever else has no derivative of this kind;
            the message names the object.
    """
    for operation in program.operations:
        if not operation.always:
            raise _refusal(operation.name, "has a clock of its own", "leave out its dt")
        if isinstance(operation, Invoke):
            raise _refusal(operation.name, "is a function that runs in every step", "leave it out")
    for owner, name in program.links:
        raise _refusal(owner, f"is linked to another group by {name}", "copy the values into a parameter")
    operations = program.operations
    usual = all(operation.slot.rpartition("_")[2] in SLOTS for operation in operations)
    if not usual or operations != tuple(sorted(operations, key=lambda operation: operation.position)):
        raise _refusal("the network", "has a schedule of its own", "leave that as it is")
    synaptic = {op.synapses for op in operations if isinstance(op, Deliver)}
    synaptic |= {name.rpartition(".")[0] for name in parts.indices if name.endswith((".i", ".j"))}
    for op in operations:
        if isinstance(op, Summed):
            advice = "let the synapses add to a variable of the neurons in on_pre instead"
            raise _refusal(op.name, "sums an expression over synapses at every moment (summed)", advice)
        if isinstance(op, Update) and op.domain.owner in synaptic:
            raise _refusal(
                op.domain.owner,
                "has variables of synapses that change with time",
                "move the equation to the neurons (all synapses with one time constant share a variable)",
            )
    owners = dict.fromkeys(op.domain.owner for op in operations if isinstance(op, Update | Threshold))
    owners |= dict.fromkeys(op.target.owner for op in operations if isinstance(op, Deliver))
    inputs: list[Input] = []
    given = [op for op in operations if isinstance(op, Emit)]
    populations: list[Population] = []
    for owner in owners:
        if owner not in {op.domain.owner for op in given}:
            first = sum(p.size for p in populations)
            populations.append(_population(owner, first, program, parts))
    neurons = sum(p.size for p in populations)
    for op in given:
        if op.period:
            raise _refusal(op.domain.owner, "repeats its spikes", "give all spike times, without a period")
        _, index = parts.schedules[op.name]
        first = neurons + sum(i.size for i in inputs)
        inputs.append(Input(op.domain.owner, op.domain.size, first, index, parts.times[op.name]))
    if not populations:
        raise NetworkError("there are no neurons with equations in this network, so nothing has a derivative")
    firsts = {p.owner: p.first for p in populations} | {i.owner: i.first for i in inputs}
    delivers = [op for op in operations if isinstance(op, Deliver)]
    known = {name for op in delivers for name in (op.pathway, op.synapses)}
    for name in own_delays:
        if name not in known:
            raise ArgumentError(f"own_delays: there are no synapses {name!r}.{did_you_mean(name, known)}")
    pathways = []
    for op in delivers:
        target = next(p for p in populations if p.owner == op.target.owner)
        each = op.pathway in own_delays or op.synapses in own_delays
        pathways.append(_pathway(op, target, firsts, program, parts, each))
    return Model(program.dt, tuple(populations), tuple(inputs), tuple(pathways))


# ---- neurons -----------------------------------------------------------------------------------------


def _population(owner: str, first: int, program: Program, parts: Any) -> Population:
    mine = [op for op in program.operations if getattr(getattr(op, "domain", None), "owner", None) == owner]
    update = _only(owner, [op for op in mine if isinstance(op, Update)])
    threshold = _only(owner, [op for op in mine if isinstance(op, Threshold)])
    reset = _only(owner, [op for op in mine if isinstance(op, Reset)])
    written = {key[1] for key in program.written() if key[0] == owner}
    variables = tuple(name for name in sorted(written) if name not in _DISCRETE)
    for name in variables:
        variable = program.variables[(owner, name)]
        if variable.type != "float" or variable.scalar:
            what = "shared by all neurons" if variable.scalar else f"of type {variable.type}"
            raise _refusal(owner, f"changes {name}, which is {what}", "use a floating-point variable of each neuron")
    period = None
    stepped = False
    blocks: dict[str, Block | None] = dict.fromkeys(("update", "threshold", "reset", "period"))
    codes: list[Code] = []
    if update is not None:
        statements, period = _split(owner, update.code)
        _check(owner, statements, update.code)
        if update.slot != "groups":
            raise _refusal(owner, "holds an expression constant over dt", "leave out the flag (constant over dt)")
        stepped = parts.methods.get(owner) != "exact" or bool(_read(statements) & {"t", "t_in_timesteps"})
        written_here = tuple(name for name in update.code.written if name not in _DISCRETE)
        blocks["update"] = _lower(f"{owner}_flow", statements, written_here, update.code.guards)
        codes.append(update.code)
    if threshold is not None:
        margin = _margin(owner, threshold)
        _check(owner, [Assign("_margin", "=", margin)], threshold.code, _OF_STEPS)
        blocks["threshold"] = _lower(f"{owner}_margin", (), ("_margin",), extra={"_margin": margin})
        codes.append(threshold.code)
    if reset is not None:
        _check(owner, reset.code.statements, reset.code, _OF_STEPS)
        blocks["reset"] = _lower(f"{owner}_reset", reset.code.statements, reset.code.written)
        codes.append(reset.code)
    elif threshold is not None and period is None:
        raise _refusal(owner, "fires without being reset", "write a reset, or a refractory period")
    if period is not None:
        changing = names(period) & {*variables, "t"}
        if changing:
            raise _refusal(owner, f"has a refractory period that reads {min(changing)}", "let it read parameters only")
        _check(owner, [Assign("_period", "=", period)], update.code if update else Code((), {}), _OF_STEPS)
        blocks["period"] = _lower(f"{owner}_period", (), ("_period",), extra={"_period": period})
    own, shared = _constants(owner, codes, blocks.values(), variables)
    size = program.size(owner)
    method = parts.methods.get(owner, "")
    return Population(owner, size, first, variables, own, shared, stepped, method, **blocks)


def _only(owner: str, found: list[Any]) -> Any:
    if len(found) > 1:
        named = " and ".join(op.name for op in found)
        raise _refusal(owner, f"is changed by several operations ({named})", "leave all but its equations out")
    return found[0] if found else None


def _split(owner: str, code: Code) -> tuple[list[Statement], Expr | None]:
    """The statements without that which ends refractoriness, and the period it waits for."""
    statements: list[Statement] = []
    period = None
    for statement in code.statements:
        match statement:
            case Assign(target="not_refractory", expr=Compare(right=Call(function="timestep", args=(found, _)))):
                period = found
            case Assign(target="not_refractory", expr=expr):
                raise _refusal(owner, f"is refractory until {render(expr)}", "give a refractory period, a time")
            case _:
                statements.append(statement)
    return statements, period


def _margin(owner: str, threshold: Threshold) -> Expr:
    match threshold.condition:
        case Compare(op=">" | ">=", left=left, right=right):
            return Binary("-", left, right)
        case Compare(op="<" | "<=", left=left, right=right):
            return Binary("-", right, left)
    raise _refusal(
        owner,
        f"fires where {render(threshold.condition)}, which is no comparison of two numbers",
        "write threshold='v > Vt'",
    )


def _constants(
    owner: str, codes: Iterable[Code], blocks: Iterable[Block | None], variables: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of constants that the blocks read: one value for each neuron, or one for all."""
    read = {name for block in blocks if block is not None for name in (*block.reads, *block.constants)}
    own: set[str] = set()
    shared: set[str] = set()
    for code in codes:
        for name in read & set(code.scope):
            ref = code.scope[name]
            if ref.owner == owner and name not in variables and name not in _DISCRETE and ref.via != "index":
                (shared if ref.via == "scalar" else own).add(name)
    return tuple(sorted(own)), tuple(sorted(shared))


# ---- synapses ----------------------------------------------------------------------------------------


def _pathway(
    op: Deliver, target: Population, firsts: Mapping[str, int], program: Program, parts: Any, each: bool
) -> Pathway:
    far, near = ("post", "pre") if op.trigger == "pre" else ("pre", "post")
    code = analyse(op.code)
    if code.random:
        raise _refusal(op.synapses, f"draws random numbers in on_{op.trigger}", "leave the noise out")
    if code.several is not None:
        advice = f"write '{target.variables[0] if target.variables else 'v'}_{far} += ...'"
        raise _refusal(op.synapses, f"does more in on_{op.trigger} than to add to the target: {code.several}", advice)
    written = program.written()
    for change in code.changes:
        if change.via == "self":
            raise _refusal(op.synapses, f"changes {change.name} of the synapses (plasticity)", "leave that out")
        if change.via != far:
            raise _refusal(op.synapses, f"changes {change.name}, of the neuron that fired", "write that in its reset")
    operands = {}
    block = code.block(op.name, lambda name: False)
    for name in (*block.reads, *block.constants):
        ref = code.code.scope.get(name)
        kind = None if ref is None else {"self": "self", "scalar": "scalar", near: "near", far: "far"}.get(ref.via)
        if ref is not None and ref.owner == "clock" and ref.name == "t":
            kind = "clock"
        if ref is None or kind is None or (ref.owner == "clock" and ref.name != "t"):
            raise _refusal(op.synapses, f"reads {name} in on_{op.trigger}", "let it read weights and parameters")
        if ref.key in written and kind == "self":
            raise _refusal(op.synapses, f"changes {name} of the synapses (plasticity)", "leave that out")
        if ref.key in written:
            if kind != "far" or ref.name not in target.variables:
                raise _refusal(
                    op.synapses,
                    f"reads {name} in on_{op.trigger}, which changes with time",
                    f"read {far} variables only",
                )
            kind = "state"
        operands[name] = Operand(kind, ref.owner, ref.name)
    given = parts.connections[op.pathway]
    one_delay = np.ndim(given.delay) == 0 and not each
    units = units_of(given.source, given.target + op.target.start, op.source.size, not one_delay)
    key = op.pathway.rpartition(".")[2]
    return Pathway(
        op.pathway,
        op.synapses,
        "delay" if key == "pre" else f"{key}_delay",
        target,
        block,
        operands,
        tuple((change.ref.name, change.result) for change in code.changes),
        frozenset(change.ref.name for change in code.changes if code.guard(change.ref) is not None),
        units,
        firsts[op.source.owner] + op.source.start,
        op.source.start,
        one_delay,
    )


# ---- shared ------------------------------------------------------------------------------------------


def _lower(
    name: str,
    statements: Iterable[Statement],
    returns: tuple[str, ...],
    guards: Mapping[str, str] | None = None,
    extra: Mapping[str, Expr] | None = None,
) -> Block:
    # Nothing is taken out of the flow: the length of its step changes from event to event.
    return lower(name, tuple(statements), returns, lambda name: False, guards, extra)


def _expressions(statements: Iterable[Statement]) -> Iterable[Expr]:
    for statement in statements:
        match statement:
            case Assign():
                yield statement.value
            case Propagate(matrix=matrix, forcing=forcing):
                yield from (entry for row in (*matrix, forcing) for entry in row)


def _read(statements: Iterable[Statement]) -> set[str]:
    return set().union(*map(names, _expressions(statements)), ())


def _check(owner: str, statements: Iterable[Statement], code: Code, of_steps: Mapping[str, str] | None = None) -> None:
    """Refuse random numbers, sub-steps, and what only a clock has."""
    if any(isinstance(statement, Adapt) for statement in statements):
        raise _refusal(owner, "is integrated in adaptive sub-steps", "write method='rk4' or leave the method out")
    for expr in _expressions(statements):
        for function in calls(expr):
            if function in FUNCTIONS and FUNCTIONS[function].stateful:
                advice = "exact gradients are those of a deterministic model; leave the noise out"
                raise _refusal(owner, f"draws random numbers ({function})", advice)
        for name, what in ({"_lastspike": _OF_STEPS["_lastspike"]} if of_steps is None else of_steps).items():
            if name in names(expr) and name in code.scope:
                raise _refusal(owner, f"reads {name.lstrip('_')}, {what}", "there are no steps in continuous time")


def _refusal(name: str, what: str, advice: str) -> NotSupportedError:
    return NotSupportedError(f"{name} {what}; an exact gradient has no meaning for that yet: {advice}")
