"""Code that runs for all elements of an object in regular intervals, or at given times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxsnn.equations.expressions import names
from jaxsnn.equations.statements import Assign, parse_block
from jaxsnn.errors import ArgumentError, Source
from jaxsnn.objects.access.states import HasStates
from jaxsnn.objects.base import Part, Parts, steps_of
from jaxsnn.objects.schedule.clocks import EventClock, interval_of, listed_steps
from jaxsnn.program import Code, Update, Window

__all__ = ["CodeRunner", "RunsCode", "Times"]


@dataclass(frozen=True)
class Times:
    """When code runs: every so many steps, or in the steps of a list; ``beat``: steps of the object's own clock."""

    every: int
    listed: bool
    beat: int


class RunsCode(HasStates):
    """The part of groups and synapses that runs code beside their equations."""

    @property
    def _window(self) -> Window:
        """The elements as a part of those of the object they belong to."""
        raise NotImplementedError

    @property
    def _at_home(self) -> RunsCode:
        """The object in whose place the code runs: of a subgroup the group."""
        return self._parent

    @property
    def _runners(self) -> list[CodeRunner]:
        return self._at_home.__dict__.setdefault("_own_runners", [])

    def _regular_code(
        self, statements: tuple[Assign, ...], source: Source, parts: Parts, namespace: Mapping[str, Any], dt: float
    ) -> Code:
        """Statements for all elements, with the meaning of their names."""
        raise NotImplementedError

    def _lower_runner(self, runner: CodeRunner, parts: Parts, namespace: Mapping[str, Any], times: Times) -> None:
        """Add the operations of a runner."""
        statements = parse_block(runner.code, runner.source)
        code = self._regular_code(statements, runner.source, parts, namespace, parts.dt * times.beat)
        check_shared(code)
        parts.operations.append(
            Update(
                name=runner.order_name,
                slot=runner.when,
                order=runner.order,
                every=times.every,
                listed=times.listed,
                domain=self._window,
                code=code,
                beat=0 if times.beat == times.every else times.beat,
            )
        )

    def run_regularly(
        self,
        code: str,
        dt: Any = None,
        clock: Any = None,
        when: str = "start",
        order: int = 0,
        name: str | None = None,
    ) -> CodeRunner:
        """Run statements for all elements in regular intervals, the first time at t = 0.

        Args:
            code: Statements; of refractory neurons, variables marked ``(unless refractory)`` keep their values, and
                shared variables can be written.
            dt: The interval, a multiple of the network's time step; by default that of the object. ``t`` and ``dt`` in
                the code are those of the object.
            clock: A `Clock` in place of dt, or an `EventClock`.
            when, order: The place in the schedule.
            name: A name that decides between operations of equal slot and order, in place of ``..._run_regularly``.

        Returns what runs the code; set its ``active`` to switch it off.
        """
        return self._add_runner("run_regularly", code, dt, clock, when, order, name)

    def run_at(self, code: str, times: Any, when: str = "start", order: int = 0, name: str | None = None) -> CodeRunner:
        """Run statements for all elements at given times, multiples of the network's time step.

        The arguments are those of `run_regularly`.
        """
        return self._add_runner("run_at", code, None, EventClock(times), when, order, name)

    def _add_runner(
        self, kind: str, code: str, dt: Any, clock: Any, when: str, order: int, name: str | None
    ) -> CodeRunner:
        stem = kind if self._at_home is self else f"subgroup_{kind}"
        taken = {runner.suffix for runner in self._runners}
        number = 1
        suffix = stem
        while suffix in taken:
            suffix, number = f"{stem}_{number}", number + 1
        runner = CodeRunner(self, suffix, code, dt, clock, when, order, name)
        self._runners.append(runner)
        return runner


class CodeRunner(Part):
    """Statements that run for all elements of an object in regular intervals, or at given times.

    Made by ``run_regularly`` and ``run_at`` of groups and synapses.
    """

    owner: RunsCode

    def __init__(
        self,
        owner: RunsCode,
        suffix: str,
        code: str,
        dt: Any,
        clock: Any,
        when: str,
        order: int,
        name: str | None,
    ) -> None:
        if not isinstance(code, str) or not code.strip():
            raise ArgumentError(f"{owner.name}: needs statements in text such as 'v += 1*mV', got {code!r}")
        self._name = name
        super().__init__(owner, suffix, when, order)
        self.code = code
        if isinstance(clock, EventClock):
            if dt is not None:
                raise ArgumentError(f"{self.name}: give dt or clock, not both")
            self.clock: EventClock | None = clock
            self.dt: Any = None
        else:
            self.clock = None
            self.dt = interval_of(dt, clock, self.name)
        parse_block(code, self.source)

    @property
    def source(self) -> Source:
        """The text, for messages."""
        return Source(self.code, f"{self.owner.name}: {self.suffix.removeprefix('subgroup_')}")

    @property
    def order_name(self) -> str:  # type: ignore[override]
        """The name that decides between operations of equal order."""
        return self._name or f"{self.owner._at_home.order_name}_{self.suffix}"

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        owner, name = self.owner, self.order_name
        own = getattr(owner._at_home, "_dt", None)
        beat = 1 if own is None else steps_of(own, parts.dt, f"{owner.name}: dt")
        every = beat
        if self.clock is not None:
            every = 1
            parts.indices[f"{name}.steps"] = listed_steps(self.clock, parts.dt, self.name)
        elif self.dt is not None:
            every = steps_of(self.dt, parts.dt, f"{self.name}: dt")
        owner._lower_runner(self, parts, namespace, Times(every, self.clock is not None, beat))


def check_shared(code: Code) -> None:
    """Refuse to put values of elements into a shared variable.

    Raises:
        EquationError: with the statement.
    """
    each: set[str] = {name for name, ref in code.scope.items() if ref.via != "scalar"}
    for statement in code.statements:
        if not isinstance(statement, Assign):
            continue
        own = names(statement.value) & each
        target = code.scope.get(statement.target)
        if target is None and own:
            each.add(statement.target)
        elif target is not None and target.via == "scalar" and own - {statement.target}:
            raise code.source.error(
                f"{statement.target!r} is one value for all elements, but {min(own)!r} has one for each",
                statement.span,
            )
