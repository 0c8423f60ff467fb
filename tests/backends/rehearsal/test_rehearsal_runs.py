"""Whole networks on `spinnaker-rehearsal`: their runs, recordings, verbs and refusals."""

import numpy as np
import pytest
from support import spinnaker_oracle as oracle

import neurosim as ns
from neurosim.errors import LoweringError, NetworkError
from neurosim.models import cells, plasticity
from neurosim.models.ca3_memory.experiment import EXPERIMENTS, PUBLISHED, counts, play, spikes

REHEARSAL = "spinnaker-rehearsal"


def lif(*, tau_exc="5 ms"):
    return cells.lif_exponential(tau_exc=tau_exc, tau_inh="5 ms", refractory="2 ms")


def one_neuron(steps=(1, 2, 8), *, weight="6 nA", delay="0 ms", tau_exc="5 ms"):
    """Return a neuron that is given spikes, and records its voltage and both currents."""
    net = ns.Network("one neuron", dt="1 ms")
    source = net.spike_source("source", 2, steps=[list(steps), [11]])
    neuron = net.population("neuron", 1, lif(tau_exc=tau_exc))
    net.project(source[:1], neuron, ns.all_to_all(), weight=weight, delay=delay, port="excitatory")
    net.project(source[1:], neuron, ns.all_to_all(), weight="2 nA", delay=delay, port="inhibitory")
    net.record(neuron, "spikes", "v", "excitatory", "inhibitory")
    return net


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.compiled
def test_the_associative_memory_spikes_as_it_did_on_the_machine(name):
    """The authors recorded these tables on SpiNNaker; `cpu` reproduces them, and each spike."""
    rehearsed = play(EXPERIMENTS[name](), REHEARSAL)
    assert counts(rehearsed) == PUBLISHED[name]
    assert spikes(rehearsed) == spikes(play(EXPERIMENTS[name](), "cpu"))


@pytest.mark.compiled
def test_amplitudes_times_the_largest_weight_would_not_give_the_tables(monkeypatch):
    from neurosim.backends.pynn.rehearsal import engine

    right = engine.lay_out

    def wrong(plan):
        layout = right(plan)
        for amplitudes in (layout.rules.raise_by, layout.rules.lower_by):
            amplitudes *= 6  # the largest weight is 6 nA
        return layout

    monkeypatch.setattr(engine, "lay_out", wrong)
    assert counts(play(EXPERIMENTS["E2"](), REHEARSAL)) != PUBLISHED["E2"]


def test_a_neuron_in_a_network_follows_the_second_writing():
    """Spikes of the steps 1, 2, 8 and 11 arrive one step later, over a delay of 0."""
    result = ns.simulate(one_neuron(), 30, backend=REHEARSAL, progress=False)["neuron"]
    cell = oracle.Lif(
        resistance=655360,
        factor=31170,
        rest=oracle.fixed(-65),
        reset=oracle.fixed(-65),
        threshold=oracle.fixed(-50),
        refractory=2,
        offset=0,
        synapse=(3516490311, 3892384920),
        v=oracle.fixed(-65),
    )
    inhibition = oracle.decay(oracle.fixed(2), 3892384920)
    voltages = []
    fired = []
    for step in range(30):
        cell.offset = 0
        if step >= 12:
            cell.offset = -inhibition
            inhibition = oracle.decay(inhibition, 3516490311)
        if cell.step(oracle.fixed(6) if step in (2, 3, 9) else 0):
            fired.append(step)
        voltages.append(cell.v / 32768)
    assert result.trace("v").values[:, 0].tolist() == voltages
    assert result.spikes.step.tolist() == fired
    assert fired


def test_currents_are_recorded_with_the_arrivals_of_the_next_step_as_on_the_machine():
    """6 nA times 0.90627 after the step in which the spike is sent; both currents are positive."""
    result = ns.simulate(one_neuron(), 30, backend=REHEARSAL, progress=False)["neuron"]
    excitation = result.trace("excitatory").values[:, 0]
    assert excitation[:1].tolist() == [0.0]
    assert excitation[1] == oracle.decay(oracle.fixed(6), 3892384920) / 32768
    inhibition = result.trace("inhibitory").values[:, 0]
    assert inhibition[10] == 0.0
    assert inhibition[11] == oracle.decay(oracle.fixed(2), 3892384920) / 32768


def test_delays_are_those_of_other_engines():
    for delay in ("0 ms", "3 ms", "17 ms"):
        net = one_neuron((2,), weight="40 nA", delay=delay)
        steps = [
            ns.simulate(net, 40, backend=backend, progress=False)["neuron"].spikes.step.tolist()
            for backend in ("cpu", REHEARSAL)
        ]
        assert steps[0] == steps[1]


def test_izhikevich_cells_run_with_currents_that_decay():
    net = ns.Network("izhikevich", dt="1 ms")
    net.population("cell", 1, izhikevich(), v="-70 mV", u="-14 mV/ms")
    net.record(net.populations["cell"], "spikes")
    result = ns.simulate(net, 120, backend=REHEARSAL, progress=False)
    assert result["cell"].spikes.step.tolist() == [3, 21, 69, 116]


def izhikevich(current="10 nA"):
    """Return the cell that SpiNNaker has: a current that decays adds to dv/dt without a factor."""
    return ns.Cell(
        """dv/dt = 0.04 * v**2 / (mV * ms) + 5 * v / ms + 140 * mV / ms - u
                   + (synaptic + current) / nF : mV
           du/dt = a * (b * v - u) : mV/ms
           dsynaptic/dt = -synaptic / tau : nA""",
        parameters={
            "a": "0.02 1/ms",
            "b": "0.2 1/ms",
            "c": "-65 mV",
            "d": "8 mV/ms",
            "tau": "5 ms",
            "current": current,
        },
        receives={"input": ns.Port("nA", into="synaptic")},
        spike="v >= 30 * mV",
        after_spike="v = c; u = u + d",
        name="izhikevich",
    )


def poisson_net(rate="40 Hz"):
    net = ns.Network("poisson", dt="1 ms", seed=3)
    source = net.poisson("source", 50, rate=rate)
    target = net.population("target", 20, lif())
    net.poisson_drive(target, n=10, rate=rate, weight="0.5 nA", port="excitatory", name="drive")
    net.project(source, target, ns.fixed_probability(0.5), weight="1 nA", port="excitatory")
    net.record(source, "spikes")
    net.record(target, "spikes", "excitatory")
    return net


def test_poisson_spikes_are_those_of_other_engines():
    """Sources spike in the same steps, and drives bring the same counts: the currents differ only
    by the rounding of weights, and of decays."""
    results = [
        ns.simulate(poisson_net(), 200, backend=backend, progress=False)
        for backend in ("cpu", REHEARSAL)
    ]
    assert results[0]["source"].spikes == results[1]["source"].spikes
    first, second = (result["target"].trace("excitatory").values for result in results)
    # There a sample has the arrivals of the next step, at their mean of a step.
    correlation = np.corrcoef(first[1:].ravel(), second[:-1].ravel())[0, 1]
    assert correlation > 0.999


def test_a_replica_draws_other_spikes():
    runs = [
        ns.simulate(poisson_net(), 100, backend=REHEARSAL, progress=False, replica=replica)
        for replica in (0, 1)
    ]
    assert runs[0]["source"].spikes != runs[1]["source"].spikes


def learning_net():
    """Return a network that learns from Poisson spikes, and records everything."""
    net = ns.Network("learning", dt="1 ms", seed=5)
    source = net.poisson("source", 40, rate="30 Hz")
    target = net.population("target", 10, lif())
    rule = plasticity.stdp(a_plus="0.05 nA", a_minus="0.04 nA", w_max="1 nA")
    net.project(
        source,
        target,
        ns.fixed_probability(0.6),
        rule=rule,
        weight=ns.uniform("0.2 nA", "0.8 nA"),
        delay="2 ms",
        back="3 ms",
        port="excitatory",
        name="learns",
    )
    net.record(source, "spikes")
    net.record(target, "spikes", "v")
    net.record(net.projections["learns"], "w", every="10 ms")
    return net


def test_weights_are_recorded_and_read_in_the_unit_of_the_network():
    run = ns.prepare(learning_net(), backend=REHEARSAL)
    run.run(200, progress=False)
    result = run.result()
    weights = result["learns"].trace("w").values
    assert weights.shape == (20, run.get("learns", "w").size)
    assert np.array_equal(weights[-1], run.get("learns", "w"))
    assert (np.abs(weights[-1] - weights[0]) > 0.05).any()
    assert ((weights >= 0) & (weights <= 1)).all()


def test_learned_weights_are_those_of_the_second_writing():
    """Every edge is followed by its own spikes: 600 ms of random trains."""
    net = learning_net()
    run = ns.prepare(net, backend=REHEARSAL)
    start = run.get("learns", "w")
    run.run(600, progress=False)
    result = run.result()
    trains = {
        name: [
            result[name].spikes.step[result[name].spikes.index == i].tolist()
            for i in range(result[name].spikes.size)
        ]
        for name in ("source", "target")
    }
    edges = run.edges("learns")
    weights = edges.weights
    step = 2.0 ** -(15 - shift_of(net))
    for e in range(0, weights.size, 7):
        synapse = oracle.Synapse(
            round(start[e] / step),
            shift_of(net),
            3,
            oracle.table(20.0),
            oracle.table(20.0),
            oracle.fixed(0.05),
            oracle.fixed(0.04),
            0,
            32768,
        )
        ends = trains["source"][edges.sources[e]], trains["target"][edges.targets[e]]
        sent = oracle.weights_of(synapse, *ends)
        assert weights[e] == sent[-1] * step


def shift_of(net):
    """Return the shift of the only receptor, from the step of weights in the report."""
    from neurosim.backends.pynn.rehearsal.layout import lay_out
    from neurosim.backends.pynn.translation.network import translate
    from neurosim.backends.pynn.translation.targets import SPINNAKER
    from neurosim.ir.concretise import concretise

    (shift,) = lay_out(translate(concretise(net), SPINNAKER)).shifts.values()
    return shift


@pytest.mark.parametrize("pieces", [[200], [1] * 40 + [160], [7, 93, 100]])
def test_pieces_of_a_run_give_the_whole(pieces):
    whole = ns.simulate(learning_net(), 200, backend=REHEARSAL, progress=False)
    run = ns.prepare(learning_net(), backend=REHEARSAL)
    for piece in pieces:
        run.run(piece, progress=False)
    assert run.result() == whole


@pytest.mark.parametrize("by_file", [False, True])
def test_a_run_continues_from_a_snapshot_and_from_a_file(tmp_path, by_file):
    run = ns.prepare(learning_net(), backend=REHEARSAL)
    run.run(77, progress=False)
    saved = run.snapshot()
    run.save(tmp_path / "state")
    run.run(100, progress=False)
    expected = run.result()
    again = ns.prepare(learning_net(), backend=REHEARSAL)
    if by_file:
        again.load(tmp_path / "state")
        again.run(100, progress=False)
        assert again.result() == expected
    again.restore(saved, clock=True)
    again.run(100, progress=False)
    assert np.array_equal(again.get("learns", "w"), run.get("learns", "w"))
    assert np.array_equal(again.get("target", "v"), run.get("target", "v"))


def test_a_reset_run_starts_again():
    run = ns.prepare(one_neuron(), backend=REHEARSAL)
    run.run(20, progress=False)
    first = run.result()["neuron"].trace("v").values[:20]
    run.reset()
    run.set("source", steps=[[21, 22, 28], [31]])
    run.run(20, progress=False)
    assert np.array_equal(run.result()["neuron"].trace("v").values[20:], first)


def test_set_states_and_weights_that_learn_reach_the_machine():
    run = ns.prepare(learning_net(), backend=REHEARSAL)
    run.set("target", v="-51.5 mV")
    run.set("learns", w="0.5 nA")
    assert run.get("target", "v").tolist() == [-51.5] * 10
    run.run(1, progress=False)
    # R F (1 - ...) apart, a voltage without input moves 4.9 % of the way to rest.
    assert run.get("target", "v") == pytest.approx(
        np.full(10, -65 + 13.5 * 31170 / 32768), abs=1e-3
    )
    assert run.get("learns", "w").tolist() == [0.5] * run.get("learns", "w").size


def test_a_changed_parameter_is_refused_before_a_step_and_may_be_set_back():
    run = ns.prepare(one_neuron(), backend=REHEARSAL)
    run.set("neuron", tau="30 ms")
    with pytest.raises(NetworkError, match="found tau of 'neuron' changed since the run was prep"):
        run.run(1, progress=False)
    run.set("neuron", tau="20 ms")
    run.run(1, progress=False)
    assert run.time == 1.0


def test_traces_of_a_rule_are_those_of_the_machine_and_are_not_set():
    run = ns.prepare(learning_net(), backend=REHEARSAL)
    reason = rows(learning_net())["projection 'learns', variables", "approximated"].reason
    assert "only the weight is read and set" in reason
    trace = next(v.name for v in plasticity.stdp().pre)
    run.set("learns", **{trace: 1.0})
    with pytest.raises(NetworkError, match=f"found {trace} of 'learns' changed since the run was"):
        run.run(1, progress=False)


def test_projections_onto_one_population_are_reset_together():
    run = ns.prepare(poisson_and_given(), backend=REHEARSAL)
    run.run(5, progress=False)
    with pytest.raises(NetworkError, match="expected all of them: their spikes meet in the same"):
        run.reset("first")


def poisson_and_given():
    net = ns.Network("two", dt="1 ms")
    source = net.spike_source("source", 1, steps=[[0]])
    target = net.population("target", 2, lif())
    for name in ("first", "second"):
        net.project(source, target, ns.all_to_all(), weight="1 nA", port="excitatory", name=name)
    return net


def test_currents_follow_tables():
    net = ns.Network("table", dt="1 ms")
    net.population("neuron", 2, lif(), current=ns.table([0.0, 1.0, 0.25], every="10 ms", unit="nA"))
    net.record(net.populations["neuron"], "v")
    traces = [
        ns.simulate(net, 40, backend=backend, progress=False)["neuron"].trace("v").values
        for backend in ("cpu", REHEARSAL)
    ]
    assert np.abs(traces[0] - traces[1]).max() < 0.01
    assert traces[0].std() > 1


# ---- rows and refusals


def rows(net):
    return {(str(row.place), row.status): row for row in ns.check(net, backend=REHEARSAL).rows}


def test_the_report_says_what_only_a_board_knows():
    row = rows(one_neuron())["machine", "approximated"]
    for words in ("packets that come late or are dropped", "order of packets", "clocks", "board"):
        assert words in row.explanation


def test_the_report_says_that_poisson_spikes_are_our_own():
    report = rows(poisson_net())
    assert "those of 'cpu'" in report["population 'source', draws", "approximated"].reason
    assert "those of 'cpu'" in report["drive 'drive', draws", "approximated"].reason


def test_the_report_holds_the_rows_of_the_plan():
    report = rows(learning_net())
    planned = {str(row.place) for row in ns.check(learning_net(), backend="spinnaker").rows}
    assert planned - {"run"} <= {subject for subject, _ in report}


def test_delays_beyond_the_slots_of_a_core_run_and_say_so():
    """100 ms over the 8192 slots of a population of one would fit; 200 neurons leave 32."""
    net = ns.Network("late", dt="1 ms")
    source = net.spike_source("source", 1, steps=[[0]])
    target = net.population("target", 200, lif())
    net.project(
        source,
        target,
        ns.all_to_all(),
        weight="40 nA",
        delay="99 ms",
        port="excitatory",
        name="late",
    )
    net.record(target, "spikes")
    reason = rows(net)["projection 'late', delay extensions", "approximated"].reason
    assert "200 edges with delays of more than 32 steps" in reason
    result = ns.simulate(net, 150, backend=REHEARSAL, progress=False)
    assert result["target"].spikes.step.min() == 100


def test_a_delay_of_all_slots_of_a_core_needs_no_extension():
    """200 neurons leave 32 slots; a spike needs one step more than the network's delay."""
    net = ns.Network("border", dt="1 ms")
    source = net.spike_source("source", 1, steps=[[0]])
    target = net.population("target", 200, lif())
    for delay, name in ((31, "fits"), (32, "late")):
        edges = ns.all_to_all()
        net.project(
            source, target, edges, weight=40.0, delay=float(delay), port="excitatory", name=name
        )
    places = [owner_and_aspect for owner_and_aspect, _ in rows(net)]
    assert "projection 'late', delay extensions" in places
    assert "projection 'fits', delay extensions" not in places


def test_spikes_of_two_listed_sources_are_merged_by_their_steps():
    net = ns.Network("merged", dt="1 ms")
    target = net.population("target", 1, lif())
    for name, steps in (("late", [9, 20, 31]), ("early", [2, 14, 25])):
        source = net.spike_source(name, 1, steps=[steps])
        net.project(source, target, ns.all_to_all(), weight="9 nA", port="excitatory")
        net.record(source, "spikes")
    net.record(target, "spikes")
    result = ns.simulate(net, 50, backend=REHEARSAL, progress=False)
    assert result["late"].spikes.step.tolist() == [9, 20, 31]
    assert result["early"].spikes.step.tolist() == [2, 14, 25]
    assert result["target"].spikes.step[0] < 9


def test_spikes_of_a_part_of_a_population_are_recorded_alone():
    net = poisson_net()
    whole = ns.simulate(net, 100, backend=REHEARSAL, progress=False)["source"].spikes
    net.probes.clear()
    net.record(net.populations["source"][3:7], "spikes")
    part = ns.simulate(net, 100, backend=REHEARSAL, progress=False)["source"].spikes
    chosen = (whole.index >= 3) & (whole.index < 7)
    assert chosen.any() and not chosen.all()
    assert part.step.tolist() == whole.step[chosen].tolist()


def test_weights_that_do_not_learn_are_recorded_as_the_machine_holds_them():
    net = ns.Network("fixed", dt="1 ms")
    source = net.spike_source("source", 2, steps=[[0], [1]])
    target = net.population("target", 2, lif())
    weights = [0.1, 0.2, 0.3, 7.0]
    edges = net.project(
        source, target, ns.all_to_all(), weight=weights, port="excitatory", name="fixed"
    )
    net.record(edges, "w", every="5 ms")
    result = ns.simulate(net, 10, backend=REHEARSAL, progress=False)
    recorded = result["fixed"].trace("w").values
    step = 2.0 ** (shift_of_receptor(net, "excitatory") - 15)
    assert recorded[-1].tolist() == [round(w / step) * step for w in weights]
    assert recorded[-1][0] != 0.1


def shift_of_receptor(net, receptor):
    from neurosim.backends.pynn.rehearsal.layout import lay_out
    from neurosim.backends.pynn.translation.network import translate
    from neurosim.backends.pynn.translation.targets import SPINNAKER
    from neurosim.ir.concretise import concretise

    return lay_out(translate(concretise(net), SPINNAKER)).shifts["target", receptor]


@pytest.mark.parametrize(
    ("cell", "port", "weight", "words"),
    [
        (cells.lif_conductance(), "excitatory", "0.1 uS", "IF_cond_exp: its whole-number arith"),
        (cells.lif_delta(), "synaptic", "1 mV", "IF_curr_delta: its whole-number arithmetic"),
    ],
)
def test_cells_whose_arithmetic_is_not_known_are_refused(cell, port, weight, words):
    net = ns.Network("refused", dt="1 ms")
    source = net.spike_source("source", 1, steps=[[0]])
    target = net.population("target", 1, cell)
    net.project(source, target, ns.all_to_all(), weight=weight, port=port)
    with pytest.raises(LoweringError, match=words):
        ns.simulate(net, 10, backend=REHEARSAL)


def test_time_constants_beyond_the_table_of_exponentials_are_refused():
    """exp(-1 / 0.05) has no entry: the table of whole powers ends at -13."""
    with pytest.raises(LoweringError, match="nor for time constants below dt / 13"):
        ns.simulate(one_neuron(tau_exc="0.05 ms"), 10, backend=REHEARSAL)


def test_time_constants_that_are_0_there_are_refused():
    with pytest.raises(LoweringError, match="it is 1e-06 there: the machine's result is not known"):
        ns.simulate(one_neuron(tau_exc="1e-6 ms"), 10, backend=REHEARSAL)


def test_options_are_checked():
    with pytest.raises(NetworkError, match="backend 'spinnaker-rehearsal' has no option 'threads'"):
        ns.check(one_neuron(), backend=REHEARSAL, threads=2)
    with pytest.raises(NetworkError, match="backend 'spinnaker-rehearsal', replica"):
        ns.check(one_neuron(), backend=REHEARSAL, replica=-1)


# ---- saturation


def strong_input(rate, port="excitatory"):
    """Return 100 sources of 4 nA, of each of which the mapping expects 30 Hz.

    Delays that differ let it reckon with less than the sum of all: it leaves room for 128 nA.
    """
    net = ns.Network("strong", dt="1 ms", seed=1)
    target = net.population("target", 3, lif())
    source = net.poisson("source", 100, rate=rate)
    net.project(source, target, ns.all_to_all(), weight="4 nA", delay="1 ms", port=port)
    silent = net.spike_source("silent", 2)
    delays = [1.0, 1.0, 1.0, 9.0, 9.0, 9.0]
    net.project(silent, target, ns.all_to_all(), weight="4 nA", delay=delays, port=port)
    net.record(target, port)
    return net


def test_sums_that_slots_cut_off_are_counted_in_the_report_and_in_the_recording():
    """500 of 1000 Hz: about 50 spikes of 4 nA meet in a step."""
    run = ns.prepare(strong_input("500 Hz"), backend=REHEARSAL)
    assert "slots (excitatory)" not in str(run.report)
    run.run(50, progress=False)
    (row,) = (row for row in run.report["target"] if row.place.aspect == "slots (excitatory)")
    assert row.status == "approximated"
    assert "sums of what arrives in a step were cut off at" in row.reason
    count, capacity = int(row.reason.split()[0]), float(row.reason.split(" at ")[1].split(",")[0])
    places = {entry["place"]: entry for entry in run.result().header["report"]}
    assert places["population 'target', slots (excitatory)"]["reason"] == row.reason
    # Every sum that was cut off is the largest that a slot holds, and all three neurons are alike.
    source = run.result()["target"].trace("excitatory").values
    share = 3892384920 / 2**32
    arrived = source[1:] - source[:-1] * (3516490311 / 2**32)
    assert np.allclose(arrived.max(), capacity * share, rtol=1e-4)
    full = int((arrived > 0.999 * capacity * share).sum())
    assert 0 < full
    assert abs(full - count) <= 6  # samples have the arrivals of one more step
    run.run(50, progress=False)
    again = [row for row in run.report["target"] if row.place.aspect == "slots (excitatory)"]
    assert len(again) == 1
    assert int(again[0].reason.split()[0]) > count


def test_sums_of_inhibition_are_counted_as_such():
    net = strong_input("500 Hz", port="inhibitory")
    run = ns.prepare(net, backend=REHEARSAL)
    run.run(50, progress=False)
    counted = {row.place.aspect for row in run.report["target"] if "cut off" in row.reason}
    assert counted == {"slots (inhibitory)"}


def test_nothing_is_said_of_sums_that_fit():
    run = ns.prepare(strong_input("10 Hz"), backend=REHEARSAL)
    run.run(50, progress=False)
    assert "cut off" not in str(run.result().header["report"])
