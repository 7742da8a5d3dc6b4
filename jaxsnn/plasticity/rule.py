"""The contract of all plasticity rules: texts and values with their source, from which synapses are built."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from jaxsnn.citation import Citation
from jaxsnn.errors import ArgumentError, did_you_mean
from jaxsnn.objects.groups import Group
from jaxsnn.objects.synapses import Synapses
from jaxsnn.plasticity.texts import joined, lines, merged, merged_values, variable
from jaxsnn.units import get_dimensions, quantity, unit_text

__all__ = ["PlasticityRule"]


@dataclass(frozen=True)
class PlasticityRule:
    """A plasticity rule of the literature: the texts and values of `Synapses`, with their source.

    Nothing in it is special: the synapses it builds are those a user gets who types the same strings, and
    ``print(rule)`` shows all of them. A rule changes the weight ``w``; what a spike does to the neuron is text of the
    user's, ``transmit``, so that one rule serves currents, conductances and jumps of the potential.

    Attributes:
        name: What the field calls it.
        equations: Lines of each synapse, as for `Synapses`.
        values: Constants of the texts (the namespace).
        citation: Source of the rule, and of the numbers unless ``values_from`` says otherwise.
        on_pre, on_post: What happens at spikes; ``on_pre`` may have several pathways by name. A line ``{transmit}``
            says where the spike acts on the neuron; without it that is before everything else.
        source_equations, neuron_equations: Lines that the source and the target neurons need.
        neuron_reset: What the target neurons do at a spike of theirs, to be added to their reset.
        initial: Values of variables of the synapse at the start, quantities or text.
        bounds: Between what a variable stays: names of values or numbers, None without a limit.
        delays: Delay of a pathway, as the name of one of the values.
        method: Integration scheme of what is integrated in every step.
        order: Its place among what happens in the same slot. Neurons are 0: with 1 the synapses read what their neurons
            have become in this step.
        every_step: Statements for all synapses, in every step after the integration: ``"w = clip(w, 0, w_max)"``.
        neuron_method: Integration scheme that ``source_equations`` and ``neuron_equations`` count on, if they do.
        values_from: Source of the numbers.
        patterns: Named sets of values; see `pattern`.

    Example:
        >>> from jaxsnn import Network, NeuronGroup, PoissonGroup
        >>> from jaxsnn.plasticity import STDP
        >>> from jaxsnn.units import Hz, ms
        >>> inputs = PoissonGroup(100, 20 * Hz)
        >>> cells = NeuronGroup(2, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact")
        >>> wires = STDP.synapses(inputs, cells, transmit="v_post += 0.2*w", connect={"p": 0.5}, w="rand()*w_max")
        >>> Network(inputs, cells, wires).run(50 * ms)
    """

    name: str
    equations: str
    values: Mapping[str, Any]
    citation: Citation
    on_pre: str | Mapping[str, str] = ""
    on_post: str = ""
    source_equations: str = ""
    neuron_equations: str = ""
    neuron_reset: str = ""
    initial: Mapping[str, Any] = field(default_factory=dict)
    bounds: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    delays: Mapping[str, str] = field(default_factory=dict)
    method: str | None = None
    order: int = 0
    every_step: str = ""
    neuron_method: str | None = None
    values_from: Citation | None = None
    patterns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Constants of a module are shared by everybody who imports it.
        for attribute in ("values", "initial", "bounds", "delays", "patterns"):
            object.__setattr__(self, attribute, MappingProxyType(dict(getattr(self, attribute))))
        if isinstance(self.on_pre, Mapping):
            object.__setattr__(self, "on_pre", MappingProxyType(dict(self.on_pre)))

    def __str__(self) -> str:
        parts = [self.name, f"    {self.citation}"]
        if self.values_from is not None:
            parts.append(f"    values from {self.values_from}")
        pathways = {f"on_pre ({key})": text for key, text in self._pathways().items() if key != "pre"}
        texts = {
            "equations": self.equations,
            "on_pre": self._pathways().get("pre", ""),
            **pathways,
            "on_post": self.on_post,
            "in every step": self.every_step,
            "source neurons": self.source_equations,
            "target neurons": self.neuron_equations,
            "reset of the target neurons": self.neuron_reset,
        }
        for what, text in texts.items():
            if lines(text):
                parts += [f"{what}:", *(f"    {line}" for line in lines(text))]
        for what, value in (("method", self.method), ("method of the neurons", self.neuron_method)):
            if value is not None:
                parts.append(f"{what}: {value}")
        if self.order:
            parts.append(f"order: {self.order}")
        for key, value in self.delays.items():
            parts.append(f"delay of {key}: {value}")
        for what, table in (("values", self.values), ("initial", self.initial)):
            if table:
                parts += [f"{what}:", *(f"    {name} = {value}" for name, value in table.items())]
        for name, (low, high) in self.bounds.items():
            parts.append("bounds: " + (f"{low} <= {name}" if high is None else f"{low} <= {name} <= {high}"))
        if self.patterns:
            parts.append("patterns:")
            for name, table in self.patterns.items():
                parts.append(f"    {name}: " + ", ".join(f"{n} = {v}" for n, v in table.items()))
        return "\n".join(parts)

    # ---- other values and texts ------------------------------------------------------------------

    def with_values(self, **values: Any) -> PlasticityRule:
        """The rule with other constants or initial values.

        Raises:
            ArgumentError: for a name that is neither.
        """
        self._check_names(values, {*self.values, *self.initial})
        constants = {name: values.get(name, value) for name, value in self.values.items()}
        initial = {name: values.get(name, value) for name, value in self.initial.items()}
        return replace(self, values=constants, initial=initial)

    def pattern(self, name: str) -> PlasticityRule:
        """The rule with one of its named sets of values.

        >>> from jaxsnn.plasticity import TRIPLET_STDP
        >>> TRIPLET_STDP.pattern("hippocampus").values["tau_x"]
        946 ms

        Raises:
            ArgumentError: if there is no such set.
        """
        if name not in self.patterns:
            known = ", ".join(map(repr, self.patterns)) or "none"
            raise ArgumentError(
                f"{self.name}: there is no pattern {name!r} (known: {known}).{did_you_mean(name, self.patterns)}"
            )
        return replace(self.with_values(**self.patterns[name]), name=f"{self.name}, {name}")

    def combined(self, other: PlasticityRule, name: str | None = None) -> PlasticityRule:
        """One rule of two that act on the same synapses: this one's statements first, then the other's.

        A line that both have counts once; a parameter of one (``w : 1``) may have an equation in the other. Where both
        have an initial value or bounds, this one's stand; of two orders the later.

        >>> from jaxsnn.plasticity import SHORT_TERM, STDP
        >>> both = STDP.combined(SHORT_TERM)
        >>> print(both.pre_code("g_post += w*released"))
        u += U*(1 - u)
        released = u*x
        g_post += w*released
        Apre += A_plus
        w = clip(w - w_max*Apost, 0, w_max)
        x -= released

        Raises:
            ArgumentError: where a name means different things in the two.
        """
        title = name or f"{self.name} with {other.name}"
        for what in ("method", "neuron_method"):
            one, two = getattr(self, what), getattr(other, what)
            if None not in (one, two) and one != two:
                raise ArgumentError(
                    f"{title}: one needs the {what.replace('_', ' ')} {one!r}, the other {two!r}; choose one for both"
                    f" with dataclasses.replace(rule, {what}=...)"
                )
        pathways: dict[str, str] = {}
        for key in dict.fromkeys((*self._pathways(), *other._pathways())):
            pathways[key] = joined(self._pathways().get(key, ""), other._pathways().get(key, ""))
        return replace(
            self,
            name=title,
            equations=merged(title, self.equations, other.equations),
            source_equations=merged(title, self.source_equations, other.source_equations),
            neuron_equations=merged(title, self.neuron_equations, other.neuron_equations),
            on_pre=pathways if pathways.keys() - {"pre"} else pathways.get("pre", ""),
            on_post=joined(self.on_post, other.on_post),
            neuron_reset=joined(self.neuron_reset, other.neuron_reset),
            bounds={**other.bounds, **self.bounds},
            method=self.method or other.method,
            neuron_method=self.neuron_method or other.neuron_method,
            order=max(self.order, other.order),
            every_step=joined(self.every_step, other.every_step),
            patterns={},
            citation=replace(self.citation, journal=f"{self.citation.journal}; with {other.citation}"),
            values=merged_values(title, self.values, other.values),
            initial={**other.initial, **self.initial},
            delays=merged_values(title, self.delays, other.delays),
        )

    # ---- synapses --------------------------------------------------------------------------------

    def pre_code(self, transmit: str = "") -> Any:
        """``on_pre`` with what a spike does to the neuron in its place: text, or text for each pathway.

        >>> from jaxsnn.plasticity import STDP
        >>> print(STDP.pre_code("g_post += w"))
        g_post += w
        Apre += A_plus
        w = clip(w - w_max*Apost, 0, w_max)
        """
        pathways = self._pathways()
        pathways["pre"] = "\n".join(lines(joined("{transmit}", pathways.get("pre", ""))))
        pathways["pre"] = pathways["pre"].replace("{transmit}", "\n".join(lines(transmit))).strip()
        return {k: t for k, t in pathways.items() if t} if pathways.keys() - {"pre"} else pathways["pre"]

    def synapses(
        self,
        source: Group,
        target: Group | None = None,
        *,
        transmit: str = "",
        connect: Mapping[str, Any] | bool = False,
        equations: str = "",
        delay: Any = None,
        namespace: Mapping[str, Any] | None = None,
        method: Any = None,
        dt: Any = None,
        order: int | None = None,
        name: str | None = None,
        **overrides: Any,
    ) -> Synapses:
        """`Synapses` with this rule.

        Args:
            source, target: Groups, as for `Synapses`.
            transmit: What a spike does to the neuron, ``"g_post += w*nS"``.
            connect: Arguments of `Synapses.connect`, True for all to all. Then the initial values are set too;
                otherwise connect them, and call `initialise`.
            equations: Further lines of each synapse.
            delay: Of transmission and rule alike, as for `Synapses`.
            namespace: Values of further names, such as those in ``transmit``.
            method, dt, order, name: As for `Synapses`; the rule knows which method and order it needs.
            **overrides: Other constants or initial values by name. A constant given as text or as an array (one value
                a synapse) becomes a parameter of each synapse.

        Raises:
            ArgumentError: for a name that the rule does not have, for neurons without the equations it needs, and for
                values of synapses that are not connected.
        """
        group = source if target is None else target
        variables = [variable(line) for line in lines(self.equations) + lines(equations)]
        self._check_names(overrides, {*self.values, *variables})
        self._check_neurons("source", source, self.source_equations)
        self._check_neurons("target", group, self.neuron_equations)
        constants = {n: overrides.get(n, v) for n, v in self.values.items()}
        each = {n: v for n, v in constants.items() if isinstance(v, str) or np.ndim(quantity(v))}
        given = {**each, **{n: v for n, v in overrides.items() if n not in self.values}}
        if given and not connect:
            raise ArgumentError(
                f"{self.name}: {next(iter(given))!r} is a value of each synapse, and there are none yet; write"
                f" connect=True for all to all, or connect={{'p': 0.1}} with the arguments of Synapses.connect"
            )
        for key in each:
            equations += f"\n{key} : {unit_text(get_dimensions(self.values[key]))} (constant)"
        delays = {key: constants[value] for key, value in self.delays.items()}
        if delays and delay is not None:
            delays = {**delays, **(delay if isinstance(delay, Mapping) else {"pre": delay})}
        on_pre = self.pre_code(transmit)
        wires = Synapses(
            source,
            target,
            "\n".join([*lines(self.equations), *lines(equations)]),
            on_pre=on_pre or None,
            on_post=self.on_post or None,
            delay=delays or delay,
            method=self.method if method is None else method,
            dt=dt,
            namespace={**(namespace or {}), **{n: v for n, v in constants.items() if n not in each}},
            order=self.order if order is None else order,
            name=name,
        )
        if self.every_step:
            wires.run_regularly("\n".join(lines(self.every_step)), when="after_groups", order=wires.order)
        if connect:
            wires.connect(**(connect if isinstance(connect, Mapping) else {}))
            self.initialise(wires, **given)
        return wires

    def initialise(self, synapses: Synapses, **values: Any) -> None:
        """Set the variables of connected synapses to the initial values of the rule, or to others.

        Raises:
            ArgumentError: for a name that is no variable of the synapses.
        """
        for name, value in {**values, **{n: v for n, v in self.initial.items() if n not in values}}.items():
            if name not in synapses.equations:
                self._check_names([name], synapses.equations)
            setattr(synapses, name, value)

    # ---- checks ----------------------------------------------------------------------------------

    def _pathways(self) -> dict[str, str]:
        return dict(self.on_pre) if isinstance(self.on_pre, Mapping) else {"pre": self.on_pre}

    def _check_names(self, given: Iterable[str], known: Iterable[str]) -> None:
        known = sorted(known)
        for name in given:
            if name not in known:
                raise ArgumentError(
                    f"{self.name}: there is no constant or variable {name!r} (known: {', '.join(known)})."
                    f"{did_you_mean(name, known)}"
                )

    def _check_neurons(self, what: str, group: Group, needed: str) -> None:
        missing = [line for line in lines(needed) if variable(line) not in group._symbols()]
        if missing:
            reset = f", and to its reset\n{self.neuron_reset}" if what == "target" and self.neuron_reset else ""
            raise ArgumentError(
                f"{self.name}: the {what} {group.name} has no variable {variable(missing[0])!r}; add to its equations\n"
                + "\n".join(missing)
                + re.sub(r"\n\s*", "\n", reset)
            )
        method = getattr(group._parent, "method", None)
        if "/dt" in needed and self.neuron_method not in (None, method):
            raise ArgumentError(
                f"{self.name}: its steps are those of method={self.neuron_method!r} in the neurons too, and the {what}"
                f" {group.name} has method={method!r}; write that method there, or take any with"
                f" dataclasses.replace(rule, neuron_method=None)"
            )
