"""The loop over steps for reverse mode: nested checkpoints, as deep as the memory asks for.

Reverse mode needs the values of every step again, last step first. Keeping them costs r bytes a step. With
checkpoints only the state is kept, c bytes each, at the beginning of segments, and a segment is run once more when
its turn comes: segments of l steps need c T/l + r l bytes, at least 2 sqrt(c r T). Segments of segments need
less X
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Literal

__all__ = ["nested_scan", "plan", "residual_bytes", "tree_bytes"]

Array = Any
DEEPEST = 4


def plan(steps: int, state: int, residual: int, limit: int) -> tuple[int, ...]:
    """Lengths of the segments, outermost first, of a run of so many steps; empty if all can be kept.

    Args:
        steps: Of the run.
        state: Bytes of the state.
        residual: Bytes that are kept of a step.
        limit: Bytes allowed.

    >>> plan(1000, state=100, residual=1000, limit=2_000_000)
    ()
    >>> plan(1000, state=100, residual=1000, limit=50_000)
    (10,)
    >>> plan(10**6, state=1000, residual=10_000, limit=2_000_000)
    (5000, 20)
    """
    if steps * residual <= limit or steps < 4:
        return ()
    state, residual = max(state, 1), max(residual, 1)
    levels = 0
    lengths: tuple[int, ...] = (1,)
    while levels < DEEPEST:
        levels += 1
        # L levels: c n_1 + c n_2 + ... + r n_L with n_1 n_2 ... n_L = T is least where all terms are equal.
        term = (steps * state**levels * residual) ** (1 / (levels + 1))
        last = max(1, round(term / residual))
        branch = max(1.0, (steps / last) ** (1 / levels))
        lengths = tuple(max(last, round(last * branch ** (levels - 1 - k))) for k in range(levels))
        lengths = _dividing(steps, lengths)
        if _needed(steps, lengths, state, residual) <= limit:
            break
    return lengths


def _dividing(steps: int, lengths: tuple[int, ...]) -> tuple[int, ...]:
    """Lengths nearby that divide the run: what is left over would be compiled once more."""
    found = []
    for length in lengths:
        near = [k for k in range(max(1, -(-2 * length // 3)), 3 * length // 2 + 1) if steps % k == 0]
        best = min(near, key=lambda k: abs(math.log(k / length)), default=length)
        found.append(best)
        steps = best
    return tuple(found)


def _needed(steps: int, lengths: tuple[int, ...], state: int, residual: int) -> int:
    bounds = (steps, *lengths)
    return sum(-(-a // b) * state for a, b in zip(bounds, lengths, strict=False)) + lengths[-1] * residual


def nested_scan(
    body: Callable[[Any, Any], tuple[Any, Any]],
    carry: Any,
    inputs: Any,
    steps: int,
    lengths: tuple[int, ...],
    cut: bool = False,
    unroll: int = 1,
) -> tuple[Any, Any]:
    """`jax.lax.scan` in checkpointed segments of these lengths, outermost first.

    ``cut``: no gradient flows from one of the outermost segments back into the one before; ``unroll``: steps written
    out in one trip of the innermost loop.
    """
    if not lengths:
        return lax.scan(body, carry, inputs, length=steps, unroll=max(1, min(unroll, steps)))
    length, *inner = lengths
    if length >= steps:
        return nested_scan(body, carry, inputs, steps, tuple(inner), unroll=unroll)
    whole, rest = divmod(steps, length)

    def segment(carry: Any, given: Any, n: int = length) -> tuple[Any, Any]:
        return nested_scan(body, carry, given, n, tuple(k for k in inner if k < n), unroll=unroll)

    def each(carry: Any, piece: tuple[Array, Any]) -> tuple[Any, Any]:
        number, given = piece
        return jax.checkpoint(segment, prevent_cse=False)(_cut(carry, number > 0) if cut else carry, given)

    pieces = jax.tree.map(lambda x: x[: whole * length].reshape(whole, length, *x.shape[1:]), inputs)
    carry, rows = lax.scan(each, carry, (jnp.arange(whole), pieces), length=whole)
    rows = jax.tree.map(lambda x: x.reshape(whole * length, *x.shape[2:]), rows)
    if rest:
        tail = jax.tree.map(lambda x: x[whole * length :], inputs)
        carry, last = jax.checkpoint(lambda c, g: segment(c, g, rest))(_cut(carry, True) if cut else carry, tail)
        rows = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), rows, last)
    return carry, rows


def _cut(carry: Any, now: Array | bool) -> Any:
    def leaf(x: Array) -> Array:
        return jnp.where(now, lax.stop_gradient(x), x) if jnp.issubdtype(x.dtype, jnp.floating) else x

    return jax.tree.map(leaf, carry)


def tree_bytes(tree: Any) -> int:
    """Bytes of all arrays of a tree."""
    return sum(math.prod(x.shape) * _itemsize(x) for x in jax.tree.leaves(tree))


def _itemsize(x: Any) -> int:
    return getattr(x.dtype, "itemsize", 8)


def residual_bytes(step: Callable[[Any, Any], Any], constants: Any, carry: Any) -> int:
    """Bytes that reverse mode keeps of one ``step(constants, carry)``.

    What all steps share does not count: constants, and what is computed from them alone, which `jax.lax.scan` computes
    and keeps once.
    """

    def residuals(constants: Any, carry: Any) -> list[Any]:
        leaves, structure = jax.tree.flatten((constants, carry))
        moving = [jnp.issubdtype(x.dtype, jnp.floating) for x in leaves]

        def of_floats(floats: list[Any]) -> list[Any]:
            given = iter(floats)
            all_leaves = [next(given) if m else x for x, m in zip(leaves, moving, strict=True)]
            out = jax.tree.leaves(step(*jax.tree.unflatten(structure, all_leaves)))
            return [x for x in out if jnp.issubdtype(x.dtype, jnp.floating)]

        _, pull = jax.vjp(of_floats, [x for x, m in zip(leaves, moving, strict=True) if m])
        return jax.tree.leaves(pull)

    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (constants, carry))
    jaxpr = jax.make_jaxpr(residuals)(*shapes).jaxpr
    shared = {id(v) for v in jaxpr.invars[: len(jax.tree.leaves(constants))]} | {id(v) for v in jaxpr.constvars}
    for equation in jaxpr.eqns:
        if all(isinstance(v, Literal) or id(v) in shared for v in equation.invars):
            shared |= {id(v) for v in equation.outvars}
    kept = {id(v): v.aval for v in jaxpr.outvars if not isinstance(v, Literal) and id(v) not in shared}
    return tree_bytes(list(kept.values()))
