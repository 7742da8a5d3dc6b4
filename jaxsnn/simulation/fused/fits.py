"""Whether a kernel can compute an operation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.events import NUMBER
from jaxsnn.program import Deliver, Emit
from jaxsnn.random import CounterDraw
from jaxsnn.simulation.frame import Frame
from jaxsnn.simulation.synaptic.one_stage import KEY

__all__ = ["PRIMITIVES", "fits"]

_ARITHMETIC = "add sub mul div rem neg abs sign min max clamp floor ceil integer_pow pow square sqrt rsqrt is_finite"
_FUNCTIONS = (
    "exp exp2 expm1 log log1p logistic erf_inv sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh"
)
_BITS = "and or xor not shift_left shift_right_arithmetic shift_right_logical bitcast_convert_type"
_CHOICES = "eq ne lt le gt ge select_n convert_element_type broadcast_in_dim reshape copy stop_gradient"
_CALLS = "jit pjit custom_jvp_call"
PRIMITIVES = frozenset(" ".join((_ARITHMETIC, _FUNCTIONS, _BITS, _CHOICES, _CALLS)).split())
"""What Pallas' Triton backend can compute elementwise (JAX 0.10 to 0.12)."""


def fits(part: Any, frame: Frame, ready: Any) -> str | None:
    """None, or why a kernel cannot compute an operation."""
    if isinstance(part.operation, Deliver):
        return _pathway(part, frame, ready)
    op = part.operation
    size = op.domain.size
    for leaf in jax.tree.leaves(ready):
        if jnp.size(leaf) not in (1, size):
            return f"a value of the shape {jnp.shape(leaf)} is neither one number nor one for each element"
    arguments = frame.arguments(part.block.reads, op.code.scope, op.domain, op.every)
    for name, value in zip(part.block.reads, arguments, strict=True):
        if jnp.size(value) not in (1, size):
            return f"{name!r} has the shape {jnp.shape(value)}"
    return _reason(part.block.run, [*arguments, *ready], frame)


def _pathway(part: Any, frame: Frame, ready: Any) -> str | None:
    op, way = part.operation, part.way
    wiring = frame.tables.wirings[op.pathway]
    if wiring.repeats > 1:
        return "its code runs at arrival, after different delays"
    if wiring.n_synapses == 0:
        return "it has no synapses"
    for other in frame.setting.program.operations:
        if isinstance(other, Emit) and other.domain.owner == op.source.owner:
            if wiring.delay is None and op.pathway in frame.rings:
                return "spikes of a generator wait, and a kernel looks only at those of the step"
            if frame.tables.schedules[other.name].longest == 0:
                return "its generator never fires"
    if wiring.delay is None and len(frame.rings.get(op.pathway, ())) > 1:
        return "spikes of a run with other delays are on their way"
    if ready is None or way.constant:
        return None if ready is not None else "it changes nothing"
    scope = way.analysis.code.scope
    values: dict[str, Any] = {}
    for name in way.block.reads:
        ref = scope.get(name)
        if name == "dt" or ref.owner == "clock":
            values[name] = frame.clock(name, 1)
        elif ref.via in ("self", "scalar"):
            values[name] = frame.value(ref.key).reshape(-1)[0]
        else:
            return f"it reads {name!r} of a neuron"
    values.update(zip(way.hoisted, ready.hoisted, strict=True))
    names = list(values)

    def run(*given: Any) -> Any:
        *arguments, draw = given
        found = {**dict(zip(names, arguments, strict=True)), NUMBER: draw.element}
        found.update(zip(KEY, draw.key, strict=True))
        return way.contribution(found)

    return _reason(run, list(values.values()), frame)


def _reason(run: Any, arguments: list[Any], frame: Frame) -> str | None:
    """Trace a function of single numbers and a draw, and look at what it is made of."""
    word = jax.ShapeDtypeStruct((), jnp.uint32)
    number = jax.ShapeDtypeStruct((4,), jnp.int32)
    flat, tree = jax.tree.flatten(arguments)
    shapes = [jax.ShapeDtypeStruct((4,) if jnp.size(x) > 1 else (), jnp.asarray(x).dtype) for x in flat]

    def traced(values: list[Any], first: Any, second: Any, element: Any) -> Any:
        draw = CounterDraw((first, second), element, frame.setting.dtype)
        return run(*jax.tree.unflatten(tree, values), draw)

    try:
        jaxpr = jax.make_jaxpr(traced)(shapes, word, word, number)
    except AttributeError:
        return "it draws random numbers that need a loop"
    unknown = sorted(set(_names(jaxpr.jaxpr)) - PRIMITIVES)
    return f"it computes {', '.join(unknown)}" if unknown else None


def _names(jaxpr: Any) -> Iterator[str]:
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from _names(inner)
