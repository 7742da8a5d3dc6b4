"""StatisticsMonitor: mean, variance, extremes and histograms over time, computed while the network runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from jaxsnn.equations.dimensions import Symbol
from jaxsnn.equations.expressions import Expr, Name, names, parse, substitute
from jaxsnn.equations.statements import Assign, parse_block
from jaxsnn.errors import ArgumentError, NetworkError, Source, did_you_mean
from jaxsnn.objects.base import Parts, SimulationObject, steps_of
from jaxsnn.objects.groups import Group
from jaxsnn.objects.synaptic.names import SynapticNames
from jaxsnn.objects.variables import DTYPES, HostVariable, VariableOwner
from jaxsnn.program import Code, Ref, Update, Variable, Window
from jaxsnn.units import DIMENSIONLESS, Dimension, Quantity, strip

__all__ = ["StatisticsMonitor"]

# What is kept for each variable x (the value of which is _is_x), and how it changes with a sample (Welford 1962,
# doi:10.1080/00401706.1962.10490022: sums of squares would lose all digits of a small variance).
_RULES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "mean": (("mean",), "{x}_mean = {x}_mean + (_is_{x} - {x}_mean)/samples"),
    "variance": (
        ("mean", "squares"),
        "_off_{x} = _is_{x} - {x}_mean\n{x}_mean = {x}_mean + _off_{x}/samples\n"
        "{x}_squares = {x}_squares + _off_{x}*(_is_{x} - {x}_mean)",
    ),
    "minimum": (("minimum",), "{x}_minimum = where(samples == 1, _is_{x}, minimum({x}_minimum, _is_{x}))"),
    "maximum": (("maximum",), "{x}_maximum = where(samples == 1, _is_{x}, maximum({x}_maximum, _is_{x}))"),
    "histogram": (("counts",), "{x}_counts = tally_bins({x}_counts, (_is_{x} - {x}_low)/{x}_width)"),
}
_WORTH = {"float": "_x", "integer": "1.0*_x", "boolean": "where(_x, 1.0, 0.0)"}


class StatisticsMonitor(VariableOwner):
    """Follows variables over time without keeping their values: memory does not grow with the duration.

    Args:
        source: Group, subgroup or synapses; all of its elements are followed.
        variables: One name or several, sub-expressions too.
        statistics: Some of ``"mean"``, ``"variance"``, ``"minimum"``, ``"maximum"``.
        histogram: For variables by name ``(low, high, number of bins)``.
        dt: Interval of the samples, a multiple of the time step; that of the source if left out.
        when: Slot; ``"start"`` takes x(t) before anything happens in the step.

    ``M.v.mean``, ``M.v.variance``, ``M.v.std``, ``M.v.minimum``, ``M.v.maximum`` have one value for each element,
    ``M.v.histogram`` (elements, bins) counts, for bins between ``M.v.edges``; ``M.samples`` is their number. They add
    up over runs; ``M.clear()`` starts anew, for example after a transient. In a compiled simulation they are part of
    the state: ``state["M"]["v_mean"]``.

    Example:
        >>> from jaxsnn import Network, NeuronGroup, StatisticsMonitor
        >>> from jaxsnn.units import ms
        >>> cell = NeuronGroup(2, "x = i*sin(2*pi*t/(10*ms)) : 1")
        >>> stats = StatisticsMonitor(cell, "x", histogram={"x": (-1, 1, 2)})
        >>> Network(cell, stats).run(10 * ms)
        >>> print(stats.x.variance.round(3), stats.x.histogram[0], stats.samples)
        [0.  0.5] [  0 100] 100
    """

    _prefix: ClassVar[str] = "statisticsmonitor"

    def __init__(
        self,
        source: VariableOwner,
        variables: str | Sequence[str],
        statistics: str | Sequence[str] = ("mean", "variance"),
        *,
        histogram: Mapping[str, Any] | None = None,
        dt: Any = None,
        when: str = "start",
        order: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(name, when, order)
        if not isinstance(source, VariableOwner):
            raise ArgumentError(f"{self.name}: follows groups and synapses, got {type(source).__name__}")
        self.source = source
        self.variables = (variables,) if isinstance(variables, str) else tuple(variables)
        self.statistics = (statistics,) if isinstance(statistics, str) else tuple(statistics)
        self._dt = dt
        symbols = source._symbols()
        for variable in (*self.variables, *(histogram or {})):
            if variable not in symbols:
                raise ArgumentError(
                    f"{self.name}: {source.name} has no variable {variable!r}.{did_you_mean(variable, symbols)}"
                )
        known = [rule for rule in _RULES if rule != "histogram"]
        for statistic in self.statistics:
            if statistic not in known:
                raise ArgumentError(
                    f"{self.name}: there is no statistic {statistic!r}; there are {', '.join(known)}, and histogram=..."
                )
        self._bins = {v: self._edges(v, given, symbols[v].dim) for v, given in (histogram or {}).items()}
        self.variables = tuple(dict.fromkeys((*self.variables, *self._bins)))
        self._hosts: dict[str, HostVariable] = {}
        self._make()

    def _edges(self, variable: str, given: Any, dim: Dimension) -> tuple[float, float, int]:
        what = f"{self.name}: histogram of {variable!r}"
        if not isinstance(given, Sequence) or len(given) != 3:
            raise ArgumentError(f"{what} is (low, high, number of bins), got {given!r}")
        low, high = (float(strip(edge, dim, what)) for edge in given[:2])
        if not (low < high and isinstance(given[2], int | np.integer) and given[2] >= 1):
            raise ArgumentError(f"{what} needs low < high and at least one bin, got {given!r}")
        return low, high, int(given[2])

    def _rules(self, variable: str) -> list[str]:
        wanted = [s for s in self.statistics if not (s == "mean" and "variance" in self.statistics)]
        return [*wanted, "histogram"] if variable in self._bins else wanted

    def _make(self) -> None:
        n = len(self.source)
        self._new("samples", "integer", DIMENSIONLESS, (1,), scalar=True)
        for variable in self.variables:
            dim = self.source._symbols()[variable].dim
            for rule in self._rules(variable):
                for part in _RULES[rule][0]:
                    shape: tuple[int, ...] = (n, self._bins[variable][2]) if part == "counts" else (n,)
                    kind = "integer" if part == "counts" else "float"
                    own = DIMENSIONLESS if part == "counts" else dim**2 if part == "squares" else dim
                    self._new(f"{variable}_{part}", kind, own, shape)

    def _new(self, name: str, kind: str, dim: Dimension, shape: tuple[int, ...], scalar: bool = False) -> None:
        variable = Variable("", name, kind, dim, int(np.prod(shape)), scalar)
        self._hosts[name] = HostVariable(variable, np.zeros(shape, DTYPES[kind]))

    def clear(self) -> None:
        """Forget what was seen."""
        for host in self._hosts.values():
            host.value[...] = 0
            host.version += 1

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return (self.source,)

    @property
    def samples(self) -> int:
        """How many values of each element have been seen."""
        return int(self._hosts["samples"].value[0])

    def __len__(self) -> int:
        return len(self.source)

    def _symbols(self) -> Mapping[str, Symbol]:
        return {}

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self.__dict__.get("variables", ()):
            return _Statistics(self, name)
        return super().__getattr__(name)

    # ---- lowering ----------------------------------------------------------------------------------------

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        """One operation, which changes all statistics by the values of a step."""
        source, owner = self.source, self.name
        if len(self.source) != next(iter(self._shapes()), len(source)):
            self._make()  # synapses were connected since
        group = isinstance(source, Group)
        own = getattr(source._parent if group else source, "_dt", None)
        interval = own if self._dt is None else self._dt
        every = 1 if interval is None else steps_of(interval, parts.dt, f"{owner}: dt")
        binder = source._binder(namespace, parts.dt * every)
        window = source._window if isinstance(source, Group | SynapticNames) else Window(source.name, 0, len(source))
        substitutes: Mapping[str, Expr] = source._code_substitutes()
        origin = Source(", ".join(self.variables), owner)
        statements = [Assign("samples", "=", parse("samples + 1"))]
        scope: dict[str, Ref] = {}
        for name, host in self._hosts.items():
            v = host.variable
            parts.add(Variable(owner, name, v.type, v.dim, v.size, v.scalar), host)
            scope[name] = Ref(owner, name, v.type, v.dim, "scalar" if v.scalar else "self")
        for variable in self.variables:
            value = binder.expand(binder.bind(substitutes.get(variable, Name(variable)), origin))
            reads = names(value)
            # The names of the source get an underscore, which tells them from those of the monitor.
            value = substitute(value, {n: Name(f"_of_{n}") for n in reads})
            worth = parse(_WORTH[source._symbols()[variable].type])
            statements.append(Assign(f"_is_{variable}", "=", substitute(worth, {"_x": value})))
            for rule in self._rules(variable):
                low, high, bins = self._bins.get(variable, (0.0, 1.0, 1))
                edges = {f"{variable}_low": parse(repr(low)), f"{variable}_width": parse(repr((high - low) / bins))}
                for line in parse_block(_RULES[rule][1].format(x=variable)):
                    statements.append(Assign(line.target, "=", substitute(line.expr, edges)))
            for n in reads:
                scope[f"_of_{n}"] = self._ref(n, binder.constants)
        if isinstance(source, SynapticNames):
            source._provide(parts, scope.values())
        root = source._parent.name if isinstance(source, Group | SynapticNames) else source.name
        parts.add_constants(root, {n: c for n, c in binder.constants.items() if (root, n) not in parts.variables})
        parts.operations.append(
            Update(
                name=self.order_name,
                slot=self.when,
                order=self.order,
                every=every,
                domain=window,
                code=Code(tuple(statements), scope),
            )
        )

    def _shapes(self) -> list[int]:
        return [h.value.shape[0] for h in self._hosts.values() if not h.variable.scalar]

    def _ref(self, name: str, constants: Mapping[str, Any]) -> Ref:
        source: Any = self.source
        if name in constants:
            found = constants[name]
            return Ref(source._parent.name, name, found.type, found.dim, "scalar")
        return source._ref(name)


class _Statistics:
    """What is known of one variable."""

    def __init__(self, monitor: StatisticsMonitor, variable: str) -> None:
        self._monitor, self._variable = monitor, variable

    def _value(self, part: str, change: Callable[[np.ndarray], np.ndarray] = np.array, power: int = 1) -> Any:
        monitor = self._monitor
        host = monitor._hosts.get(f"{self._variable}_{part}")
        if host is None:
            raise ArgumentError(f"{monitor.name} does not follow that; give statistics=... or histogram=... for it")
        if monitor.samples == 0 and part != "counts":
            raise NetworkError(f"{monitor.name} has seen nothing yet")
        dim = monitor.source._symbols()[self._variable].dim ** power
        value = change(host.value)
        return value if dim == DIMENSIONLESS or part == "counts" else Quantity(value, dim)

    @property
    def mean(self) -> Any:
        """(n,) mean over time."""
        return self._value("mean")

    @property
    def variance(self) -> Any:
        """(n,) variance over time: the mean squared distance from the mean."""
        return self._value("squares", lambda squares: squares / self._monitor.samples, 2)

    @property
    def std(self) -> Any:
        """(n,) standard deviation over time."""
        return self._value("squares", lambda squares: np.sqrt(squares / self._monitor.samples))

    @property
    def minimum(self) -> Any:
        """(n,) smallest value."""
        return self._value("minimum")

    @property
    def maximum(self) -> Any:
        """(n,) largest value."""
        return self._value("maximum")

    @property
    def histogram(self) -> Any:
        """(n, bins) how many values fell into each bin; those outside of all are in none."""
        return self._value("counts")

    @property
    def edges(self) -> Any:
        """(bins + 1,) borders of the bins."""
        if self._variable not in self._monitor._bins:
            raise ArgumentError(f"{self._monitor.name} has no histogram of {self._variable!r}")
        low, high, bins = self._monitor._bins[self._variable]
        dim = self._monitor.source._symbols()[self._variable].dim
        edges = np.linspace(low, high, bins + 1)
        return edges if dim == DIMENSIONLESS else Quantity(edges, dim)
