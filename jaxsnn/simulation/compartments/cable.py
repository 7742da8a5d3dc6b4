"""The cable equation of a branched neuron, one implicit step at a time.

In each compartment Cm dv/dt = -gtot v + I0 + (currents along the cable), with backward Euler in v: a linear system.
Inside sections it is tridiagonal. Sections meet at nodes without capacity, whose voltages V are unknowns of their own:
the solution in a section is v* + V(start) u + V(end) w, from three tridiagonal solves at once (the particular solution,
and what either node adds). That currents cancel at every node is a system on the tree of sections, which is eliminated
from its leaves to the root, all sections of one depth at once (Hines 1984, doi:10.1016/0020-7101(84)90008-4).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.codegen.jax_guarded import GUARDED
from jaxsnn.codegen.lower import lower
from jaxsnn.program import Cable
from jaxsnn.simulation.frame import Frame, Setting, prepare_block, run_block

__all__ = ["CableStep"]

Array = Any


class CableStep:
    """One step of the cable equation.

    Roles of variables: ``v``, membrane capacitance ``Cm`` and ``area`` of compartments; ``axial``, the conductance from
    the compartment before (0 for the first of a section); ``start`` and ``end``, those between a section and its nodes;
    ``Ic`` receives the capacitive current. Indices ``<name>.first`` and ``.last`` are the end compartments of each
    section, ``.parent`` the node where it starts (0 is the root, ``k + 1`` the end of section k), ``.section`` that of
    each compartment, ``.levels`` the sections by depth.
    """

    def __init__(self, operation: Cable, setting: Setting) -> None:
        self.operation = operation
        code = operation.code
        self.block = lower(
            operation.name,
            code.statements,
            ("_gtot", "_I0"),
            setting.constant_name(code.scope),
            functions=GUARDED if setting.gradient else None,
        )

    def prepare(self, frame: Frame) -> Any:
        op = self.operation
        return prepare_block(self.block, op.code, op.domain, op.every, frame)

    def apply(self, frame: Frame, prepared: Any) -> None:
        op, size = self.operation, self.operation.domain.size
        results = run_block(self.block, op.code, op.domain, op.every, frame, prepared, op.name)
        conductance, current = (jnp.broadcast_to(r, (size,)) for r in results)
        value = {role: frame.value(ref.key) for role, ref in op.roles.items()}
        places = {
            name: frame.tables.indices[f"{op.name}.{name}"] for name in ("first", "last", "parent", "section", "levels")
        }
        capacity = value["Cm"] / frame.clock("dt", op.every)
        v = value["v"]
        new = _step(v, capacity, conductance, current, value, **places)
        frame.write(op.roles["v"], op.domain, new)
        frame.write(op.roles["Ic"], op.domain, capacity * (new - v))


def _step(
    v: Array,
    capacity: Array,
    conductance: Array,
    current: Array,
    value: dict[str, Array],
    first: Array,
    last: Array,
    parent: Array,
    section: Array,
    levels: Array,
) -> Array:
    """The voltages after a step."""
    area, axial = jnp.broadcast_to(value["area"], v.shape), value["axial"]
    to_start, to_end = value["start"] / area[first], value["end"] / area[last]
    before = axial / area  # no current into the first compartment of a section: axial is 0 there
    after = jnp.append(axial[1:], 0) / area
    diagonal = -capacity - conductance - before - after
    diagonal = diagonal.at[first].add(-to_start).at[last].add(-to_end)
    zero = jnp.zeros_like(v)
    sides = (-capacity * v - current, zero.at[first].set(-to_start), zero.at[last].set(-to_end))
    solved = jax.lax.linalg.tridiagonal_solve(before.at[0].set(0), diagonal, after, jnp.stack(sides, 1))
    star, from_start, from_end = solved.T
    node = _nodes(value["start"], value["end"], solved[first], solved[last], parent, levels)
    return star + node[parent][section] * from_start + node[1:][section] * from_end


def _nodes(start: Array, end: Array, first: Array, last: Array, parent: Array, levels: Array) -> Array:
    """The voltages of the nodes: that of the root, then the end of each section.

    ``first`` and ``last``: (S, 3), the three solutions in the end compartments of each section; ``levels``: sections by
    depth, each row filled up with S.
    """
    sections = parent.shape[0]
    own = jnp.arange(1, sections + 1)
    # The root is sealed: no current flows into it, so it has the voltage of the first compartment.
    weight = start.at[0].set(1)
    # Row k of the system: diagonal[k] V[k] + lower[k] V[parent of k] + (upper[c] V[c] of each child c) = right[k].
    # One node more, which is nobody's, stands for the sections that fill up the levels.
    diagonal = jnp.zeros(sections + 2, first.dtype).at[-1].set(1)
    diagonal = diagonal.at[parent].add((1 - first[:, 1]) * weight).at[own].add((1 - last[:, 2]) * end)
    right = jnp.zeros_like(diagonal).at[parent].add(first[:, 0] * weight).at[own].add(last[:, 0] * end)
    upper = jnp.zeros_like(diagonal).at[own].set(-first[:, 2] * weight)
    lower = jnp.zeros_like(diagonal).at[own].set(-last[:, 1] * end)
    above = jnp.full(sections + 2, sections + 1, jnp.int32).at[own].set(parent)
    depth = levels.shape[0]

    def eliminate(k: Array, rows: tuple[Array, Array]) -> tuple[Array, Array]:
        diagonal, right = rows
        node = levels[depth - 1 - k] + 1
        factor = upper[node] / diagonal[node]
        return (
            diagonal.at[above[node]].add(-factor * lower[node]),
            right.at[above[node]].add(-factor * right[node]),
        )

    diagonal, right = jax.lax.fori_loop(0, depth, eliminate, (diagonal, right))

    def substitute(k: Array, voltage: Array) -> Array:
        node = levels[k] + 1
        return voltage.at[node].set((right[node] - lower[node] * voltage[above[node]]) / diagonal[node])

    root = jnp.zeros_like(diagonal).at[0].set(right[0] / diagonal[0])
    return jax.lax.fori_loop(0, depth, substitute, root)
