"""NeuronGroup: neurons that follow one set of equations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from jaxsnn.equations.dimensions import Symbol, require
from jaxsnn.equations.expressions import Binary, Call, Compare, Expr, Name, Number, names, parse, substitute
from jaxsnn.equations.names import Binder
from jaxsnn.equations.statements import Statement
from jaxsnn.equations.system import Equations
from jaxsnn.errors import ArgumentError, NotSupportedError, Source
from jaxsnn.objects.base import Parts, SimulationObject, steps_of
from jaxsnn.objects.blocks import check_shared
from jaxsnn.objects.groups import TIME
from jaxsnn.objects.integration import (
    check_refractory,
    integration_statements,
    refractory_statements,
    stored_updates,
)
from jaxsnn.objects.linked import variable as links
from jaxsnn.objects.schedule.clocks import Clock, interval_of
from jaxsnn.objects.schedule.events import SPIKE, Conditional, Resetter, Thresholder, event_conditions
from jaxsnn.objects.variables import DTYPES, NEVER, NEVER_SECONDS, HostVariable
from jaxsnn.program import Code, Ref, Update, Variable
from jaxsnn.units import DIMENSIONLESS, second, strip

__all__ = ["NeuronGroup"]

_NOWHERE = Source("")


class NeuronGroup(Conditional):
    """A group of neurons that follow one set of equations.

    Between spikes the state follows ``dx/dt = f(x, t)``; where ``threshold`` holds (and the neuron is not
    refractory) it fires: synapses act, then ``reset`` is carried out.

    Args:
        N: Number of neurons, at least 1.
        model: Equations (text or `Equations`).
        method: Integration scheme: ``"exact"``, ``"euler"``, ``"rk2"``, ``"rk4"``, ``"heun"``, ``"milstein"``,
            ``"exponential_euler"``, ``"dopri5"`` or ``"rkf45"`` (adaptive), a scheme object, or None for the automatic
            choice (see ``print(program)``).
        method_options: Options of an adaptive method, by name (see `jaxsnn.integrators.Adaptive`).
        threshold: Condition in text, checked in every step.
        reset: Statements in text, for the neurons that fired. ``""`` if nothing is reset.
        refractory: A time (``5*ms`` or text), or a condition in text; while it lasts, the threshold is not
            checked and variables marked ``(unless refractory)`` stay as they are.
        events: More events, each with its condition in text: ``{"low": "v < -70*mV"}``. They are checked after the
            threshold; `run_on_event`, ``Synapses(on_event=...)`` and `EventMonitor` say what happens then.
        namespace: Values of names in the text that are not variables. Without it, names are looked up where
            `run` or `compile` is called.
        dt: Own time step, a multiple of the network's; or ``clock``, a `Clock` that has one.
        order: Position among objects of the same slot.
        name: Name; see `SimulationObject`.

    Example:
        >>> from jaxsnn import NeuronGroup
        >>> from jaxsnn.units import ms, mV
        >>> cells = NeuronGroup(
        ...     3,
        ...     "dv/dt = -v/tau : volt",
        ...     threshold="v > 10*mV",
        ...     reset="v = 0*mV",
        ...     namespace={"tau": 20 * ms},
        ... )
        >>> cells.v = "i*mV"
        >>> cells.v[:]
        [0 1 2] mV

    Raises:
        EquationError, UnknownNameError, DimensionError: for text that cannot be understood, with the line.
        ArgumentError: for other arguments.
    """

    when = "groups"
    _prefix: ClassVar[str] = "neurongroup"

    def __init__(
        self,
        N: int,
        model: str | Equations = "",
        *,
        method: Any = None,
        method_options: Mapping[str, Any] | None = None,
        threshold: str | None = None,
        reset: str | None = None,
        refractory: Any = False,
        events: Mapping[str, str] | None = None,
        namespace: Mapping[str, Any] | None = None,
        dt: Any = None,
        clock: Clock | None = None,
        order: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(name, order=order)
        number: Any = N
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise ArgumentError(f"{self.name}: a group needs a whole number of neurons, at least 1; got N = {N!r}")
        self._n = int(N)
        self.method, self.method_options = method, method_options
        self.namespace = self._mapping(namespace)
        self._dt = interval_of(dt, clock, self.name)
        equations = model if isinstance(model, Equations) else Equations(model)
        self.equations = Equations._of(equations.values(), Source(equations.source.text, f"{self.name}: equations"))
        conditions = event_conditions(self.name, self._text(threshold, "threshold", "v > -50*mV"), events)
        self.threshold = conditions.get(SPIKE)
        self._code_may_follow = threshold is None  # a spike among the events is answered by run_on_event
        self.reset = self._text(reset, "reset", "v = -60*mV")
        self.refractory = refractory
        self._check_names()
        self._check_arguments()
        self._now = (0.0, 1e-4)
        self.thresholder = {event: Thresholder(self, event, text) for event, text in conditions.items()}
        self.resetter: dict[str, Resetter] = {}
        if self.reset is not None and self.reset.strip():
            self.resetter[SPIKE] = Resetter(self, SPIKE, self.reset, "resets", None)
        hosts: dict[str, HostVariable] = {}
        for eq in self.equations.values():
            if eq.kind == "subexpression" and "constant over dt" not in eq.flags:
                continue
            if "linked" in eq.flags:
                self._links[eq.name] = None
                continue
            role = "parameter" if eq.kind == "parameter" else "state"
            hosts[eq.name] = self._new(eq.name, eq.type, eq.dim, "shared" in eq.flags, role)
        if self._has_refractory:
            hosts["not_refractory"] = self._new("not_refractory", "boolean", DIMENSIONLESS)
            hosts["not_refractory"].value[:] = True
            hosts["lastspike"] = self._new("lastspike", "integer", DIMENSIONLESS)
            hosts["lastspike"].value[:] = NEVER
        self._hosts = hosts

    # ---- checks that need no values ---------------------------------------------------------------

    def _text(self, text: str | None, what: str, example: str) -> str | None:
        if text is not None and not isinstance(text, str):
            raise ArgumentError(f"{self.name}: {what} is given as text, for example {what}={example!r}; got {text!r}")
        return text

    def _check_names(self) -> None:
        for eq in self.equations.values():
            if hasattr(type(self), eq.name) or eq.name in self.__dict__:
                raise self.equations.source.error(
                    f"{eq.name!r} is an attribute that every group has; choose another name", eq.span
                )
        # Its grammar; what the names in it mean is known only when the group runs.
        if self.threshold is not None and self.threshold.strip():
            parse(self.threshold, Source(self.threshold, f"{self.name}: threshold"))
        check_refractory(self)
        check_shared(self.equations)

    def _check_arguments(self) -> None:
        name = self.name
        for eq in self.equations.values():
            if "point current" in eq.flags:
                why = "compartments are not part of this version"
                raise self.equations.source.error(why, eq.span, NotSupportedError)
            for flag in ("event-driven", "clock-driven", "summed"):
                if flag in eq.flags:
                    raise self.equations.source.error(f"the flag {flag!r} belongs to Synapses", eq.span)
            for suffix in ("_pre", "_post"):
                if eq.name.endswith(suffix):
                    raise self.equations.source.error(
                        f"names ending in {suffix!r} mean the neurons of a synapse; choose another name",
                        eq.span,
                    )
            if eq.name in ("not_refractory", "refractory", "lastspike", "refractory_until"):
                raise self.equations.source.error(f"{eq.name!r} is kept for refractoriness", eq.span)
        if self.threshold is not None and not self.threshold.strip():
            raise ArgumentError(f"{name}: the threshold is empty; leave it out for a group that never fires")
        if self.threshold is None:
            for what in ("reset", "refractory"):
                if getattr(self, what):
                    raise ArgumentError(
                        f"{name}: {what} is given but no threshold, so nothing ever fires; write for example"
                        f" threshold='v > -50*mV'"
                    )
        elif self.reset is None and not self._has_refractory and not self._code_may_follow:
            reads = names(parse(self.threshold, Source(self.threshold, f"{name}: threshold")))
            driven = reads & (set(self.equations.differential) | set(self.equations.subexpressions))
            if driven:
                raise ArgumentError(
                    f"{name}: there is a threshold ({self.threshold}) but neither reset nor refractory, so a neuron"
                    f" fires in every step as long as it is above; write for example"
                    f" reset='{min(driven)} = ...', or reset='' if that is meant"
                )

    @property
    def _has_refractory(self) -> bool:
        return self.refractory is not False and self.refractory is not None

    def _new(self, name: str, type_: str, dim: Any, scalar: bool = False, role: str = "state") -> HostVariable:
        size = 1 if scalar else self._n
        variable = Variable("", name, type_, dim, size, scalar, role)
        return HostVariable(variable, np.zeros(size, dtype=DTYPES[type_]))

    # ---- VariableOwner ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._n

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return links.sources(self)

    @property
    def N(self) -> int:
        """Number of neurons."""
        return self._n

    def _symbols(self) -> Mapping[str, Symbol]:
        symbols = {eq.name: Symbol(eq.type, eq.dim) for eq in self.equations.values()} | TIME | links.symbols(self)
        if self._has_refractory:
            symbols["not_refractory"] = Symbol("boolean")
            symbols["lastspike"] = Symbol("float", second.dim)
            symbols["_lastspike"] = Symbol("integer")
        return symbols

    def _subexpressions(self) -> Mapping[str, Expr]:
        return self._put_in(links.expressions(self))

    def _put_in(self, values: dict[str, Expr]) -> dict[str, Expr]:
        """Sub-expressions in terms of variables, in addition to those given."""
        for name, eq in self.equations.subexpressions.items():
            if "constant over dt" not in eq.flags:
                values[name] = substitute(eq.expr, values)  # type: ignore[arg-type]
        return values

    def _linked_ref(self, name: str, via: str) -> Ref | None:
        return links.ref(self, name, via)

    def _code_substitutes(self) -> Mapping[str, Expr]:
        found = self._put_in(links.expressions(self, code=True))
        if self._has_refractory:
            never = Compare("==", Name("_lastspike"), Number(NEVER))
            at = Binary("*", Name("_lastspike"), Name("dt"))
            last = Call("where", (never, Number(NEVER_SECONDS, second.dim), at))
            found = {name: substitute(expr, {"lastspike": last}) for name, expr in found.items()}
            found["lastspike"] = last
        return found

    def _read(self, name: str, elements: np.ndarray) -> Any:
        t, dt = self._now
        if self._dt is not None:  # its own steps are what `lastspike` counts
            dt = float(strip(self._dt, second.dim, f"{self.name}: dt"))
        match name:
            case "i":
                return elements
            case "N":
                return self._n
            case "t":
                return t
            case "dt":
                return dt
            case "t_in_timesteps":
                return round(t / dt)
            case "lastspike":
                steps = self._hosts["lastspike"].value[elements]
                return np.where(steps == NEVER, NEVER_SECONDS, steps * dt)
        host = self._hosts.get(name)
        if host is None:
            return links.values(self, name, elements)
        return host.value[0] if host.variable.scalar else host.value[elements]

    def _host(self, name: str) -> HostVariable:
        if name == "lastspike":
            raise KeyError(name)
        return self._hosts[name]

    def _guard(self, name: str) -> np.ndarray | None:
        eq = self.equations.get(name)
        if eq is not None and "unless refractory" in eq.flags and self._has_refractory:
            return self._hosts["not_refractory"].value
        return None

    def _guards(self) -> dict[str, str]:
        """Write protection of refractory neurons: variable -> condition."""
        if not self._has_refractory:
            return {}
        return {n: "not_refractory" for n, eq in self.equations.items() if "unless refractory" in eq.flags}

    # ---- lowering ----------------------------------------------------------------------------------------

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        """State update, threshold and reset of the group."""
        owner = self.name
        source = Source(self.equations.source.text, f"{owner}: equations")
        self.equations = Equations._of(self.equations.values(), source)
        every = 1 if self._dt is None else steps_of(self._dt, parts.dt, f"{owner}: dt")
        binder = self._binder(namespace, parts.dt * every)
        for name, host in self._hosts.items():
            v = host.variable
            parts.add(Variable(owner, name, v.type, v.dim, v.size, v.scalar, v.role), host)
        parts.add(Variable(owner, "N", "integer", DIMENSIONLESS, 1, True, "constant"), self._n)
        links.lower(self, parts)
        domain = self._window
        common = {"domain": domain, "every": every}
        statements = [
            *refractory_statements(self, binder),
            *integration_statements(self, binder, parts),
        ]
        parts.operations.extend(stored_updates(self, binder, every))
        if statements:
            guards = {**self._guards()}
            parts.operations.append(
                Update(
                    name=f"{self.order_name}_stateupdater",
                    slot="groups",
                    order=self.order,
                    code=self._code(statements, binder, guards, self.equations.source),
                    **common,  # type: ignore[arg-type]
                )
            )
        parts.add_constants(owner, binder.constants)
        for part in (*self.thresholder.values(), *self.resetter.values(), *self._runners):
            parts.lower(part, namespace)

    def _writable(self, by_all: bool = False) -> Mapping[str, str]:
        """Why names cannot be written, for those that cannot; ``by_all``: by code that runs for all neurons."""
        reasons = dict.fromkeys(self.equations.subexpressions, "is computed by its sub-expression")
        reasons |= dict.fromkeys((*TIME, "_lastspike", "lastspike"), "is given by the simulator")
        reasons |= {n: "is marked constant" for n, eq in self.equations.items() if "constant" in eq.flags}
        reasons |= dict.fromkeys(self._links, "is linked to a variable of another group")
        shared = {n: "is shared by all neurons" for n, eq in self.equations.items() if "shared" in eq.flags}
        return reasons if by_all else {**reasons, **shared}

    def _code(
        self,
        statements: Iterable[Statement],
        binder: Binder,
        guards: Mapping[str, str],
        source: Source = _NOWHERE,
    ) -> Code:
        scope: dict[str, Ref] = {}
        symbols = self._symbols()
        for name in symbols:
            if name not in self._subexpressions() and name != "lastspike":
                scope[name] = self._ref(name)
        for name, constant in binder.constants.items():
            scope[name] = Ref(self.name, name, constant.type, constant.dim, "scalar")
        return Code(tuple(statements), scope, guards, source)

    def _bound(self, text: str | Expr, source: Source, binder: Binder, expected: Symbol, what: str) -> Expr:
        expr = parse(text, source) if isinstance(text, str) else text
        bound = binder.bind(substitute(expr, self._code_substitutes()), source)
        scope = {
            **self._symbols(),
            **{n: Symbol(c.type, c.dim) for n, c in binder.constants.items()},
        }
        require(bound, expected, scope, source, what, binder.functions)
        return binder.expand(bound)
