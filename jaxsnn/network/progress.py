"""Progress of a run: a bar with an estimate, a function of the user, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

from jaxsnn.units import Quantity, quantity, second, strip

__all__ = ["Report"]


class Report:
    """Progress of a run: a bar, a function, or nothing."""

    def __init__(self, report: Any, period: Any, steps: int, start: float, dt: float) -> None:
        self.steps, self.start, self.dt = steps, start, dt
        self.function = report if callable(report) else None
        self.bar: Any = None
        self.done = 0
        self.period = 10.0 if period is None else float(strip(quantity(period), second.dim, "report_period"))
        if report is not None and self.function is None:
            stream = sys.stdout if report in ("text", "stdout") else sys.stderr
            self.bar = tqdm(
                total=steps * dt,
                unit="s",
                file=stream,
                desc="simulated",
                bar_format=_BAR,
                miniters=0,
                mininterval=0.2,
            )

    def __enter__(self) -> Callable[[int], None]:
        self.begun = time.perf_counter()
        self.said = self.begun
        if self.function is not None:
            self._say(0)
        return self

    def __call__(self, done: int) -> None:
        if self.bar is not None:
            self.bar.update((done - self.done) * self.dt)
        elif self.function is not None and (time.perf_counter() - self.said >= self.period) and done < self.steps:
            self._say(done)
        self.done = done

    def _say(self, done: int) -> None:
        self.said = time.perf_counter()
        fraction = 1.0 if self.steps == 0 else done / self.steps
        start, length = Quantity(self.start, second.dim), Quantity(self.steps * self.dt, second.dim)
        self.function(Quantity(self.said - self.begun, second.dim), fraction, start, length)  # type: ignore[misc]

    def __exit__(self, kind: Any, *rest: Any) -> None:
        if self.bar is not None:
            self.bar.close()
        elif self.function is not None and kind is None:
            self._say(self.done)


_BAR = "{desc}: {percentage:3.0f}% {bar} {n:.3g}/{total:.3g} s [{elapsed} < {remaining}]"
