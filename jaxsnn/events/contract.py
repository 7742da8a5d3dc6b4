"""The contract between a pathway of synapses and the ways of executing it.

When a source neuron fires, each of its synapses adds something to a variable of the neuron at its
other end (or of the source itself), at once or some steps later. What is added is the pathway's
`Contribution`, an elementwise function of the synapse's *operands*; where it goes, an `Output`; who
is connected to whom, the `Wiring`. An `Execution` is one way of computing the sum

    accumulator[target[s]] += spikes[source[s]] * contribution(operands of s)    for every synapse s

and all executions give the same sums, up to the order of floating-point additions: every
contribution counts, also when several synapses reach one target in the same step.

Code that assigns to variables of the synapses themselves (plasticity) has outputs with the side
``"synapse"``. There the contribution is a *new value*, not a summand:

    accumulator[s] = contribution(operands of s)    for every synapse s whose source fired

The accumulator is the whole ``(S,)`` variable, in the user's order. An operand with the name of such
an output is read from the accumulator, so that a step touches the active synapses only and the
variable is never copied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from jaxsnn.errors import ArgumentError, IndexRangeError

INT32_MAX = int(np.iinfo(np.int32).max)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Wiring:
    """The synapses of one pathway, sorted by the neuron whose spikes trigger them.

    Fields, with S synapses:
        target: ``(S,)`` int32.
        row_start: ``(n_source + 1,)`` int32; the synapses of source ``i`` are
            ``row_start[i]:row_start[i + 1]``.
        synapse: ``(S,)`` int32, the user's number of each sorted synapse; ``None`` when sorting
            changed nothing.
        delay: ``(S,)`` int32 steps in sorted order; ``None`` without delays of single synapses.
        n_source, n_target: sizes of the two windows.
        longest_row: the largest number of synapses of one source.
        distinct_delays: the different values in ``delay``, ascending; empty without delays.
        repeats: how many times the window of sources is repeated: ``n_source`` is a multiple of it,
            and source ``i`` stands for the neuron ``i % (n_source // repeats)``. More than 1 where
            each delay has sources of its own (see `history_wiring`).
        at_arrival: whether synapses are carried out when their delay is over, by a history of spikes, and not
            when they are fired at, into a ring. Then spikes are given for each synapse.

    >>> wiring = Wiring.build(source=[1, 0, 1], target=[2, 2, 0], n_source=2, n_target=3)
    >>> wiring.source.tolist(), wiring.target.tolist(), wiring.row_start.tolist()
    ([0, 1, 1], [2, 2, 0], [0, 1, 3])
    >>> wiring.synapse.tolist()
    [1, 0, 2]
    """

    target: Array
    row_start: Array
    synapse: Array | None
    delay: Array | None
    n_source: int = field(metadata={"static": True})
    n_target: int = field(metadata={"static": True})
    longest_row: int = field(metadata={"static": True})
    distinct_delays: tuple[int, ...] = field(metadata={"static": True})
    repeats: int = field(default=1, metadata={"static": True})
    at_arrival: bool = field(default=False, metadata={"static": True})

    def origin(self, source: Array) -> Array:
        """The neuron behind a source."""
        return source if self.repeats == 1 else source % (self.n_source // self.repeats)

    @property
    def n_synapses(self) -> int:
        """The number S of synapses."""
        return int(self.target.shape[0])

    @property
    def source(self) -> Array:
        """``(S,)`` int32, non-decreasing. Computed from the rows: most executions need no copy in memory."""
        numbers = jnp.arange(self.n_source, dtype=jnp.int32)
        return jnp.repeat(numbers, jnp.diff(self.row_start), total_repeat_length=self.n_synapses)

    @staticmethod
    def build(
        source: ArrayLike,
        target: ArrayLike,
        n_source: int,
        n_target: int,
        delay: ArrayLike | None = None,
    ) -> Wiring:
        """Sort synapses by source, on the host.

        Args:
            source, target: ``(S,)`` indices in the user's synapse order.
            n_source, n_target: the sizes that the indices must stay below.
            delay: ``(S,)`` whole steps in the user's synapse order, or None.

        Raises:
            IndexRangeError: for an index beyond its window, or a negative delay.
            ArgumentError: for lengths that differ, indices that are not whole numbers, or more
                than 2**31 - 1 synapses or neurons.
        """
        source_np, target_np = np.asarray(source).ravel(), np.asarray(target).ravel()
        delay_np = None if delay is None else np.asarray(delay).ravel()
        size = source_np.size
        if max(size, n_source, n_target) > INT32_MAX:
            raise ArgumentError(
                f"a pathway of {size} synapses from {n_source} to {n_target} neurons: synapses are "
                f"numbered in 32 bits, so at most {INT32_MAX} fit. Split it into several pathways."
            )
        _check_indices("source", source_np, n_source, size)
        _check_indices("target", target_np, n_target, size)
        if delay_np is not None:
            _check_indices("delay", delay_np, INT32_MAX, size)
        order = None
        if size and np.any(source_np[1:] < source_np[:-1]):
            order = np.argsort(source_np, kind="stable")
            source_np, target_np = source_np[order], target_np[order]
            delay_np = None if delay_np is None else delay_np[order]
        lengths = np.bincount(source_np.astype(np.int64), minlength=n_source)
        row_start = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])

        def on_device(array: np.ndarray) -> Array:
            return jnp.asarray(array.astype(np.int32, copy=False))

        return Wiring(
            target=on_device(target_np),
            row_start=on_device(row_start),
            synapse=None if order is None else on_device(order),
            delay=None if delay_np is None else on_device(delay_np),
            n_source=int(n_source),
            n_target=int(n_target),
            longest_row=int(lengths.max(initial=0)),
            distinct_delays=() if delay_np is None else tuple(np.unique(delay_np).tolist()),
        )


def history_wiring(
    source: ArrayLike, target: ArrayLike, n_source: int, n_target: int, delay: ArrayLike
) -> tuple[Wiring, np.ndarray]:
    """A wiring for synapses that are carried out at arrival, and the different delays, longest first.

    Each delay has sources of its own: source ``k * n_source + i`` is neuron ``i`` as it was ``delays[k]``
    steps ago. Sorting by source then puts synapses into the order in which Brian's queue holds them:
    earlier spikes first, then by neuron, then by number.

    >>> wiring, delays = history_wiring([0, 1, 1], [0, 0, 1], 2, 2, delay=[5, 0, 5])
    >>> delays.tolist(), wiring.source.tolist(), wiring.n_source
    ([5, 0], [0, 1, 3], 4)
    """
    delays, which = np.unique(-np.asarray(delay).ravel(), return_inverse=True)
    virtual = which.ravel().astype(np.int64) * n_source + np.asarray(source).ravel()
    wiring = Wiring.build(virtual, target, n_source * max(1, delays.size), n_target)
    return replace(wiring, repeats=max(1, delays.size)), (-delays).astype(np.int32)


def _check_indices(name: str, values: np.ndarray, stop: int, size: int) -> None:
    if values.size != size:
        raise ArgumentError(f"{name} has {values.size} entries for {size} synapses")
    if not size:
        return
    if not np.issubdtype(values.dtype, np.integer):
        raise ArgumentError(f"{name} must hold whole numbers, not {values.dtype}")
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= stop:
        wrong = low if low < 0 else high
        raise IndexRangeError(f"{name} holds {wrong}; entries must be from 0 to {stop - 1}")


class Output(NamedTuple):
    """One variable that a pathway changes.

    ``side`` is ``"target"`` or ``"source"`` for a sum over synapses, ``"synapse"`` for a new value of
    each synapse; then ``name`` is the operand that reads the variable.
    """

    side: str
    name: str = ""


class Operands(NamedTuple):
    """The arrays that a contribution reads, by name; no name appears in two of the dicts.

    Fields:
        synapse: ``(S,)`` arrays **in the user's synapse order**.
        source: ``(n_source,)`` arrays.
        target: ``(n_target,)`` arrays.
        shared: scalars.
    """

    # RUF012: JAX sees into dicts but not into read-only mappings; nothing here writes to them.
    synapse: dict[str, Array] = {}  # noqa: RUF012
    source: dict[str, Array] = {}  # noqa: RUF012
    target: dict[str, Array] = {}  # noqa: RUF012
    shared: dict[str, Array] = {}  # noqa: RUF012


NUMBER = "_synapse"
"""The operand that every contribution finds besides its own: the user's number of the synapse."""

Contribution = Callable[[dict[str, Array]], tuple[Array, ...]]
"""Elementwise over synapses: operand values by name -> one array or scalar per output."""


class Execution(NamedTuple):
    """One way of executing pathways: a pair of pure functions.

    ``prepare(wiring, outputs, contribution, constants, backend=None) -> prepared`` runs once per
    run, outside the time loop, and may be traced. ``constants`` is given when every operand keeps
    its value over the run; the contributions are then evaluated here, once.

    ``deliver(prepared, wiring, spikes, contribution, operands, accumulators, step) ->
    accumulators`` runs each step. ``spikes`` is ``(n_source,)`` bool (dense and masked also take
    floats, and are differentiable). Each accumulator is ``(n,)``, or, when ``wiring.delay`` is
    given, a ring ``(D, n)`` with ``D > max(delay)`` whose slot ``(step + delay) % D`` receives the
    contribution. The accumulator of a ``"synapse"`` output is ``(S,)``; with such an output there
    are neither ``constants`` nor a ``wiring.delay``. ``operands`` is ignored when ``constants`` was given.
    """

    prepare: Callable[..., Any]
    deliver: Callable[..., tuple[Array, ...]]


def with_outputs(operands: Operands, outputs: tuple[Output, ...], accumulators: tuple[Array, ...]) -> Operands:
    """The operands, with the variables of synapses that are outputs read from their accumulators."""
    changing = {o.name: a for o, a in zip(outputs, accumulators, strict=True) if o.side == "synapse"}
    return operands._replace(synapse={**operands.synapse, **changing}) if changing else operands


def edge_values(
    contribution: Contribution,
    operands: Operands,
    source: Array,
    target: Array,
    synapse: Array | None,
    number: Array | None = None,
) -> tuple[Array, ...]:
    """The contributions of the synapses with these indices.

    ``synapse=None``: the arrays in ``operands.synapse`` are already those of these synapses, whose numbers
    are ``number``. Indices out of range are clamped: the caller masks what they give.
    """

    def pick(values: dict[str, Array], index: Array) -> dict[str, Array]:
        return {name: jnp.take(value, index, mode="clip") for name, value in values.items()}

    own = operands.synapse if synapse is None else pick(operands.synapse, synapse)
    values = {
        **own,
        **pick(operands.source, source),
        **pick(operands.target, target),
        **operands.shared,
        NUMBER: jnp.arange(source.shape[0], dtype=jnp.int32) if number is None else number,
    }
    return tuple(jnp.asarray(value) for value in contribution(values))


def all_edge_values(contribution: Contribution, operands: Operands, wiring: Wiring) -> tuple[Array, ...]:
    """The contributions of every synapse in sorted order; scalars stay scalars."""
    return edge_values(
        contribution, operands, wiring.origin(wiring.source), wiring.target, wiring.synapse, wiring.synapse
    )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Evaluated:
    """What `evaluate_constants` prepares.

    ``values``: one ``(S,)`` array or scalar per output when contributions are constant, else None. ``source``: that of
    each synapse, for executions that look at all of them. ``most``: how many synapses a neuron has at most, by side,
    where sums are in fixed point.
    """

    values: tuple[Array, ...] | None
    source: Array | None
    outputs: tuple[Output, ...] = field(metadata={"static": True})
    most: dict[str, Array] | None = None


def evaluate_constants(
    wiring: Wiring,
    outputs: tuple[Output, ...],
    contribution: Contribution,
    constants: Operands | None = None,
    backend: str | None = None,
) -> Evaluated:
    """The `Execution.prepare` that only evaluates constant contributions. The backend makes no difference."""
    values = None if constants is None else all_edge_values(contribution, constants, wiring)
    return Evaluated(values=values, source=None, outputs=outputs)
