"""Poisson spikes: a group that fires at given rates, and the summed input of many Poisson sources."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from jaxsnn.equations.dimensions import Symbol, require
from jaxsnn.equations.expressions import Binary, Call, Compare, Expr, Name, parse
from jaxsnn.equations.names import Constant
from jaxsnn.equations.statements import Assign
from jaxsnn.errors import ArgumentError, Source, did_you_mean
from jaxsnn.objects.base import Parts, SimulationObject, steps_of
from jaxsnn.objects.blocks import bind_block
from jaxsnn.objects.groups import TIME, Group, Subgroup
from jaxsnn.objects.neurongroup import NeuronGroup
from jaxsnn.objects.variables import HostVariable
from jaxsnn.program import Code, Ref, Threshold, Update, Variable
from jaxsnn.units import DIMENSIONLESS, hertz, strip

__all__ = ["PoissonGroup", "PoissonInput"]

RATE = Symbol("float", hertz.dim)


class PoissonGroup(Group):
    """Independent Poisson neurons: in each step, neuron i fires with probability ``rates[i]*dt``.

    Args:
        N: Number of neurons.
        rates: A rate, one for each neuron, or text that is computed anew in every step (it may read ``t``, ``i`` and
            `TimedArray`).
        dt: Own time step, a multiple of the network's.
        order: Position among objects of the same slot.
        namespace: Values of names in the text.
        name: Name; see `SimulationObject`.

    Rates given as values are parameters (``params["sources"]["rates"]``, in hertz) and can be assigned between runs.
    A neuron fires at most once a step, so ``rates*dt`` above 1 loses spikes: that is warned of.

    Example:
        >>> from jaxsnn import Network, PoissonGroup, SpikeMonitor
        >>> from jaxsnn.units import Hz, ms
        >>> sources = PoissonGroup(3, rates=[0, 0, 10000] * Hz)
        >>> spikes = SpikeMonitor(sources)
        >>> Network(sources, spikes).run(1 * ms)
        >>> spikes.count.tolist()
        [0, 0, 10]

    Raises:
        ArgumentError: for N below 1, and for rates that are negative or NaN.
        DimensionError: for rates without the unit hertz.
    """

    when = "thresholds"
    _prefix: ClassVar[str] = "poissongroup"

    def __init__(
        self,
        N: int,
        rates: Any,
        *,
        dt: Any = None,
        order: int = 0,
        namespace: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name, order=order)
        if isinstance(N, bool) or not isinstance(N, int | np.integer) or N < 1:
            raise ArgumentError(f"{self.name}: a group needs a whole number of neurons, at least 1; got N = {N!r}")
        self._n = int(N)
        self._dt = dt
        self.namespace = None if namespace is None else dict(namespace)
        self._text = rates if isinstance(rates, str) else None
        self._expr = parse(rates, self._source) if isinstance(rates, str) else None
        self._now = (0.0, 1e-4)
        if self._expr is not None:
            self._hosts = {}
        else:
            variable = Variable("", "rates", "float", hertz.dim, self._n, role="parameter")
            self._hosts = {"rates": HostVariable(variable, np.zeros(self._n))}
            self.rates = rates
            self._check_rates(None)

    @property
    def _source(self) -> Source:
        return Source(self._text or "", f"{self.name}: rates")

    # ---- VariableOwner -----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._n

    @property
    def N(self) -> int:
        """Number of neurons."""
        return self._n

    def _symbols(self) -> Mapping[str, Symbol]:
        return {"rates": RATE, **TIME}

    def _subexpressions(self) -> Mapping[str, Expr]:
        return {} if self._expr is None else {"rates": self._expr}

    def _read(self, name: str, elements: np.ndarray) -> Any:
        t, dt = self._now
        given = {"i": elements, "N": self._n, "t": t, "dt": dt, "t_in_timesteps": round(t / dt)}
        return given[name] if name in given else self._hosts[name].value[elements]

    # ---- lowering ------------------------------------------------------------------------------------------

    def _check_rates(self, dt: float | None) -> None:
        values = self._hosts["rates"].value
        wrong = np.flatnonzero(~(values >= 0))
        if wrong.size:
            raise ArgumentError(
                f"{self.name}: rates cannot be negative; the rate of neuron {wrong[0]} is {values[wrong[0]]:g} Hz"
            )
        if dt is not None and values.max() * dt > 1 + 1e-9:
            fastest = int(values.argmax())
            warnings.warn(
                f"{self.name}: the rate of neuron {fastest}, {values[fastest]:g} Hz, times the time step"
                f" {dt * 1e3:g} ms is above 1; a neuron fires at most once a step, so it will fire with"
                f" {1 / dt:g} Hz. Use a shorter time step, or several neurons",
                stacklevel=2,
            )

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        """The threshold ``rand() < rates*dt``."""
        owner = self.name
        every = 1 if self._dt is None else steps_of(self._dt, parts.dt, f"{owner}: dt")
        binder = self._binder(namespace, parts.dt * every)
        parts.add(Variable(owner, "N", "integer", DIMENSIONLESS, 1, True, "constant"), self._n)
        rates: Expr = Name("rates")
        if self._expr is None:
            self._check_rates(parts.dt * every)
            host = self._hosts["rates"]
            parts.add(Variable(owner, "rates", "float", hertz.dim, self._n, role="parameter"), host)
        else:
            rates = binder.bind(self._expr, self._source)
            scope = {**TIME, **{n: Symbol(c.type, c.dim) for n, c in binder.constants.items()}}
            require(rates, RATE, scope, self._source, "a rate", binder.functions)
            rates = binder.expand(rates)
        refs = {n: self._ref(n) for n in self._symbols() if n != "rates" or self._expr is None}
        refs |= {n: Ref(owner, n, c.type, c.dim, "scalar") for n, c in binder.constants.items()}
        parts.events[(owner, "spike")] = self._n
        parts.operations.append(
            Threshold(
                name=f"{self.order_name}_spike_thresholder",
                slot="thresholds",
                order=self.order,
                every=every,
                domain=self._window,
                event="spike",
                condition=Compare("<", Call("rand", ()), Binary("*", rates, Name("dt"))),
                code=Code((), refs, {}, self._source),
            )
        )
        parts.add_constants(owner, binder.constants)
        for runner in self._runners:
            parts.lower(runner, namespace)


class PoissonInput(SimulationObject):
    """The input of N independent Poisson sources to each neuron of a group, without simulating the sources.

    In each step ``target_var += weight*k``, with k drawn for each neuron from the binomial distribution of N trials
    with probability ``rate*dt``. Refractory neurons keep variables marked ``(unless refractory)``.

    Args:
        target: `NeuronGroup` or subgroup.
        target_var: Name of the variable that receives the input.
        N: Number of sources of each neuron.
        rate: Rate of each source.
        weight: What one spike adds: a value with the unit of the variable, or text in the context of the target.
        when: Slot of the schedule.
        order: Position among objects of the same slot.
        name: Name; see `SimulationObject`.

    ``rate`` and ``weight`` (given as a value) are parameters under the name of the object,
    ``params["background"]["rate"]``. The result has a derivative with respect to the weight, none with respect to
    the rate.

    Example:
        >>> from jaxsnn import Network, NeuronGroup, PoissonInput
        >>> from jaxsnn.units import Hz, ms
        >>> cells = NeuronGroup(2, "v : 1")
        >>> background = PoissonInput(cells, "v", N=100, rate=10000 * Hz, weight=0.125)
        >>> Network(cells, background, dt=0.1 * ms).run(0.3 * ms)
        >>> print(cells.v[:])
        [37.5 37.5]

    Raises:
        ArgumentError: for another target, a variable that it does not have or that cannot be written, an N that is no
            whole number of at least 1, and a rate that is negative or above 1/dt.
        DimensionError: for a rate that is not in hertz, or a weight without the unit of the variable.
    """

    when = "synapses"
    _prefix: ClassVar[str] = "poissoninput"

    def __init__(
        self,
        target: NeuronGroup | Subgroup,
        target_var: str,
        N: int,
        rate: Any,
        weight: Any,
        when: str = "synapses",
        order: int = 0,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(name, when, order)
        root = target._parent if isinstance(target, Group) else target
        if not isinstance(root, NeuronGroup):
            raise ArgumentError(f"{self.name}: the target is a NeuronGroup or a part of one, got {target!r}")
        host = root._hosts.get(target_var)
        if host is None or host.variable.type != "float":
            raise ArgumentError(
                f"{self.name}: {root.name} has no variable {target_var!r} with floating-point values that input can be"
                f" added to.{did_you_mean(str(target_var), root._hosts)}"
            )
        if isinstance(N, bool) or not isinstance(N, int | np.integer) or N < 1:
            raise ArgumentError(f"{self.name}: needs a whole number of sources, at least 1; got N = {N!r}")
        self.target = target
        self._root = root
        self.target_var = target_var
        self.N = int(N)
        self.rate = rate
        self.weight = weight
        self._rate = self._value("rate", rate, RATE.dim)
        if not self._rate >= 0:
            raise ArgumentError(f"{self.name}: a rate cannot be negative, got {rate!r}")
        if not isinstance(weight, str):
            self._value("weight", weight, host.variable.dim)

    def _value(self, what: str, given: Any, dim: Any) -> float:
        value = np.asarray(strip(given, dim, f"{self.name}: {what}"))
        if value.ndim or value.dtype.kind not in "fiu":
            advice = "; text such as weight='w' can read a variable of the target" if what == "weight" else ""
            raise ArgumentError(f"{self.name}: {what} is one value for all neurons, got {given!r}{advice}")
        return float(value)

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return (self.target,)

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        """The update ``target_var += weight*binomial(N, rate*dt)``."""
        target, root, owner = self.target, self._root, self.name
        every = 1 if root._dt is None else steps_of(root._dt, parts.dt, f"{root.name}: dt")
        dt = parts.dt * every
        if self._rate * dt > 1 + 1e-9:
            raise ArgumentError(
                f"{owner}: the rate {self._rate:g} Hz times the time step {dt * 1e3:g} ms is above 1, and is no"
                f" probability; use more sources with a lower rate, or a shorter time step"
            )
        own = {"_N": Constant(self.N, DIMENSIONLESS, "integer"), "_rate": Constant(self._rate, hertz.dim)}
        dim = root._hosts[self.target_var].variable.dim
        if isinstance(self.weight, str):
            source = Source(self.weight, f"{owner}: weight")
            weight = parse(self.weight, source)
        else:
            source = Source(f"{self.target_var} += weight*binomial(N, rate*dt)", owner)
            own["_weight"] = Constant(self._value("weight", self.weight, dim), dim)
            weight = Name("_weight")
        count = Call("binomial", (Name("_N"), Binary("*", Name("_rate"), Name("dt"))))
        statement = Assign(self.target_var, "+=", Binary("*", weight, count), (0, len(source.text)))
        binder = target._binder(namespace, dt)
        symbols = {**target._symbols(), **{n: Symbol(c.type, c.dim) for n, c in own.items()}}
        block = bind_block((statement,), source, symbols, root._writable(), binder, target._code_substitutes())
        hidden = {*target._subexpressions(), "lastspike"}
        scope = {n: target._ref(n) for n in target._symbols() if n not in hidden}
        scope |= {n: Ref(owner, n, c.type, c.dim, "scalar") for n, c in binder.constants.items()}
        scope |= {n: Ref(owner, n[1:], c.type, c.dim, "scalar") for n, c in own.items()}
        parts.operations.append(
            Update(
                name=self.order_name,
                slot=self.when,
                order=self.order,
                every=every,
                domain=target._window,
                code=Code(block, scope, root._guards(), source),
            )
        )
        parts.add_constants(owner, {**binder.constants, **{n[1:]: c for n, c in own.items()}})
