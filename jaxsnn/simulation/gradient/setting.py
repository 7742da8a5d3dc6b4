"""What the derivative of a simulation is: surrogates, the reset path, memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxsnn.errors import ArgumentError, did_you_mean
from jaxsnn.program import Program, Threshold
from jaxsnn.surrogate import SuperSpike, Surrogate

__all__ = ["Gradient", "gradient_of"]

MEMORY = 2**30
"""Bytes that reverse mode may keep of a run by default."""


@dataclass(frozen=True)
class Gradient:
    """How a program is differentiated.

    Attributes:
        surrogates: Of the objects (by name) that have one of their own.
        default: Of all others.
        detach_reset: Whether resets take the spike for a constant.
        relaxed: Whether spikes are smooth in the forward pass too.
        memory_limit: Bytes that reverse mode may keep of a run (see `loop.plan`).
        truncate: Steps after which no gradient flows backward in time.
    """

    surrogates: Mapping[str, Surrogate] = field(default_factory=dict)
    default: Surrogate = SuperSpike()
    detach_reset: bool = True
    relaxed: bool = False
    memory_limit: int = MEMORY
    truncate: int | None = None

    def surrogate(self, owner: str) -> Surrogate:
        """The surrogate of an object's threshold."""
        return self.surrogates.get(owner, self.default)


def gradient_of(
    program: Program,
    surrogate: Any = None,
    detach_reset: bool | None = None,
    relaxed: bool = False,
    memory_limit: float | None = None,
    truncate: int | None = None,
) -> Gradient:
    """The arguments of `Network.compile`, checked.

    Raises:
        ArgumentError: for what is no surrogate, an object that has no threshold, a relaxed simulation with a detached
            reset, and numbers that make no sense.
    """
    own: Mapping[str, Any] = surrogate if isinstance(surrogate, Mapping) else {}
    default = SuperSpike() if surrogate is None or own is surrogate else surrogate
    owners = {op.domain.owner for op in program.operations if isinstance(op, Threshold)}
    for name, given in {**own, "": default}.items():
        if not isinstance(given, Surrogate):
            raise ArgumentError(
                f"a surrogate is one of jaxsnn.surrogate, such as surrogate=SuperSpike(width=1*mV), or a dictionary"
                f" from names of groups to surrogates; got {given!r}"
            )
        if name and name not in owners:
            raise ArgumentError(
                f"there is no object {name!r} with a threshold for this surrogate.{did_you_mean(name, owners)}"
            )
    if relaxed and detach_reset:
        raise ArgumentError(
            "a relaxed simulation has the derivative of what it computes, and its resets depend on the spikes: leave"
            " out detach_reset=True"
        )
    if memory_limit is not None and not memory_limit > 0:
        raise ArgumentError(f"memory_limit is a number of bytes above 0, such as 2e9; got {memory_limit!r}")
    if truncate is not None and (isinstance(truncate, bool) or not isinstance(truncate, int) or truncate < 1):
        raise ArgumentError(f"truncate is a number of steps of at least 1, got {truncate!r}")
    return Gradient(
        dict(own),
        default,
        not relaxed if detach_reset is None else bool(detach_reset),
        bool(relaxed),
        MEMORY if memory_limit is None else int(memory_limit),
        truncate,
    )
