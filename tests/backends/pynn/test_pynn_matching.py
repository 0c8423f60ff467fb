"""Cells and rules are matched to PyNN's by what they say, whatever they are called."""

import numpy as np
import pytest
import sympy
from support.pynn_networks import HODGKIN_HUXLEY

import neurosim as ns
from neurosim.models import cells, plasticity
from neurosim.models.ca3_memory.network import fast

pytest.importorskip("sympy")
from neurosim.backends.pynn.matching.algebra import (  # noqa: E402
    Unmatched,
    after,
    coefficients,
    symbol,
    symbolic,
    value,
    vanishes,
)
from neurosim.backends.pynn.matching.cells import match_cell  # noqa: E402
from neurosim.backends.pynn.matching.pair_stdp import match_pair_stdp  # noqa: E402
from neurosim.backends.pynn.matching.standard_cells import STANDARD_CELLS  # noqa: E402
from neurosim.backends.pynn.translation.targets import BRIAN, NEST, SPINNAKER  # noqa: E402


def numbers(match, cell):
    """Return the PyNN parameters of a match as numbers."""
    values = {p.name: p.value for p in cell.parameters}
    for name, number in values.items():
        if not isinstance(number, float | int):
            values[name] = values.get("rest", 0.0)
    return {n: value(e, values) for n, e in match.parameters.items() if e is not None}


@pytest.mark.parametrize(
    "standard", STANDARD_CELLS, ids=lambda s: f"{s.name}-{'-'.join(sorted(s.targets))}"
)
def test_every_standard_cell_written_in_our_language_is_itself(standard):
    cell = standard.cell
    if cell.spike is None:
        cell = ns.Cell(**HODGKIN_HUXLEY)
    match = match_cell(cell, min(standard.targets))
    assert match.standard is standard
    if standard.cell.spike is not None:
        assert all(sympy.simplify(e - symbol(n)) == 0 for n, e in match.parameters.items())
        assert match.unread == ()


def test_a_leaky_cell_written_by_hand_is_if_curr_exp_with_its_parameters_worked_out():
    cell = ns.Cell(
        """dpotential/dt = (resting - potential + big_r * (drive - 0.5 * pull)) / membrane : mV
                      ddrive/dt = -drive / 3 / ms : nA
                      dpull/dt = -2 * pull / slow : nA""",
        parameters={"resting": "-60 mV", "membrane": "10 ms", "slow": "8 ms", "big_r": "50 Mohm"},
        receives={"plus": ns.Port("nA", into="drive"), "minus": ns.Port("nA", into="pull")},
        spike="potential > resting + 15 * mV",
        after_spike="potential = resting - 5 * mV",
        refractory=ns.Refractory("3 ms", "potential"),
    )
    match = match_cell(cell, "nest")
    assert match.standard.name == "IF_curr_exp"
    assert numbers(match, cell) == pytest.approx(
        {
            "tau_m": 10,
            "cm": 0.2,
            "v_rest": -60,
            "v_reset": -65,
            "v_thresh": -45,
            "tau_refrac": 3,
            "i_offset": 0,
            "tau_syn_E": 3,
            "tau_syn_I": 4,
        }
    )
    assert match.ports == {"plus": ("excitatory",), "minus": ("inhibitory",)}
    assert (match.scale("excitatory"), float(match.scale("inhibitory"))) == (1, -0.5)


def test_a_cell_without_units_matches_and_its_numbers_count_as_pynn_units():
    cell = ns.Cell(
        "dv/dt = (bias - v) / tau : 1; dg/dt = -g / tau_g : 1",
        parameters={"tau": "10 ms", "tau_g": "4 ms", "bias": 0.5},
        spike="v >= 1",
        after_spike="v = 0",
        receives={"in": ns.Port("1", into="v")} | {"g": ns.Port("1", into="g")},
    )
    with pytest.raises(Unmatched, match="closest is"):
        match_cell(cell, "nest")  # g acts on nothing: no standard cell has such a state
    plain = ns.Cell(
        "dv/dt = (bias - v) / tau : 1",
        parameters={"tau": "10 ms", "bias": 0.5},
        spike="v >= 1",
        after_spike="v = 0",
        receives={"in_": ns.Port("1", into="v")},
    )
    match = match_cell(plain, "nest")
    assert match.standard.name == "IF_curr_delta"
    assert match.parameters["cm"] is None  # without a current, any will do
    assert numbers(match, plain) == pytest.approx(
        {"tau_m": 10, "v_rest": 0.5, "v_reset": 0, "v_thresh": 1, "tau_refrac": 0, "i_offset": 0}
    )


def test_an_alpha_synapse_whose_peak_is_not_normalised_has_its_weights_scaled():
    cell = ns.Cell(
        """dv/dt = (rest - v) / tau + synaptic / capacity : mV
                      dsynaptic/dt = (rising - synaptic) / tau_syn : nA
                      drising/dt = -rising / tau_syn : nA""",
        parameters={"rest": "-65 mV", "tau": "10 ms", "tau_syn": "2 ms", "capacity": "0.5 nF"},
        receives={"in_": ns.Port("nA", into="rising")},
        spike="v >= -50 * mV",
        after_spike="v = rest",
        refractory=ns.Refractory("2 ms", "v"),
    )
    match = match_cell(cell, "nest")
    assert match.standard.name == "IF_curr_alpha"
    # PyNN's weight is the peak: a weight w here peaks at w / e
    assert float(match.scale("excitatory")) == pytest.approx(1 / np.e)
    assert match.ports == {"in_": ("excitatory", "inhibitory")}


def test_hodgkin_huxley_written_with_other_quotients_is_hh_cond_exp():
    cell = ns.Cell(**HODGKIN_HUXLEY)
    match = match_cell(cell, "nest")
    assert match.standard.name == "HH_cond_exp"
    assert numbers(match, cell) == pytest.approx(
        {
            "gbar_Na": 20,
            "gbar_K": 6,
            "g_leak": 0.01,
            "cm": 0.2,
            "v_offset": -63,
            "e_rev_Na": 50,
            "e_rev_K": -90,
            "e_rev_leak": -65,
            "i_offset": 0,
            "e_rev_E": 0,
            "tau_syn_E": 5,
        }
    )


@pytest.mark.slow
def test_hodgkin_huxley_with_another_number_in_a_rate_is_not_hh_cond_exp():
    wrong = HODGKIN_HUXLEY | {
        "equations": HODGKIN_HUXLEY["equations"].replace("0.5 * exp", "0.6 * exp")
    }
    with pytest.raises(Unmatched, match="closest is HH_cond_exp: the equation of '[mhn]' differs"):
        match_cell(ns.Cell(**wrong), "nest")


def test_the_library_is_matched_on_every_target():
    wanted = {
        "lif": "IF_curr_exp",
        "lif_delta": "IF_curr_delta",
        "lif_exponential": "IF_curr_exp",
        "lif_conductance": "IF_cond_exp",
    }
    for target in ("nest", "pynn-brian2", "spinnaker"):
        for name, standard in wanted.items():
            assert match_cell(getattr(cells, name)(), target).standard.name == standard


def test_izhikevich_means_voltage_steps_on_software_and_decaying_currents_on_spinnaker():
    steps, currents = cells.izhikevich(synapse="delta"), cells.izhikevich(synapse="exponential")
    assert (
        sympy.simplify(match_cell(steps, "nest").parameters["i_offset"] - symbol("current") / 1000)
        == 0
    )
    assert match_cell(currents, "spinnaker").parameters["i_offset"] == symbol("current")
    with pytest.raises(Unmatched, match="closest is Izhikevich: it has the states u, v there"):
        match_cell(currents, "pynn-brian2")
    # where edges stand for the steps of a current
    assert match_cell(currents, "nest").standard.name == "IzhikevichHalfSteps"
    assert match_cell(steps, "nest").standard.name == "Izhikevich"
    # nothing there takes a voltage step
    assert match_cell(steps, "spinnaker").ports["synaptic"] == ()


def test_step_statements_match_through_the_derivatives_beside_them():
    match = match_cell(fast(), "spinnaker")
    assert (match.standard.name, match.states["isyn_exc"], match.scale("inhibitory")) == (
        "IF_curr_exp",
        "excitation",
        -1,
    )
    mean = (1 - np.exp(-1 / 0.3)) * 0.3  # of a decaying current over its first millisecond
    assert float(
        match.jumps["excitatory"].subs({"dt": 1.0} | {symbol("dt"): 1.0, symbol("tau_syn"): 0.3})
    ) == pytest.approx(mean)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"spike": None, "after_spike": "", "refractory": None}, "it never spikes"),
        ({"refractory": ns.Refractory("2 ms", "v, synaptic")}, "freezes v, synaptic"),
        ({"refractory": "2 ms"}, "freezes nothing"),
        ({"after_spike": "v = rest; synaptic = 0"}, "closest is"),
        ({"after_spike": ""}, "closest is"),
        (
            {
                "equations": (
                    "dv/dt = (rest - v) * (v - rest) / (tau * mV) + synaptic / nF : mV; "
                    "dsynaptic/dt = -synaptic / tau : nA"
                )
            },
            "the equation of 'v' differs",
        ),
        (
            {
                "equations": (
                    "dv/dt = (rest - v) / tau + synaptic / nF : mV; "
                    "dsynaptic/dt = -synaptic / tau : nA; more : 1"
                )
            },
            "state 'more' has no derivative",
        ),
        (
            {
                "equations": (
                    "dv/dt = (rest - v) / tau + normal() * mV / ms : mV; "
                    "dsynaptic/dt = -synaptic / tau : nA"
                )
            },
            "reads a random number",
        ),
        ({"spike": "v * 2 >= -100 * mV"}, "Write it so"),
        (
            {
                "equations": (
                    "dv/dt = where(v > rest, 0, 1) * mV / ms : mV; "
                    "dsynaptic/dt = -synaptic / tau : nA"
                )
            },
            "it compares or chooses",
        ),
    ],
)
def test_what_no_standard_cell_has_is_named(change, reason):
    declared = dict(
        equations=(
            "dv/dt = (rest - v) / tau + synaptic / nF : mV; dsynaptic/dt = -synaptic / tau : nA"
        ),
        parameters={"rest": "-65 mV", "tau": "10 ms"},
        receives={"synaptic": ns.Port("nA", into="synaptic")},
        spike="v >= -50 * mV",
        after_spike="v = rest",
        refractory=ns.Refractory("2 ms", "v"),
    )
    assert match_cell(ns.Cell(**declared), "nest").standard.name == "IF_curr_exp"
    with pytest.raises(Unmatched, match=reason):
        match_cell(ns.Cell(**declared | change), "nest")


def test_noise_of_no_amplitude_is_left_out():
    cell = cells.izhikevich(synapse="delta", noise=0.0)
    assert match_cell(cell, "nest", zero=["noise"]).standard.name == "Izhikevich"


@pytest.mark.parametrize(
    ("rule", "dependence", "amplitude"),
    [
        (plasticity.stdp(a_plus=0.02, w_max="2 nA"), "AdditiveWeightDependence", 0.01),
        (
            plasticity.stdp(a_plus=0.02, w_max="2 nA", relative=True),
            "AdditiveWeightDependence",
            0.02,
        ),
        (
            plasticity.stdp(a_plus=0.02, w_max="2 nA", dependence="multiplicative"),
            "MultiplicativeWeightDependence",
            0.01,
        ),
        (
            plasticity.stdp(a_plus=0.02, w_max="2 nA", dependence="guetig"),
            "GutigWeightDependence",
            0.01,
        ),
    ],
)
def test_pair_stdp_is_pynns_with_amplitudes_relative_to_w_max(rule, dependence, amplitude):
    match = match_pair_stdp(rule)
    values = {"a_plus": 0.02, "a_minus": 0.012, "w_max": 2.0, "w_min": 0.0, "mu": 0.4}
    assert match.dependence == dependence
    assert value(match.timing["A_plus"], values) == pytest.approx(amplitude)
    assert value(match.timing["A_minus"], values) == pytest.approx(amplitude * 0.6)
    assert (match.simultaneous, match.order) == ((0, 1), ("grow", "shrink", "send"))


def test_a_rule_written_by_hand_is_matched_with_what_it_does_to_spikes_that_meet():
    rule = ns.Rule(
        edge="w : nA",
        pre="dp/dt = -p / up : 1",
        post="dq/dt = -q / down : nA",
        handlers=[
            ("pre", "out += w; w = clip(w - q, 0, top); p += 2"),
            ("post", "w = clip(w + gain * p, 0, top); q += gain"),
        ],
        parameters={"up": "10 ms", "down": "30 ms", "gain": "0.1 nA", "top": "4 nA"},
    )
    match = match_pair_stdp(rule)
    assert (match.simultaneous, match.order) == ((1, 0), ("send", "shrink", "grow"))
    assert not match.sends_changed_weight
    assert {
        n: value(e, {"gain": 0.1, "top": 4.0, "up": 10, "down": 30})
        for n, e in match.timing.items()
    } == pytest.approx({"tau_plus": 10, "tau_minus": 30, "A_plus": 0.05, "A_minus": 0.025})


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (plasticity.stdp(dependence="power-law"), "none of PyNN's"),
        (plasticity.stdp(pairing="nearest"), "nearest spikes only"),
        (plasticity.stdp(pairing="reduced-symmetric"), "source variables x, last_pre"),
        (plasticity.triplet_stdp(), "source variables r1, r2"),
        (plasticity.reward_stdp(), "it acts in every step"),
        (plasticity.three_factor(), "it acts in every step"),
        (plasticity.inhibitory_stdp(), "not proportional to the trace"),
        (plasticity.short_term(), "target variables none"),
    ],
)
def test_rules_that_pynn_has_not_say_what_is_missing(rule, reason):
    with pytest.raises(Unmatched, match=reason):
        match_pair_stdp(rule)


def test_two_expressions_are_equal_only_if_they_are_equal_everywhere():
    x, y = symbol("x"), symbol("y")
    assert vanishes((x + y) ** 2 - x**2 - 2 * x * y - y**2)
    assert vanishes(sympy.exp(x + y) - sympy.exp(x) * sympy.exp(y))
    assert not vanishes(x - x * (1 + sympy.Rational(1, 10**12)))
    assert {
        sympy.simplify(c) for c in coefficients(3 * x**2 + y * x + 2 * sympy.exp(x / y), [x])
    } == {3, y, 2}


def test_statements_are_followed_one_after_the_other():
    cell = ns.Cell("v : 1; u : 1", spike="v > 1", after_spike="v = 0; u += v + 1; u *= 2")
    assert after(cell.after_spike) == {"v": 0, "u": 2 * (symbol("u") + 1)}
    assert symbolic(cell.spike.left) == symbol("v")


def test_the_table_of_targets_names_only_cells_that_exist():
    known = {(s.name, t) for s in STANDARD_CELLS for t in s.targets}
    for target in (NEST, BRIAN, SPINNAKER):
        assert {(c, target.name) for c in target.methods} == {
            pair for pair in known if pair[1] == target.name
        }
        for table in (
            target.shared_parameters,
            target.patches,
            target.replaced_parameters,
            target.combined_cores or {},
        ):
            assert set(table) <= {c for c, t in known if t == target.name} | {"SpikeSourcePoisson"}
