"""Synapses: connections between two groups, and what happens when a spike arrives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from jaxsnn.equations.dimensions import Symbol
from jaxsnn.equations.expressions import Expr, parse, substitute
from jaxsnn.equations.generator import parse_generator
from jaxsnn.equations.system import Equations
from jaxsnn.errors import (
    ArgumentError,
    ConnectError,
    DelayError,
    IndexRangeError,
    NetworkError,
    NotSupportedError,
    Source,
)
from jaxsnn.objects.base import Parts, SimulationObject, generator_for
from jaxsnn.objects.connect import rules
from jaxsnn.objects.connect.sides import SynapseSides
from jaxsnn.objects.groups import CLOCK, Group
from jaxsnn.objects.pathways import lower_pathway
from jaxsnn.objects.variables import DTYPES, HostVariable, VariableOwner
from jaxsnn.program import Ref, Variable
from jaxsnn.units import second, strip

__all__ = ["Synapses"]

_OWN = {
    "i": Symbol("integer"),
    "j": Symbol("integer"),
    "N": Symbol("integer"),
    "N_pre": Symbol("integer"),
    "N_post": Symbol("integer"),
    "N_incoming": Symbol("integer"),
    "N_outgoing": Symbol("integer"),
    "t": Symbol("float", second.dim),
    "dt": Symbol("float", second.dim),
    "t_in_timesteps": Symbol("integer"),
}


class Synapses(VariableOwner):
    """Connections from a source group to a target group, with variables and code of their own.

    In texts, a name means the variable of the synapse, else that of the target neuron; ``x_pre`` and
    ``x_post`` are those of the neurons at both ends, ``i`` and ``j`` their numbers.

    Args:
        source: Group (or subgroup) whose spikes trigger ``on_pre``.
        target: Group the synapses lead to; the source itself if left out.
        model: Variables of each synapse, for example ``"w : volt"``.
        on_pre: Statements carried out when a spike of the source arrives, after the delay. This version
            takes statements that add to a variable of a neuron: ``v_post += w``.
        delay: One delay for all synapses; without it every synapse has its own ``delay`` (0 at first).
        namespace, order, name: as for `NeuronGroup`.

    Example:
        >>> from jaxsnn import NeuronGroup, Synapses
        >>> cells = NeuronGroup(4, "v : 1", threshold="v > 1", reset="v = 0")
        >>> ring = Synapses(cells, cells, "w : 1", on_pre="v_post += w")
        >>> ring.connect(j="(i + 1) % N_post")
        >>> ring.w = "0.5 + 0.1*i"
        >>> print(ring.j[:], ring.w[2, 3])
        [1 2 3 0] [0.7]
    """

    when = "synapses"
    _prefix: ClassVar[str] = "synapses"
    _given: ClassVar[Mapping[str, Symbol]] = _OWN

    def __init__(
        self,
        source: Group,
        target: Group | None = None,
        model: str | Equations = "",
        *,
        on_pre: str | None = None,
        on_post: str | None = None,
        delay: Any = None,
        method: Any = None,
        namespace: Mapping[str, Any] | None = None,
        order: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(name, order=order)
        target = source if target is None else target
        for what, group in (("source", source), ("target", target)):
            if not isinstance(group, Group):
                raise ArgumentError(f"{self.name}: the {what} must be a group of neurons, got {type(group).__name__}")
        self.source, self.target = source, target
        self.namespace = self._mapping(namespace)
        equations = model if isinstance(model, Equations) else Equations(model)
        self.equations = Equations._of(equations.values(), Source(equations.source.text, f"{self.name}: model"))
        self._refuse(on_pre, on_post, method)
        self.on_pre = on_pre
        self._i = np.zeros(0, np.int32)
        self._j = np.zeros(0, np.int32)
        self._connected = False
        self._version = 0
        hosts: dict[str, HostVariable] = {}
        for eq in self.equations.values():
            if eq.kind == "parameter":
                scalar = "shared" in eq.flags
                variable = Variable("", eq.name, eq.type, eq.dim, int(scalar), scalar, "parameter")
                hosts[eq.name] = HostVariable(variable, np.zeros(int(scalar), DTYPES[eq.type]))
        scalar = delay is not None
        variable = Variable("", "delay", "float", second.dim, int(scalar), scalar, "delay")
        hosts["delay"] = HostVariable(variable, np.zeros(int(scalar)))
        self._hosts = hosts
        if scalar:
            value = strip(delay, second.dim, f"{self.name}: delay")
            if np.ndim(value) != 0:
                raise DelayError(
                    f"{self.name}: the argument delay is one value for all synapses; for one delay each, leave it"
                    f" out and assign {self.name}.delay after connect"
                )
            hosts["delay"].value[:] = value
            self._check_delays()

    def _refuse(self, on_pre: Any, on_post: Any, method: Any) -> None:
        if on_post is not None:
            raise NotSupportedError(
                f"{self.name}: on_post is not part of this version; what can run is on_pre code that adds to a"
                f" variable of a neuron"
            )
        if on_pre is not None and not isinstance(on_pre, str):
            raise NotSupportedError(
                f"{self.name}: on_pre with several pathways is not part of this version; write one Synapses object"
                f" for each pathway, with one text each"
            )
        if method is not None:
            raise NotSupportedError(f"{self.name}: equations of synapses are not part of this version")
        for eq in self.equations.values():
            if eq.kind == "differential equation" or "summed" in eq.flags:
                raise self.equations.source.error(
                    "differential equations and summed variables of synapses are not part of this version; what can"
                    " run is parameters of each synapse ('w : volt') and on_pre code that adds to a variable of a"
                    " neuron ('v_post += w')",
                    eq.span,
                    NotSupportedError,
                )
            if eq.name in _OWN or eq.name == "delay" or eq.name.endswith(("_pre", "_post")):
                raise self.equations.source.error(
                    f"{eq.name!r} already means something for every synapse; choose another name",
                    eq.span,
                )

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return (self.source, self.target)

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
            self._connect(condition, i, j, p, n, skip_if_invalid, namespace)
        except (ConnectError, IndexRangeError) as error:
            if str(error).startswith(self.name):
                raise
            raise type(error)(f"{self.name}: connect: {error}") from None

    def _connect(
        self, condition: Any, i: Any, j: Any, p: Any, n: Any, skip_if_invalid: bool, given: Mapping[str, Any] | None
    ) -> None:
        n_pre, n_post = len(self.source), len(self.target)
        random = generator_for(self.order_name, "connect")
        where = f"{self.name}: connect"
        if condition is not None and not isinstance(condition, str | bool):
            raise ConnectError(
                f"{where}: a condition is text such as 'i != j', got {type(condition).__name__}; a matrix of True and"
                f" False connects with i, j = matrix.nonzero() and connect(i=i, j=j)"
            )
        for what, number in (("p", p), ("n", n)):
            if np.ndim(number):
                raise ConnectError(f"{where}: {what} is one number or text, got {number!r}")
        if condition is not None and (i is not None or j is not None):
            raise ConnectError(f"{where}: give either a condition or i/j, not both")
        if isinstance(i, str) or isinstance(j, str):
            if i is not None and j is not None:
                raise ConnectError(f"{where}: a rule in text is for one end; give either i='...' or j='...'")
            side = "j" if isinstance(j, str) else "i"
            text = j if isinstance(j, str) else i
            if not (isinstance(p, int | float) and p == 1) or not (isinstance(n, int) and n == 1):
                raise ConnectError(
                    f"{where}: p and n do not go with a rule for {side}; write 'k for k in sample(..., p=...)'"
                )
            source = Source(text, f"{where}: {side}")
            rule = parse_generator(text, side, source)
            new_i, new_j = rules.by_generator(SynapseSides(self, source, given), rule, skip_if_invalid, random)
        elif i is not None or j is not None:
            if i is None or j is None:
                raise ConnectError(f"{where}: give both i and j, or a rule in text for one of them")
            if isinstance(p, str) or isinstance(n, str):
                raise ConnectError(f"{where}: with arrays i and j, p and n are numbers")
            new_i, new_j = rules.from_arrays(i, j, n_pre, n_post, p=p, n=n, rng=random)
        else:
            if condition is False:
                new_i = new_j = np.zeros(0, np.int32)
            else:
                text = condition if isinstance(condition, str) else None
                source = Source(str(p) if text is None else text, where)
                sides = SynapseSides(self, source, given)
                parsed = None if text is None else parse(text, source)
                probability = parse(p, Source(p, f"{where}: p")) if isinstance(p, str) else p
                number = parse(n, Source(n, f"{where}: n")) if isinstance(n, str) else n
                new_i, new_j = rules.by_condition(sides, parsed, probability, number, random)
        self._append(np.asarray(new_i, np.int32), np.asarray(new_j, np.int32))

    def _append(self, i: np.ndarray, j: np.ndarray) -> None:
        self._i = np.concatenate([self._i, i]) if self._i.size else i
        self._j = np.concatenate([self._j, j]) if self._j.size else j
        self._connected = True
        self._version += 1
        for host in self._hosts.values():
            if not host.variable.scalar:
                host.value = np.concatenate([host.value, np.zeros(i.size, host.value.dtype)])
                host.version += 1

    # ---- VariableOwner ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        return int(self._i.size)

    @property
    def N(self) -> int:
        """Number of synapses."""
        return len(self)

    def _symbols(self) -> Mapping[str, Symbol]:
        symbols: dict[str, Symbol] = {}
        for name, symbol in self.target._symbols().items():
            symbols[f"{name}_post"] = symbol
            if name not in _OWN:
                symbols[name] = symbol
        for name, symbol in self.source._symbols().items():
            symbols[f"{name}_pre"] = symbol
        symbols |= _OWN
        symbols |= {eq.name: Symbol(eq.type, eq.dim) for eq in self.equations.values()}
        symbols["delay"] = Symbol("float", second.dim)
        return symbols

    def _subexpressions(self) -> Mapping[str, Expr]:
        values: dict[str, Expr] = {}
        for name, eq in self.equations.subexpressions.items():
            values[name] = substitute(eq.expr, values)  # type: ignore[arg-type]
        return values

    def _end(self, name: str) -> tuple[Group, str, str] | None:
        """For a name of a neuron at one end: (group, name there, "pre" or "post")."""
        if name in self._hosts or name in _OWN or name in self.equations:
            return None
        for suffix, group in (("_pre", self.source), ("_post", self.target)):
            if name.endswith(suffix) and name[: -len(suffix)] in group._symbols():
                return group, name[: -len(suffix)], suffix[1:]
        if name in self.target._symbols():
            return self.target, name, "post"
        return None

    def _read(self, name: str, elements: np.ndarray) -> Any:
        return self._read_at(name, self._i[elements], self._j[elements], elements)

    def _read_at(self, name: str, i: Any, j: Any, elements: np.ndarray | None) -> Any:
        match name:
            case "i":
                return i
            case "j":
                return j
            case "N":
                return len(self)
            case "N_pre":
                return len(self.source)
            case "N_post":
                return len(self.target)
            case "N_incoming":
                return np.bincount(self._j, minlength=len(self.target))[j]
            case "N_outgoing":
                return np.bincount(self._i, minlength=len(self.source))[i]
            case "t" | "dt" | "t_in_timesteps":
                return self.target._read(name, np.zeros(1, int))
        end = self._end(name)
        if end is not None:
            group, own, side = end
            sub = group._subexpressions()
            index = np.asarray(i if side == "pre" else j)
            flat = index.reshape(-1)
            if own in sub:
                source = Source(own, group.name)
                values = np.broadcast_to(group._evaluate(sub[own], source, flat), flat.shape)
            else:
                values = np.asarray(group._read(own, flat))
            return values.reshape(index.shape) if values.size == flat.size and values.ndim else values
        if elements is None:
            raise ConnectError(
                f"{self.name}: {name!r} is a variable of the synapses, which do not exist yet when connect decides;"
                f" use variables of the neurons (x_pre, x_post), i and j"
            )
        host = self._hosts[name]
        return host.value[0] if host.variable.scalar else host.value[elements]

    def _elements(self, item: Any) -> np.ndarray:
        if not self._connected:
            raise NetworkError(f"{self.name} has no synapses yet; call {self.name}.connect(...) first")
        if isinstance(item, tuple):
            if len(item) != 2:
                raise IndexRangeError(f"{self.name}: synapses are chosen by [i, j], got {len(item)} indices")
            keep = np.isin(self._i, self.source._elements(item[0]))
            keep &= np.isin(self._j, self.target._elements(item[1]))
            return np.flatnonzero(keep)
        return super()._elements(item)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in ("delay", "delay_"):
            self._check_delays()

    def _check_delays(self) -> None:
        values = self._hosts["delay"].value
        bad = ~(values >= 0) | ~np.isfinite(values)
        if np.any(bad):
            where = int(np.flatnonzero(bad)[0])
            raise DelayError(
                f"{self.name}: a delay must be a time of at least 0, but that of synapse {where} is"
                f" {values[where] * 1e3:g} ms"
            )

    def delays(self) -> np.ndarray | float:
        """Delays in second: one number if all synapses have the same."""
        host = self._hosts["delay"]
        if host.value.size == 0:
            return 0.0
        first = float(host.value[0])
        return first if np.all(host.value == first) else host.value

    # ---- lowering ------------------------------------------------------------------------------------------

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        """One `Deliver` operation for on_pre."""
        owner = self.name
        if not self._connected:
            raise NetworkError(
                f"{owner} was never connected; call {owner}.connect(...) before the run, or leave it out of the network"
            )
        for name, host in self._hosts.items():
            v = host.variable
            if v.role != "delay":
                size = 1 if v.scalar else len(self)
                parts.add(Variable(owner, name, v.type, v.dim, size, v.scalar, v.role), host)
        if self.on_pre is not None and self.on_pre.strip():
            self._check_delays()
            lower_pathway(self, parts, namespace)

    def _ref(self, name: str) -> Ref:
        if name in ("t", "dt", "t_in_timesteps"):
            return Ref(CLOCK, name, _OWN[name].type, _OWN[name].dim, "scalar")
        if name in ("i", "j"):
            return Ref(self.name, name, "integer", via=f"{'pre' if name == 'i' else 'post'}_index")
        if name in _OWN:
            via = "self" if name in ("N_incoming", "N_outgoing") else "scalar"
            return Ref(self.name, name, "integer", via=via)
        end = self._end(name)
        if end is not None:
            group, own, side = end
            return group._ref(own, side)
        host = self._hosts[name]
        return Ref(
            self.name,
            name,
            host.variable.type,
            host.variable.dim,
            "scalar" if host.variable.scalar else "self",
        )
