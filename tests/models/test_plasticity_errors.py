"""The library's rules with links and on other engines, what they name as source, and what they
refuse.
"""

import inspect

import numpy as np
import pytest
from support.rule_networks import FAMILY, LISTENER, STDP, decay, prepare, trains

import neurosim as ns
from neurosim.models import cells, plasticity
from neurosim.models.plasticity import inhibitory_stdp, reward_stdp, short_term, stdp, triplet_stdp


def test_an_amplitude_follows_an_astrocyte(backend):
    """Depression reads the level after phase 2 of the step in which the source spikes: 45 + 1 steps
    after the start.
    """
    net = ns.Network("glia", dt="1 ms")
    source = net.spike_source("source", 2, steps=[[45], [45]])
    teacher = net.spike_source("teacher", 2, steps=[[39], [49]])
    target = net.population("target", 2, LISTENER)
    glia = net.population(
        "glia",
        1,
        ns.Cell("dlevel/dt = -level / tau : 1", parameters={"tau": "30 ms"}, name="astrocyte"),
        level=0.2,
    )
    net.project(teacher, target, ns.one_to_one(), weight=1.0, port="go")
    rule = stdp(**(STDP | {"a_plus": 0.01}), w_max="2 nA", relative=True).reading(
        a_minus=glia["level"]
    )
    net.project(
        source, target, ns.one_to_one(), rule=rule, weight=0.9, port="synaptic", name="edge"
    )
    run = ns.prepare(net, backend=backend)
    run.run(60, progress=False)
    np.testing.assert_allclose(
        run.get("edge", "w") - 0.9,
        [-0.2 * decay(46, 30.0) * 2 * decay(5, 11.0), 2 * 0.01 * decay(5, 7.0)],
        rtol=1e-10,
    )


@pytest.mark.parametrize("name", FAMILY)
def test_every_rule_gives_the_same_bits_on_the_fast_engine_as_on_the_reference(name, fast_backend):
    pre, post = trains(4, edges=6, steps=300)
    outcomes = []
    for backend in ("reference", fast_backend):
        run = prepare(
            FAMILY[name],
            backend,
            pre,
            post,
            record=("heard",),
            delay=np.array([0.0, 1, 2, 3, 0, 5]),
            back="1 ms",
        )
        run.run(300, progress=False)
        outcomes.append((run.get("edge", "w"), run.result()["target"].trace("heard").values))
    np.testing.assert_array_equal(outcomes[0][0], outcomes[1][0])
    np.testing.assert_array_equal(outcomes[0][1], outcomes[1][1])
    assert outcomes[0][1].any()


@pytest.mark.parametrize("name", FAMILY)
def test_every_parameter_may_be_linked(name):
    net = ns.Network("linked", dt="1 ms")
    source = net.spike_source("source", 2, steps=[[1], [2]])
    target = net.population("target", 2, LISTENER)
    for p in FAMILY[name].parameters:
        level = net.population(
            f"level_{p.name}", 1, ns.Cell(f"level : {p.unit.text}", name="astrocyte")
        )["level"]
        net.project(
            source,
            target,
            ns.one_to_one(),
            rule=FAMILY[name].reading(**{p.name: level}),
            port="synaptic",
            name=f"linked_{p.name}",
        )


def test_every_rule_names_its_source():
    functions = [
        f
        for name, f in inspect.getmembers(plasticity, inspect.isfunction)
        if f.__annotations__.get("return") == "Rule" and name[0] != "_"
    ]
    assert {f.__name__ for f in functions} == {name.split("-")[0] for name in FAMILY} | {
        "three_factor"
    }
    assert all("Source: " in f.__doc__ for f in functions)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: stdp(pairing="closest"),
            r"rule 'stdp': there is no pairing 'closest'.* all-to-all, nearest, "
            r"reduced-symmetric. Name one of them with pairing=",
        ),
        (
            lambda: stdp(dependence="linear"),
            r"rule 'stdp': there is no dependence 'linear'.*additive, guetig, multiplicative, "
            r"power-law",
        ),
        (
            lambda: triplet_stdp(pairing="reduced-symmetric"),
            r"rule 'triplet_stdp': there is no pairing 'reduced-symmetric'",
        ),
        (
            lambda: short_term(per="target"),
            r"rule 'short_term': there is no per 'target'.*edge, source",
        ),
        (
            lambda: stdp(w_max="other"),
            r"parameter 'w_max': found 'other', expected a quantity, which gives the weights "
            r"their unit. Write one such as '1 nA'",
        ),
        (
            lambda: stdp(a_plus="1 mV"),
            r"rule 'stdp', parameter 'a_plus': '1 mV' is a voltage \(mV\), but a current \(nA\) "
            r"is expected",
        ),
        (
            lambda: stdp(a_plus="1 nA", relative=True),
            r"rule 'stdp', parameter 'a_plus': '1 nA' is a current",
        ),
        (
            lambda: inhibitory_stdp(target="5 ms"),
            r"rule 'inhibitory_stdp', parameter 'target': '5 ms' is a time",
        ),
        (
            lambda: stdp(dependence="guetig", w_min="1 nA"),
            r"rule 'stdp', parameter 'w_max': found 1 nA, expected more than 1 nA. Correct it",
        ),
        (
            lambda: stdp(dependence="multiplicative", w_min="1 nA"),
            r"rule 'stdp', parameter 'w_max': found 1 nA, expected more than 1 nA",
        ),
        (
            lambda: stdp(w_min="2 nA"),
            r"rule 'stdp', parameter 'w_max': found 1 nA, expected 2 nA or more. Correct it",
        ),
        (
            lambda: reward_stdp(w_min="2 nA"),
            r"rule 'reward_stdp', parameter 'w_max': found 1 nA, expected 2 nA or more",
        ),
        (
            lambda: stdp(w_max="-1 nA", w_min="-2 nA"),
            r"rule 'stdp', parameter 'w_max': found -1 nA, expected 0 nA or more",
        ),
        (
            lambda: stdp(w_max=ns.Parameter("nA", [1.0, -2.0], per="edge")),
            r"parameter 'w_max': found -2 nA, expected 0 nA or more",
        ),
        (
            lambda: stdp(dependence="power-law", w_ref="0 nA"),
            r"rule 'stdp', parameter 'w_ref': found 0 nA, expected more than 0 nA",
        ),
        (
            lambda: stdp(dependence="power-law", w_max="0 nA"),
            r"rule 'stdp', parameter 'w_ref': found 0 nA, expected more than 0 nA",
        ),
        (
            lambda: short_term(U=2),
            r"rule 'short_term', parameter 'U': found 2, expected 0 to 1. Correct it",
        ),
        (
            lambda: short_term(U=-0.5),
            r"rule 'short_term', parameter 'U': found -0.5, expected 0 to 1",
        ),
        (
            lambda: triplet_stdp(tau_y="0 ms"),
            r"rule 'triplet_stdp', equation of o2: time constant 'tau_y': "
            r"found 0 ms, expected more than 0 ms",
        ),
    ],
)
def test_a_wrong_name_or_unit_is_refused_where_the_rule_is_made(make, message):
    with pytest.raises(ns.ModelError, match=message):
        make()


def test_bounds_equal_drawn_or_computed_are_accepted_if_nothing_divides_by_their_distance():
    assert stdp(w_min="1 nA").parameters
    assert short_term(U=1.0).parameters
    assert short_term(U=ns.uniform(0.2, 0.8)).parameters
    assert stdp(w_min="-w_max", dependence="guetig").parameters
    assert inhibitory_stdp(w_max="0 nA", w_min="-1 nA").parameters


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: cells.lif(tau="0 ms"),
            r"cell 'lif', parameter 'tau': found 0 ms, expected more than 0 ms. Correct it",
        ),
        (
            lambda: cells.lif_alpha(tau_exc=-1),
            r"cell 'lif_alpha', parameter 'tau_exc': found -1 ms, expected more than 0 ms",
        ),
        (
            lambda: cells.lif_exponential(capacity=0),
            r"cell 'lif_exponential', parameter 'capacity': found 0 nF, expected more than 0 nF",
        ),
        (
            lambda: cells.adex_conductance(slope="0 mV"),
            r"cell 'adex_conductance', parameter 'slope': found 0 mV, expected more than 0 mV",
        ),
        (
            lambda: cells.leaky_readout(tau=[3.0, 0.0]),
            r"cell 'leaky_readout', parameter 'tau': found 0 ms, expected more than 0 ms",
        ),
        (
            lambda: cells.izhikevich(synapse="exponential", tau_syn=0),
            r"cell 'izhikevich', parameter 'tau_syn': found 0 ms, expected more",
        ),
        (
            lambda: cells.izhikevich_2007(capacity="0 pF"),
            r"cell 'izhikevich_2007', parameter 'capacity': found 0 nF, expected more",
        ),
        (
            lambda: cells.hodgkin_huxley(tau_inh=0),
            r"cell 'hodgkin_huxley', parameter 'tau_inh': found 0 ms, expected more",
        ),
    ],
)
def test_a_library_cell_that_would_divide_by_zero_or_grow_without_end_is_refused(make, message):
    with pytest.raises(ns.ModelError, match=message):
        make()
