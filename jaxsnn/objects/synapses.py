"""Synapses: connections between two groups, and what happens when a spike arrives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from jaxsnn.equations.statements import Assign, parse_block
from jaxsnn.equations.system import Equations
from jaxsnn.errors import (
    ArgumentError,
    ConnectError,
    DelayError,
    IndexRangeError,
    NetworkError,
    Source,
    did_you_mean,
)
from jaxsnn.objects.base import Parts, SimulationObject
from jaxsnn.objects.groups import Group
from jaxsnn.objects.linked import variable as links
from jaxsnn.objects.schedule.clocks import Clock, interval_of
from jaxsnn.objects.schedule.runners import CodeRunner, Times
from jaxsnn.objects.synaptic.connecting import new_pairs
from jaxsnn.objects.synaptic.delivery import lower_regular_delivery, regular_code
from jaxsnn.objects.synaptic.equations import check_summed, lower_equations
from jaxsnn.objects.synaptic.model import SynapticModel
from jaxsnn.objects.synaptic.names import OWN, SynapticNames
from jaxsnn.objects.synaptic.pathway import Pathway
from jaxsnn.objects.synaptic.selection import SynapseSelection
from jaxsnn.objects.variables import DTYPES, HostVariable
from jaxsnn.program import Code, Variable
from jaxsnn.units import second, strip

__all__ = ["Synapses"]


class Synapses(SynapticNames):
    """Connections from a source group to a target group, with variables, equations and code of their own.

    When a neuron of the source fires, ``on_pre`` is carried out for its synapses after their delay; ``on_post``
    likewise when one of the target fires. Statements run one after the other, each for all synapses at which a
    spike arrives: several increments to one neuron all count, and the next statement reads their sum.

    In texts, a name means the variable of the synapse, else that of the target neuron; ``x_pre`` and
    ``x_post`` are those of the neurons at both ends, ``i`` and ``j`` their numbers.

    Args:
        source: Group (or subgroup) whose spikes trigger ``on_pre``.
        target: Group the synapses lead to; the source itself if left out. Other synapses can be the target (then
            ``x_post`` is a variable of theirs), and the source of variables, but never fire.
        model: Equations of each synapse. ``"w : volt"`` is a variable; ``dx/dt = ... (event-driven)`` is solved exactly
            from one spike to the next, ``(clock-driven)`` integrated in every step; ``x_post = ... : unit (summed)``
            puts into a parameter of each neuron, in every step, the sum over its synapses.
        on_pre: Statements; or several pathways by name, ``{"transmission": "v_post += w", "plasticity": "..."}``.
        on_post: The same for spikes of the target.
        delay: One delay of ``pre`` for all synapses, or one for each pathway by name; without it every synapse has its
            own ``delay`` (0 at first): ``S.delay``, ``S.post.delay``.
        max_delay: Makes the delays of ``pre`` (or of each pathway named) continuous: ``params["S"]["delay"]``, of the
            pathway ``post`` ``params["S"]["post.delay"]``, in second, at most this long. A spike arrives in two
            parts, in the steps before and after its time, so that the result has a derivative with respect to the
            delay. For code that only adds what is known at the spike.
        on_event: The event that triggers the pathways, if not ``"spike"``; one for all, or by name of the pathway.
        multisynaptic_index: Name of a variable that numbers the synapses of one pair: ``S.w[i, j, k]``.
        method, method_options: Integration scheme of the clock-driven equations (see `NeuronGroup`).
        dt: Time step of the clock-driven equations, a multiple of the network's; or ``clock``, a `Clock` that has one.
        namespace, name: as for `NeuronGroup`.
        order: Position of the clock-driven equations among objects of the same slot. Pathways have their own:
            ``S.pre.order`` (-1), ``S.post.order`` (1).

    Example:
        >>> from jaxsnn import NeuronGroup, Synapses
        >>> cells = NeuronGroup(4, "v : 1", threshold="v > 1", reset="v = 0")
        >>> ring = Synapses(cells, cells, "w : 1", on_pre="v_post += w")
        >>> ring.connect(j="(i + 1) % N_post")
        >>> ring.w = "0.5 + 0.1*i"
        >>> print(ring.j[:], ring.w[2, 3])
        [1 2 3 0] [0.7]

    Raises:
        EquationError, UnknownNameError, DimensionError: for text that cannot be understood, with the line.
        ArgumentError, DelayError: for other arguments.
    """

    when = "synapses"
    _prefix: ClassVar[str] = "synapses"

    def __init__(
        self,
        source: Group | Synapses,
        target: Group | Synapses | None = None,
        model: str | Equations = "",
        *,
        on_pre: str | Mapping[str, str] | None = None,
        on_post: str | Mapping[str, str] | None = None,
        delay: Any = None,
        max_delay: Any = None,
        on_event: str | Mapping[str, str] = "spike",
        multisynaptic_index: str | None = None,
        method: Any = None,
        method_options: Mapping[str, Any] | None = None,
        dt: Any = None,
        clock: Clock | None = None,
        namespace: Mapping[str, Any] | None = None,
        order: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(name, order=order)
        target = source if target is None else target
        for what, group in (("source", source), ("target", target)):
            if not isinstance(group, Group | Synapses):
                raise ArgumentError(f"{self.name}: the {what} must be a group of neurons, got {type(group).__name__}")
        self.source, self.target = source, target
        self.namespace = self._mapping(namespace)
        self.multisynaptic_index = multisynaptic_index
        self.method, self.method_options = method, method_options
        self._dt = interval_of(dt, clock, self.name)
        equations = model if isinstance(model, Equations) else Equations(model)
        self.model = SynapticModel.of(equations, f"{self.name}: model", self._taken(multisynaptic_index))
        self._i = np.zeros(0, np.int32)
        self._j = np.zeros(0, np.int32)
        self._connected = False
        self._version = 0
        hosts: dict[str, HostVariable] = {}
        for eq in self.model.stored.values():
            scalar = "shared" in eq.flags
            role = "parameter" if eq.kind == "parameter" else "state"
            variable = Variable("", eq.name, eq.type, eq.dim, int(scalar), scalar, role)
            hosts[eq.name] = HostVariable(variable, np.zeros(int(scalar), DTYPES[eq.type]))
        if self.model.event_driven:
            hosts["lastupdate"] = HostVariable(Variable("", "lastupdate", "integer", size=0), np.zeros(0, np.int32))
        self._links |= {eq.name: None for eq in self.model.own.values() if "linked" in eq.flags}
        self._pathways = self._make_pathways(on_pre, on_post, delay, on_event, max_delay)
        for key, pathway in self._pathways.items():
            hosts["delay" if key == "pre" else f"{key}.delay"] = pathway._hosts["delay"]
        self._hosts = hosts
        check_summed(self)

    # ---- the parts of the model ---------------------------------------------------------------------

    @property
    def equations(self) -> Equations:
        """The variables of the synapses."""
        return self.model.own

    @property
    def pathways(self) -> Mapping[str, Pathway]:
        """What happens on spikes, by name: ``"pre"``, ``"post"``, or the names given in a dictionary."""
        return dict(self._pathways)

    def _taken(self, index: str | None) -> set[str]:
        """Names that a model cannot define."""
        taken = {*OWN, "delay", "lastupdate", *dir(type(self)), *self.__dict__}
        if index is not None:
            if not isinstance(index, str) or not index.isidentifier() or index in taken or index.startswith("_"):
                raise ArgumentError(
                    f"{self.name}: multisynaptic_index is the name of a new variable such as 'k', got {index!r}"
                )
            taken.add(index)
        return taken

    def _make_pathways(
        self, on_pre: Any, on_post: Any, delay: Any, on_event: Any, max_delay: Any
    ) -> dict[str, Pathway]:
        texts: dict[str, tuple[str, str]] = {}
        for trigger, given in (("pre", on_pre), ("post", on_post)):
            what = f"on_{trigger}"
            if given is not None and not isinstance(given, str | Mapping):
                raise ArgumentError(
                    f"{self.name}: {what} is text such as 'v_post += w', or a dictionary with a text for each pathway;"
                    f" got {given!r}"
                )
            for key, text in given.items() if isinstance(given, Mapping) else [(trigger, given)]:
                if isinstance(given, Mapping) and not (isinstance(key, str) and isinstance(text, str)):
                    raise ArgumentError(f"{self.name}: {what} has a text for each name, but {key!r}: {text!r} is not")
                if isinstance(given, Mapping):
                    self._check_key(key, what, texts)
                if text is not None and text.strip():
                    parse_block(text, Source(text, f"{self.name}: {what}"))
                    texts[key] = (trigger, text)
        if not texts:
            # Connections without code too have a delay, which bridges and plots can read.
            texts["pre"] = ("pre", "")
        delays, longest = (
            given if isinstance(given, Mapping) else {} if given is None else {"pre": given}
            for given in (delay, max_delay)
        )
        events = on_event if isinstance(on_event, Mapping) else dict.fromkeys(texts, on_event)
        for what, named, kind in (
            ("delay", delays, DelayError),
            ("max_delay", longest, DelayError),
            ("on_event", events, ArgumentError),
        ):
            for key in named:
                if key not in texts:
                    raise kind(
                        f"{self.name}: there is no pathway {key!r} for this {what}; there are"
                        f" {', '.join(map(repr, texts))}, and {what}={{{next(iter(texts))!r}: ...}} names them"
                    )
        return {
            key: Pathway(self, key, trigger, text, delays.get(key), events.get(key, "spike"), longest.get(key))
            for key, (trigger, text) in texts.items()
        }

    def _check_key(self, key: str, what: str, others: Mapping[str, Any]) -> None:
        if not key.isidentifier() or key.startswith("_"):
            raise ArgumentError(f"{self.name}: {key!r} in {what} is no name of a pathway; use letters, digits, '_'")
        if key in others or key in self.model.own or key in self._taken(self.multisynaptic_index):
            raise ArgumentError(f"{self.name}: the pathway {key!r} of {what} has a name that is taken; choose another")

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return (self.source, self.target, *links.sources(self))

    # ---- creating synapses ------------------------------------------------------------------------

    def connect(
        self,
        condition: str | bool | None = None,
        *,
        i: Any = None,
        j: Any = None,
        p: Any = 1.0,
        n: Any = 1,
        skip_if_invalid: bool = False,
        namespace: Mapping[str, Any] | None = None,
    ) -> None:
        """Create synapses; several calls add up.

        * ``connect()``: all to all.
        * ``connect(i=[0, 1], j=[1, 2])``: these pairs.
        * ``connect(condition="i != j", p=0.1)``: pairs for which the condition holds, each with probability
          p (a number or text), ``n`` synapses each.
        * ``connect(j="k for k in range(i - 2, i + 3) if k != i", skip_if_invalid=True)``: targets computed
          for each source; also ``sample(N_post, p=0.1)`` and ``sample(N_post, size=10)``; with ``i="..."``
          sources computed for each target.

        Raises:
            ConnectError, EquationError: if the rule makes no sense or leads outside the groups.
        """
        try:
            self._append(*new_pairs(self, condition, i, j, p, n, skip_if_invalid, namespace))
        except (ConnectError, IndexRangeError) as error:
            if str(error).startswith(self.name):
                raise
            raise type(error)(f"{self.name}: connect: {error}") from None

    def _append(self, i: np.ndarray, j: np.ndarray) -> None:
        self._i = np.concatenate([self._i, i]) if self._i.size else i
        self._j = np.concatenate([self._j, j]) if self._j.size else j
        self._connected = True
        self._version += 1
        for host in self._hosts.values():
            if not host.variable.scalar:
                added = np.zeros(i.size, host.value.dtype)
                host.value = np.concatenate([host.value, added]) if host.value.size else added
                host.version += 1

    # ---- access ------------------------------------------------------------------------------------------

    def __getitem__(self, item: Any) -> SynapseSelection:
        return SynapseSelection(self.name, self._elements(item))

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self.__dict__.get("_pathways", ()):
            return self._pathways[name]
        if name in ("delay", "delay_") and "_hosts" in self.__dict__ and "delay" not in self._hosts:
            raise AttributeError(self._no_delay())
        return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("delay", "delay_") and "_hosts" in self.__dict__ and "delay" not in self._hosts:
            raise AttributeError(self._no_delay())
        if name in self.__dict__.get("_pathways", ()):
            raise ArgumentError(f"{self.name}.{name} is a pathway; assign {self.name}.{name}.delay or .order")
        super().__setattr__(name, value)
        if name in ("delay", "delay_"):
            self._pathways["pre"].check()

    def _no_delay(self) -> str:
        first = next(iter(self._pathways))
        return (
            f"{self.name}.delay is that of the pathway 'pre', which there is not; write"
            f" {self.name}.{first}.delay{did_you_mean('pre', self._pathways)}"
        )

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._pathways, *self.model.own]

    def delays(self, pathway: str = "pre") -> np.ndarray | float:
        """Delays of a pathway in second: one number if all synapses have the same."""
        return self._pathways[pathway].delays()

    # ---- lowering ------------------------------------------------------------------------------------------

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        """One `Deliver` operation for each pathway, an `Update` and `Summed` ones for the equations."""
        owner = self.name
        if not self._connected:
            raise NetworkError(
                f"{owner} was never connected; call {owner}.connect(...) before the run, or leave it out of the network"
            )
        text = self.model.own.source.text
        links.lower(self, parts)
        self.model = replace(self.model, own=Equations._of(self.model.own.values(), Source(text, f"{owner}: model")))
        for name, host in self._hosts.items():
            v = host.variable
            if v.role != "delay":
                size = 1 if v.scalar else len(self)
                parts.add(Variable(owner, name, v.type, v.dim, size, v.scalar, v.role), host)
        self._check_time_step(parts)
        lower_equations(self, parts, namespace)
        for part in (*self._pathways.values(), *self._runners):
            parts.lower(part, namespace)

    def _lower_runner(self, runner: CodeRunner, parts: Parts, namespace: Mapping[str, Any], times: Times) -> None:
        written = {statement.target for statement in parse_block(runner.code, runner.source)}
        if any(self._end(name) is not None for name in written):
            lower_regular_delivery(self, runner, parts, namespace, times)
        else:
            super()._lower_runner(runner, parts, namespace, times)

    def _regular_code(
        self, statements: tuple[Assign, ...], source: Source, parts: Parts, namespace: Mapping[str, Any], dt: float
    ) -> Code:
        return regular_code(self, statements, source, parts, namespace, dt)

    def _check_time_step(self, parts: Parts) -> None:
        if self._dt is not None and self.model.event_driven:
            given = float(strip(self._dt, second.dim, f"{self.name}: dt"))
            if abs(given - parts.dt) > 1e-9 * parts.dt:
                raise ArgumentError(
                    f"{self.name}: event-driven equations count the network's steps; leave out dt, or make two Synapses"
                )
