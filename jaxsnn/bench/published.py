"""What other simulators reach on one graphics card, and what jaxsnn has to reach there: microseconds per time step.

All in single precision with steps of 0.1 ms, the loop alone, compiled and warm, on one NVIDIA H200 with its 16-core
host on 2026-11-22: PyGeNN 5.4.0 (CUDA, sparse), Brian2CUDA 1.0b1 on Brian2 2.10.1, and Brian2's C++ standalone with
16 threads. One run each; they kept counts of spikes, jaxsnn records every spike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["CARD", "PUBLISHED", "WHEN", "Published"]

CARD = "H200"
"""Part of the name of the device that the numbers hold for."""
WHEN = "2026-11-22"


@dataclass(frozen=True)
class Published:
    """Numbers for a network of one size.

    Attributes:
        target: Of jaxsnn with recording, or None.
        genn, brian2cuda, cpp: PyGeNN, Brian2CUDA and Brian2 in C++ with 16 threads; None where it was not measured or
            cannot do it.
    """

    target: float | None
    genn: float | None = None
    brian2cuda: float | None = None
    cpp: float | None = None

    @property
    def best(self) -> tuple[str, float] | None:
        """The fastest of the others and its time.

        >>> PUBLISHED["cuba", 1_000_000].best
        ('Brian2CUDA', 77.2)
        """
        known = (("GeNN", self.genn), ("Brian2CUDA", self.brian2cuda), ("C++ x16", self.cpp))
        return min(((name, us) for name, us in known if us is not None), key=lambda pair: pair[1], default=None)


PUBLISHED: Mapping[tuple[str, int], Published] = MappingProxyType(
    {
        ("cuba", 4000): Published(4.0, 12.9, 44.5, 59.8),
        ("cuba", 100_000): Published(8.5, 25.2, 57.3, 351),
        ("cuba", 1_000_000): Published(24, 245, 77.2),
        ("cuba-1000", 1_000_000): Published(35),
        ("cobahh", 4000): Published(5, 12.2, 53.6, 99),
        ("cobahh", 100_000): Published(9, 106, 54.1, 1400),
        ("cobahh", 1_000_000): Published(36, 1672, 156),
        ("brunel", 10_000): Published(7, 15.5, 66.1, 92.7),
        ("brunel", 50_000): Published(10, 21.3),
        ("stdp", 10_000): Published(6, 15.8, 59.2),
        ("stdp", 1_000_000): Published(25, 651, 78.8),
        ("stdp-heterogeneous", 1_000_000): Published(36),
        ("mushroom", 10_000): Published(8, 16.9, 80.4),
        ("mushroom", 100_000): Published(12, 32.1, 87.1),
        ("microcircuit", 77_169): Published(8, 20.0),
    }
)
"""By network and size."""
