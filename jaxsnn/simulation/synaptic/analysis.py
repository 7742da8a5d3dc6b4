"""What the code of a pathway does: each statement's action, and which of three ways carries them out.

The meaning of a block is that of its statements one after the other, each for all synapses at which a spike
arrives - unless a statement writes a variable of a neuron that it or an earlier one has read at the same end
(``v += w*(1 - v)``). Such a block runs *one by one*: all of it for the first synapse, then for the next, which
reads what the first has written. The order is that of the queue.

Of the others a block is of *one stage* if it gives the same result when each synapse runs the whole block by
itself: no statement reads a variable of a neuron to which an earlier one has added (the sum over all synapses is
known only afterwards), and neurons are only added to. Then each synapse is a function from the values it
reads to its own new values and to what it adds, and only the active synapses need to be looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from jaxsnn.codegen.lower import Block, lower
from jaxsnn.equations.expressions import Binary, Call, Expr, Name, Number, Unary, names, substitute, walk
from jaxsnn.equations.functions import FUNCTIONS, Implementation
from jaxsnn.equations.statements import Assign
from jaxsnn.errors import NotSupportedError
from jaxsnn.program import Code, Key, Ref

__all__ = ["Action", "Analysis", "Change", "analyse"]

Kind = Literal["local", "assign", "add", "multiply", "divide", "overwrite"]
Functions = Mapping[str, Callable[..., Any]] | None
ENDS = ("pre", "post")
COUNTED = frozenset({"rand", "randn"})
"""Random functions whose numbers are counted by synapse, so that active synapses can draw them alone."""


@dataclass(frozen=True)
class Action:
    """One statement, by what it does to its target.

    kind: ``"local"`` and ``"assign"`` (a variable of the synapse) set a value for each synapse; ``"add"``,
    ``"multiply"`` and ``"divide"`` count for all synapses of a neuron; of an ``"overwrite"`` the last one counts.
    """

    kind: Kind
    target: str
    expr: Expr


@dataclass(frozen=True)
class Change:
    """A variable that a block of one stage changes, and the name of the result that says by how much.

    via: ``"self"``: the result is the new value of a variable of the synapse; ``"pre"``, ``"post"``: it is added
    to a variable of the neuron at that end.
    """

    name: str
    ref: Ref
    result: str

    @property
    def via(self) -> str:
        return self.ref.via


@dataclass(frozen=True)
class Analysis:
    """The actions of a block.

    code: the block with unambiguous names (locals begin with ``_``, variables do not); several: why it needs
    several stages, or None; changes: of a block of one stage; one_by_one: whether the synapses have to follow one
    another (then ``several`` says why).
    """

    code: Code
    actions: tuple[Action, ...]
    changes: tuple[Change, ...]
    several: str | None
    one_by_one: bool = False

    @property
    def reads(self) -> frozenset[str]:
        """Variables that expressions read."""
        found = set().union(*(names(action.expr) for action in self.actions), ())
        return frozenset(n for n in found if n in self.code.scope or n == "dt")

    @property
    def random(self) -> bool:
        """Whether random numbers are drawn."""
        return any(_stateful(action.expr) for action in self.actions)

    @property
    def additive(self) -> bool:
        """Whether all it does is to add to neurons what does not depend on chance."""
        return self.several is None and not self.random and all(change.via in ENDS for change in self.changes)

    @property
    def fits_kernel(self) -> bool:
        """Whether a GPU kernel can compute it: Pallas' Triton backend has no arrays to look up, and no rounding."""
        for action in self.actions:
            for part in walk(action.expr):
                match part:
                    case Call(function="timed_array" | "timed_array_2d") | Binary(op="//"):
                        return False
                    case Call(implementation=Implementation()):
                        return False  # of the user: it may be made of anything
                    case Call(function="exp_divided", args=args) if len(args) > 2:
                        return False
        return True

    def constant(self, constant: Callable[[str], bool]) -> bool:
        """Whether what it adds is known before any spike."""
        return self.additive and all(map(constant, self.reads))

    def block(self, name: str, constant: Callable[[str], bool], functions: Functions = None) -> Block:
        """A block of one stage as a function of one synapse, with one result for each change."""
        statements = []
        sums: set[str] = set()
        results = {change.name: change.result for change in self.changes}
        keys = {change.ref: change.result for change in self.changes}
        for action in self.actions:
            if action.kind != "add":
                statements.append(Assign(action.target, "=", action.expr))
                continue
            result = results.get(action.target) or keys[self.code.scope[action.target]]
            before = Binary("+", Name(result), action.expr) if result in sums else action.expr
            sums.add(result)
            statements.append(Assign(result, "=", before))
        results_of = tuple(change.result for change in self.changes)
        return lower(name, statements, results_of, constant, functions=functions)

    def blocks(self, name: str, functions: Functions = None) -> tuple[Block, ...]:
        """The value of each action, as a function of what it reads."""
        return tuple(
            lower(
                f"{name}_{k}", (), ("_value",), lambda name: False, extra={"_value": action.expr}, functions=functions
            )
            for k, action in enumerate(self.actions)
        )

    def guard(self, ref: Ref) -> Ref | None:
        """The variable that must hold where this one is written."""
        for name, guard in self.code.guards.items():
            if self.code.scope.get(name) == ref:
                return self.code.scope[guard]
        return None


def analyse(code: Code) -> Analysis:
    """Look at the code of a pathway.

    Raises:
        NotSupportedError: for a statement that writes what is neither of a synapse nor of a neuron.
    """
    clear = _rename(code)
    actions = tuple(_action(statement, clear, code) for statement in clear.statements if isinstance(statement, Assign))
    dependent = _dependent(actions, clear)
    several = dependent or _several(actions, clear)
    changes: dict[Ref, Change] = {}
    if several is None:
        for action in actions:
            ref = clear.scope.get(action.target)
            if ref is not None and ref not in changes:
                result = action.target if action.kind == "assign" else f"_sum{len(changes)}"
                changes[ref] = Change(action.target, ref, result)
    return Analysis(clear, actions, tuple(changes.values()), several, dependent is not None)


def _rename(code: Code) -> Code:
    """Locals begin with ``_``, variables do not: in lowered blocks that is what tells them apart."""
    new = {name: f"own{name}" for name in code.scope if name.startswith("_")}
    for statement in code.statements:
        assert isinstance(statement, Assign)
        if statement.target not in code.scope:
            new[statement.target] = f"_of_{statement.target}"
    values: dict[str, Expr] = {old: Name(name) for old, name in new.items()}
    statements = tuple(
        Assign(new.get(s.target, s.target), s.op, substitute(s.expr, values), s.span)
        for s in code.statements
        if isinstance(s, Assign)
    )
    scope = {new.get(name, name): ref for name, ref in code.scope.items()}
    guards = {new.get(name, name): new.get(guard, guard) for name, guard in code.guards.items()}
    return Code(statements, scope, guards, code.source)


def _action(statement: Assign, code: Code, original: Code) -> Action:
    ref = code.scope.get(statement.target)
    target = statement.target
    if ref is None:
        return Action("local", target, statement.value)
    if ref.via == "self":
        return Action("assign", target, statement.value)
    if ref.via not in ENDS:
        raise original.source.error(
            f"{target!r} is shared by all synapses; code of a pathway can change variables of the synapses and of the"
            f" neurons at both ends, assign a shared one between runs",
            statement.span,
            NotSupportedError,
        )
    match statement.op:
        case "+=":
            return Action("add", target, statement.expr)
        case "-=":
            return Action("add", target, Unary("-", statement.expr))
        case "*=":
            return Action("multiply", target, statement.expr)
        case "/=":
            return Action("divide", target, statement.expr)
        case "=":
            rest = _without(target, statement.expr, "+", "-")
            if rest is not None:
                return Action("add", target, rest)
            rest = _without(target, statement.expr, "*", "/")
            if rest is not None:
                return Action("multiply", target, rest)
    return Action("overwrite", target, statement.value)


def _without(target: str, expr: Expr, join: str, inverse: str) -> Expr | None:
    """The rest of ``target + rest`` (or ``target * rest``) however it is written, else None."""
    terms = list(_terms(expr, join, inverse, False))
    own = [k for k, (term, inverted) in enumerate(terms) if term == Name(target) and not inverted]
    if len(own) != 1 or len(terms) == 1:
        return None
    del terms[own[0]]
    if any(target in names(term) for term, _ in terms):
        return None
    rest: Expr | None = None
    for term, inverted in terms:
        if rest is not None:
            rest = Binary(inverse if inverted else join, rest, term)
        elif inverted:
            rest = Unary("-", term) if join == "+" else Binary("/", Number(1.0), term)
        else:
            rest = term
    return rest


def _terms(expr: Expr, join: str, inverse: str, inverted: bool) -> Iterable[tuple[Expr, bool]]:
    match expr:
        case Binary(op=op, left=left, right=right) if op in (join, inverse):
            yield from _terms(left, join, inverse, inverted)
            yield from _terms(right, join, inverse, inverted != (op == inverse))
        case _:
            yield expr, inverted


def _stateful(expr: Expr) -> set[str]:
    """Calls whose result depends on more than their arguments."""
    found = [node for node in walk(expr) if isinstance(node, Call)]
    asked = {node.function for node in found if node.implementation is not None and not node.implementation.stateless}
    return asked | {node.function for node in found if node.function in FUNCTIONS and FUNCTIONS[node.function].stateful}


def _dependent(actions: tuple[Action, ...], code: Code) -> str | None:
    """Why synapses have to follow one another."""
    read: set[tuple[Key, str]] = set()
    for action in actions:
        refs = (code.scope[name] for name in names(action.expr) if name in code.scope)
        read.update((ref.key, ref.via) for ref in refs if ref.via in ENDS)
        target = code.scope.get(action.target)
        if target is not None and (target.key, target.via) in read:
            return f"{action.target!r} is written after the block has read it"
    return None


def _several(actions: tuple[Action, ...], code: Code) -> str | None:
    """Why a block needs several stages."""
    added: dict[tuple[str, str], str] = {}
    for action in actions:
        ref = code.scope.get(action.target)
        for name in sorted(names(action.expr)):
            read = code.scope.get(name)
            if read is not None and read.via in ENDS and read.key in added:
                return f"{name!r} is read after the block has added to it"
        if _stateful(action.expr) - COUNTED:
            return "random numbers other than rand() and randn() are drawn"
        if ref is None or ref.via not in ENDS:
            continue
        if action.kind != "add":
            return f"{action.target!r} is {'overwritten' if action.kind == 'overwrite' else 'multiplied'}"
        guard = code.guards.get(action.target)
        if guard is not None and code.scope[guard].key in added:
            return f"{guard!r} has been changed before it protects {action.target!r}"
        if added.setdefault(ref.key, ref.via) != ref.via:
            return f"{ref.name!r} is added to at both ends"
    return None
