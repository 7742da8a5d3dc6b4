"""A part of Brian2's own test suite on the device of the bridge (all of it: ``make test-brian``)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("brian2")

TESTS = (
    # neurons
    "test_semantics_order test_semantics_floor_division test_semantics_floating_point_division test_semantics_mod",
    "test_threshold_reset test_custom_events test_aliasing_in_statements test_runtime_rounding test_scalar_variable",
    # refractoriness
    "test_refractoriness_basic test_refractoriness_threshold_basic test_conditional_write_set",
    # functions and arrays of times
    "test_math_functions test_bool_to_int test_integer_power test_timedarray_semantics test_timestep",
    # synapses
    "test_pre_before_post test_transmission_simple test_transmission_custom_event test_delay_specification",
    "test_summed_variable test_event_driven test_transmission_one_to_all_heterogeneous_delays",
    # inputs, subgroups, monitors, networks
    "test_spikegenerator_connected test_spikegenerator_period test_state_monitor test_spike_monitor_variables",
    "test_synapses_access_subgroups test_subexpression_references test_rate_monitor test_network_two_objects",
)


def test_a_part_of_the_suite_of_brian2_passes():
    names = " ".join(TESTS).split()
    folder = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": str(folder.parents[1])}
    chosen = " or ".join(f"{name}" for name in names)
    command = [sys.executable, str(folder / "suite.py"), "standalone", "multiple", "-k", chosen, "--show-capture=no"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    tables = done.stdout[done.stdout.find("\n== ") :]
    assert done.returncode == 0, tables
    counted = [int(n) for n in re.findall(r"(\d+) passed", tables)]
    inside = [int(n) for n in re.findall(r"passed every run in our compiled step: (\d+)", tables)]
    assert sum(counted) >= 40, tables
    assert sum(inside) >= 36, tables
