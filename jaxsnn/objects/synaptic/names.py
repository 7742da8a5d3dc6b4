"""What names mean for synapses: their own variables, those of the neurons at both ends, numbers of synapses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from jaxsnn.equations.dimensions import Symbol
from jaxsnn.equations.expressions import Binary, Expr, Name, names, substitute
from jaxsnn.errors import ConnectError, IndexRangeError, NetworkError, Source
from jaxsnn.objects.base import Parts
from jaxsnn.objects.connect import rules
from jaxsnn.objects.groups import CLOCK, Group
from jaxsnn.objects.linked import variable as links
from jaxsnn.objects.schedule.runners import RunsCode
from jaxsnn.objects.synaptic.model import SynapticModel
from jaxsnn.objects.synaptic.selection import SynapseSelection
from jaxsnn.program import Ref, Variable, Window
from jaxsnn.units import DIMENSIONLESS, second

__all__ = ["OWN", "SynapticNames"]

_TIME = {
    "t": Symbol("float", second.dim),
    "dt": Symbol("float", second.dim),
    "t_in_timesteps": Symbol("integer"),
}
_NUMBERS = ("N", "N_pre", "N_post")
_COUNTS = {
    "N_incoming": "N_incoming",
    "N_incoming_post": "N_incoming",
    "N_outgoing": "N_outgoing",
    "N_outgoing_pre": "N_outgoing",
}
OWN: Mapping[str, Symbol] = {**dict.fromkeys(("i", "j", *_NUMBERS, *_COUNTS), Symbol("integer")), **_TIME}
"""Names that every synapse has, besides the variables of its model."""


class SynapticNames(RunsCode):
    """The part of `Synapses` that gives names their meaning.

    A name is that of a variable of the synapse, else of the neuron the synapse leads to; ``x_pre`` and ``x_post``
    are variables of the neurons at both ends.
    """

    source: Group | SynapticNames
    target: Group | SynapticNames
    model: SynapticModel
    multisynaptic_index: str | None
    _i: np.ndarray
    _j: np.ndarray
    _connected: bool

    # ---- as the end of other synapses -------------------------------------------------------------------

    @property
    def _parent(self) -> SynapticNames:
        return self

    @property
    def _window(self) -> Window:
        return Window(self.name, 0, len(self))

    def _events(self) -> tuple[str, ...]:
        """Synapses never fire."""
        return ()

    def _end_symbols(self) -> Mapping[str, Symbol]:
        """The names that synapses onto these synapses can read with a suffix."""
        own = {name: Symbol(eq.type, eq.dim) for name, eq in self.model.stored.items()}
        own |= {name: Symbol(eq.type, eq.dim) for name, eq in self.model.own.items() if name in self._end_substitutes()}
        return own | {"i": Symbol("integer"), "j": Symbol("integer"), "N": Symbol("integer")} | _TIME

    def _end_substitutes(self) -> Mapping[str, Expr]:
        """Sub-expressions that read nothing but the synapses' own variables."""
        foreign = set(self._symbols()) - set(self.model.stored) - {"i", "j", "N", *_TIME}
        return {name: expr for name, expr in self._subexpressions().items() if not names(expr) & foreign}

    # ---- names ----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return int(self._i.size)

    @property
    def N(self) -> int:
        """Number of synapses."""
        return len(self)

    @property
    def N_pre(self) -> int:
        """Number of source neurons."""
        return len(self.source)

    @property
    def N_post(self) -> int:
        """Number of target neurons."""
        return len(self.target)

    @property
    def N_incoming_post(self) -> np.ndarray:
        """For each target neuron, how many synapses lead to it."""
        return np.bincount(self._j, minlength=len(self.target)).astype(np.int32)

    @property
    def N_outgoing_pre(self) -> np.ndarray:
        """For each source neuron, how many synapses leave it."""
        return np.bincount(self._i, minlength=len(self.source)).astype(np.int32)

    def _given(self) -> Mapping[str, Symbol]:
        """Names that the simulator computes."""
        given = dict(OWN)
        if self.multisynaptic_index is not None:
            given[self.multisynaptic_index] = Symbol("integer")
        if self.model.event_driven:
            given |= {"lastupdate": Symbol("float", second.dim), "_lastupdate": Symbol("integer")}
        return given

    def _symbols(self) -> Mapping[str, Symbol]:
        given = self._given()
        symbols: dict[str, Symbol] = {}
        for name, symbol in end_symbols(self.target).items():
            symbols[f"{name}_post"] = symbol
            if name not in given:
                symbols[name] = symbol
        for name, symbol in end_symbols(self.source).items():
            symbols[f"{name}_pre"] = symbol
        symbols |= given
        symbols |= {eq.name: Symbol(eq.type, eq.dim) for eq in self.model.own.values()} | links.symbols(self)
        if "delay" in self._hosts:
            symbols["delay"] = Symbol("float", second.dim)
        return symbols

    def _subexpressions(self) -> Mapping[str, Expr]:
        return self._put_in(links.expressions(self))

    def _put_in(self, values: dict[str, Expr]) -> dict[str, Expr]:
        """Sub-expressions in terms of variables, in addition to those given."""
        for name, eq in self.model.own.subexpressions.items():
            if "constant over dt" not in eq.flags:
                values[name] = substitute(eq.expr, values)  # type: ignore[arg-type]
        return values

    def _code_substitutes(self) -> dict[str, Expr]:
        """Names that stand for expressions in code: sub-expressions, those of both ends too, and ``lastupdate``."""
        found: dict[str, Expr] = {}
        for suffix, group in (("_pre", self.source), ("_post", self.target)):
            known = end_symbols(group)
            for name, expr in end_substitutes(group).items():
                moved = substitute(expr, {n: Name(f"{n}{suffix}") for n in names(expr) if n in known})
                found[f"{name}{suffix}"] = moved
                if suffix == "_post" and self._end(name) is not None:
                    found.setdefault(name, moved)
        if self.model.event_driven:
            found["lastupdate"] = Binary("*", Name("_lastupdate"), Name("dt"))
        own = self._put_in(links.expressions(self, code=True))
        return {**found, **{name: substitute(expr, found) for name, expr in own.items()}}

    def _end(self, name: str) -> tuple[Group | SynapticNames, str, str] | None:
        """For a name of a neuron at one end: (group, name there, "pre" or "post")."""
        if name in self._hosts or name in self._given() or name in self.model.own or name in links.symbols(self):
            return None
        for suffix, group in (("_pre", self.source), ("_post", self.target)):
            if name.endswith(suffix) and name[: -len(suffix)] in end_symbols(group):
                return group, name[: -len(suffix)], suffix[1:]
        if name in end_symbols(self.target):
            return self.target, name, "post"
        return None

    def _state_names(self) -> tuple[str, ...]:
        foreign = {name for name in self._symbols() if self._end(name) is not None}
        return tuple(name for name in super()._state_names() if name not in foreign)

    # ---- values on the host -----------------------------------------------------------------------------------

    def _read(self, name: str, elements: np.ndarray) -> Any:
        return self._read_at(name, self._i[elements], self._j[elements], elements)

    def _read_at(self, name: str, i: Any, j: Any, elements: np.ndarray | None) -> Any:
        """Values of a name for pairs (i, j), which are the synapses ``elements`` or may become synapses (None)."""
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
            case "t" | "dt" | "t_in_timesteps":
                return self._now_of(name)
        if name in _COUNTS:
            return self.N_incoming_post[j] if _COUNTS[name] == "N_incoming" else self.N_outgoing_pre[i]
        end = self._end(name)
        if end is not None:
            return _at_end(*end[:2], np.asarray(i if end[2] == "pre" else j))
        if elements is None:
            raise ConnectError(
                f"{self.name}: {name!r} is a variable of the synapses, which do not exist yet when connect decides;"
                f" use variables of the neurons (x_pre, x_post), i and j"
            )
        if name == self.multisynaptic_index:
            return rules.multapses(self._i, self._j)[elements]
        if name in ("lastupdate", "_lastupdate"):
            steps = self._hosts["lastupdate"].value[elements]
            return steps if name == "_lastupdate" else steps * self._time()[1]
        host = self._hosts.get(name)
        if host is None:
            return links.values(self, name, elements)
        return host.value[0] if host.variable.scalar else host.value[elements]

    def _now_of(self, name: str) -> Any:
        t, dt = self._time()
        return {"t": t, "dt": dt, "t_in_timesteps": round(t / dt)}[name]

    def _host(self, name: str) -> Any:
        if name == "lastupdate":
            raise KeyError(name)
        return self._hosts[name]

    def _elements(self, item: Any) -> np.ndarray:
        if not self._connected:
            raise NetworkError(f"{self.name} has no synapses yet; call {self.name}.connect(...) first")
        if isinstance(item, SynapseSelection):
            return item.indices
        if isinstance(item, tuple):
            if len(item) == 3 and self.multisynaptic_index is None:
                raise IndexRangeError(
                    f"{self.name}: a third index chooses among several synapses of a pair, and needs"
                    f" multisynaptic_index='k' when the synapses are made"
                )
            if len(item) not in (2, 3):
                raise IndexRangeError(f"{self.name}: synapses are chosen by [i, j], got {len(item)} indices")
            keep = np.isin(self._i, self.source._elements(item[0]))
            keep &= np.isin(self._j, self.target._elements(item[1]))
            if len(item) == 3:
                keep &= _chosen(item[2], rules.multapses(self._i, self._j))
            return np.flatnonzero(keep)
        return super()._elements(item)

    # ---- names in the code of operations -----------------------------------------------------------------------

    def _ref(self, name: str, via: str = "self") -> Ref:
        """How code for all synapses reads a name; with ``via``, how that of other synapses onto these does."""
        symbol = self._end_symbols()[name] if via != "self" else self._symbols()[name]
        if name in _TIME:
            return Ref(CLOCK, name, symbol.type, symbol.dim, "scalar")
        if name in _NUMBERS:
            return Ref(self.name, name, "integer", via="scalar")
        if name in _COUNTS:
            return Ref(self.name, _COUNTS[name], "integer")
        if name in ("i", "j", self.multisynaptic_index):
            return Ref(self.name, name, "integer", via=via)
        if name == "_lastupdate":
            return Ref(self.name, "lastupdate", "integer")
        end = self._end(name) if via == "self" else None
        if end is not None:
            group, own, side = end
            if own == "i" and isinstance(group, Group):
                return Ref(self.name, "i" if side == "pre" else "j", "integer")
            return group._ref(own, side)
        linked = links.ref(self, name, via)
        if linked is not None:
            return linked
        scalar = self._hosts[name].variable.scalar
        return Ref(self.name, name, symbol.type, symbol.dim, "scalar" if scalar else via)

    def _scope(self, constants: Mapping[str, Any]) -> dict[str, Ref]:
        """All names that code for all synapses may use."""
        substituted = self._code_substitutes()
        scope = {n: self._ref(n) for n in self._symbols() if n not in substituted and n != "lastupdate"}
        return scope | {n: Ref(self.name, n, c.type, c.dim, "scalar") for n, c in constants.items()}

    def _provide(self, parts: Parts, refs: Iterable[Ref], ends: bool = True) -> None:
        """Add what the simulator computes, where code reads it: numbers of neurons and synapses, and the ends.

        ``ends``: the code runs for all synapses in every step, and has to find the neurons at their ends.
        """
        everything = np.arange(len(self))
        for ref in refs:
            if ref.owner != self.name:
                if isinstance(self.target, SynapticNames) and ref.owner == self.target.name:
                    self.target._provide(parts, [Ref(ref.owner, ref.name, ref.type)], ends=False)
                if ends and ref.via in ("pre", "post"):
                    for end, at, group in (("i", self._i, self.source), ("j", self._j, self.target)):
                        parts.indices[f"{self.name}.{end}"] = at + np.int32(group._window.start)
            elif ref.key not in parts.variables:
                if ref.name == "delay" and "delay" in self._hosts:
                    self._pathways["pre"].provide_delay(parts)
                elif ref.name in _NUMBERS:
                    value = self._read_at(ref.name, 0, 0, None)
                    parts.add(Variable(self.name, ref.name, "integer", DIMENSIONLESS, 1, True, "constant"), value)
                elif ref.name in ("i", "j", self.multisynaptic_index, *_COUNTS) and "index" not in ref.via:
                    value = np.asarray(self._read_at(ref.name, self._i, self._j, everything), np.int32)
                    variable = Variable(self.name, ref.name, "integer", DIMENSIONLESS, len(self), False, "constant")
                    parts.add(variable, value)


def end_symbols(group: Group | SynapticNames) -> Mapping[str, Symbol]:
    """The names of a group that synapses can read with a suffix."""
    return group._end_symbols() if isinstance(group, SynapticNames) else group._symbols()


def end_substitutes(group: Group | SynapticNames) -> Mapping[str, Expr]:
    """Names of a group that stand for expressions."""
    return group._end_substitutes() if isinstance(group, SynapticNames) else group._code_substitutes()


def _at_end(group: Any, name: str, index: np.ndarray) -> Any:
    sub = group._subexpressions()
    flat = index.reshape(-1)
    if name in sub:
        values = np.broadcast_to(group._evaluate(sub[name], Source(name, group.name), flat), flat.shape)
    else:
        values = np.asarray(group._read(name, flat))
    return values.reshape(index.shape) if values.size == flat.size and values.ndim else values


def _chosen(item: Any, number: np.ndarray) -> np.ndarray:
    """Which synapses a third index chooses, by their number within their pair."""
    if isinstance(item, slice):
        return np.isin(number, np.arange(int(number.max(initial=-1)) + 1)[item])
    return np.isin(number, np.asarray(item))
