"""Exact gradients of spike times: a program carried out event by event, in continuous time.

>>> import jaxsnn as snn
>>> from jaxsnn.units import ms
>>> cell = snn.NeuronGroup(
...     1, "dv/dt = (2 - v)/tau : 1", threshold="v > 1", reset="v = 0", namespace={"tau": 10 * ms}, name="cell"
... )
>>> print(snn.adjoint.compile(snn.Network(cell), dt=1 * ms, max_spikes=10))
events in continuous time, looked for in steps of 1 ms
  cell: 1 neurons, exact, in closed form
"""

from jaxsnn.adjoint.records import ExactSpikes, ExactState
from jaxsnn.adjoint.simulation import ExactSimulation, compile

__all__ = ["ExactSimulation", "ExactSpikes", "ExactState", "compile"]
