"""Brian2's abstract code as statements of our program, and the variables that they need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import jax
import numpy as np

from jaxsnn.bridges.brian2.forms import Array, Block, Clock, Constant, Line, Runner, Tick, Unsupported, UserFunction
from jaxsnn.bridges.brian2.interface import python_function
from jaxsnn.codegen.jax_runtime import RUNTIME
from jaxsnn.equations.expressions import Binary, Call, Expr, Name, Number, calls, names, parse, substitute, transform
from jaxsnn.equations.functions import FUNCTIONS, Implementation
from jaxsnn.equations.statements import Assign
from jaxsnn.errors import Source
from jaxsnn.objects.base import Parts
from jaxsnn.objects.inputs import TimedArray
from jaxsnn.program import Code, Key, Ref, Variable
from jaxsnn.units import Quantity, second

__all__ = ["CalledBack", "Translation", "Translator", "random"]

COUNTED = frozenset({"lastspike", "lastupdate"})
"""Times that are kept as numbers of steps: in 32 bits, seconds are too coarse after a few of them."""
ELEMENT = "_element"
"""The number of an element, which functions with one value for each element get as an argument."""


@dataclass
class Translation:
    """What a run needs besides operations: the parts of a program, and where its arrays are in Brian2.

    base: time step of the program, in second; dtype: of floating-point numbers; arrays: by owner and name; counted:
    which of them are in steps, of which clock.
    """

    base: float
    parts: Parts
    dtype: np.dtype
    arrays: dict[Key, Array] = field(default_factory=dict)
    counted: dict[Key, Clock] = field(default_factory=dict)

    def every(self, clock: Clock) -> int:
        """The steps of a clock in steps of the program (1 for one that ticks at given times)."""
        return max(1, round(clock.dt / self.base))

    def count(self, runners: Iterable[Runner]) -> None:
        """Decide which times are kept in steps: those that are written by one clock only."""
        clocks: dict[Key, set[Clock]] = {}
        for runner in runners:
            for block in runner.blocks:
                for meaning in block.names.values():
                    if isinstance(meaning, Array) and meaning.name in COUNTED and meaning.type == "float":
                        writes = block.template in ("threshold", "synapses", "stateupdate", "reset")
                        clocks.setdefault(meaning.key, set()).update({runner.clock} if writes else ())
        self.counted = {key: next(iter(found)) for key, found in clocks.items() if len(found) == 1}

    def add(self, array: Array) -> Ref:
        """An array among the variables of the program."""
        if array.key not in self.arrays:
            self.arrays[array.key] = array
            kind = "integer" if array.key in self.counted else array.type
            variable = Variable(array.owner, array.name, kind, array.dim, array.size, array.scalar)
            self.parts.add(variable, array)
        if array.index is not None:
            self.parts.indices[array.via.removeprefix("at:")] = array.index
        return Ref(array.owner, array.name, self.parts.variables[array.key].type, array.dim, array.via)

    def constant(self, owner: str, name: str, value: Any, given: Constant) -> Ref:
        """A number of the user as a parameter of the object whose code uses it."""
        value = np.asarray(value)
        kind = {"b": "boolean", "i": "integer", "u": "integer", "f": "float"}[value.dtype.kind]
        key, number = (owner, name), 1
        while key in self.parts.values and not _same(self.parts.values[key], value):
            number += 1
            key = (owner, f"{name}_{number}")
        if key not in self.parts.values:
            self.parts.add(Variable(*key, kind, given.dim, max(1, value.size), True, "constant"), value)
        return Ref(*key, kind, given.dim, "scalar")


def _same(old: Any, value: np.ndarray) -> bool:
    return isinstance(old, np.ndarray) and old.shape == value.shape and bool(np.all(old == value))


class Translator:
    """One block of abstract code.

    >>> # Translator(translation, runner, block).code() gives a `jaxsnn.program.Code`
    """

    def __init__(self, translation: Translation, runner: Runner, block: Block) -> None:
        self.all = translation
        self.runner = runner
        self.block = block
        self.scope: dict[str, Ref] = {}
        self.beat: Clock | None = None
        self.renamed = {name: self._name(name, meaning) for name, meaning in block.names.items()}
        for line in block.lines:
            if line.target not in self.renamed:
                self.renamed[line.target] = f"{line.target}_" if line.target in RUNTIME else line.target

    def code(self, keep: Iterable[Line] | None = None) -> Code:
        """All statements (or some of them)."""
        statements = [self.statement(line) for line in (self.block.lines if keep is None else keep)]
        targets = {s.target for s in statements}
        guards = {
            self.renamed[name]: self.renamed[guard]
            for name, guard in self.block.guards.items()
            if self.renamed[name] in targets
        }
        text = "\n".join(f"{line.target} {line.op} {line.text}" for line in self.block.lines)
        return Code(tuple(statements), dict(self.scope), guards, Source(text))

    def expressions(self, prefix: str) -> dict[str, Expr]:
        """The values of the targets that begin with a prefix, with everything before them put in."""
        values: dict[str, Expr] = {}
        found: dict[str, Expr] = {}
        for line in self.block.lines:
            values[self.renamed[line.target]] = substitute(self.statement(line).expr, values)
            if line.target.startswith(prefix):
                found[line.target.removeprefix(prefix)] = values[self.renamed[line.target]]
        return found

    def statement(self, line: Line) -> Assign:
        expr = self._expression(parse(line.text))
        target = self.renamed[line.target]
        ref = self.scope.get(target)
        if ref is not None and ref.key in self.all.counted:
            if line.op != "=":
                raise Unsupported(f"{self.runner.name}: {line.target} {line.op} ... is not possible with a time")
            expr = self._steps(expr, target)
        return Assign(target, line.op, expr)

    # ---- names -------------------------------------------------------------------------------------

    def _name(self, name: str, meaning: Any) -> str:
        """Enter a name into the scope; what it is called there."""
        new = f"{name}_" if name in RUNTIME else name
        match meaning:
            case Array():
                self.scope[new] = self.all.add(meaning)
            case Constant(unit=False):
                self.scope[new] = self.all.constant(self._owner(meaning), name, meaning.value, meaning)
            case Tick():
                return self._tick(new, meaning)
            case UserFunction(kind="timed_array", data=(values, _)):
                self.scope[new] = self.all.constant(self.runner.name, name, values, Constant(values))
            case UserFunction(kind="binomial", data=data):
                for part, value in data:
                    self.scope[f"{new}_{part}"] = self.all.constant(
                        self.runner.name, f"{new}_{part}", value, Constant(value)
                    )
        return new

    def _owner(self, meaning: Constant) -> str:
        """Numbers of the namespace belong to the group, so that all its code shares them."""
        return self.block.domain.owner

    def _tick(self, name: str, tick: Tick) -> str:
        every, own = self.all.every(tick.clock), self.all.every(self.runner.clock)
        if every != own or self.runner.clock.times is not None:
            self.beat = tick.clock
            if self.block.template not in ("stateupdate", "statemonitor"):
                if tick.kind != "dt":
                    raise Unsupported(
                        f"{self.runner.name} runs on the clock {self.runner.clock.name} and reads {tick.kind} of"
                        f" {tick.clock.name}"
                    )
                self.scope[f"{name}_other"] = self.all.constant(
                    tick.clock.name, "dt", tick.clock.dt, Constant(tick.clock.dt, second.dim)
                )
                return f"{name}_other"
        self._clock(tick.kind)
        return tick.kind

    # ---- expressions -------------------------------------------------------------------------------

    def _expression(self, expr: Expr) -> Expr:
        expr = transform(self._elapsed(transform(expr, self._node)), self._counted)
        for name in names(expr) & {"t", "dt", "t_in_timesteps"}:
            self._clock(name)
        return expr

    def _clock(self, kind: str) -> None:
        type = "integer" if kind == "t_in_timesteps" else "float"
        dim = second.dim if type == "float" else Variable.dim
        self.scope.setdefault(kind, Ref("clock", kind, type, dim, "scalar"))

    def _node(self, node: Expr) -> Expr | None:
        match node:
            case Name(id=name):
                meaning = self.block.names.get(name)
                if isinstance(meaning, Constant) and meaning.unit:
                    return Number(float(meaning.value), meaning.dim, name)
                new = self.renamed.get(name, name)
                return Name(new) if new != name else None
            case Call(function=name, args=args):
                meaning = self.block.names.get(name)
                if isinstance(meaning, UserFunction):
                    return self._call(name, meaning, args)
        return None

    def _call(self, name: str, meaning: UserFunction, args: tuple[Expr, ...]) -> Expr:
        new = self.renamed[name]
        match meaning:
            case UserFunction(kind="language", data=(own,)):
                if own not in FUNCTIONS:
                    raise Unsupported(f"{self.runner.name}: the function {own}() is not known")
                return Call(own, args)
            case UserFunction(kind="timed_array", data=(values, dt)):
                clock = self.beat or self.runner.clock
                return TimedArray(values, Quantity(dt, second.dim)).expand(new, args, clock.dt)
            case UserFunction(kind="binomial", data=data):
                parts = {part: Name(f"{new}_{part}") for part, _ in data}
                if "loc" in parts:
                    return Binary("+", parts["loc"], Binary("*", parts["scale"], Call("randn", ())))
                return Call("binomial", (parts["n"], parts["p"]))
        return self._user(name, meaning.function, args)

    def _user(self, name: str, function: Any, args: tuple[Expr, ...]) -> Expr:
        """A Python function, traced if it can be."""
        ways, kind, vectorised, stateless = python_function(function)
        if vectorised:
            self.scope["_vectorisation_idx"] = Ref(
                self.block.domain.owner, "_vectorisation_idx", "integer", via="index"
            )
            args = (*args, Name("_vectorisation_idx"))
        call = next((way for way in ways if stateless and _traces(way, len(args))), None)
        if call is not None:
            return Call(name, args, implementation=Implementation(call, kind))
        back = CalledBack(ways[-1], self.runner.name)
        return Call(name, args, implementation=Implementation(back, kind, True, stateless))

    # ---- times in steps ----------------------------------------------------------------------------

    def _elapsed(self, expr: Expr) -> Expr:
        """``t - lastspike`` as a number of steps times dt, and ``timestep`` of it as that number."""

        def rule(node: Expr) -> Expr | None:
            match node:
                case Call(function="timestep", args=(difference, Name(id="dt"))):
                    return elapsed(difference)
                case Binary() if self.all.dtype == np.float32:
                    # In 64 bits the difference of two times is what Brian2 computes, to the last digit.
                    steps = elapsed(node)
                    return None if steps is None else Binary("*", steps, Name("dt"))
            return None

        def elapsed(node: Expr) -> Expr | None:
            match node:
                case Binary(op="-", left=Name(id="t"), right=Name(id=last)):
                    return self._difference(last)
                case Binary(op="*", left=Binary(right=_Steps()) as steps, right=Name(id="dt")):
                    return steps  # the rule has been there before
            return None

        return transform(expr, rule)

    def _difference(self, last: str) -> Expr | None:
        ref = self.scope.get(last)
        if ref is None or ref.key not in self.all.counted or self.all.counted[ref.key] != self.runner.clock:
            return None
        return Binary("-", Name("t_in_timesteps"), _Steps(last))

    def _counted(self, node: Expr) -> Expr | None:
        """Any other use of such a time: in second."""
        if isinstance(node, _Steps):
            return Name(node.id)
        if isinstance(node, Name) and node.id in self.scope and self.scope[node.id].key in self.all.counted:
            clock = self.all.counted[self.scope[node.id].key]
            unit = f"{node.id}_dt"
            self.scope[unit] = self.all.constant(clock.name, "dt", clock.dt, Constant(clock.dt, second.dim))
            return Binary("*", node, Name(unit))
        return None

    def _steps(self, expr: Expr, target: str) -> Expr:
        """A time that is stored, in steps."""
        if expr == Name("t"):
            self._clock("t_in_timesteps")
            return Name("t_in_timesteps")
        unit = f"{target}_dt"
        clock = self.all.counted[self.scope[target].key]
        self.scope[unit] = self.all.constant(clock.name, "dt", clock.dt, Constant(clock.dt, second.dim))
        return Call("timestep", (expr, Name(unit)))


@dataclass(frozen=True)
class _Steps(Name):
    """The name of a time in steps, where steps are meant."""


@dataclass(frozen=True)
class CalledBack:
    """A Python function of the user, whose errors are kept with the name of the object that calls it."""

    function: Any
    runner: str
    errors: ClassVar[list[tuple[str, Exception]]] = []

    def __call__(self, *args: Any) -> Any:
        try:
            return self.function(*args)
        except Exception as error:
            self.errors.append((self.runner, error))
            raise


def _traces(call: Any, arguments: int) -> bool:
    """Whether JAX can look into a function."""
    shapes = [jax.ShapeDtypeStruct((3,), np.float32)] * arguments
    try:
        found = jax.eval_shape(call, *shapes)
    except Exception:
        return False
    return getattr(found, "shape", None) in ((3,), ())


def random(expr: Expr) -> bool:
    """Whether an expression draws random numbers."""
    return any(name in FUNCTIONS and FUNCTIONS[name].stateful for name in calls(expr))
