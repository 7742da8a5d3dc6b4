"""Random keys: one for a run, folded with the operation's name and the step.

So the numbers of an operation do not depend on which other objects exist, a run cut in two equals one run, and
CPU and GPU draw the same.
"""

from __future__ import annotations

import zlib
from typing import Any

import jax

__all__ = ["step_key"]


def step_key(key: Any, name: str, step: Any) -> Any:
    """The key of one operation in one step."""
    return jax.random.fold_in(jax.random.fold_in(key, zlib.crc32(name.encode())), step)
