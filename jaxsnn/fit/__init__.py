"""Fitting: parameters of a simulation from traces and spikes, with and without gradients.

`fit` takes a `Simulation`, the names of what is unknown with its bounds, and a loss. Losses stand in
`jaxsnn.fit.losses`, ways of minimising in `jaxsnn.fit.methods`, maps between bounded values and the numbers that an
optimiser moves in `jaxsnn.fit.bijections`. `TraceFitter` and `SpikeFitter` fit in rounds.
"""

from jaxsnn.fit.bijections import BIJECTIONS, Affine, Identity, Log, LogSigmoid, Sigmoid, Softplus
from jaxsnn.fit.fitters import SpikeFitter, TraceFitter
from jaxsnn.fit.fitting import fit
from jaxsnn.fit.intervals import Intervals
from jaxsnn.fit.losses import (
    LOSSES,
    Loss,
    burst_count,
    fi_slope,
    firing_rate,
    first_spike_cross_entropy,
    gamma_factor,
    gamma_loss,
    interval_cv,
    latency,
    rate_cross_entropy,
    spike_time_distance,
    trace_mse,
    van_rossum,
)
from jaxsnn.fit.methods import CMAES, LBFGS, METHODS, DifferentialEvolution, Gradient, LevenbergMarquardt
from jaxsnn.fit.parameters import Trainable
from jaxsnn.fit.result import FitResult

__all__ = [
    "BIJECTIONS",
    "CMAES",
    "LBFGS",
    "LOSSES",
    "METHODS",
    "Affine",
    "DifferentialEvolution",
    "FitResult",
    "Gradient",
    "Identity",
    "Intervals",
    "LevenbergMarquardt",
    "Log",
    "LogSigmoid",
    "Loss",
    "Sigmoid",
    "Softplus",
    "SpikeFitter",
    "TraceFitter",
    "Trainable",
    "burst_count",
    "fi_slope",
    "firing_rate",
    "first_spike_cross_entropy",
    "fit",
    "gamma_factor",
    "gamma_loss",
    "interval_cv",
    "latency",
    "rate_cross_entropy",
    "spike_time_distance",
    "trace_mse",
    "van_rossum",
]
