"""The program: everything that happens in a time step, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxsnn.program.names import Code, Key, Link, Variable
from jaxsnn.program.operations import Cable, Invoke, Operation, Threshold

__all__ = ["Program"]


@dataclass(frozen=True)
class Program:
    """Everything that happens in a time step, in order.

    Attributes:
        dt: The time step in second.
        variables: All variables by (owner, name).
        events: Size of each event set by (owner, event).
        operations: Sorted by slot, order and name.
        links: Variables that are others, by (owner, name).
    """

    dt: float
    variables: Mapping[Key, Variable]
    events: Mapping[Key, int]
    operations: tuple[Operation, ...]
    links: Mapping[Key, Link] = field(default_factory=dict)

    def written(self) -> frozenset[Key]:
        """Variables that some operation changes; all others are constant during a run."""
        keys: set[Key] = set()
        for operation in self.operations:
            code = getattr(operation, "code", None)
            if isinstance(code, Code):
                keys.update(code.scope[name].key for name in code.written)
            if isinstance(operation, Invoke):
                keys.update(operation.writes)
            if isinstance(operation, Cable):
                keys.update(operation.roles[name].key for name in ("v", "Ic"))
            if isinstance(operation, Threshold) and operation.refractory:
                owner = operation.domain.owner
                keys.update({(owner, "not_refractory"), (owner, "lastspike")})
        return frozenset(keys)

    def size(self, owner: str) -> int:
        """Number of elements of an object with events or variables."""
        sizes = [n for (o, _), n in self.events.items() if o == owner]
        sizes += [v.size for (o, _), v in self.variables.items() if o == owner and not v.scalar]
        return max(sizes, default=1)

    def __str__(self) -> str:
        lines = [f"program, dt = {self.dt * 1e3:g} ms"]
        slot = None
        for operation in self.operations:
            if operation.slot != slot:
                slot = operation.slot
                lines.append(f"{slot}:")
            own = f", every {operation.every} steps" if operation.every > 1 else ", in steps of a list"
            lines.append(f"  {operation.name}: {operation.head()}{'' if operation.always else own}")
            lines.extend(f"    {line}" for line in operation.body())
        return "\n".join(lines)
