"""The equations of synapses, sorted by when they are computed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from jaxsnn.equations.expressions import names
from jaxsnn.equations.system import DIFFERENTIAL, PARAMETER, Equation, Equations
from jaxsnn.errors import EquationError, NotSupportedError, Source
from jaxsnn.objects.blocks import check_shared

__all__ = ["SynapticModel"]

_ENDS = ("_pre", "_post")


@dataclass(frozen=True)
class SynapticModel:
    """The lines of a model, by kind.

    Attributes:
        own: Everything that is a variable (or a sub-expression) of the synapses.
        event_driven: Differential equations that are solved from one spike to the next.
        clock_driven: Differential equations that are integrated in every step.
        summed: Sums over synapses, by the name of the neurons' variable (``x_post``, ``x_pre``).
        unmarked: Those of ``clock_driven`` that carry neither flag.
    """

    own: Equations
    event_driven: Mapping[str, Equation]
    clock_driven: Mapping[str, Equation]
    summed: Mapping[str, Equation]
    unmarked: tuple[str, ...] = ()

    @classmethod
    def of(cls, equations: Equations, where: str, taken: Collection[str]) -> SynapticModel:
        """Sort and check a model.

        Args:
            equations: The model.
            where: Named in messages.
            taken: Names that mean something for every synapse.

        Raises:
            EquationError: for a name that is taken, and for equations that mix what is computed at spikes with what
                is computed in every step.
        """
        source = Source(equations.source.text, where)
        everything = Equations._of(equations.values(), source)
        for eq in everything.values():
            _check_name(eq, source, taken)
        summed = {name: eq for name, eq in everything.items() if "summed" in eq.flags}
        check_shared(everything)
        own = Equations._of([eq for name, eq in everything.items() if name not in summed], source)
        event_driven = {n: eq for n, eq in own.differential.items() if "event-driven" in eq.flags}
        clock_driven = {n: eq for n, eq in own.differential.items() if n not in event_driven}
        unmarked = tuple(n for n, eq in clock_driven.items() if "clock-driven" not in eq.flags)
        model = cls(own, event_driven, clock_driven, summed, unmarked)
        model._check_mixture()
        return model

    @property
    def stored(self) -> dict[str, Equation]:
        """What has a value for each synapse (or one for all) that is kept from step to step."""
        return {
            name: eq
            for name, eq in self.own.items()
            if (eq.kind in (DIFFERENTIAL, PARAMETER) and "linked" not in eq.flags) or "constant over dt" in eq.flags
        }

    def _check_mixture(self) -> None:
        """Equations at spikes may not read those of every step, nor the other way round."""
        for kind, equations, others, advice in (
            ("event-driven", self.event_driven, self.clock_driven, "mark both alike"),
            ("clock-driven", self.clock_driven, self.event_driven, "mark both alike"),
            ("summed in every step", self.summed, self.event_driven, "mark that as (clock-driven)"),
        ):
            for name, eq in equations.items():
                wrong = sorted(self._reached(eq) & set(others))
                if wrong:
                    other = "event-driven" if others is self.event_driven else "clock-driven"
                    raise self.own.source.error(
                        f"{name!r} is {kind} but reads {wrong[0]!r}, which is {other}; what is event-driven is known"
                        f" only when spikes arrive, the rest changes in between: {advice}",
                        eq.span,
                    )

    def _reached(self, eq: Equation) -> set[str]:
        """Variables that an equation reads, also through sub-expressions."""
        found: set[str] = set()
        waiting = set(names(eq.expr)) if eq.expr is not None else set()
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            other = self.own.subexpressions.get(name)
            if other is not None and other.expr is not None:
                waiting |= names(other.expr)
        return found


def _check_name(eq: Equation, source: Source, taken: Collection[str]) -> None:
    for flag, why, kind in (
        ("unless refractory", "synapses are never refractory; this flag belongs to groups", EquationError),
        ("point current", "compartments are not part of this version", NotSupportedError),
    ):
        if flag in eq.flags:
            raise source.error(why, eq.span, kind)
    if "summed" in eq.flags:
        if not eq.name.endswith(_ENDS):
            raise source.error(
                f"a sum over synapses belongs to neurons; write '{eq.name}_post = ... : unit (summed)' for those the"
                f" synapses lead to, '{eq.name}_pre' for the others",
                eq.span,
            )
        others = eq.flags - {"summed"}
        if others:
            raise source.error(f"'summed' does not go with {', '.join(map(repr, sorted(others)))}", eq.span)
    elif eq.name in taken or eq.name.endswith(_ENDS):
        raise source.error(f"{eq.name!r} already means something for every synapse; choose another name", eq.span)
