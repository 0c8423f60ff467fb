"""What the PyNN backends say before anything runs: a row for everything, and for every silent
change of another simulator.
"""

import re
from dataclasses import replace

import numpy as np
import pytest
from support.pynn_networks import alpha_cell, said, simple

pytest.importorskip("sympy")

from support.pynn_networks import one_pair, varied  # noqa: E402

import neurosim as ns  # noqa: E402
from neurosim.backends import pynn  # noqa: E402
from neurosim.backends.pynn.translation.fixed_point import round_parameters  # noqa: E402
from neurosim.models import ca3_memory, cells, plasticity  # noqa: E402
from neurosim.models.prediction_reservoir.network import DEFAULTS, build  # noqa: E402

BACKENDS = [pynn.nest, pynn.brian2, pynn.spinnaker]
every_backend = pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)


@every_backend
def test_everything_in_a_network_is_mentioned(backend):
    net = varied(dt="1 ms" if backend is pynn.spinnaker else "0.1 ms")
    report = backend.lower(net).report
    text = str(report)
    for name, population in net.populations.items():
        rows = said(report, f"population '{name}'")
        assert rows, name
        for parameter in population.cell.parameters:
            assert re.search(
                rf"\b{parameter.name}\b", rows + str([str(r.place) for r in report.rows])
            ), (name, parameter.name)
        for state in population.cell.states:
            assert re.search(rf"\b{state.name}\b", rows), (name, state.name)
        for port, _ in population.cell.receives:
            assert f"population '{name}', port '{port}'" in text, (name, port)
    for projection in net.projections.values():
        for part in ("weights", "delay"):
            assert said(report, f"projection '{projection.name}', {part}"), (projection.name, part)
        for parameter in projection.rule.parameters if projection.rule else ():
            assert re.search(
                rf"\b{parameter.name}\b", said(report, f"projection '{projection.name}', rule")
            ), parameter.name
    assert said(report, "drive 'drive'")
    for probe in net.probes:
        assert said(report, f"recording of '{probe.variable}' of '{probe.owner.name}'"), probe
    for setting in ("dt", "seed", "run"):
        assert said(report, f"^{setting}$"), setting
    assert report.possible


def test_the_test_above_would_notice_a_missing_row():
    report = pynn.nest.lower(varied()).report
    shorter = replace(
        report, rows=tuple(r for r in report.rows if str(r.place) != "projection 'loop', delay")
    )
    assert said(report, "projection 'loop', delay")
    assert not said(shorter, "projection 'loop', delay")


@every_backend
def test_a_cell_that_is_none_of_pynns_is_impossible_and_so_is_what_projects_to_it(backend):
    net = simple()
    odd = net.population(
        "odd",
        1,
        ns.Cell(
            "dv/dt = -v**3 / (tau * mV**2) : mV",
            parameters={"tau": "10 ms"},
            spike="v > 1 * mV",
            after_spike="v = 0 * mV",
            receives={"in_": ns.Port("mV", into="v")},
        ),
    )
    net.project(net["source"], odd, ns.all_to_all(), weight="1 mV", name="to_odd")
    report = backend.lower(net).report
    assert "no standard cell of PyNN" in said(report, "population 'odd'", "impossible")
    assert "its target 'odd' is no standard cell" in said(
        report, "projection 'to_odd'", "impossible"
    )
    with pytest.raises(ns.LoweringError, match="cannot run network 'simple'"):
        ns.prepare(net, backend=backend)


@pytest.mark.parametrize(
    ("delay", "nest", "spinnaker"),
    [
        (0, "become 0.1 ms", "^0.1 ms, 1 step more"),
        ("1.2 ms", "^1.2 ms[.]", "^1.3 ms, 1 step more"),
    ],
)
def test_delays_are_those_that_arrive_in_the_same_step(delay, nest, spinnaker):
    net = simple(delay=delay)
    assert re.search(nest, said(pynn.nest.lower(net).report, "'edge', delay"))
    assert re.search(nest, said(pynn.brian2.lower(net).report, "'edge', delay"))
    assert re.search(spinnaker, said(pynn.spinnaker.lower(net).report, "'edge', delay"))


def test_a_delay_beyond_the_delay_slots_of_spinnaker_is_impossible():
    assert "the longest there is 576" in said(
        pynn.spinnaker.lower(simple(delay="600 ms", dt="1 ms")).report,
        "'edge', delay",
        "impossible",
    )
    assert not said(
        pynn.spinnaker.lower(simple(delay="500 ms", dt="1 ms")).report,
        "'edge', delay",
        "impossible",
    )


@every_backend
def test_negative_conductances_are_impossible_and_negative_currents_are_inhibitory(
    backend,
):
    net = one_pair(cells.lif_conductance(), [1], weight="-1 nS", delay="1 ms", port="excitatory")
    assert "of the other sign" in said(backend.lower(net).report, "'edge', weights", "impossible")
    report = backend.lower(simple(weight=np.array([1.0, -2.0, 3.0, -4.0]))).report
    sign = "" if backend is pynn.spinnaker else "-"
    assert (
        "2 edges, excitatory, 1 to 3 nA; 2 edges, inhibitory, "
        f"{'2 to 4' if not sign else '-4 to -2'} nA" in said(report, "'edge', weights")
    )


def test_parameters_on_spinnaker_are_rounded_to_fifteen_places():
    net = ns.Network("fixed", dt="1 ms")
    net.population("cells", 1, cells.izhikevich(synapse="exponential"))
    report = pynn.spinnaker.lower(net).report
    assert "0.02 becomes 0.01998901367" in said(report, "'cells', a$", "approximated")
    assert not said(report, "'cells', c$")  # -65 is kept
    assert round_parameters(0.04) == 0.040008544921875  # as sPyNNaker's own constant


def test_one_large_weight_makes_small_ones_zero_on_spinnaker_and_the_report_counts_them():
    net = ns.Network("scales", dt="1 ms")
    source = net.spike_source("source", 1, steps=[[1]])
    target = net.population("target", 1000, cells.lif())
    net.project(
        source,
        target,
        ns.all_to_all(),
        weight=np.r_[50.0, np.full(999, 0.0005)],
        delay="1 ms",
        name="edge",
    )
    report = pynn.spinnaker.lower(net).report
    assert "999 of 1000 weights become 0: steps of 0.00195312" in said(
        report, "'edge', weights .excitatory", "approximated"
    )
    assert "(largest weight: 50, of 'edge')" in said(report, "'edge', weights .excitatory")


@pytest.mark.parametrize("parameter", ["c", "d"])
def test_what_brian2_would_take_from_the_first_neuron_is_impossible(parameter):
    net = ns.Network("mixed", dt="0.1 ms")
    net.population(
        "cells",
        3,
        cells.izhikevich(synapse="delta"),
        **{parameter: {"c": [-65, -60, -55], "d": [8, 4, 2]}[parameter]},
    )
    assert "takes the first neuron's value for all" in said(
        pynn.brian2.lower(net).report, f"'cells', {parameter}", "impossible"
    )
    assert pynn.nest.lower(net).report.possible


def test_brian2_uses_one_time_constant_for_both_alpha_synapses():
    net = ns.Network("alpha", dt="0.1 ms")
    net.population("cells", 1, alpha_cell("2 ms", "5 ms"))
    net.population("same", 1, alpha_cell("2 ms", "2 ms"))
    report = pynn.brian2.lower(net).report
    assert "silently uses tau_syn_E = 2 instead" in said(report, "'cells', tau_syn_I", "impossible")
    assert not said(report, "'same', tau_syn_I")


@every_backend
def test_a_synapse_that_begins_above_zero_is_impossible(backend):
    net = ns.Network("begun", dt="1 ms")
    net.population("cells", 1, cells.lif(), synaptic="1 nA")
    assert "synapses begin at 0" in said(
        backend.lower(net).report, "'cells', state 'synaptic'", "impossible"
    )


def test_given_spikes_of_the_first_step_are_impossible_on_nest_alone():
    net = ns.Network("first", dt="1 ms")
    net.spike_source("source", 1, steps=[[0, 4]])
    assert "1 spikes of step 0" in said(pynn.nest.lower(net).report, "'source'", "impossible")
    assert pynn.brian2.lower(net).report.possible and pynn.spinnaker.lower(net).report.possible


@every_backend
def test_rates_over_time_are_told_and_random_sources_say_that_their_spikes_are_others(backend):
    net = ns.Network("random", dt="1 ms")
    net.poisson("course", 2, rate=ns.table([10.0, 20.0], every="5 ms"))
    net.poisson("steady", 2, rate=10)
    net.bernoulli("coins", 2, p=0.5)
    net.bernoulli("sure", 2, p=1.0)
    report = backend.lower(net).report
    if backend is pynn.brian2:
        assert "PyNN silently keeps the first" in said(report, "'course'", "impossible")
    else:
        assert "10 to 20 Hz (rate) in 2 rows over time" in said(report, "'course'", "approximated")
    if backend is pynn.brian2:
        assert "1000 Hz (p)" in said(report, "'sure'", "approximated")
        assert "at most one comes in a step, as here" in said(report, "'coins'", "approximated")
    else:
        assert "no rate gives a spike in every step" in said(report, "'sure'", "impossible")
        recorded = f"Recorded as one, they are {1000 * (1 - np.exp(-0.5)):.7g} Hz"
        assert recorded in said(report, "'coins'", "approximated")
    assert "the spikes are others" in said(report, "'steady'", "approximated")
    assert "500 Hz (p): the mean input is the same" in said(report, "'coins'", "approximated")


def test_a_drive_has_as_many_sources_on_brian2_as_keep_its_variance():
    net = ns.Network("drive", dt="1 ms")
    target = net.population("target", 50, cells.lif())
    net.poisson_drive(target, n=3, rate=700, weight="0.1 nA", name="drive")
    plan = pynn.brian2.lower(net).artefact.plan
    sources = plan.population("drive source")
    assert sources.size == 50 * 42 and sources.parameters["rate"] == pytest.approx(50)
    reason = said(pynn.brian2.lower(net).report, "drive 'drive'", "approximated")
    assert "42 for each target" in reason and "variance of the counts is smaller by 5 %" in reason
    assert "1 for each target" in said(pynn.nest.lower(net).report, "drive 'drive'", "approximated")


def test_a_drive_that_needs_too_many_sources_on_brian2_is_impossible_there():
    net = ns.Network("drive", dt="1 ms")
    net.poisson_drive(net.population("target", 1000, cells.lif()), rate=1e5, weight="1 pA")
    reason = "2000 of them for each of 1000 targets would be needed"
    assert reason in said(pynn.brian2.lower(net).report, "drive", "impossible")


def plastic(rule: ns.Rule, **more: object) -> ns.Network:
    net = ns.Network("plastic", dt="1 ms")
    a, b = net.population("a", 2, cells.lif()), net.population("b", 2, cells.lif())
    net.project(
        a, b, ns.all_to_all(), rule=rule, weight="0.1 nA", delay="2 ms", name="edge", **more
    )
    return net


def test_where_spikes_meet_the_synapse_is_compared_with_each_target():
    whole = plastic(plasticity.stdp())  # pre at k, landing and post at k + delay
    assert said(pynn.nest.lower(whole).report, "timing", "exact")
    assert "-1 ms later" in said(pynn.spinnaker.lower(whole).report, "timing", "approximated")
    assert "4 ms later" in said(pynn.brian2.lower(whole).report, "timing", "approximated")
    assert said(
        pynn.spinnaker.lower(plastic(plasticity.stdp(), back="3 ms")).report, "timing", "exact"
    )
    along = plastic(plasticity.stdp(), dendritic_fraction=0.0)
    assert said(pynn.brian2.lower(along).report, "timing", "exact")
    assert "-4 ms later" in said(pynn.nest.lower(along).report, "timing", "approximated")


def test_rules_that_a_target_has_not_are_impossible():
    multiplicative = plastic(plasticity.stdp(dependence="multiplicative"))
    assert "silently computes the additive one" in said(
        pynn.brian2.lower(multiplicative).report, "dependence", "impossible"
    )
    assert pynn.nest.lower(multiplicative).report.possible
    assert pynn.spinnaker.lower(multiplicative).report.possible
    assert "GutigWeightDependence is not there" in said(
        pynn.spinnaker.lower(plastic(plasticity.stdp(dependence="guetig"))).report,
        "dependence",
        "impossible",
    )
    assert "on NEST it is 0" in said(
        pynn.nest.lower(plastic(plasticity.stdp(w_min="0.05 nA"))).report, "w_min", "impossible"
    )
    for backend in BACKENDS:
        assert "is no rule of PyNN" in said(
            backend.lower(plastic(plasticity.triplet_stdp())).report, "rule", "impossible"
        )


def test_two_rules_into_one_population_are_impossible_where_a_target_has_one():
    net = plastic(plasticity.stdp())
    net.project(
        net["a"],
        net["b"],
        ns.one_to_one(),
        rule=plasticity.stdp(tau_minus="30 ms"),
        weight="0.1 nA",
        delay="2 ms",
        name="second",
    )
    assert "differ in tau_minus" in said(
        pynn.nest.lower(net).report, "population 'b'", "impossible"
    )
    assert "one rule per population" in said(
        pynn.spinnaker.lower(net).report, "population 'b'", "impossible"
    )
    assert pynn.brian2.lower(net).report.possible


def test_a_rule_without_a_program_on_spinnaker_gets_cores_of_its_own():
    net = ns.Network("split", dt="1 ms")
    a = net.population("a", 2, cells.izhikevich(synapse="exponential"))
    rule = plasticity.stdp(dependence="multiplicative", w_max="1 mV/ms")
    net.project(
        a,
        a,
        ns.all_to_all(),
        rule=rule,
        weight="0.1 mV/ms",
        delay="2 ms",
        name="edge",
        port="synaptic",
    )
    assert "n_synapse_cores=1" in said(pynn.spinnaker.lower(net).report, "'a', cores")


@every_backend
def test_shared_weights_are_written_out_and_same_step_projections_are_impossible(backend):
    net = simple(weight=ns.shared([1.0, 2.0], index=[0, 1, 0, 1]))
    assert "2 shared values are written out" in said(backend.lower(net).report, "'edge', weights")
    assert "arrive in the step in which they are sent" in said(
        backend.lower(simple(same_step=True, delay=0)).report, "'edge'", "impossible"
    )


@every_backend
def test_what_cannot_be_recorded_is_impossible(backend):
    net = plastic(plasticity.stdp())
    net.record(net["edge"], "w", "x")
    report = backend.lower(net).report
    assert "no variable of a synapse but its weight" in said(
        report, "recording of 'x'", "impossible"
    )
    assert ("NEST changes it then" in said(report, "recording of 'w'")) == (backend is pynn.nest)


def test_memory_that_is_not_there_and_draws_that_fail_are_rows_not_errors():
    net = simple(weight=ns.normal("1 nA", "1 nA", low="50 nA"))
    assert "still falls outside its bounds" in said(
        pynn.nest.lower(net).report, "network 'simple'", "impossible"
    )


def test_fast_poisson_sources_that_saturate_a_receptor_are_reported():
    net = ns.Network("fast", dt="1 ms")
    source, target = net.poisson("source", 500, rate=1000), net.population("target", 2, cells.lif())
    net.project(
        source, target, ns.all_to_all(), weight="0.5 nA", delay=ns.integers(1, 9), name="edge"
    )
    assert "saturates at" in said(
        pynn.spinnaker.lower(net).report, "'target', excitatory", "approximated"
    )


def test_the_content_addressable_memory_is_possible_on_spinnaker_with_its_own_delays():
    net = ca3_memory.model.network(seed=0)
    report = pynn.spinnaker.lower(net).report
    assert report.possible
    assert "3 ms, 1 step more than here" in said(report, "'CueCue->MergeCue.excitatory', delay")
    # delay 0, back 1 here: dendritic delay 1 there
    assert said(report, "'CueCue->ContCue', rule 'stdp', timing", "exact")
    assert not said(report, "weights", "approximated")


@every_backend
def test_the_reservoir_says_what_no_target_can_do(backend):
    report = backend.lower(build(DEFAULTS, 0)).report
    assert not report.possible
    for name in ("when", "what", "feedback"):
        assert said(report, f"projection '{name}'", "impossible"), name
    assert "reads a random number" in said(report, "population 'reservoir'", "impossible")
    assert "it never spikes" in said(report, "population 'channels'", "impossible")
    fixed = backend.lower(build(replace(DEFAULTS, noise=0.0), 0)).report
    # decaying currents: no software target has them in an Izhikevich cell
    slow = said(fixed, "population 'reservoir'", "impossible")
    assert (
        "closest is Izhikevich: it has the states u, v there" in slow
        if backend is pynn.brian2
        else slow == ""
    )
    if backend is pynn.nest:  # edges stand for the steps of each
        assert "an edge stands for each step of it" in said(
            fixed, "projection 'excitation', synapse", "approximated"
        )


def test_a_step_that_is_no_whole_number_of_tics_is_impossible_where_time_is_counted_in_them():
    """NEST would stop with an error of its kernel; dt = 0.1 ms is 100 tics up to rounding."""
    for dt, status in ((0.0625, "impossible"), (0.1, "exact"), (0.123, "exact")):
        net = ns.Network("steps", dt=dt)
        net.population("cells", 1, cells.lif_exponential(refractory=dt))
        assert {
            row.status for row in pynn.nest.lower(net).report.rows if row.place.kind == "dt"
        } == {status}
        assert not [
            row for row in pynn.brian2.lower(net).report.of("impossible") if row.place.kind == "dt"
        ]
    assert "counts time in units of 0.001 ms" in str(
        pynn.nest.lower(ns.Network("steps", dt=0.0625)).report
    )


@pytest.mark.parametrize("tau_syn", ["5 ms", "5.0000001 ms"])
@pytest.mark.parametrize("make", [cells.lif, cells.lif_exponential, cells.lif_alpha])
def test_equal_time_constants_are_impossible_on_brian2_whose_results_are_no_numbers(make, tau_syn):
    def statuses(backend: object, **values: object) -> set[str]:
        net = ns.Network("singular", dt="0.1 ms")
        net.population("cells", 2, make(tau="5 ms", **values))
        rows = backend.lower(net).report.rows
        return {r.status for r in rows if "tau_m and tau_syn" in str(r.place)}

    name = "tau_syn" if make is cells.lif else "tau_inh"
    assert statuses(pynn.brian2, **{name: tau_syn}) == {"impossible"}
    assert statuses(pynn.nest, **{name: tau_syn}) == set()
    others = {"tau_syn": "5.01 ms"} if make is cells.lif else {"tau_exc": "6 ms", "tau_inh": "7 ms"}
    assert statuses(pynn.brian2, **others) == set()


def test_results_that_are_not_finite_are_told_with_neuron_and_time():
    net = simple()
    net.record(net["target"], "v", every="2 ms")
    lowered = pynn.nest.lower(net)
    run = lowered.artefact.open(lowered.report)
    run.step = 80
    values = np.full((5, 2), -60.0)
    run._results = {"target.v": values}
    assert run.result()["target"].trace("v").values.shape == (4, 2)
    values[3, 1] = np.nan
    with pytest.raises(
        ns.SimulationError, match="'target': 'v' of number 1 is nan at 6 ms on NEST"
    ):
        run.result()
