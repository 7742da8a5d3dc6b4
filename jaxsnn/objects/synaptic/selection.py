"""Some of the synapses: ``S[0, :]``."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["SynapseSelection"]


class SynapseSelection:
    """Chosen synapses, for monitors and as an index: ``StateMonitor(S, "w", record=S[0, :])``.

    Example:
        >>> from jaxsnn import NeuronGroup, Synapses
        >>> cells = NeuronGroup(3, "v : 1")
        >>> S = Synapses(cells, cells, "w : 1")
        >>> S.connect("i != j")
        >>> S.w[S[:, 0]] = 2
        >>> print(S[:, 0].indices, S.w[:])
        [2 4] [0. 0. 2. 0. 2. 0.]
    """

    def __init__(self, name: str, indices: np.ndarray) -> None:
        self.name = name
        self.indices = indices

    def __len__(self) -> int:
        return int(self.indices.size)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.indices, dtype=dtype)

    def __repr__(self) -> str:
        return f"<{len(self)} synapses of {self.name}: {self.indices}>"
