"""Every silent or surprising behaviour that was found in the targets, and the test that would have
caught it; here are those that stand nowhere else.
"""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sympy")

from support.pynn_networks import (  # noqa: E402
    mapped_there,  # noqa: E402
    said,
    simple,
)

import neurosim as ns  # noqa: E402
from neurosim.backends import pynn  # noqa: E402
from neurosim.ir.concretise import concretise  # noqa: E402
from neurosim.models import cells, plasticity  # noqa: E402

TRAPS = {
    "Brian 2: of two edges of one pair both get the last weight and delay": (
        "test_several_edges_of_one_pair_all_count"
    ),
    "Brian 2: plastic weights are read in the unit of the last projection": (
        "test_plastic_weights_of_several_units_are_read_on_brian2_each_in_its_own"
    ),
    "Brian 2: c and d of Izhikevich cells are those of neuron 0": (
        "test_what_brian2_would_take_from_the_first_neuron_is_impossible"
    ),
    "Brian 2: one time constant for both alpha synapses": (
        "test_brian2_uses_one_time_constant_for_both_alpha_synapses"
    ),
    "Brian 2: additive STDP whatever the dependence": (
        "test_rules_that_a_target_has_not_are_impossible"
    ),
    "Brian 2: short-term plasticity recovers with tau_syn": (
        "test_short_term_plasticity_on_nest_is_ours_to_rounding"
    ),
    "Brian 2: a new rate of a Poisson source is ignored": (
        "test_rates_over_time_are_told_and_random_sources_say_that_their_spikes_are_others"
    ),
    "Brian 2: an action potential of HH_cond_exp counts several times": (
        "test_brian2_would_count_an_action_potential_several_times_and_is_refused"
    ),
    "Brian 2: sources of given spikes keep steps of 0.1 ms": (
        "test_given_spikes_come_in_their_steps_whatever_the_step_is"
    ),
    "NEST: given spikes come a step late where rounding leaves them above it": (
        "test_given_spikes_come_in_their_steps_whatever_the_step_is"
    ),
    "NEST: given spikes of step 0": (
        "test_given_spikes_of_the_first_step_are_impossible_on_nest_alone"
    ),
    "NEST: Poisson sources begin after 1 ms, and follow their rate two steps late": (
        "test_rates_over_time_change_in_the_step_in_which_they_should_on_nest"
    ),
    "NEST: one tau_minus per population": (
        "test_two_rules_into_one_population_are_impossible_where_a_target_has_one"
    ),
    "NEST: the Izhikevich neuron feels a spike in its step": (
        "test_a_decaying_current_into_an_izhikevich_cell_is_exact_until_the_first_spike"
    ),
    "NEST: weights of voltage steps have another unit than their bound": (
        "test_weights_of_voltage_steps_learn_and_are_read_on_nest_in_their_own_unit"
    ),
    "NEST: no reset": "test_a_run_runs_once_and_says_which_verbs_it_lacks",
    "NEST: standard cells that PyNN lists and NEST has not": (
        "test_the_table_of_targets_names_only_cells_that_exist"
    ),
    "software: signs of weights are checked": (
        "test_negative_conductances_are_impossible_and_negative_currents_are_inhibitory"
    ),
    "all: edges are listed in another order": (
        "test_weights_of_edges_in_any_order_are_those_that_were_given"
    ),
    "all: PyNN's Izhikevich takes voltage steps, or currents": (
        "test_izhikevich_means_voltage_steps_on_software_and_decaying_currents_on_spinnaker"
    ),
    "SpiNNaker: the sign of a weight is dropped": (
        "test_negative_weights_lie_at_the_inhibitory_receptor_with_their_magnitude"
    ),
    "SpiNNaker: parameters have 15 binary places": (
        "test_parameters_on_spinnaker_are_rounded_to_fifteen_places"
    ),
    "SpiNNaker: parameters end at 65536": (
        "test_a_parameter_beyond_the_range_of_spinnaker_is_impossible"
    ),
    "SpiNNaker: the scale of weights follows from what may meet in a step": (
        "test_weights_read_back_are_those_that_the_report_foresees"
    ),
    "SpiNNaker: one large weight makes small ones 0": (
        "test_one_large_weight_beside_small_ones_loses_those_that_the_report_says"
    ),
    "SpiNNaker: fast sources saturate a receptor": (
        "test_fast_poisson_sources_that_saturate_a_receptor_are_reported"
    ),
    "SpiNNaker: delays of 0 become 1": "test_delays_are_those_that_arrive_in_the_same_step",
    "SpiNNaker: delays end at 576 steps": (
        "test_a_delay_beyond_the_delay_slots_of_spinnaker_is_impossible"
    ),
    "SpiNNaker: steps other than 1 ms are slower than real time": (
        "test_a_step_of_a_tenth_of_a_millisecond_slows_a_board_down_and_the_script_says_so"
    ),
    "SpiNNaker: one rule and one set of parameters per population": (
        "test_two_rules_into_one_population_are_impossible_where_a_target_has_one"
    ),
    "SpiNNaker: no program for some pairs of cell and rule": (
        "test_cores_chips_and_programs_are_counted_and_a_rule_without_a_program_is_split"
    ),
    "SpiNNaker: 254 plastic edges of a source on a core": (
        "test_plastic_rows_that_are_too_long_for_a_core_get_more_cores"
    ),
    "SpiNNaker: plastic weights are cut down to a step": (
        "test_the_truncation_of_plastic_weights_on_spinnaker_is_told"
    ),
    "SpiNNaker: v is recorded before it moves, and the first step is 0": (
        "test_steps_are_counted_as_the_machine_counts_them"
    ),
    "SpiNNaker: a virtual board returns empty data": (
        "test_a_run_without_a_board_is_refused_with_what_to_do"
    ),
}


def test_each_trap_has_a_test():
    texts = "".join(path.read_text() for path in Path(__file__).parent.glob("test_pynn_*.py"))
    assert [name for name in TRAPS.values() if f"def {name}(" not in texts] == []


def test_a_parameter_beyond_the_range_of_spinnaker_is_impossible():
    net = ns.Network("large", dt="1 ms")
    net.population("cells", 1, cells.lif(tau="70 s"))
    assert "out of the range of SpiNNaker's numbers, 65536" in said(
        pynn.spinnaker.lower(net).report, "'cells', tau_m", "impossible"
    )


def test_a_step_of_a_tenth_of_a_millisecond_slows_a_board_down_and_the_script_says_so(tmp_path):
    net = simple(dt="0.1 ms")
    assert "takes 10 times as long as the time that it simulates" in said(
        pynn.spinnaker.lower(net).report, "^dt$", "approximated"
    )
    assert (
        "time_scale_factor=10"
        in ns.export(net, tmp_path / "out", backend=pynn.spinnaker).read_text()
    )
    assert said(pynn.spinnaker.lower(simple(dt="1 ms")).report, "^dt$", "exact")


def fan(count: int) -> ns.Network:
    """Return plastic edges from each of two sources to all of so many targets."""
    net = ns.Network("fan", dt="1 ms")
    a, b = net.population("a", 2, cells.lif()), net.population("b", count, cells.lif())
    net.project(
        a,
        b,
        ns.all_to_all(),
        weight="0.1 nA",
        delay="2 ms",
        back="3 ms",
        rule=plasticity.stdp(),
        name="edge",
    )
    return net


@mapped_there
@pytest.mark.parametrize(("count", "cores"), [(254, 1), (400, 4)])
def test_plastic_rows_that_are_too_long_for_a_core_get_more_cores(count, cores):
    row = said(pynn.spinnaker.lower(fan(count)).report, "population 'b', cores", "exact")
    assert (
        row.startswith("128 neurons on each: a source may have 254 plastic edges to a core")
        if count > 254
        else row == ""
    )
    assert ns.map(fan(count), backend=pynn.spinnaker, time="10 ms").per_population["b"] == cores


def test_more_plastic_edges_of_one_pair_than_a_core_has_room_for_are_impossible():
    net = ns.Network("pair", dt="1 ms")
    a, b = net.population("a", 1, cells.lif()), net.population("b", 1, cells.lif())
    net.project(
        a,
        b,
        ns.from_arrays(np.zeros(255, int), np.zeros(255, int)),
        weight="0.1 nA",
        delay="2 ms",
        rule=plasticity.stdp(),
        name="edge",
    )
    assert "more than 254 plastic edges to one neuron" in said(
        pynn.spinnaker.lower(net).report, "'b', cores", "impossible"
    )


def test_the_truncation_of_plastic_weights_on_spinnaker_is_told():
    """weight_additive_one_term_impl.h of sPyNNaker: a weight is shifted up, changed, and shifted
    down again. w_max is 1 nA.
    """
    net = fan(10)
    row = said(pynn.spinnaker.lower(net).report, "'edge', learning", "approximated")
    plan = pynn.spinnaker._translate(concretise(net)).projections[0]
    step = 2.0**-13  # two sources may meet: shift 2
    assert f"cut down to a whole step of {step:.6g}" in row
    assert f"by up to {plan.rule.timing['A_plus'] / step:.3g} steps up" in row
    assert "What is less than a step is lost" not in row
    small = ns.Network("small", dt="1 ms")
    a = small.population("a", 2, cells.lif())
    small.project(
        a,
        a,
        ns.all_to_all(),
        weight="0.1 nA",
        delay="2 ms",
        rule=plasticity.stdp(a_plus=0.0001, a_minus=0.0001),
        name="edge",
    )
    assert "What is less than a step is lost" in said(
        pynn.spinnaker.lower(small).report, "'edge', learning", "approximated"
    )
    assert not said(pynn.nest.lower(net).report, "learning")
    memory_row = said(
        pynn.spinnaker.lower(net).report, "'edge', rule 'stdp', memory", "approximated"
    )
    assert "between two of the source, the last 15 change the weight there, here all" in memory_row
