"""Pictures of spikes, traces, rates and connections, for a first look that can go into a paper.

Every function draws into the `Axes` it is given, or into a new figure, and returns the `Axes`. Needs Matplotlib:
``pip install jaxsnn-sim[plot]``.

>>> import matplotlib
>>> matplotlib.use("Agg")
>>> from jaxsnn import plot
>>> from jaxsnn.units import ms
>>> ax = plot.raster(([0, 1, 1], [1, 2, 4] * ms))
>>> ax.get_xlabel(), ax.get_ylabel()
('Time (ms)', 'Neuron')
"""

from jaxsnn.plot.activity import population_rate, raster, traces
from jaxsnn.plot.connections import connectivity
from jaxsnn.plot.fits import convergence

__all__ = ["connectivity", "convergence", "population_rate", "raster", "traces"]
