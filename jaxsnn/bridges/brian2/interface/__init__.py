"""Everything that touches the inside of Brian2, which moves between versions: 2.9 and 2.10 are known."""

from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.devices.device import RuntimeDevice

from jaxsnn.bridges.brian2.interface.code import Handed, array_of, block_of, clock_of, default_dtype, python_function
from jaxsnn.bridges.brian2.interface.network import (
    begin_run,
    check_duration,
    device_for,
    end_run,
    local_namespace,
    longest_seconds,
    object_error,
    register,
    reporter,
    run_in_brian,
    runners,
    seconds,
    set_profile,
    stopped,
    wants_profile,
)
from jaxsnn.bridges.brian2.interface.records import (
    Column,
    append_events,
    append_rates,
    append_samples,
    generated_spikes,
    set_last_index,
)

__all__ = [
    "Column",
    "Handed",
    "NumpyCodeObject",
    "RuntimeDevice",
    "append_events",
    "append_rates",
    "append_samples",
    "array_of",
    "begin_run",
    "block_of",
    "check_duration",
    "clock_of",
    "default_dtype",
    "device_for",
    "end_run",
    "generated_spikes",
    "local_namespace",
    "longest_seconds",
    "object_error",
    "python_function",
    "register",
    "reporter",
    "run_in_brian",
    "runners",
    "seconds",
    "set_last_index",
    "set_profile",
    "stopped",
    "wants_profile",
]
