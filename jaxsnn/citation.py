"""Where a model, a rule or a number comes from."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Citation"]


@dataclass(frozen=True)
class Citation:
    """A publication.

    >>> print(Citation("S. Song, K. D. Miller and L. F. Abbott", 2000, "Nature Neurosci. 3: 919-926", "10.1038/78829"))
    S. Song, K. D. Miller and L. F. Abbott (2000), Nature Neurosci. 3: 919-926, doi:10.1038/78829
    """

    authors: str
    year: int
    journal: str
    doi: str = ""

    def __str__(self) -> str:
        return f"{self.authors} ({self.year}), {self.journal}" + (f", doi:{self.doi}" if self.doi else "")
