"""Recordings: spikes, traces, edges and names, found and shown as they were recorded."""

from dataclasses import replace

import numpy as np
import pytest
from support.recordings import HEADER, ROW, loop, recording, spikes, trace

from neurosim.errors import NetworkError
from neurosim.recording.recorded import PopulationRecording
from neurosim.recording.recording import Recording
from neurosim.recording.samples import Spikes, Trace

# Spikes and traces


def test_a_spike_of_step_k_has_the_time_of_the_end_or_of_the_start_of_the_step():
    spikes = Spikes([3, 1], [0, 9], size=4, dt=0.5, steps=10)
    assert spikes.times().tolist() == [0.5, 5.0]
    assert spikes.times("start").tolist() == [0.0, 4.5]
    with pytest.raises(
        NetworkError,
        match=(
            "there is no convention 'END'. Did you mean|The conventions are: end, start. "
            "Use one of these"
        ),
    ):
        spikes.times("END")


def test_spikes_are_counted_and_found_by_neuron():
    train = spikes()
    assert len(train) == 20
    assert train.count().tolist() == [4, 4, 4, 4, 4] and train.count().dtype == np.int64
    assert train.of(3) == pytest.approx([0.7, 1.7, 2.7, 3.7])
    assert train.index.dtype == np.int32 and train.step.dtype == np.int64
    with pytest.raises(NetworkError, match="spikes of neuron 5: expected 0 to 4. Choose"):
        train.of(5)


def test_spikes_of_some_neurons_answer_for_these_alone():
    some = Spikes([7, 3, 7], [0, 1, 2], size=9, dt=0.5, steps=10, members=[7, 3, 5])
    assert some.count().tolist() == [2, 1, 0]
    assert some.of(7).tolist() == [0.5, 1.5]
    assert some.of(5).tolist() == []
    assert some.window(0.5).members.tolist() == [7, 3, 5] and some != replace(some, members=None)
    assert spikes().members.tolist() == [0, 1, 2, 3, 4] and spikes().members.dtype == np.int32
    with pytest.raises(
        NetworkError,
        match=(
            r"spikes of neuron 4: they were not recorded. Recorded were those of: 7, 3, 5. "
            r"Choose one of these."
        ),
    ):
        some.of(4)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            [0, 1],
            r"spikes: found one of neuron 4; expected spikes of the members alone: 0, 1. "
            r"Check members.",
        ),
        (
            [0, 4, 4],
            r"spikes: found the members 0, 4, 4; expected neurons from 0 to 4, each once. "
            r"Check members.",
        ),
        ([4, 5], r"spikes: found the members 4, 5; expected neurons from 0 to 4"),
        ([[4]], r"spikes: found the members 4; expected neurons from 0 to 4"),
    ],
)
def test_members_that_cannot_be_are_refused(members, message):
    with pytest.raises(NetworkError, match=message):
        Spikes([4], [1], size=5, dt=0.1, steps=40, members=members)


def test_a_window_holds_whole_steps_and_knows_its_length():
    part = spikes().window(1.0, 2.0)
    assert (part.first, part.steps, part.duration) == (10, 10, 1.0)
    assert part.step.tolist() == [10, 12, 14, 16, 18]
    assert part == spikes(10, 10)
    assert spikes().window() == spikes()
    assert len(spikes().window(1.0, 1.0)) == 0


@pytest.mark.parametrize(("start", "stop"), [(0, 4.1), (-0.1, 1), (2, 1)])
def test_a_window_outside_of_the_recording_is_refused(start, stop):
    with pytest.raises(
        NetworkError, match=f"window {start} to {stop} ms: recorded were 0 to 4 ms. Choose"
    ):
        spikes().window(start, stop)


@pytest.mark.parametrize(
    ("index", "step", "message"),
    [
        ([0, 1], [1], r"index has shape \(2,\) and step \(1,\); expected \(S,\) for both"),
        ([5], [1], "found the neurons 5 to 5; expected 0 to 4. Check size"),
        ([-1], [1], "found the neurons -1 to -1; expected 0 to 4"),
        ([0], [40], "found the steps 40 to 40; expected 0 to 39. Check first and steps"),
        (
            [0, 1],
            [2, 1],
            r"out of order, or one twice; expected them sorted by \(step, index\). "
            r"Use numpy.lexsort",
        ),
        ([1, 0], [2, 2], "out of order"),
        ([1, 1], [2, 2], "one twice"),
    ],
)
def test_spikes_that_cannot_be_are_refused(index, step, message):
    with pytest.raises(NetworkError, match=message):
        Spikes(index, step, size=5, dt=0.1, steps=40)


def test_equality_is_by_values_to_the_last_bit_and_nan_equals_nan():
    assert spikes() == spikes() and trace() == trace() and recording() == recording()
    assert np.isnan(trace().values).any()
    assert spikes() != replace(spikes(), steps=41)
    assert spikes() != replace(spikes(), dt=0.1 + 1e-17 + 1e-16)
    values = trace().values.copy()
    values[0, 0] = np.nextafter(values[0, 0], np.inf)
    assert trace() != replace(trace(), values=values)
    other = recording()
    other.populations["ca3"].traces["v"] = replace(trace(), values=values)
    assert other != recording()
    assert spikes() != 3


def test_a_trace_sample_of_step_k_is_the_state_at_the_end_of_the_step():
    assert trace().times() == pytest.approx([0.1, 1.1, 2.1, 3.1])
    assert trace(first=30, samples=1).times() == pytest.approx([3.1])


def test_members_of_a_trace_are_found_by_their_index_in_the_population():
    assert trace().of(1).tolist()[:2] == [100, 110]
    assert trace().of(np.array([1, 4])).tolist()[0] == [100, 400]
    for missing in (2, 5, np.array([1, 0])):
        with pytest.raises(
            NetworkError,
            match=r"trace of member [250]: it was not recorded. Recorded were: 4, 1. Choose",
        ):
            trace().of(missing)


def test_the_shapes_of_a_trace_must_agree():
    with pytest.raises(
        NetworkError,
        match=(
            r"values have shape \(4, 2\), members \(3,\), initial \(2,\); "
            r"expected \(T, M\), \(M,\) and \(M,\)"
        ),
    ):
        replace(trace(), members=[1, 2, 3])


# Populations, projections, recordings


def test_what_was_not_recorded_is_answered_with_what_was():
    result = recording()
    with pytest.raises(
        NetworkError,
        match=(
            "population 'ca3' has no trace 'u'. The traces are: v. "
            'Call net.record\\(ca3, "u"\\) before the run'
        ),
    ):
        result["ca3"].trace("u")
    with pytest.raises(
        NetworkError,
        match=(
            "population 'glia': its spikes were not recorded. "
            'Call net.record\\(glia, "spikes"\\) before the run'
        ),
    ):
        _ = result["glia"].spikes
    with pytest.raises(NetworkError, match="projection 'loop' has no trace 'ww'. Did you mean 'w'"):
        result["loop"].trace("ww")
    with pytest.raises(
        NetworkError,
        match=(
            "the recording has no name 'ca4'. Did you mean 'ca3'.*: ca3, glia, loop. "
            "What is missing"
        ),
    ):
        result["ca4"]
    with pytest.raises(NetworkError, match="its spikes are of 5 neurons, expected 6"):
        PopulationRecording("ca3", 6, spikes())


def test_a_recording_is_a_collection_of_names():
    result = recording()
    assert (
        list(result)
        == result.names()
        == result._ipython_key_completions_()
        == ["ca3", "glia", "loop"]
    )
    assert "ca3" in result and "ca4" not in result and len(result) == 3
    assert result["ca3"].spikes == spikes() and result["loop"].trace("w") == loop().trace("w")
    assert (result.dt, result.duration, result.report) == (0.1, 4.0, [ROW])


def test_a_header_must_say_dt_and_steps_and_hold_data_only():
    with pytest.raises(NetworkError, match="its header has no 'steps', only 'dt'. Add it"):
        Recording({"dt": 0.1})
    with pytest.raises(
        NetworkError, match="header of the recording: found <object.*expected numbers, texts, lists"
    ):
        Recording(HEADER | {"thing": object()})
    assert Recording(HEADER | {"steps": np.int64(40), "shape": (1, 2)}).header["shape"] == [1, 2]


def test_edges_between_two_neurons_select_their_weights():
    assert loop().between(3, 4).tolist() == [3, 4] and loop().between(4, 3).tolist() == []
    assert loop().trace("w").of(loop().between(3, 4))[-1].tolist() == [33, 43]


def test_the_matrix_is_source_by_target_at_a_sample_and_sums_the_edges_of_a_pair():
    assert loop().matrix("w").toarray().tolist() == [
        [0, 3, 13, 0, 0],
        [23, 0, 0, 0, 0],
        [0] * 5,
        [0, 0, 0, 0, 33 + 43],
    ]
    assert loop().matrix("w", 1).toarray()[0].tolist() == [0, 1, 11, 0, 0]


def test_the_matrix_holds_only_the_edges_that_were_recorded():
    few = Trace([[7.0, 8.0]], every=1, first=0, members=[2, 1], initial=[0, 0], dt=0.1, unit="nA")
    assert replace(loop(), traces={"w": few}).matrix().toarray().tolist() == [
        [0, 0, 8, 0, 0],
        [7, 0, 0, 0, 0],
        [0] * 5,
        [0] * 5,
    ]


def test_a_matrix_of_what_is_no_edge_or_of_no_sample_is_refused():
    with pytest.raises(
        NetworkError,
        match="variable 'x': it has one value per source neuron, expected one per edge. Use trace",
    ):
        loop().matrix("x")
    with pytest.raises(NetworkError, match="variable 'w': sample 4 of 4. Choose an earlier one"):
        loop().matrix("w", 4)


def test_the_printed_recording_names_everything_in_a_few_lines():
    assert str(recording()).splitlines() == [
        "memory: 4 ms in steps of 0.1 ms, backend cpu, seed 7",
        "  ca3   5 neurons   20 spikes, 1e+03 Hz  v of 2 neurons every 1 ms",
        "  glia  1 neuron    no spikes recorded",
        "  loop  ca3 -> ca3  5 edges              w of 5 edges every 1 ms, x of 4 source neurons "
        "every 1 ms",
        "  1 row of the backend's report, see .report",
    ]
    some = PopulationRecording(
        "ca3", 5, Spikes([4, 2], [0, 9], size=5, dt=0.1, steps=40, members=[2, 4])
    )
    assert "ca3  5 neurons  2 spikes of 2 neurons, 250 Hz" in str(Recording(HEADER, {"ca3": some}))
    assert (
        repr(Recording({"dt": 0.1, "steps": 0, "finished": False}))
        == "recording: 0 ms in steps of 0.1 ms, unfinished"
    )
