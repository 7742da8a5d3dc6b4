"""Variables that are those of another group, looked at through an index."""

from jaxsnn.objects.linked.variable import LinkedVariable, linked_var

__all__ = ["LinkedVariable", "linked_var"]
