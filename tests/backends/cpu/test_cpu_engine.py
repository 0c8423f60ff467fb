"""The CPU engine gives the bits of the reference, whatever its threads, the split of a run and the
changes in between.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.cpu_networks import differences, plastic, same_bits, story

import neurosim as ns
from neurosim.backends.cpu import cache
from neurosim.backends.cpu.engine import CpuEngine


@pytest.fixture(scope="module")
def reference() -> ns.Run:
    """The story on the engine that defines what is right."""
    return story(ns.prepare(plastic(), backend="reference"))


def test_the_story_is_worth_comparing(reference):
    """Every part of it is active, so that equality says something."""
    recorded = reference.result()
    assert min(recorded[p].spikes.index.size for p in "ab") > 500
    assert np.ptp(recorded["learned"].trace("w").values, axis=0).max() > 0.1
    assert recorded["learned"].trace("q").values.any()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_gives_the_bits_of_the_reference(reference, threads):
    run = story(ns.prepare(plastic(), backend="cpu", threads=threads))
    assert run.engine.partitions == threads
    assert differences(run, reference) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_the_split_of_a_run_does_not_matter(reference, threads):
    assert (
        differences(
            story(ns.prepare(plastic(), backend="cpu", threads=threads), parts=7), reference
        )
        == []
    )


def test_the_comparison_sees_one_changed_bit(reference):
    run = story(ns.prepare(plastic(), backend="cpu", threads=2))
    run.memory["learned", "w"][7] = np.nextafter(run.memory["learned", "w"][7], 1.0)
    assert differences(run, reference) == ["('learned', 'w')"]


def test_a_rule_that_sums_over_the_targets_of_a_neuron_runs_in_one_partition():
    """Partitions own targets: no partition has all terms of the sum."""
    rule = ns.Rule(pre="s : 1", edge="w : 1", handlers=[("step", "s = 0; s += w")])
    net = ns.Network("sums", dt="1 ms")
    p = net.population("p", 200, ns.Cell("v : 1"))
    net.project(p, p, ns.fixed_probability(0.1), weight=ns.uniform(0, 1), rule=rule, name="sums")
    runs = [ns.prepare(net, backend="cpu", threads=2), ns.prepare(net, backend="reference")]
    assert runs[0].engine.partitions == 1
    for run in runs:
        run.run("2 ms")
    assert same_bits(runs[0].get("sums", "s"), runs[1].get("sums", "s"))
    assert runs[0].get("sums", "s").any()


# ---- changes between stretches


def change_parameters(backend: str, **options) -> ns.Run:
    """Make parameters of either population one per neuron, one of them twice, during a run."""
    run = ns.prepare(plastic(), backend=backend, **options)
    run.run("10 ms")
    view = run.owners["a"][3:6]
    run.set(view, rest="-40 mV", pause="5 ms")
    run.run("10 ms")
    run.set(run.owners["b"][100:], rest="-50 mV")
    run.set(view, rest=[-45.0, -50.0, -55.0])
    return story(run)


@pytest.fixture(scope="module")
def changed() -> ns.Run:
    return change_parameters("reference")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.compiled
def test_a_parameter_that_becomes_one_per_neuron_prepares_the_cell_again_and_follows_the_reference(
    threads, changed, monkeypatch
):
    built = []
    monkeypatch.setattr(
        CpuEngine,
        "_build",
        lambda self, build=CpuEngine._build: (built.append(self), build(self))[1],
    )
    run = change_parameters("cpu", threads=threads)
    assert len(built) == 3, "once to prepare, once for each population"
    assert differences(changed, run) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_all_other_changes_rebuild_and_compile_nothing(reference, threads, monkeypatch):
    run = ns.prepare(plastic(), backend="cpu", threads=threads)

    def refuse(*arguments: object) -> None:
        raise AssertionError("prepared again")

    monkeypatch.setattr(CpuEngine, "_build", refuse)
    monkeypatch.setattr(cache, "functions", refuse)
    before = run.snapshot()
    story(run)
    assert differences(run, reference) == []
    run.restore(before, clock=True)
    assert differences(story(run), reference) == []
    with pytest.raises(AssertionError, match="prepared again"):
        run.set(run.owners["a"][0:1], rest="-57 mV")


@pytest.mark.parametrize("threads", [1, 2])
def test_streaming_in_many_parts_gives_the_recording_of_memory(
    reference, threads, tmp_path, monkeypatch
):
    monkeypatch.setattr("neurosim.run.recorder._PART", 2000)
    run = story(
        ns.prepare(plastic(), backend="cpu", threads=threads, stream=tmp_path / "stream"), parts=5
    )
    assert len(list((tmp_path / "stream").iterdir())) > 5
    assert differences(run, reference) == []
