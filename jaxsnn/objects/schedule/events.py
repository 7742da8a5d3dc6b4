"""Events of neurons: the conditions that find them, and the code that runs on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jaxsnn.equations.dimensions import Symbol
from jaxsnn.equations.expressions import parse
from jaxsnn.equations.statements import parse_block
from jaxsnn.errors import ArgumentError, Source, did_you_mean
from jaxsnn.objects.base import Part, Parts, steps_of
from jaxsnn.objects.blocks import bind_block
from jaxsnn.objects.groups import Group
from jaxsnn.program import Reset, Threshold

if TYPE_CHECKING:
    from jaxsnn.objects.neurongroup import NeuronGroup

__all__ = ["SPIKE", "Conditional", "Resetter", "Thresholder", "event_conditions"]

SPIKE = "spike"


class Thresholder(Part):
    """The check of an event's condition in every step.

    Neurons for which the condition holds have the event. For ``"spike"`` refractory neurons are left out, and those
    that fire become refractory; other events know no refractoriness.
    """

    owner: NeuronGroup

    def __init__(self, group: NeuronGroup, event: str, condition: str) -> None:
        # A condition of the user can read which neurons have fired: it is checked after the threshold.
        when = "thresholds" if event == SPIKE else "after_thresholds"
        super().__init__(group, f"{event}_thresholder", when)
        self.event = event
        self.condition = condition

    @property
    def source(self) -> Source:
        """The text, for messages."""
        what = "threshold" if self.event == SPIKE else f"event {self.event!r}"
        return Source(self.condition, f"{self.owner.name}: {what}")

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        group, source = self.owner, self.source
        every = 1 if group._dt is None else steps_of(group._dt, parts.dt, f"{group.name}: dt")
        binder = group._binder(namespace, parts.dt * every)
        what = "a threshold" if self.event == SPIKE else "the condition of an event"
        condition = group._bound(self.condition, source, binder, Symbol("boolean"), what)
        parts.events[(group.name, self.event)] = len(group)
        parts.operations.append(
            Threshold(
                name=self.order_name,
                slot=self.when,
                order=self.order,
                every=every,
                domain=group._window,
                event=self.event,
                condition=condition,
                code=group._code((), binder, {}, source),
                refractory=group._has_refractory and self.event == SPIKE,
            )
        )
        parts.add_constants(group.name, binder.constants)


class Resetter(Part):
    """Code for the neurons that have an event: a reset, or what `NeuronGroup.run_on_event` was given."""

    owner: NeuronGroup

    def __init__(self, group: Any, event: str, code: str, when: str, order: int | None) -> None:
        super().__init__(group, f"{event}_resetter", when, order)
        self.event = event
        self.code = code
        parse_block(code, self.source)

    @property
    def source(self) -> Source:
        """The text, for messages."""
        reset = self.event == SPIKE and self.when == "resets"
        return Source(self.code, f"{self.owner.name}: {'reset' if reset else f'run_on_event {self.event!r}'}")

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        group, source = self.owner, self.source
        if not self.code.strip():
            return
        every = 1 if group._dt is None else steps_of(group._dt, parts.dt, f"{group.name}: dt")
        binder = group._binder(namespace, parts.dt * every)
        statements = parse_block(self.code, source)
        block = bind_block(statements, source, group._symbols(), group._writable(), binder, group._code_substitutes())
        parts.operations.append(
            Reset(
                name=self.order_name,
                slot=self.when,
                order=self.order,
                every=every,
                domain=group._window,
                event=self.event,
                # As in Brian, refractory neurons are not protected from code on their own events.
                code=group._code(block, binder, {}, source),
            )
        )
        parts.add_constants(group.name, binder.constants)


class Conditional(Group):
    """The part of `NeuronGroup` that has events."""

    thresholder: dict[str, Thresholder]
    resetter: dict[str, Resetter]

    def _events(self) -> tuple[str, ...]:
        return tuple(self.thresholder)

    def _event_place(self, event: str) -> tuple[str, int]:
        return self.thresholder[event].when, self.thresholder[event].order

    @property
    def events(self) -> dict[str, str]:
        """The conditions of all events by name; the threshold is that of ``"spike"``."""
        return {event: found.condition for event, found in self.thresholder.items()}

    def run_on_event(self, event: str, code: str, when: str = "after_resets", order: int | None = None) -> Resetter:
        """Run code for the neurons that have an event, in every step in which they have it.

        Args:
            event: Name of an event of the group; for ``"spike"`` only if there is no reset.
            code: Statements; refractory neurons are not protected from them.
            when, order: Its place in the schedule, by default that of the group in the slot ``after_resets``.

        Returns what the group has in ``resetter[event]``; set its ``active`` to switch it off.

        Raises:
            ArgumentError: if there is no such event, or code for it already.
        """
        known_event(self, event)
        if event in self.resetter:
            raise ArgumentError(f"{self.name}: the event {event!r} has its code already: {self.resetter[event].code}")
        self.resetter[event] = Resetter(self, event, code, when, order)
        return self.resetter[event]

    def set_event_schedule(self, event: str, when: str = "after_thresholds", order: int | None = None) -> None:
        """Choose when in a step the condition of an event is checked (see the slots of `SimulationObject`)."""
        known_event(self, event)
        found = self.thresholder[event]
        found._place(found.name, when, self.order if order is None else order)


def event_conditions(name: str, threshold: str | None, events: Any) -> dict[str, str]:
    """The conditions of all events of a group, by name; the threshold is that of ``"spike"``.

    Raises:
        ArgumentError: for events that are no dictionary of names and conditions in text.
    """
    if events is None:
        events = {}
    if not isinstance(events, Mapping):
        raise ArgumentError(
            f"{name}: events are a dictionary from names to conditions such as {{'low': 'v < -70*mV'}}, got {events!r}"
        )
    found = {} if threshold is None else {SPIKE: threshold}
    for event, condition in events.items():
        if not (isinstance(event, str) and event.isidentifier()) or event.startswith("_"):
            raise ArgumentError(f"{name}: {event!r} is no name of an event; use letters, digits and '_'")
        if event in found:
            raise ArgumentError(f"{name}: the threshold is the event 'spike'; leave one of the two out")
        if not isinstance(condition, str):
            raise ArgumentError(
                f"{name}: the condition of the event {event!r} is text such as 'v < -70*mV', got {condition!r}"
            )
        if not condition.strip():
            raise ArgumentError(f"{name}: the condition of the event {event!r} is empty; leave the event out")
        parse(condition, Source(condition, f"{name}: event {event!r}"))
        found[event] = condition
    return found


def known_event(group: Group, event: str) -> None:
    """Refuse an event that a group does not have."""
    if event not in group._events():
        known = ", ".join(group._events())
        has = f"it has {known}" if known else "it has none"
        raise ArgumentError(
            f"{group.name} has no event {event!r}; {has}.{did_you_mean(event, group._events())}"
            + (" Give it threshold='...'" if event == SPIKE else f" Give it events={{{event!r}: '...'}}")
        )
