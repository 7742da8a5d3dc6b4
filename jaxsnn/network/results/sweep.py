"""Parameter sweeps: one network for many sets of values, in batches that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import ArgumentError, NumericalError
from jaxsnn.simulation import Params, Simulation, State
from jaxsnn.units import Quantity, quantity, strip

__all__ = ["Sweep", "sweep"]

MEMORY = 2**30
"""Bytes that one batch may take."""


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep (`Network.sweep`); their number is the first axis of everything.

    A batch computes what separate runs compute, up to the last bit (XLA does not round the same for one number and for
    an array of them); with ``batch=1`` all bits are the same.

    Attributes:
        values: What was swept, by dotted name, in base units.
        records: What the monitors recorded, as `Simulation.run` returns it: a `SpikeRecord`, or a dictionary of arrays.
        final: The values asked for at the end of the runs, by dotted name.
        batch: How many runs were carried out at once.

    Example:
        >>> from jaxsnn import Network, NeuronGroup, StateMonitor
        >>> from jaxsnn.units import ms
        >>> cell = NeuronGroup(1, "dx/dt = -x/tau : 1", namespace={"tau": 10 * ms}, name="cell")
        >>> cell.x = 1
        >>> found = Network(cell).sweep({"cell.tau": [5, 10, 20] * ms}, 10 * ms, final="cell.x")
        >>> print(found.final["cell.x"][:, 0].round(3))
        [0.135 0.368 0.607]
    """

    values: Mapping[str, np.ndarray]
    records: Mapping[str, Any]
    final: Mapping[str, np.ndarray]
    batch: int

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def __getitem__(self, monitor: str) -> Any:
        return self.records[monitor]


def sweep(
    simulation: Simulation,
    params: Params,
    state: State,
    values: Mapping[str, Any],
    duration: Any,
    *,
    batch: int | None,
    noise: str,
    final: Sequence[str],
    memory: float | None,
) -> Sweep:
    """Run a simulation for each set of values.

    Raises:
        ArgumentError: for names that there are not, values of different lengths, and other arguments.
        NumericalError: if values at the end of a run are not finite, with the number of the run.
    """
    given = _values(simulation, values)
    (runs,) = {len(v) for v in given.values()}
    steps = simulation.steps(duration)
    if noise not in ("same", "own"):
        raise ArgumentError(f"noise is 'same' (all runs draw the same numbers) or 'own', got {noise!r}")
    final = (final,) if isinstance(final, str) else tuple(final)

    begin_step = np.asarray(state.step)

    def one(p: Params, s: State, number: Any, chosen: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        s = replace(s, step=begin_step)  # known, so that slow monitors know how many samples there are
        for path, value in chosen.items():
            owner, _, name = path.partition(".")
            if name in p.get(owner, {}):
                p = simulation.put(p, path, value)
            else:
                s = simulation.put(s, path, value)
        if noise == "own":
            s = replace(s, tables=replace(s.tables, key=jax.random.fold_in(s.tables.key, number)))
        after, record = simulation.run(p, s, steps)
        finite = [
            jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(after.values) if jnp.issubdtype(x.dtype, jnp.floating)
        ]
        ends = {path: simulation.get(after, path) for path in final}
        return record, ends, jnp.all(jnp.stack(finite)) if finite else jnp.asarray(True)

    first = {path: v[0] for path, v in given.items()}
    result = jax.eval_shape(one, params, state, jnp.asarray(0), first)
    if batch is None:
        # A run holds its state twice, its record, and about as much again in between.
        size = 2 * (_bytes(result) + _bytes(state.values) + _bytes(state.rings) + _bytes(params))
        batch = int(np.clip((MEMORY if memory is None else memory) // max(size, 1), 1, runs))
    elif isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise ArgumentError(f"batch is a number of runs of at least 1, got {batch!r}")
    batch = min(batch, runs)
    # Connections and weights are arguments: captured, they would be constants in the compiled code.
    many = jax.jit(jax.vmap(one, in_axes=(None, None, 0, 0))) if batch > 1 else _alone(one)
    pieces = []
    for begin in range(0, runs, batch):
        # The last batch is filled up, so that one compilation serves all.
        number = np.minimum(np.arange(begin, begin + batch), runs - 1)
        found = many(params, state, jnp.asarray(number), {path: v[number] for path, v in given.items()})
        keep = min(batch, runs - begin)
        pieces.append(jax.tree.map(lambda x, keep=keep: np.asarray(x)[:keep], found))
    records, ends, finite = jax.tree.map(lambda *parts: np.concatenate(parts), *pieces)
    if not finite.all():
        wrong = int(np.flatnonzero(~finite)[0])
        what = ", ".join(f"{path} = {v[wrong]}" if np.ndim(v[wrong]) == 0 else path for path, v in given.items())
        raise NumericalError(
            f"run {wrong} of the sweep ({what}) ended with values that are not finite, and {int((~finite).sum()) - 1}"
            f" others did; net.run with these values says where and when"
        )
    return Sweep(given, records, ends, batch)


def _alone(one: Callable[..., Any]) -> Callable[..., Any]:
    """One run in the form of a batch: compiled as `Simulation.run` compiles it, and so with the same bits."""

    def many(params: Params, state: State, number: Any, chosen: Mapping[str, Any]) -> Any:
        found = one(params, state, number[0], {path: v[0] for path, v in chosen.items()})
        return jax.tree.map(lambda x: jnp.asarray(x)[None], found)

    return many


def _values(simulation: Simulation, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Plain arrays with the runs as first axis."""
    if not values:
        raise ArgumentError("nothing is swept; write sweep({'cells.tau': [5, 10, 20]*ms}, duration)")
    found: dict[str, np.ndarray] = {}
    for path, given in values.items():
        owner, _, name = path.partition(".")
        variable = simulation.program.variables.get((owner, name))
        if variable is None:
            known = [".".join(key) for key in simulation.program.variables]
            raise ArgumentError(f"there is no {path!r} to sweep; there are {', '.join(sorted(known))}")
        if not np.ndim(given.value if isinstance(given, Quantity) else given):
            raise ArgumentError(f"{path!r}: a sweep needs several values, one for each run; got {given!r}")
        found[path] = np.asarray(strip(quantity(given), variable.dim, path))
    lengths = {path: len(v) for path, v in found.items()}
    if len(set(lengths.values())) > 1:
        raise ArgumentError(
            f"each run takes one value of everything that is swept, but there are {lengths}; for all combinations,"
            f" np.meshgrid(..., indexing='ij') and ravel() them"
        )
    return found


def _bytes(tree: Any) -> int:
    return sum(int(np.prod(x.shape)) * np.dtype(x.dtype).itemsize for x in jax.tree.leaves(tree) if hasattr(x, "dtype"))
