"""Rung 3: engines agree to the last bit over random networks, for any number of threads and any
split of a run.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import support.random_networks as rn
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples
from support.stories import FRESH, SAME, SEED, lively, played

import neurosim as ns
from neurosim import Rule

# Brian 2 takes a second per random network; tests/backends/brian compares fewer of them.
BACKENDS = ("reference", "cpu")


def agree(story: rn.Story) -> ns.Run:
    """Compare the engines; return the run of the reference."""
    run = played(story, "reference")
    expected = rn.outcome(run)
    for threads in (1, 2):
        assert rn.differences(expected, rn.outcome(played(story, "cpu", threads=threads))) == []
    return run


def test_reference_and_cpu_agree_to_the_last_bit_with_one_thread_and_two():
    """A comparison of silent networks proves nothing: what is drawn must spike, learn, delay, and
    use every part of the catalogue.
    """
    seen: Counter = Counter()

    @SEED
    @settings(SAME, max_examples=examples(60))
    @given(rn.stories())
    def compare(story):
        count_parts(story, agree(story), seen)

    compare()
    assert seen["finite"] == seen["stories"] >= 60
    assert seen["spikes of cells"] > 10
    assert seen["edges"] > 24
    assert seen["learned"] > 8
    assert seen["delays that differ"] > 8
    expected = {
        "static",
        *(rule.name for rule, _ in rn.RULES.values()),
        "run",
        "set",
        "emit",
        "reset",
        "rewind",
    }
    assert expected <= seen.keys()
    assert seen["within a step"] > 4 and seen["within a step, by a rule"] > 2
    assert seen["shared weights"] > 4 and seen["stages"] > 1


def count_parts(story: rn.Story, run: ns.Run, seen: Counter) -> None:
    """Count what a story that was played has."""
    seen["stories"] += 1
    seen["finite"] += not run.interrupted
    seen["spikes of cells"] += any(
        k[0] == "spikes" and k[1] != "source" and v.size > 0 for k, v in rn.outcome(run).items()
    )
    seen["stages"] += len(run.program.stages) > 2
    seen.update(verb for verb, *_ in story.actions)
    for p in story.net.projections.values():
        program = run.program.projections[p.name]
        seen["edges"] += program.targets.size > 0
        seen["delays that differ"] += (
            not program.pre_groups.uniform or p.rule is not None and np.ndim(program.dendritic) > 0
        )
        seen["within a step"] += p.same_step and program.targets.size > 0
        seen["within a step, by a rule"] += p.same_step and p.rule is not None
        seen["shared weights"] += run.program.shares_weights(p.name)
        seen[p.rule.name if p.rule else "static"] += 1
        if p.rule is not None and any(
            not np.array_equal(run.get(p, v.name), run.memory.initial[p.name, v.name])
            for v in p.rule.edge
        ):
            seen["learned"] += 1


@pytest.mark.slow
@settings(FRESH)
@given(rn.stories())
def test_reference_and_cpu_agree_on_a_thousand_fresh_networks(story):
    agree(story)


@SEED
@settings(SAME, max_examples=examples(25))
@given(rn.stories(), st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_a_run_in_pieces_equals_a_whole_run(backend, story, pieces):
    whole = played(story, backend, [("run", sum(pieces))])
    parts = played(story, backend, [("run", steps) for steps in pieces])
    assert rn.differences(rn.outcome(whole), rn.outcome(parts)) == []


@SEED
@settings(SAME, max_examples=examples(25))
@given(rn.stories(), st.integers(0, 6))
def test_a_run_loaded_from_a_file_goes_on_as_if_it_had_never_stopped(
    fast_backend, tmp_path_factory, story, at
):
    backend = fast_backend
    path = tmp_path_factory.mktemp("state") / "state.npz"
    straight = played(story, backend)
    played(story, backend, story.actions[:at]).save(path)
    later = ns.prepare(story.net, backend=backend)
    later.load(path)
    rn.play(later, story.actions[at:])
    assert rn.differences(rn.outcome(straight), rn.outcome(later)) == []


@SEED
@settings(SAME, max_examples=examples(25))
@given(rn.stories(), st.integers(0, 9))
def test_a_snapshot_restored_with_its_clock_gives_the_same_future_again(fast_backend, story, steps):
    """The spikes in flight, decays, refractoriness and random numbers included."""
    run = played(story, fast_backend)
    snapshot = run.snapshot()
    first = rn.outcome(rn.play(run, [("run", steps)]))
    run.restore(snapshot, clock=True)
    assert rn.differences(first, rn.outcome(rn.play(run, [("run", steps)]))) == []


@SEED
@settings(SAME, max_examples=examples(15))
@given(rn.stories())
def test_what_is_recorded_does_not_change_the_run(fast_backend, story):
    recorded = rn.outcome(played(story, fast_backend))
    story.net.probes.clear()
    silent = rn.outcome(played(story, fast_backend))
    assert rn.differences({k: v for k, v in recorded.items() if k[0] == "memory"}, silent) == []


@pytest.mark.kernels
def test_the_engines_agree_on_lively_networks_of_two_rules():
    """Part of the comparison above, which `make test-fast` runs."""
    for rule in (rn.PAIR, rn.RELEASE):
        run = agree(lively(rule))
        assert len(run.result()["cells"].spikes) > 20


@pytest.mark.kernels
def test_states_saved_with_two_threads_go_on_with_one(tmp_path):
    story = lively()
    two = played(story, "cpu", [("run", 20)], threads=2)
    one = ns.prepare(story.net, backend="cpu", threads=1)
    assert two.engine.partitions == 2
    two.save(tmp_path / "state.npz")
    one.load(tmp_path / "state.npz")
    assert (
        rn.differences(
            rn.outcome(rn.play(two, [("run", 20)])), rn.outcome(rn.play(one, [("run", 20)]))
        )
        == []
    )


# ---- the comparison itself is tested: it must see the smallest fault


def test_the_comparison_sees_one_ulp_in_one_weight():
    straight = played(lively(), "reference", [("run", 1)])
    nudged = ns.prepare(lively().net, backend="reference")
    nudged.memory["plastic", "w"][7] = np.nextafter(nudged.memory["plastic", "w"][7], 1.0)
    (only,) = rn.differences(rn.outcome(straight), rn.outcome(rn.play(nudged, [("run", 1)])))
    assert "'plastic', 'w'" in only and "1 of" in only and "first at 7" in only


def test_the_comparison_sees_one_spike_moved_by_a_step():
    story = lively()
    source = story.net.spike_source("given", 2, steps=[[3, 9], [5]])
    story.net.project(source, story.net["cells"], ns.all_to_all(), weight=0.1, port="x")
    run = ns.prepare(story.net, backend="reference")
    run.set(source, steps=[[3, 10], [5]])
    assert (
        rn.differences(
            rn.outcome(played(story, "reference")), rn.outcome(rn.play(run, story.actions))
        )
        != []
    )
    outcome = rn.outcome(played(story, "reference"))
    moved = outcome | {("spikes", "cells", "step"): outcome["spikes", "cells", "step"].copy()}
    moved["spikes", "cells", "step"][5] += 1
    (only,) = rn.differences(outcome, moved)
    assert "'spikes', 'cells', 'step'" in only and "1 of" in only


def test_the_comparison_sees_two_handlers_swapped():
    swapped = Rule(
        pre="dx/dt = -x / tau_x : 1",
        post="dy/dt = -y / tau_y : 1",
        edge="w : 1",
        name="pair",
        handlers=[
            ("post", "w = min(w + step_up * x, 1); y += 1"),
            ("pre", "w = clip(w - 0.1 * y, -1, 1); out += w; x += 1"),
        ],
        parameters={
            "tau_x": "10 ms",
            "tau_y": "7 ms",
            "step_up": ns.Parameter("1", 0.1, per="source"),
        },
    )
    assert {h.trigger: h.statements for h in swapped.handlers} == {
        h.trigger: h.statements for h in rn.PAIR.handlers
    }
    assert (
        rn.differences(
            rn.outcome(played(lively(), "reference")),
            rn.outcome(played(lively(swapped), "reference")),
        )
        != []
    )


def test_the_comparison_sees_what_is_missing_and_what_is_of_another_shape():
    outcome = {("memory", "a", "v"): np.zeros(3), ("memory", "a", "u"): np.zeros(2)}
    assert rn.differences(outcome, outcome) == []
    assert rn.differences(outcome, {("memory", "a", "v"): np.zeros(3)}) == [
        "('memory', 'a', 'u') is only in one of them"
    ]
    assert rn.differences(outcome, outcome | {("memory", "a", "u"): np.zeros(3)}) == [
        "('memory', 'a', 'u'): float64(2,) and float64(3,)"
    ]
