"""Brian2 on jaxsnn: ``import jaxsnn.bridges.brian2; set_device("jaxsnn")`` in a script of Brian2.

Brian2 parses, checks units, chooses integrators and holds all values; each ``run`` is lowered to a program of jaxsnn
and goes through its compiled step. Needs the extra ``brian2``.
"""

from jaxsnn.bridges.brian2.device import BridgeWarning, Device, Fallback
from jaxsnn.bridges.brian2.interface import register
from jaxsnn.bridges.brian2.pure import from_brian2

__all__ = ["BridgeWarning", "Device", "Fallback", "device", "from_brian2"]

device = Device()
"""The device that ``set_device("jaxsnn")`` chooses."""

register("jaxsnn", device)
