"""Embedded Runge-Kutta pairs as numbers: the result of one order, and its difference from that of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction as F

__all__ = ["TABLEAUX", "Tableau"]


@dataclass(frozen=True)
class Tableau:
    """Stages k[i] = f(t + c[i] h, x + h sum(a[i][j] k[j])); x + h sum(b[i] k[i]) is the result.

    Attributes:
        name: As in ``method="..."``.
        c, a, b: The coefficients.
        other: Those of the embedded result, which has a lower order.
        order: Of the result that is kept.
        source: Author, year, DOI.
    """

    name: str
    c: tuple[F, ...]
    a: tuple[tuple[F, ...], ...]
    b: tuple[F, ...]
    other: tuple[F, ...]
    order: int
    source: str


def _numbers(text: str) -> tuple[F, ...]:
    return tuple(map(F, text.split()))


def _tableau(name: str, rows: str, b: str, other: str, order: int, source: str) -> Tableau:
    """From rows ``c | a ...``, one a line; the first stage is at the begin of the step."""
    parts = [line.split("|") for line in rows.strip().splitlines()]
    c = (F(0), *(F(left.strip()) for left, _ in parts))
    a = ((), *(_numbers(right) for _, right in parts))
    return Tableau(name, c, a, _numbers(b), _numbers(other), order, source)


_ROWS = (
    _tableau(
        "bs23",
        """
        1/2 | 1/2
        3/4 | 0 3/4
        1 | 2/9 1/3 4/9
        """,
        "2/9 1/3 4/9 0",
        "7/24 1/4 1/3 1/8",
        3,
        "P. Bogacki, L. Shampine (1989), doi:10.1016/0893-9659(89)90079-7",
    ),
    _tableau(
        "rkf45",
        """
        1/4 | 1/4
        3/8 | 3/32 9/32
        12/13 | 1932/2197 -7200/2197 7296/2197
        1 | 439/216 -8 3680/513 -845/4104
        1/2 | -8/27 2 -3544/2565 1859/4104 -11/40
        """,
        "16/135 0 6656/12825 28561/56430 -9/50 2/55",
        "25/216 0 1408/2565 2197/4104 -1/5 0",
        5,
        "E. Fehlberg (1970), doi:10.1007/BF02241732",
    ),
    _tableau(
        "rkck",
        """
        1/5 | 1/5
        3/10 | 3/40 9/40
        3/5 | 3/10 -9/10 6/5
        1 | -11/54 5/2 -70/27 35/27
        7/8 | 1631/55296 175/512 575/13824 44275/110592 253/4096
        """,
        "37/378 0 250/621 125/594 0 512/1771",
        "2825/27648 0 18575/48384 13525/55296 277/14336 1/4",
        5,
        "J. Cash, A. Karp (1990), doi:10.1145/79505.79507",
    ),
    _tableau(
        "dopri5",
        """
        1/5 | 1/5
        3/10 | 3/40 9/40
        4/5 | 44/45 -56/15 32/9
        8/9 | 19372/6561 -25360/2187 64448/6561 -212/729
        1 | 9017/3168 -355/33 46732/5247 49/176 -5103/18656
        1 | 35/384 0 500/1113 125/192 -2187/6784 11/84
        """,
        "35/384 0 500/1113 125/192 -2187/6784 11/84 0",
        "5179/57600 0 7571/16695 393/640 -92097/339200 187/2100 1/40",
        5,
        "J. Dormand, P. Prince (1980), doi:10.1016/0771-050X(80)90013-3",
    ),
)

TABLEAUX: Mapping[str, Tableau] = {row.name: row for row in _ROWS}
"""The embedded pairs by name."""
