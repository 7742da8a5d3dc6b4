"""A threshold in the twin: its condition decides which elements fire, its *margin* carries the derivative.

The margin says how far the condition is from changing, as an expression built from it.

A comparison ``a > b`` has the margin (a - b)/width. ``and`` is the least of the margins and ``or`` the greatest, so
that the comparison that decides carries the derivative; ``not`` changes the sign. What has no derivative
(``t > 10*ms``, ``i == 3``, a boolean variable, ``==`` of anything) is a gate: it opens or closes the spike and its
derivative alike.
``rand() < p`` is a chance: its spike has the derivative of its probability p.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.codegen.jax_guarded import GUARDED
from jaxsnn.codegen.lower import lower
from jaxsnn.equations.dimensions import Symbol, infer
from jaxsnn.equations.expressions import (
    Binary,
    Call,
    Compare,
    Expr,
    Logical,
    Name,
    Number,
    Unary,
    calls,
    names,
    substitute,
    transform,
)
from jaxsnn.equations.functions import FUNCTIONS
from jaxsnn.equations.statements import Assign
from jaxsnn.errors import NotSupportedError
from jaxsnn.program import Program, Ref, Reset, Threshold
from jaxsnn.simulation.gradient.spikes import spike
from jaxsnn.surrogate import Surrogate
from jaxsnn.units import DIMENSIONLESS, Dimension, Hz, get_dimensions, ms, mV, nS, pA, strip

__all__ = ["SmoothThreshold"]

FALLBACK: Mapping[Dimension, float] = {
    DIMENSIONLESS: 1.0,
    mV.dim: 10e-3,
    nS.dim: 10e-9,
    pA.dim: 100e-12,
    ms.dim: 10e-3,
    Hz.dim: 100.0,
}
"""Widths, in SI units, of thresholds whose reset says nothing about the scale of their variable."""

OPEN = 1e9
"""Margin of an open gate: finite, so that no primitive gets infinity by infinity."""

DETACH = "_detach"
"""Function of the generated code that keeps a width out of the derivative."""

Array = Any


class SmoothThreshold:
    """The block of a threshold with a second result, the margin."""

    def __init__(self, operation: Threshold, setting: Any) -> None:
        gradient = setting.gradient
        margin = margin_of(
            operation, setting.program, gradient.surrogate(operation.domain.owner), setting.constant_name
        )
        self.code = replace(operation.code, scope=margin.scope)
        self.surrogate = margin.surrogate
        self.relaxed = gradient.relaxed
        self.size = operation.domain.size
        self.dtype = setting.dtype
        # Relaxed spikes are differentiated as what they are, which depends on the width too.
        detach = (lambda width: width) if gradient.relaxed else jax.lax.stop_gradient
        self.block = lower(
            operation.name,
            margin.noise,
            ("_condition", "_margin"),
            setting.constant_name(margin.scope),
            extra={"_condition": margin.condition, "_margin": margin.margin},
            functions={**GUARDED, DETACH: detach},
        )

    def spikes(self, fired: Array, margin: Array, free: Array | None) -> Array:
        """(n,) floats; refractory elements have neither spike nor derivative."""
        margin = jnp.broadcast_to(jnp.asarray(margin, self.dtype), (self.size,))
        smooth = spike(fired, margin, self.surrogate, self.relaxed)
        return smooth if free is None else jnp.where(free, smooth, 0)


@dataclass(frozen=True)
class Chance(Surrogate):
    """The spike of ``rand() < p``: its mean is p, so that is what it is differentiated as."""

    def primitive(self, x: Any) -> Any:
        return jnp.clip(x, 0, 1)

    def derivative(self, x: Any) -> Any:
        return jnp.ones_like(x)


@dataclass(frozen=True)
class Margin:
    """A threshold as the gradient needs it.

    noise: statements that draw the random numbers of the condition; condition: that reads them; margin: divided by
    widths, for the surrogate; scope: what the names mean, those of the reset included.
    """

    noise: tuple[Assign, ...]
    condition: Expr
    margin: Expr
    surrogate: Surrogate
    scope: Mapping[str, Ref]


def margin_of(
    operation: Threshold,
    program: Program,
    surrogate: Surrogate,
    constant_name: Callable[[Mapping[str, Any]], Callable[[str], bool]],
) -> Margin:
    """The margin of a threshold.

    ``constant_name(scope)`` says which names keep their value during a run.

    Raises:
        NotSupportedError: if the surrogate says no width and none can be inferred, with the line.
        ArgumentError: if the surrogate has a width of a unit that nothing in the condition has.
    """
    chance = _chance(operation.condition)
    if chance is not None:
        return Margin((), operation.condition, chance, Chance(scale=surrogate.scale), operation.code.scope)
    noise: list[Assign] = []

    def drawn(node: Expr) -> Expr | None:
        if not isinstance(node, Call) or node.function not in FUNCTIONS or not FUNCTIONS[node.function].stateful:
            return None
        noise.append(Assign(f"_noise{len(noise)}", "=", node))
        return Name(noise[-1].target)

    condition = transform(operation.condition, drawn)
    build = _Builder(operation, program, surrogate, constant_name, tuple(statement.target for statement in noise))
    return Margin(tuple(noise), condition, build(condition, False), surrogate, build.known)


def _chance(condition: Expr) -> Expr | None:
    match condition:
        case Compare(op="<" | "<=", left=Call(function="rand"), right=p):
            pass
        case Compare(op=">" | ">=", left=p, right=Call(function="rand")):
            pass
        case _:
            return None
    return None if any(c in FUNCTIONS and FUNCTIONS[c].stateful for c in calls(p)) else p


class _Builder:
    """Condition -> margin, with what is needed to find widths."""

    def __init__(
        self,
        operation: Threshold,
        program: Program,
        surrogate: Surrogate,
        constant_name: Callable[[Mapping[str, Any]], Callable[[str], bool]],
        noise: tuple[str, ...],
    ) -> None:
        self.operation = operation
        self.source = operation.code.source
        self.reset = next(
            (
                op
                for op in program.operations
                if isinstance(op, Reset) and (op.domain, op.event) == (operation.domain, operation.event)
            ),
            None,
        )
        reset_scope = self.reset.code.scope if self.reset is not None else {}
        self.known = {**reset_scope, **operation.code.scope}
        self.constant = constant_name(self.known)
        self.scope: dict[str, Any] = {**self.known, **dict.fromkeys(noise, Symbol("float"))}
        self.widths: dict[Any, float] = {}
        for width in surrogate.width:
            dim = get_dimensions(width)
            self.widths[dim] = float(strip(width, dim, "the width of a surrogate"))

    def __call__(self, expr: Expr, negated: bool) -> Expr:
        match expr:
            case Unary(op="not", operand=operand):
                return self(operand, not negated)
            case Logical(op=op, operands=operands):
                function = "minimum" if (op == "and") != negated else "maximum"
                return reduce(lambda a, b: Call(function, (a, b)), (self(part, negated) for part in operands))
            case Compare(op="<" | "<=" | ">" | ">=", left=left, right=right) if self._has_derivative(expr):
                greater = (expr.op in (">", ">=")) != negated
                high, low = (left, right) if greater else (right, left)
                return Binary("/", Binary("-", high, low), self._width(expr))
        gate = (Number(OPEN), Number(-OPEN))
        return Call("where", (expr, *(gate[::-1] if negated else gate)))

    def _has_derivative(self, expr: Expr) -> bool:
        refs = [self.scope[name] for name in names(expr) if name in self.scope]
        return any(ref.type == "float" and getattr(ref, "owner", "") != "clock" for ref in refs)

    def _width(self, expr: Compare) -> Expr:
        sides = [side for side in (expr.left, expr.right) if not (isinstance(side, Number) and side.value == 0)]
        dim = infer(sides[0], self.scope, self.source).dim
        if dim in self.widths:
            return Number(self.widths[dim])
        fallback = FALLBACK.get(dim)
        inferred = self._from_reset(expr)
        if inferred is None:
            if fallback is None:
                raise self.source.error(
                    f"the gradient needs to know how close to this threshold counts as near, and there is no usual"
                    f" scale of {dim}; write surrogate={{{self.operation.domain.owner!r}: SuperSpike(width=...)}} with"
                    f" a value of that unit in compile()",
                    expr.span,
                    NotSupportedError,
                )
            return Number(fallback)
        width = Call("abs", (inferred,))
        # A reset onto the threshold says nothing about the scale.
        safe = Call("where", (Compare("==", inferred, Number(0)), Number(1.0 if fallback is None else fallback), width))
        return Call(DETACH, (safe,))

    def _from_reset(self, expr: Compare) -> Expr | None:
        """How far the reset takes the margin from the threshold, if that stays the same during a run."""
        margin = Binary("-", expr.left, expr.right)
        read = names(margin)
        for statement in self.reset.code.statements if self.reset is not None else ():
            if not isinstance(statement, Assign) or statement.target not in read:
                continue
            match statement.op:
                case "=":
                    after: Expr = substitute(margin, {statement.target: statement.expr})
                case "+=" | "-=" if Name(statement.target) in (expr.left, expr.right):
                    after = statement.expr
                case _:
                    continue
            if self._fixed(after):
                return after
        return None

    def _fixed(self, expr: Expr) -> bool:
        stateful = any(c in FUNCTIONS and FUNCTIONS[c].stateful for c in calls(expr))
        return not stateful and all(map(self.constant, names(expr)))
