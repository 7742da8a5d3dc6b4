"""A threshold in the twin: the condition decides which elements fire, its margin carries the derivative."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.codegen.jax_guarded import GUARDED
from jaxsnn.codegen.lower import lower
from jaxsnn.program import Threshold
from jaxsnn.simulation.gradient.margin import DETACH, margin_of
from jaxsnn.simulation.gradient.spikes import spike

__all__ = ["SmoothThreshold"]

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
