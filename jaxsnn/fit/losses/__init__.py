"""Losses, each with its formula and source: `LOSSES` holds them all."""

from collections.abc import Mapping
from types import MappingProxyType

from jaxsnn.citation import Citation
from jaxsnn.fit.losses.classes import first_spike_cross_entropy, rate_cross_entropy
from jaxsnn.fit.losses.coincidences import gamma_factor, gamma_loss
from jaxsnn.fit.losses.contract import Loss, Row, Squares, Sum, Value, read_spikes, read_trace
from jaxsnn.fit.losses.features import burst_count, fi_slope, interval_cv, latency
from jaxsnn.fit.losses.spikes import firing_rate, spike_time_distance, van_rossum
from jaxsnn.fit.losses.traces import trace_mse

__all__ = [
    "LOSSES",
    "Loss",
    "Row",
    "Squares",
    "Sum",
    "Value",
    "burst_count",
    "fi_slope",
    "firing_rate",
    "first_spike_cross_entropy",
    "gamma_factor",
    "gamma_loss",
    "interval_cv",
    "latency",
    "rate_cross_entropy",
    "read_spikes",
    "read_trace",
    "spike_time_distance",
    "trace_mse",
    "van_rossum",
]

LOSSES: Mapping[str, Row] = MappingProxyType(
    {
        "trace_mse": Row(
            trace_mse,
            "mean of w ((y - y*)/scale)²",
            Citation(
                "Q. J. M. Huys, M. B. Ahrens and L. Paninski", 2006, "J. Neurophysiol. 96: 872-890",
                "10.1152/jn.00079.2006",
            ),
        ),
        "van_rossum": Row(
            van_rossum,
            "(1/tau) ∫ (f - f*)² dt, f = sum_k exp(-(t - t_k)/tau)",
            Citation("M. C. W. van Rossum", 2001, "Neural Comput. 13: 751-763", "10.1162/089976601300014321"),
        ),
        "spike_time_distance": Row(
            spike_time_distance,
            "(1/scale) ∫ |N - N*| dt = sum_k |t_k - t*_k|/scale",
            Citation("D. Sihn and S.-P. Kim", 2019, "Front. Comput. Neurosci. 13: 82", "10.3389/fncom.2019.00082"),
        ),
        "firing_rate": Row(
            firing_rate,
            "mean of ((r - r*)/scale)², r = spikes/duration",
            Citation(
                "S. Druckmann, Y. Banitt, A. Gidon, F. Schürmann, H. Markram and I. Segev", 2007,
                "Front. Neurosci. 1: 7-18", "10.3389/neuro.01.1.1.001.2007",
            ),
        ),
        "latency": Row(
            latency,
            "mean of ((t_1 - t*)/scale)², t_1 = dt sum_t prod_{u <= t} (1 - s_u)",
            Citation(
                "S. Druckmann, Y. Banitt, A. Gidon, F. Schürmann, H. Markram and I. Segev", 2007,
                "Front. Neurosci. 1: 7-18", "10.3389/neuro.01.1.1.001.2007",
            ),
        ),
        "interval_cv": Row(
            interval_cv,
            "mean of ((CV - CV*)/scale)², CV = sqrt(<I²> - <I>²)/<I>",
            Citation(
                "W. R. Softky and C. Koch", 1993, "J. Neurosci. 13: 334-350", "10.1523/JNEUROSCI.13-01-00334.1993"
            ),
        ),
        "burst_count": Row(
            burst_count,
            "mean of ((B - B*)/scale)², B = spikes with none in the gap before and one or more in the gap after",
            Citation(
                "D. J. Bakkum, M. Radivojevic, U. Frey, F. Franke, A. Hierlemann and H. Takahashi", 2014,
                "Front. Comput. Neurosci. 7: 193", "10.3389/fncom.2013.00193",
            ),
        ),
        "fi_slope": Row(
            fi_slope,
            "((k - k*)/scale)², k = sum (I - <I>)(r - <r>)/sum (I - <I>)²",
            Citation(
                "F. S. Chance, L. F. Abbott and A. D. Reyes", 2002, "Neuron 35: 773-782",
                "10.1016/S0896-6273(02)00820-6",
            ),
        ),
        "rate_cross_entropy": Row(
            rate_cross_entropy,
            "-log(exp(n_y/scale)/sum_j exp(n_j/scale))",
            Citation(
                "J. K. Eshraghian, M. Ward, E. O. Neftci, X. Wang, G. Lenz, G. Dwivedi, M. Bennamoun, D. S. Jeong and"
                " W. D. Lu", 2023, "Proc. IEEE 111: 1016-1054", "10.1109/JPROC.2023.3308088",
            ),
        ),
        "first_spike_cross_entropy": Row(
            first_spike_cross_entropy,
            "-log(exp(-t_y/tau)/sum_j exp(-t_j/tau))",
            Citation("J. Göltz et al.", 2021, "Nat. Mach. Intell. 3: 823-835", "10.1038/s42256-021-00388-x"),
        ),
        "gamma_loss": Row(
            gamma_loss,
            "1 - 2/(1 - 2 nu D) (N_coinc - 2 nu D N*)/(N* + N) + 2 |N - N*|/N*",
            Citation(
                "R. Jolivet, R. Kobayashi, A. Rauch, R. Naud, S. Shinomoto and W. Gerstner", 2008,
                "J. Neurosci. Methods 169: 417-424", "10.1016/j.jneumeth.2007.11.006",
            ),
        ),
    }
)  # fmt: skip
"""Every loss by name, with its formula and source."""
