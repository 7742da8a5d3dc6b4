"""Groups of neurons in continuous time: the flow between events, the margin of the threshold, what a spike does.

A program says what one time step does, as statements in which the step is a name: ``dt``. Read with any other length h
they are the flow over h,

    x(t + h) = flow(h, x(t)),

exactly for linear equations (``method="exact"``), with the error of one step of the scheme for all others. So the
equations need no second translation: an event inside a step is a step that ends there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.codegen.lower import Block

__all__ = ["Environment", "Population", "evaluate"]

Array = Any
Numbers = Mapping[str, Array]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Environment:
    """What stays the same during a run: parameters (floats, differentiable) and tables (integers) by object."""

    params: Mapping[str, Numbers]
    tables: Mapping[str, Numbers]

    def __call__(self, owner: str, name: str) -> Array:
        """A parameter or table, wherever it is."""
        return jnp.asarray(self.params[owner][name] if name in self.params.get(owner, {}) else self.tables[owner][name])


def evaluate(block: Block, given: Numbers) -> dict[str, Array]:
    """The results of a block by name."""
    prepared = block.prepare(*(given[name] for name in block.constants))
    return dict(zip(block.returns, block.run(*(given[name] for name in block.reads), *prepared, None), strict=True))


@dataclass(frozen=True, eq=False)
class Population:
    """A group of neurons.

    first: number of its first neuron among all of the network; variables: floating-point state; own, shared: names
    of constants, one for each neuron or one for all; stepped: the flow holds over one time step only (schemes,
    equations that read t), so that the group is carried along the grid.
    """

    owner: str
    size: int
    first: int
    variables: tuple[str, ...]
    own: tuple[str, ...]
    shared: tuple[str, ...]
    stepped: bool
    method: str
    update: Block | None
    threshold: Block | None
    reset: Block | None
    period: Block | None

    def constants(self, env: Environment, n: Array) -> dict[str, Array]:
        """What the code of element(s) n reads and never changes."""
        own = {name: env(self.owner, name)[n] for name in self.own}
        return {**own, "i": n}

    def common(self, env: Environment) -> dict[str, Array]:
        """The constants that all elements share."""
        return {name: env(self.owner, name) for name in self.shared}

    def flow(self, h: Array, t: Array, step: Array, free: Array, x: Numbers, constants: Numbers) -> dict[str, Array]:
        """The state of one neuron h after time t, with no event in between."""
        if self.update is None:
            return dict(x)
        h = jnp.where(h < 0, 0, h)  # of two events at one time, the last digit decides
        clock = {"dt": h, "t": t, "t_in_timesteps": step, "not_refractory": free}
        found = evaluate(self.update, {**constants, **x, **clock})
        return {name: jnp.asarray(found.get(name, old), jnp.result_type(old)) for name, old in x.items()}

    def flows(
        self, h: Array, t: Array, step: Array, free: Array, x: Numbers, constants: Numbers, common: Numbers
    ) -> Any:
        """`flow` of several neurons, each over its own h from its own t."""

        def one(h: Array, t: Array, free: Array, x: Numbers, constants: Numbers) -> dict[str, Array]:
            return self.flow(h, t, step, free, x, {**constants, **common})

        return jax.vmap(one)(h, t, free, x, constants)

    def margin(self, t: Array, x: Numbers, constants: Numbers) -> Array:
        """How far one neuron is above its threshold."""
        assert self.threshold is not None
        found = evaluate(self.threshold, {**constants, **x, "t": t})["_margin"]
        return jnp.asarray(found, jnp.result_type(t))

    def margin_after(self, s: Array, since: Array, step: Array, x: Numbers, constants: Numbers) -> Array:
        """The margin at time s of a free neuron that had the state x at time ``since``."""
        return self.margin(s, self.flow(s - since, since, step, jnp.asarray(True), x, constants), constants)

    def fired(self, t: Array, x: Numbers, constants: Numbers) -> dict[str, Array]:
        """The state after the reset."""
        if self.reset is None:
            return dict(x)
        found = evaluate(self.reset, {**constants, **x, "t": t})
        return {name: jnp.asarray(found.get(name, old), jnp.result_type(old)) for name, old in x.items()}

    def rest(self, constants: Numbers) -> Array:
        """The refractory period of one neuron."""
        assert self.period is not None
        return evaluate(self.period, constants)["_period"]

    def __str__(self) -> str:
        where = "carried along the grid" if self.stepped else "in closed form"
        return f"{self.owner}: {self.size} neurons, {self.method or 'no equations'}, {where}"
