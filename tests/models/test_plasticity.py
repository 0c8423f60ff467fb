"""The library's rules for pairs and triplets: windows, trains against sums over pairs, and spikes
that meet in one step.
"""

import inspect

import numpy as np
import pytest
from support.rule_networks import FAMILY, STDP, changes, decay, prepare, trains

import neurosim as ns
from neurosim.models import plasticity
from neurosim.models.plasticity import inhibitory_stdp, reward_stdp, stdp, triplet_stdp

DISTANCES = np.arange(-40, 41)


def window(rule, backend, *, weight=0.5, name="w"):
    """Return the change by one pair at each distance, target minus source."""
    return changes(
        rule,
        backend,
        [[45]] * DISTANCES.size,
        [[45 + d] for d in DISTANCES],
        steps=90,
        weight=weight,
        name=name,
    )


# ---- windows of pairs


@pytest.mark.parametrize("weight", [0.2, 0.7])
@pytest.mark.parametrize(
    ("dependence", "grow", "shrink"),
    [
        ("additive", lambda w: 1.0, lambda w: 1.0),
        ("multiplicative", lambda w: 1 - w / 2, lambda w: w / 2),
        ("power-law", lambda w: (w / 0.5) ** 0.3, lambda w: w / 0.5),
        ("guetig", lambda w: (1 - w / 2) ** 0.3, lambda w: (w / 2) ** 0.3),
    ],
)
def test_the_window_of_pair_stdp_is_exponential_and_its_height_follows_the_weight(
    backend, dependence, grow, shrink, weight
):
    """A pair at zero distance depresses by the full amplitude: the target's spike acts before the
    source's.
    """
    rule = stdp(dependence=dependence, mu=0.3, w_max="2 nA", w_ref="0.5 nA", **STDP)
    expected = np.where(
        DISTANCES > 0,
        0.02 * grow(weight) * decay(DISTANCES, 7.0),
        -0.03 * shrink(weight) * decay(DISTANCES, 11.0),
    )
    np.testing.assert_allclose(window(rule, backend, weight=weight), expected, rtol=1e-10)
    assert expected[DISTANCES == 0] == -0.03 * shrink(weight)


def test_the_window_of_the_triplet_rule_at_isolated_pairs_is_that_of_its_pair_terms(backend):
    rule = triplet_stdp(
        a2_plus=0.02, a2_minus=0.03, a3_plus=0.1, a3_minus=0.1, tau_plus="7 ms", tau_minus="11 ms"
    )
    expected = np.where(DISTANCES > 0, 0.02 * decay(DISTANCES, 7.0), -0.03 * decay(DISTANCES, 11.0))
    np.testing.assert_allclose(window(rule, backend), expected, rtol=1e-10)


def test_the_window_of_the_reward_rule_is_written_to_the_eligibility_and_not_to_the_weight(backend):
    rule = reward_stdp(tau_c="50 ms", **STDP)
    age = 90 - 1 - np.maximum(45, 45 + DISTANCES)  # steps since the pair was complete
    expected = np.where(
        DISTANCES > 0, 0.02 * decay(DISTANCES, 7.0), -0.03 * decay(DISTANCES, 11.0)
    ) * decay(age, 50.0)
    np.testing.assert_allclose(window(rule, backend, name="c"), expected, rtol=1e-10)
    assert not window(rule, backend).any()


def test_the_window_of_the_inhibitory_rule_is_symmetric_above_a_constant_loss(backend):
    rule = inhibitory_stdp(eta=0.02, target="5 Hz", tau="10 ms")
    expected = 0.02 * decay(DISTANCES, 10.0) - 0.02 * 2 * 0.005 * 10
    np.testing.assert_allclose(window(rule, backend), expected, rtol=1e-9)


def test_relative_amplitudes_are_multiples_of_the_largest_weight(backend):
    for rule in (stdp, triplet_stdp, reward_stdp, inhibitory_stdp):
        amplitudes = {
            n: k / 100
            for k, n in enumerate(inspect.signature(rule).parameters, 1)
            if n.startswith(("a_", "a2", "a3", "eta"))
        }
        name = "c" if rule is reward_stdp else "w"
        absolute = window(
            rule(w_max="2 nA", **{n: 2 * a for n, a in amplitudes.items()}),
            backend,
            weight=1.0,
            name=name,
        )
        np.testing.assert_allclose(
            window(rule(w_max="2 nA", relative=True, **amplitudes), backend, weight=1.0, name=name),
            absolute,
            rtol=1e-12,
        )
        assert absolute.any()


def test_weights_have_the_unit_of_the_largest_weight_and_stay_between_the_bounds(backend):
    pre, post = [[5, 15, 25]] * 2, [[6, 16, 26], [4, 14, 24]]
    rule = stdp(a_plus=300, a_minus=300, w_min=100, w_max="600 pA")
    changed = changes(rule, backend, pre, post, steps=30, weight=500)
    np.testing.assert_allclose(changed, [100, -400], rtol=1e-12)
    assert str(stdp(w_max="600 pA").edge[0].unit) == "a current (pA)"
    assert stdp(w_max=3.0).edge[0].unit.text == "1"
    for rule in (stdp, triplet_stdp, reward_stdp, inhibitory_stdp):
        assert rule(w_max=ns.Parameter("uS", [1.0, 2.0], per="edge")).edge[0].unit.text == "uS"


# ---- trains, against sums over pairs


def pairs(pairing, pre, post):
    """Return what two trains gain and lose in units of the amplitudes, by the definitions of
    Morrison, Diesmann & Gerstner 2008, fig. 7.
    """
    gain = loss = 0.0
    for t in post:
        before = pre[pre < t]
        if pairing != "all-to-all":
            before = before[-1:]
        if (
            pairing == "reduced-symmetric"
        ):  # no spike of the target in between; one in the step of the source's counts as earlier
            before = before[[not ((post > s) & (post < t)).any() for s in before]]
        gain += decay(t - before, 7.0).sum()
    for t in pre:
        before = post[post <= t]
        if pairing != "all-to-all":
            before = before[-1:]
        if pairing == "reduced-symmetric":
            before = before[[not ((pre >= s) & (pre < t)).any() for s in before]]
        loss += decay(t - before, 11.0).sum()
    return gain, loss


@pytest.mark.parametrize("pairing", plasticity.PAIRINGS)
def test_trains_change_weights_by_the_sum_over_the_pairs_of_their_pairing(backend, pairing):
    pre, post = trains(1)
    expected = [
        1e-4 * gain - 2e-4 * loss
        for gain, loss in (pairs(pairing, *spikes) for spikes in zip(pre, post, strict=True))
    ]
    rule = stdp(pairing=pairing, **(STDP | {"a_plus": 1e-4, "a_minus": 2e-4}))
    np.testing.assert_allclose(changes(rule, backend, pre, post, steps=401), expected, rtol=1e-9)


def test_the_three_pairings_count_different_pairs():
    pre, post = trains(1)
    counts = {pairing: pairs(pairing, pre[0], post[0]) for pairing in plasticity.PAIRINGS}
    for side in (0, 1):
        assert (
            counts["all-to-all"][side]
            > counts["nearest"][side]
            > counts["reduced-symmetric"][side]
            > 0
        )


@pytest.mark.parametrize("pairing", ["all-to-all", "nearest"])
def test_trains_change_weights_by_the_sum_over_triplets(backend, pairing):
    """Equations 3 and 4 of Pfister & Gerstner (2006) with each trace written as a sum over the
    spikes before.
    """
    pre, post = trains(2)
    a = {"a2_plus": 1e-4, "a3_plus": 3e-4, "a2_minus": 2e-4, "a3_minus": 5e-4}

    def trace(spikes, t, tau, strictly):
        before = spikes[spikes < t] if strictly else spikes[spikes <= t]
        return decay(t - (before if pairing == "all-to-all" else before[-1:]), tau).sum()

    def change(pre, post):
        gain = sum(
            trace(pre, t, 7.0, True) * (a["a2_plus"] + a["a3_plus"] * trace(post, t, 30.0, True))
            for t in post
        )
        return gain - sum(
            trace(post, t, 11.0, False)
            * (a["a2_minus"] + a["a3_minus"] * trace(pre, t, 20.0, True))
            for t in pre
        )

    rule = triplet_stdp(
        pairing=pairing, tau_plus="7 ms", tau_minus="11 ms", tau_x="20 ms", tau_y="30 ms", **a
    )
    expected = [change(*spikes) for spikes in zip(pre, post, strict=True)]
    np.testing.assert_allclose(changes(rule, backend, pre, post, steps=401), expected, rtol=1e-9)


def test_delays_move_the_window_by_what_spikes_need_to_the_synapse(backend):
    """Axonal 2 ms, back 5 ms: the window is that of the times at which spikes reach the synapse."""
    rule = stdp(**STDP)
    changed = changes(
        rule,
        backend,
        [[45]] * DISTANCES.size,
        [[45 + d] for d in DISTANCES],
        steps=100,
        delay="2 ms",
        dendritic_fraction=0.0,
        back="5 ms",
    )
    at = DISTANCES + 5 - 2
    np.testing.assert_allclose(
        changed, np.where(at > 0, 0.02 * decay(at, 7.0), -0.03 * decay(at, 11.0)), rtol=1e-10
    )


# ---- spikes in one step

SAME_STEP = {
    "stdp": -0.012,
    "stdp-multiplicative": -0.012 * 0.5,
    "stdp-power-law": -0.012 * 0.5,
    "stdp-guetig": -0.012 * 0.5**0.4,
    "stdp-nearest": -0.012,
    "stdp-reduced": -0.012,
    "triplet_stdp": -0.0071,
    "triplet_stdp-nearest": -0.0071,
    "reward_stdp": -0.0375,
    "inhibitory_stdp": 0.02 * (1 - 0.2),
}


@pytest.mark.parametrize("name", SAME_STEP)
def test_spikes_of_both_sides_in_one_step_are_a_pair_in_which_the_target_came_first(backend, name):
    """Full depression and no potentiation; under the symmetric rule one pair, not two."""
    changed = changes(
        FAMILY[name], backend, [[10]], [[10]], steps=11, name="c" if name == "reward_stdp" else "w"
    )
    np.testing.assert_allclose(changed, SAME_STEP[name], rtol=1e-10)


def test_triplets_with_two_spikes_in_one_step_read_the_slow_traces_of_earlier_steps(backend):
    """Potentiation finds the source's spike of step 6, depression its slow trace; neither finds
    that of step 10.
    """
    rule = triplet_stdp(a2_plus=0.01, a2_minus=0.02, a3_minus=0.03, tau_x="50 ms")
    expected = 0.01 * decay(4, 16.8) - 0.02 - 0.03 * decay(4, 50.0)
    np.testing.assert_allclose(
        changes(rule, backend, [[6, 10]], [[10]], steps=11, weight=0.8), [expected], rtol=1e-10
    )


@pytest.mark.parametrize("name", ["stdp", "triplet_stdp", "reward_stdp", "inhibitory_stdp"])
def test_a_rule_whose_handlers_are_swapped_is_told_from_the_library_s(backend, name):
    rule = FAMILY[name]
    swapped = object.__new__(ns.Rule)
    swapped.__dict__.update(
        rule.__dict__, handlers=(rule.handlers[1], rule.handlers[0], *rule.handlers[2:])
    )
    variable = "c" if name == "reward_stdp" else "w"
    pre, post = [[6, 10]], [[10, 12]]
    right, wrong = (
        changes(tested_rule, backend, pre, post, steps=13, name=variable)
        for tested_rule in (rule, swapped)
    )
    if (
        name == "inhibitory_stdp"
    ):  # symmetric: the order in which a pair is counted once does not matter
        np.testing.assert_allclose(right, wrong, rtol=1e-12)
    else:
        assert abs(right - wrong) > 0.1 * abs(right)


def test_a_spike_delivers_the_weight_that_it_has_just_changed(backend):
    for rule in (
        stdp(**STDP),
        triplet_stdp(a2_minus=0.03, tau_minus="11 ms"),
        inhibitory_stdp(eta=0.03, target=0, tau="11 ms"),
    ):
        run = prepare(rule, backend, [[10]], [[8]])
        run.run(12, progress=False)
        assert run.get("target", "heard") == run.get("edge", "w") != 0.5
    run = prepare(reward_stdp(reward=1.0), backend, [[10]], [[8]])
    run.run(12, progress=False)
    # the weight follows in the step's last handler
    assert run.get("target", "heard") == 0.5 > run.get("edge", "w")
