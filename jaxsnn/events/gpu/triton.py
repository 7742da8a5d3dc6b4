"""Launch a kernel on the GPU: the one file that touches Pallas' Triton backend.

That backend is deprecated since JAX 0.11, so everything else is written against `Memory`: loads, stores and
atomic additions at any indices of flat arrays. `available` says whether kernels can be compiled; where they
cannot, other executions do the same work. `interpreted` carries kernels out on the host, for tests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import custom_vmap
from jax.experimental import pallas as pl

try:
    from jax.experimental.pallas import triton

    HAS_TRITON = True
except ImportError:  # pragma: no cover - a JAX without this backend
    HAS_TRITON = False

Array = Any

try:
    # Pallas offers atomics that order all memory traffic around them (acquire and release), and a fence for every
    # addition costs more than everything else a kernel does. Sums need no order, so this adds without: the same
    # operation with another memory semantics. Names with an underscore may change; then the slower one is used.
    from jax._src.lib.triton import dialect as _dialect  # type: ignore[attr-defined]
    from jax._src.pallas.triton import lowering as _lowering
    from jax._src.pallas.triton import primitives as _primitives
    from jax._src.state import primitives as _state
    from jax.extend.core import Primitive

    _relaxed_add_p = Primitive("relaxed_add")

    @_relaxed_add_p.def_effectful_abstract_eval  # type: ignore[untyped-decorator]
    def _relaxed_add_shape(*avals: Any, args_tree: Any) -> Any:
        kind = _primitives.AtomicOpType.ADD
        return _primitives._atomic_abstract_eval(*avals, args_tree=args_tree, atomic_type=kind)

    @_lowering.register_lowering(_relaxed_add_p)
    def _relaxed_add_lowering(ctx: Any, *given: Any, args_tree: Any) -> Any:
        *_, value, _ = args_tree.unflatten(ctx.avals_in)
        operation = _dialect.RMWOp.FADD if jnp.issubdtype(value.dtype, jnp.floating) else _dialect.RMWOp.ADD
        ordered = _lowering._atomic_rmw

        def relaxed(_: Any, pointer: Any, amount: Any, mask: Any = None) -> Any:
            return ordered(operation, pointer, amount, mask=mask, semantic=_dialect.MemSemantic.RELAXED)

        # The rule for ordered atomics knows how this version makes pointers; only its last call differs.
        _lowering._atomic_rmw = relaxed  # type: ignore[assignment]
        try:
            kind = _primitives.AtomicOpType.ADD
            return _primitives._atomic_lowering_rule(ctx, *given, args_tree=args_tree, atomic_type=kind)
        finally:
            _lowering._atomic_rmw = ordered

    def _relaxed_add(ref: Any, index: Any, value: Array, *, mask: Array) -> None:
        ref, transforms = _state.get_ref_and_transforms(ref, index, "relaxed_add")
        flat, tree = jax.tree.flatten((ref, transforms, value, mask))
        _relaxed_add_p.bind(*flat, args_tree=tree)

    HAS_RELAXED = True
except (ImportError, AttributeError):  # pragma: no cover - a JAX with other names
    HAS_RELAXED = False

__all__ = ["HAS_RELAXED", "Kernel", "Launch", "Memory", "available", "interpreted"]

Place = tuple[str, int]
"""An array of a kernel: one that it reads, one that it changes, or one that it makes."""

_mode = threading.local()


def available(backend: str) -> bool:
    """Whether kernels can be compiled: on an NVIDIA GPU, with Pallas' Triton backend."""
    if getattr(_mode, "interpreted", False):
        return True
    return HAS_TRITON and backend == "gpu" and jax.default_backend() == "gpu"


class Memory(Protocol):
    """What a program of a kernel can do; indices are flat, and lanes outside the mask do nothing."""

    def scalar(self, place: Place, index: int | Array = 0) -> Array:
        """One element."""

    def load(self, place: Place, index: Array, mask: Array, once: bool = False) -> Array:
        """Elements; 0 outside the mask. ``once``: nobody else reads them soon, so no cache has to keep them."""

    def store(self, place: Place, index: Array, value: Array, mask: Array, once: bool = False) -> None:
        """Write elements that no other program writes."""

    def add(self, place: Place, index: Array, value: Array, mask: Array) -> None:
        """Add atomically."""

    def barrier(self) -> None:
        """Wait until all threads of the program are here.

        Needed between a load and a store of the same elements. With fewer lanes than threads, several threads hold one
        lane and each loads it, but only one of them stores: without a barrier a slow one loads what that has stored.
        """


Body = Callable[[Memory, Array], None]


class Kernel(NamedTuple):
    """What each program does, how many there are, of how many warps, and what profilers call them."""

    body: Body
    programs: int
    warps: int = 4
    name: str = "kernel"


@dataclass
class Launch:
    """The arguments of a kernel, collected one by one, and its start.

    Booleans travel as int8, because Triton makes single bits of them. Arrays are flattened.

    >>> launch = Launch()
    >>> x, total = launch.read(jnp.arange(4.0)), launch.change(jnp.zeros(2))
    >>> def body(memory, program):
    ...     lane = jnp.arange(4)
    ...     memory.add(total, lane % 2, memory.load(x, lane, lane < 3), lane < 3)
    >>> with interpreted():
    ...     changed, made = launch(lambda copies: Kernel(body, programs=1))
    >>> changed[0].tolist()
    [2.0, 1.0]
    """

    given: list[Array] = field(default_factory=list)
    changed: list[Array] = field(default_factory=list)
    made: list[jax.ShapeDtypeStruct] = field(default_factory=list)
    _known: dict[int, Place] = field(default_factory=dict)

    def read(self, array: Array) -> Place:
        """An array that the kernel reads; the same array twice is one argument."""
        if id(array) not in self._known:
            self.given.append(array)
            self._known[id(array)] = ("given", len(self.given) - 1)
        return self._known[id(array)]

    def change(self, array: Array) -> Place:
        """An array that the kernel changes in place."""
        self.changed.append(array)
        return "changed", len(self.changed) - 1

    def make(self, size: int, dtype: Any) -> Place:
        """A new array that the kernel fills."""
        self.made.append(jax.ShapeDtypeStruct((size,), dtype))
        return "made", len(self.made) - 1

    def __call__(self, kernel: Callable[[int], Kernel]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Run the programs; the changed arrays in their own shapes and types, and the new ones.

        ``kernel(copies)``: the kernel, where so many of it run at once. Under `jax.vmap` that is the size of the batch:
        programs may then do more each, for there will be enough of them.
        """
        given = [_flat(x) for x in self.given]
        changed = [_flat(x) for x in self.changed]
        if getattr(_mode, "interpreted", False):
            results = _interpret(kernel(1), given, changed, self.made)
        else:
            results = _batched(kernel, self.made)(given, changed)
        whole = tuple(_like(result, old) for result, old in zip(results[: len(changed)], self.changed, strict=True))
        return whole, tuple(results[len(changed) :])


def _flat(array: Array) -> Array:
    array = jnp.asarray(array)
    return (array.astype(jnp.int8) if array.dtype == jnp.bool_ else array).reshape(-1)


def _like(result: Array, old: Array) -> Array:
    return jnp.asarray(result, jnp.asarray(old).dtype).reshape(jnp.shape(old))


class _Refs:
    """`Memory` on the references of a Pallas kernel."""

    def __init__(self, given: Any, changed: Any, made: Any) -> None:
        self.refs = {"given": given, "changed": changed, "made": made}

    def _ref(self, place: Place) -> Any:
        return self.refs[place[0]][place[1]]

    def scalar(self, place: Place, index: int | Array = 0) -> Array:
        return self._ref(place)[index]

    def load(self, place: Place, index: Array, mask: Array, once: bool = False) -> Array:
        policy = "evict_first" if once else None
        return triton.load(self._ref(place).at[index], mask=mask, other=0, eviction_policy=policy)

    def store(self, place: Place, index: Array, value: Array, mask: Array, once: bool = False) -> None:
        ref = self._ref(place)
        policy = "evict_first" if once else None
        value = jnp.broadcast_to(value, index.shape).astype(ref.dtype)
        triton.store(ref.at[index], value, mask=mask, eviction_policy=policy)

    def add(self, place: Place, index: Array, value: Array, mask: Array) -> None:
        ref = self._ref(place)
        value = jnp.broadcast_to(value, index.shape).astype(ref.dtype)
        (_relaxed_add if HAS_RELAXED else triton.atomic_add)(ref, (index,), value, mask=mask)

    def barrier(self) -> None:
        triton.debug_barrier()


def _batched(kernel: Callable[[int], Kernel], made: list[jax.ShapeDtypeStruct]) -> Callable[..., list[Array]]:
    """A kernel that learns of the size of a batch."""

    @custom_vmap
    def launch(given: list[Array], changed: list[Array]) -> list[Array]:
        return _compile(kernel(1), given, changed, made)

    @launch.def_vmap
    def rule(copies: int, batched: Any, given: list[Array], changed: list[Array]) -> tuple[list[Array], list[bool]]:
        axes = jax.tree.map(lambda own: 0 if own else None, batched)
        whole = kernel(copies)
        run = jax.vmap(lambda given, changed: _compile(whole, given, changed, made), axes, axis_size=copies)
        results = run(given, changed)
        return results, [True] * len(results)

    return launch


def _compile(kernel: Kernel, given: list[Array], changed: list[Array], made: list[jax.ShapeDtypeStruct]) -> list[Array]:
    n_given, n_changed = len(given), len(changed)

    def program(*refs: Any) -> None:
        outputs = refs[n_given + n_changed :]
        kernel.body(_Refs(refs[:n_given], outputs[:n_changed], outputs[n_changed:]), pl.program_id(0))

    anywhere = pl.BlockSpec(memory_space=pl.ANY)
    results = pl.pallas_call(
        program,
        out_shape=(*(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in changed), *made),
        grid=(kernel.programs,),
        in_specs=[anywhere] * (n_given + n_changed),
        out_specs=(anywhere,) * (n_changed + len(made)),
        input_output_aliases={n_given + k: k for k in range(n_changed)},
        compiler_params=triton.CompilerParams(num_warps=kernel.warps),
        name=kernel.name,
    )(*given, *changed)
    return list(results)


class _Host:
    """`Memory` on NumPy arrays."""

    def __init__(self, **arrays: list[np.ndarray]) -> None:
        self.arrays = arrays

    def scalar(self, place: Place, index: int | Array = 0) -> Array:
        return jnp.asarray(self.arrays[place[0]][place[1]][int(index)])

    def load(self, place: Place, index: Array, mask: Array, once: bool = False) -> Array:
        array, live = self.arrays[place[0]][place[1]], np.asarray(mask)
        where = np.where(live, np.asarray(index), 0)
        return jnp.asarray(np.where(live, array[where], np.zeros((), array.dtype)))

    def store(self, place: Place, index: Array, value: Array, mask: Array, once: bool = False) -> None:
        array, live = self.arrays[place[0]][place[1]], np.asarray(mask)
        array[np.asarray(index)[live]] = np.broadcast_to(np.asarray(value), live.shape)[live].astype(array.dtype)

    def add(self, place: Place, index: Array, value: Array, mask: Array) -> None:
        array, live = self.arrays[place[0]][place[1]], np.asarray(mask)
        np.add.at(array, np.asarray(index)[live], np.broadcast_to(np.asarray(value), live.shape)[live])

    def barrier(self) -> None:
        """One lane after the other: nobody waits."""


def _interpret(
    kernel: Kernel, given: list[Array], changed: list[Array], made: list[jax.ShapeDtypeStruct]
) -> list[Array]:
    memory = _Host(
        given=[np.array(x) for x in given],
        changed=[np.array(x) for x in changed],
        made=[np.zeros(x.shape, x.dtype) for x in made],
    )
    order = range(kernel.programs)
    for program in reversed(order) if getattr(_mode, "backwards", False) else order:
        kernel.body(memory, jnp.int32(program))
    return [jnp.asarray(x) for x in (*memory.arrays["changed"], *memory.arrays["made"])]


@contextmanager
def interpreted(backwards: bool = False) -> Iterator[None]:
    """Carry kernels out on the host, program by program, without compiling anything (slow, for tests).

    ``backwards``: the last program first; on a GPU they run in any order.
    """
    _mode.interpreted, _mode.backwards = True, backwards
    try:
        with jax.disable_jit():
            yield
    finally:
        _mode.interpreted = False
