"""Each feature of Brian in the language, in events, clocks and the control of a run has its test, by name."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

ROWS = {
    "custom events, their conditions": "brian/test_events.py::test_events_and_their_monitors",
    "run_on_event": "brian/test_events.py::test_code_on_events",
    "run_on_event of spikes": "brian/test_events.py::test_spikes_can_have_code_in_place_of_a_reset",
    "events named 'spike'": "brian/test_events.py::test_the_threshold_as_an_event",
    "custom events do not touch refractoriness": "brian/test_events.py::test_code_on_events",
    "set_event_schedule": "brian/test_events.py::test_a_schedule_for_an_event",
    "Synapses(on_event=), one and by pathway": "brian/test_events.py::test_synapses_on_events",
    "EventMonitor": "brian/test_events.py::test_events_and_their_monitors",
    "SpikeMonitor(variables=), values, all_values": "brian/test_events.py::test_variables_recorded_at_spikes",
    "SpikeMonitor(record=False)": "brian/test_events.py::test_counts_without_a_record",
    "SpikeMonitor.binned_rate, smooth_rate": "brian/test_events.py::test_rates_as_in_brian",
    "events of a group with its own dt": "brian/test_events.py::test_an_own_time_step",
    "StateMonitor.record_single_timestep": "brian/test_monitors.py::test_a_single_time_step",
    "run_regularly of groups, when, order, dt": "brian/test_regularly.py::test_slots_and_own_intervals",
    "run_regularly before monitors, by name": "brian/test_regularly.py::test_order_by_name_and_monitors",
    "run_regularly of subgroups": "brian/test_regularly.py::test_a_part_of_a_group",
    "run_regularly of synapses": "brian/test_regularly.py::test_synapses",
    "run_regularly of synapses that change neurons": "brian/test_regularly.py::test_synapses_that_change_neurons",
    "run_regularly of PoissonGroup": "brian/test_regularly.py::test_poisson_groups",
    "run_regularly and shared variables": "brian/test_regularly.py::test_shared_variables",
    "run_regularly, t and dt": "brian/test_regularly.py::test_the_clock_of_the_group",
    "run_at": "brian/test_regularly.py::test_chosen_times_as_in_brian",
    "EventClock for code and monitors": "brian/test_regularly.py::test_chosen_times",
    "Clock": "brian/test_regularly.py::test_clock_objects",
    "several clocks": "brian/test_regularly.py::test_several_clocks",
    "network_operation": "network/test_operations.py::test_a_function_of_python_between_steps",
    "network_operation as a part of the step": "network/test_operations.py::test_a_pure_function_reads_and_writes",
    "order of network operations": "network/test_operations.py::test_functions_without_arguments_and_their_order",
    "stop": "network/test_operations.py::test_stop",
    "active": "network/test_control.py::test_objects_that_are_switched_off",
    "active of pathways": "network/test_control.py::test_a_pathway_that_is_off",
    "Network.schedule": "network/test_control.py::test_another_order_of_slots",
    "slots of one's own": "network/test_control.py::test_a_slot_of_ones_own",
    "several networks": "network/test_control.py::test_networks_that_share_objects",
    "Network.add, remove": "network/test_control.py::test_objects_are_added_and_removed_between_runs",
    "profile, profiling_summary": "network/test_control.py::test_a_profile_of_a_run",
    "Network.get_states": "brian/test_states.py::test_states_of_a_network",
    "Network.set_states": "brian/test_states.py::test_assigned_states_continue_the_run",
    "get_states(vars, subexpressions, read_only_variables)": "brian/test_states.py::test_names_of_states",
    "set_states": "brian/test_states.py::test_set_states",
    "get_states(format='pandas')": "brian/test_states.py::test_tables_of_pandas",
    "indices of groups: integers, slices, arrays, masks, text": "brian/test_states.py::test_indices_of_groups",
    "indices[...]": "brian/test_states.py::test_indices_of_groups",
    "S.w[i, j], slices, arrays, text": "brian/test_states.py::test_indices_of_synapses",
    "S.w[i, j, k]": "brian/test_states.py::test_indices_that_brian_takes_for_others",
    "S[i, j]": "brian/test_states.py::test_selected_synapses",
    "user functions": "objects/test_functions.py::test_as_in_brian",
    "user functions, stateless=False": "objects/test_functions.py::test_a_function_with_state_is_asked_in_every_step",
    "BinomialFunction": "objects/test_functions.py::test_binomial_function",
    "(linked), linked_var": "objects/test_linked.py::test_as_in_brian",
    "(shared), (constant over dt)": "objects/test_linked.py::test_shared_and_constant_over_dt_as_in_brian",
    "method='gsl_...', method_options": "integrators/test_adaptive.py::test_options",
}


@pytest.mark.parametrize("test", ROWS.values(), ids=ROWS.keys())
def test_a_row_has_its_test(test):
    path, name = test.split("::")
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
