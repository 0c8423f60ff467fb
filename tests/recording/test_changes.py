"""What became of spikes and weights between two recordings: pairs, tables and marks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import neurosim as ns
from neurosim.analysis.changes import find_spike_changes, find_weight_changes
from neurosim.cli.main import main
from neurosim.errors import NetworkError
from neurosim.recording.recorded import PopulationRecording, ProjectionRecording
from neurosim.recording.recording import Recording
from neurosim.recording.samples import Spikes, Trace


def recording(*trains, steps=100, dt=1.0, members=None, weights=None):
    """Return a recording of the steps of each neuron, and of the last weights of some edges."""
    pairs = sorted((step, neuron) for neuron, train in enumerate(trains) for step in train)
    index = np.array([neuron for _, neuron in pairs], np.int32)
    step = np.array([step for step, _ in pairs], np.int64)
    recorded = np.arange(len(trains)) if members is None else np.array(members)
    spikes = Spikes(index, step, size=len(trains), dt=dt, steps=steps, members=recorded)
    populations = {"cells": PopulationRecording("cells", len(trains), spikes, {})}
    projections = {}
    if weights is not None:
        edges = np.arange(len(weights))
        trace = Trace(
            np.array([weights]),
            every=steps,
            first=0,
            members=edges,
            initial=weights,
            dt=dt,
            unit="nA",
        )
        projections["edges"] = ProjectionRecording(
            "edges",
            "cells",
            target_name="cells",
            source=edges * 0,
            target=edges,
            shape=(1, len(weights)),
            traces={"w": trace},
        )
    header = {"network": "made", "dt": dt, "first": 0, "steps": steps, "report": []}
    return Recording(header, populations, projections)


def only(a, b, **options):
    (changes,) = find_spike_changes(a, b, **options)
    return changes


def test_spikes_are_kept_moved_lost_or_new():
    """Of neuron 0: 10 is kept, 20 moves to 22, 50 is lost, 70 is new. Of neuron 1: 30 is kept."""
    changes = only(recording([10, 20, 50], [30]), recording([10, 22, 70], [30]))
    assert (changes.kept, changes.moved, changes.lost, changes.new) == (2, 1, 1, 1)
    assert changes.shifts.tolist() == [2]
    assert changes.first_difference == (20, 0)
    assert changes.rates == (20.0, 20.0)


def test_a_spike_moves_within_its_neuron_and_the_given_steps_alone():
    a, b = recording([10], []), recording([], [10])
    assert only(a, b).moved == 0
    moved = recording([10]), recording([16])
    assert only(*moved, within=5).lost == 1
    assert only(*moved, within=6).moved == 1
    assert only(*moved, within=0).new == 1


def test_a_neuron_is_not_paired_with_the_start_of_the_next():
    """The last step of one neuron and the first of the next are far apart."""
    changes = only(recording([99], []), recording([], [0]), within=200)
    assert (changes.moved, changes.lost, changes.new) == (0, 1, 1)


def test_equal_recordings_have_no_difference():
    changes = only(recording([1, 2, 3]), recording([1, 2, 3]))
    assert (changes.kept, changes.moved, changes.lost, changes.new) == (3, 0, 0, 0)
    assert changes.first_difference is None


def most_pairs(first, second, within):
    """Return the largest number of pairs by trying all, of trains without common steps."""
    best = 0
    for count in range(1, min(len(first), len(second)) + 1):
        for some in itertools.combinations(first, count):
            for others in itertools.permutations(second, count):
                if all(abs(a - b) <= within for a, b in zip(some, others, strict=True)):
                    best = count
    return best


@pytest.mark.parametrize("seed", range(20))
def test_as_many_spikes_as_possible_are_paired(seed):
    random = np.random.default_rng(seed)
    steps = random.permutation(30)[:9].tolist()
    first, second = sorted(steps[:4]), sorted(steps[4:])
    changes = only(recording(first), recording(second), within=4)
    assert changes.moved == most_pairs(first, second, 4)
    assert changes.moved + changes.lost == len(first)
    assert changes.moved + changes.new == len(second)


def test_only_the_steps_and_neurons_that_both_recorded_are_compared():
    a = recording([10, 90], [20])
    b = recording([10], [], steps=50, members=[0])
    assert (only(a, b).kept, only(a, b).lost) == (1, 0)


def test_other_time_steps_have_no_common_steps():
    assert find_spike_changes(recording([1]), recording([1], dt=0.5)) == ()


def test_a_negative_distance_is_refused():
    with pytest.raises(NetworkError, match="compare: within"):
        find_spike_changes(recording([1]), recording([1]), within=-1)


def test_weights_are_compared_edge_by_edge():
    a = recording([1], weights=np.array([0.1, 0.5, 1.0]))
    b = recording([1], weights=np.array([0.1, 0.25, 1.0]))
    (changes,) = find_weight_changes(a, b)
    assert (changes.differing, changes.largest) == (1, 0.25)
    assert find_weight_changes(a, recording([1], weights=np.array([0.1]))) == ()


def test_the_command_prints_both_tables_and_marks_a_picture(tmp_path, capsys):
    a = recording([10, 20, 50], [30], weights=np.array([0.1, 0.5]))
    b = recording([10, 22, 70], [30], weights=np.array([0.1, 0.25]))
    for name, recorded in (("a", a), ("b", b)):
        recorded.save(tmp_path / f"{name}.npz")
    files = [str(tmp_path / f"{name}.npz") for name in "ab"]
    picture = tmp_path / "picture.png"
    assert main(["compare", *files, "--picture", str(picture)]) == 1
    text = capsys.readouterr().out
    head, row = (line for line in text.splitlines() if line.startswith(("spikes of", "cells  ")))
    assert head.split("  ")[0] == "spikes of"
    assert "moved (<= 5 steps)" in head
    assert row.split() == [
        "cells",
        "2",
        "1",
        "1",
        "1",
        "20",
        "and",
        "20",
        "neuron",
        "0",
        "at",
        "21",
        "ms",
    ]
    assert "edges       1 of 2  0.25 nA             0.3 and 0.175 nA" in text
    assert picture.stat().st_size > 1000
    assert main(["compare", *files, "--within", "1"]) == 1
    assert "moved (<= 1 steps)" in capsys.readouterr().out
    assert main(["compare", *files, "--within", "-1"]) == 2
    assert "compare: within" in capsys.readouterr().err


def test_the_picture_marks_moved_lost_and_new_spikes():
    a = recording([10, 20, 50], [30])
    b = recording([10, 22, 70], [30])
    figure = ns.plot.comparison(a, b)
    labels = [
        {str(line.get_label()) for line in ax.get_lines() if str(line.get_label())[0] != "_"}
        for ax in figure.axes[:2]
    ]
    assert labels == [{"1 moved by up to 5 steps", "1 lost"}, {"1 moved", "1 new"}]
    marked = {
        line.get_label(): np.array(line.get_xdata()).tolist() for line in figure.axes[1].get_lines()
    }
    assert marked["1 moved"] == [23.0]
    assert marked["1 new"] == [71.0]
