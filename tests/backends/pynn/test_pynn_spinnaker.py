"""Networks mapped onto SpiNNaker's virtual board by sPyNNaker itself, and weights and delays read
back from there.
"""

import json
import os
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

pytest.importorskip("sympy")

from support.pynn_networks import cue_only, mapped_there, varied  # noqa: E402

import neurosim as ns  # noqa: E402
from neurosim.backends import pynn  # noqa: E402
from neurosim.backends.pynn.simulator.mapping import MappedProjection, Mapping  # noqa: E402
from neurosim.backends.pynn.simulator.run import ScriptRun  # noqa: E402
from neurosim.backends.pynn.simulator.spynnaker_settings import (  # noqa: E402
    PYTHON,
    find_board,
    find_interpreter,
)
from neurosim.backends.pynn.translation.weight_scales import (  # noqa: E402
    round_weights,
    weight_scales,
)
from neurosim.ir.concretise import concretise  # noqa: E402
from neurosim.models import ca3_memory, cells, plasticity  # noqa: E402


def many() -> ns.Network:
    """Return a network with weights and rates of all sizes: one large weight beside small ones,
    both signs, conductances, voltage steps, rules.
    """
    net = ns.Network("many", dt="1 ms", seed=1)
    slow, fast = net.poisson("slow", 50, rate=20), net.poisson("fast", 50, rate=1000)
    a = net.population("a", 300, cells.izhikevich(synapse="exponential"))
    b = net.population("b", 60, cells.lif_conductance())
    d = net.population("d", 60, cells.lif_delta())
    net.project(
        slow,
        a,
        ns.fixed_probability(0.5),
        weight=ns.normal("5 mV/ms", "2 mV/ms"),
        delay=ns.integers(1, 20),
        port="synaptic",
        name="in",
    )
    net.project(
        a[:100],
        a,
        ns.fixed_probability(0.02),
        weight="0.5 mV/ms",
        delay="2 ms",
        back="3 ms",
        port="synaptic",
        name="plastic",
        rule=plasticity.stdp(dependence="multiplicative", w_max="1 mV/ms"),
    )
    net.project(
        a,
        a,
        ns.from_arrays([0], [1]),
        weight="50 mV/ms",
        delay="40 ms",
        port="synaptic",
        name="big",
    )
    net.project(
        slow,
        b,
        ns.fixed_probability(0.5),
        weight=ns.uniform("1 nS", "10 nS"),
        delay="2 ms",
        port="excitatory",
        name="opens",
    )
    net.project(
        fast,
        b,
        ns.fixed_probability(0.5),
        weight=ns.uniform("1 nS", "10 nS"),
        delay="2 ms",
        port="inhibitory",
        name="shunts",
    )
    net.project(
        fast,
        d,
        ns.fixed_probability(0.5),
        weight=ns.normal("0 mV", "1 mV"),
        delay=ns.integers(0, 20),
        name="steps",
    )
    return net


@cache
def mapped() -> object:
    return ns.map(many(), backend=pynn.spinnaker, time="100 ms")


@mapped_there
def test_weights_read_back_are_those_that_the_report_foresees():
    plan = pynn.spinnaker._translate(concretise(many()))
    expected = weight_scales(plan.populations, plan.projections, plan.dt)
    ends = {p.origin: p.target for p in plan.projections}
    projections = mapped().projections
    assert {p.name for p in projections} == set(ends)
    for p in projections:
        assert p.step == expected[ends[p.name], p.receptor].step, p.name
        np.testing.assert_allclose(
            np.abs(p.weight), round_weights(p.wanted, p.step), rtol=1e-12, err_msg=p.name
        )
    worst = max(projections, key=lambda p: p.error)
    assert worst.error > 0.01 and next(p for p in projections if p.name == "in").by == "big"


@mapped_there
def test_delays_read_back_are_ours_and_one_step():
    net, mapping = many(), mapped()
    for p in mapping.projections:
        np.testing.assert_array_equal(p.delay, p.wanted_delay, err_msg=p.name)
    assert {p.name: set(p.delay) for p in mapping.projections if p.name in ("big", "opens")} == {
        "big": {41.0},
        "opens": {3.0},
    }
    steps = [p for p in mapping.projections if p.name == "steps"]
    assert min(p.delay.min() for p in steps) == 1.0
    assert net.projections["steps"].delay.kind == "integers"


@mapped_there
def test_negative_weights_lie_at_the_inhibitory_receptor_with_their_magnitude():
    inside = [p for p in mapped().projections if p.name == "in"]
    assert {p.receptor for p in inside} == {"excitatory", "inhibitory"}
    assert sum(p.weight.size for p in inside) == concretise(many()).projections["in"].targets.size


@mapped_there
def test_cores_chips_and_programs_are_counted_and_a_rule_without_a_program_is_split():
    mapping = mapped()
    assert mapping.missing == ()
    # two slices of up to 256 neurons, each with a core for its synapses
    assert mapping.per_population["a"] >= 4
    assert mapping.cores == sum(mapping.per_population.values()) == len(mapping.placements)
    assert (mapping.chips, mapping.boards) == (len({p[:2] for p in mapping.placements}), 1)
    assert mapping.sdram > 1e4
    assert "mapped, not run" in str(mapping) and "set by big (largest weight " in str(mapping)
    assert not hasattr(mapping, "spikes")


@mapped_there
def test_the_picture_shows_every_core():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.patches import Rectangle

    mapping = mapped()
    ax = mapping.plot()
    assert (
        len([p for p in ax.patches if isinstance(p, Rectangle) and p.get_width() < 1])
        == mapping.cores
    )
    assert ax.get_title() == f"{mapping.cores} cores on 1 chip"


@mapped_there
def test_one_large_weight_beside_small_ones_loses_those_that_the_report_says():
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
    (edge,) = ns.map(net, backend=pynn.spinnaker, time="10 ms").projections
    assert edge.lost == 999
    assert "999 of 1000 weights become 0" in str(pynn.spinnaker.lower(net).report)


@mapped_there
def test_the_content_addressable_memory_maps_with_its_delays_and_its_weights_whole():
    net = ca3_memory.model.network(seed=0)
    mapping = ns.map(net, backend=pynn.spinnaker, time="100 ms")
    assert mapping.missing == () and mapping.cores == len(net.populations)
    for p in mapping.projections:
        assert p.error == 0.0 and p.lost == 0, p.name
        np.testing.assert_array_equal(p.delay, net.projections[p.name].delay + 1.0)


@mapped_there
@pytest.mark.parametrize("version", [3, 201])
def test_other_machines_are_mapped_too(version):
    net = ns.Network("small", dt="1 ms")
    net.project(
        net.spike_source("source", 1, steps=[[1]]),
        net.population("target", 5, cells.lif()),
        ns.all_to_all(),
        weight="1 nA",
        delay="1 ms",
    )
    assert ns.map(net, backend=pynn.spinnaker, version=version, time="10 ms").cores == 2


@mapped_there
def test_a_reservoir_of_fixed_weights_and_cues_alone_maps():
    net = cue_only(400)
    report = pynn.spinnaker.lower(net).report
    assert report.possible and "bias + cue*cue_on follows cue_on" in str(report)
    mapping = ns.map(net, backend=pynn.spinnaker, time="100 ms")
    assert mapping.missing == () and mapping.per_population == {"reservoir": 2}


@mapped_there
def test_rates_over_time_have_a_source_of_their_own_there():
    net = ns.Network("course", dt="1 ms")
    source = net.poisson(
        "source",
        3,
        rate=ns.table([[10.0, 0.0, 5.0], [10.0, 0.0, 5.0], [0.0, 20.0, 5.0]], every="5 ms"),
    )
    net.project(
        source,
        net.population("target", 2, cells.lif()),
        ns.all_to_all(),
        weight="1 nA",
        delay="1 ms",
    )
    assert "SpikeSourcePoissonVariable with 0 to 20 Hz (rate) in 3 rows over time" in str(
        pynn.spinnaker.lower(net).report
    )
    assert ns.map(net, backend=pynn.spinnaker, time="20 ms").missing == ()


# ---- a board


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return an empty home, in which sPyNNaker looks for its settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def small() -> ns.Network:
    net = ns.Network("small", dt="1 ms")
    net.project(
        net.spike_source("source", 1, steps=[[1]]),
        net.population("target", 5, cells.lif()),
        ns.all_to_all(),
        weight="1 nA",
        delay="1 ms",
    )
    net.record(net["target"], "spikes", "v")
    return net


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            None,
            "no board is configured: there is no .spynnaker.cfg in .*Write it: "
            ".Machine., then machine_name",
        ),
        (
            "[Machine]\nversion = 5\n",
            "names no board: found none of machine_name, spalloc_server, remote_spinnaker_url in "
            "its section Machine. Add one",
        ),
        ("[Mode]\nmode = Info\n", "names no board"),
        ("[Machine]\nmachineName = None\n", "names no board"),
        (
            "[Machine]\nvirtual_board = True\nversion = 5\n",
            "asks for a virtual board, which returns no spikes. Name a board there",
        ),
        ("machine_name = 1.2.3.4\n", "cannot be read .*expected settings of sPyNNaker. Correct it"),
    ],
)
def test_a_run_without_a_board_is_refused_with_what_to_do(home, settings, message):
    if settings is not None:
        (home / ".spynnaker.cfg").write_text(settings)
    with pytest.raises(
        ns.LoweringError,
        match=f"(?s)backend 'spinnaker' runs on a board: .*{message}.*Without a board use ns.map",
    ):
        ns.simulate(small(), "10 ms", backend=pynn.spinnaker)


@pytest.mark.parametrize(
    "line",
    [
        "machine_name = 1.2.3.4",
        "machineName: 1.2.3.4",
        "spalloc_server = spinnaker.example",
        "remote_spinnaker_url = x",
    ],
)
@pytest.mark.parametrize("file", [".spynnaker.cfg", "config/.spynnaker.cfg"])
def test_a_board_is_found_where_sPyNNaker_looks_for_it(home, file, line):
    (home / file).parent.mkdir(exist_ok=True)
    (home / file).write_text(f"[Machine]\nversion = 5\n{line}\n")
    assert find_board().endswith(f"{line.split()[-1]} in {home / file}")


@mapped_there
def test_a_board_that_does_not_answer_ends_with_sPyNNakers_own_reason(home):
    (home / ".spynnaker.cfg").write_text(
        "[Machine]\nspalloc_server = localhost\nspalloc_port = 1\nspalloc_user = me\nversion = 5\n"
    )
    with pytest.raises(
        ns.SimulationError,
        match=(
            r"(?s)\(spalloc_server = localhost in .*\) failed \(exit code 1\), expected it to "
            r"end.*Connection refused"
        ),
    ):
        ns.simulate(small(), "10 ms", backend=pynn.spinnaker)


@mapped_there
def test_the_whole_script_of_a_run_goes_through_sPyNNaker_and_returns_recordings_without_spikes(
    home,
):
    """The run that a board would get, on a virtual one, past the check that refuses it: everything
    but the spikes is there.
    """
    (home / ".spynnaker.cfg").write_text(
        "[Machine]\nvirtual_board = True\nversion = 5\n[Mode]\nmode = Info\n"
    )
    net = varied("1 ms")
    concrete = concretise(net)
    run = ScriptRun(
        pynn.spinnaker._translate(concrete),
        concrete,
        pynn.spinnaker.lower(net).report,
        python=find_interpreter("run"),
    )
    run.run("20 ms")
    result = run.result()
    assert {n: sorted(result[n].traces) for n in result} == {
        "main": ["synaptic", "v"],
        "other": ["excitatory", "v"],
        "chance": [],
        "loop": ["w"],
    }
    assert all(len(result[n].spikes) == 0 for n in ("main", "other", "chance"))
    np.testing.assert_allclose(result["loop"].trace("w").values, 0.05, rtol=0.01)  # quantised
    assert result["main"].trace("v").values.shape == (0, 5)
    assert result.header["backend"] == "spinnaker"


def test_steps_are_counted_as_the_machine_counts_them():
    """Its first step is 0, spikes carry the start of their step, and v is recorded before it moves:
    c_main.c and neuron_impl_standard.h of sPyNNaker.
    """
    net = small()
    concrete = concretise(net)
    plan = pynn.spinnaker._translate(concrete)
    assert plan.population("source").spikes.times.tolist() == [1.0]
    run = ScriptRun(plan, concrete, pynn.spinnaker.lower(net).report)
    # the sample after the last step is the state at its end
    assert "RUN_TIME = 11.0" in run._script(10).text
    v = np.add.outer(np.arange(11.0), np.arange(5.0))
    run._results = {"target.spikes": np.array([[2.0, 0.0], [3.0, 9.0], [3.0, 10.0]]), "target.v": v}
    run.step = 10
    result = run.result()["target"]
    assert (result.spikes.step.tolist(), result.spikes.index.tolist()) == ([0, 9], [2, 3])
    np.testing.assert_array_equal(result.trace("v").values, v[1:])


def test_a_missing_sPyNNaker_and_an_unknown_machine_say_what_to_do(monkeypatch):
    net = ns.Network("empty", dt="1 ms")
    with pytest.raises(ns.NetworkError, match="a SpiNNaker machine has no version '7'"):
        ns.map(net, backend=pynn.spinnaker, version=7)
    with pytest.raises(
        ns.NetworkError,
        match="map: backend 'spinnaker' has no option 'verson'. Did you mean 'version'?",
    ):
        ns.map(net, backend=pynn.spinnaker, verson=5)
    monkeypatch.delenv(PYTHON, raising=False)
    monkeypatch.setattr(
        "neurosim.backends.pynn.simulator.spynnaker_settings.find_spec", lambda name: None
    )
    with pytest.raises(
        ns.NetworkError, match=f"{PYTHON} names no other interpreter. Make an environment"
    ):
        ns.map(net, backend=pynn.spinnaker)
    with pytest.raises(ns.NetworkError, match="backend 'nest' cannot map a network"):
        ns.map(net, backend=pynn.nest)


def test_a_mapping_is_json_data(tmp_path, monkeypatch, capsys):
    from neurosim.cli.main import main

    net = ns.Network("pair", dt="1 ms")
    report = pynn.spinnaker.lower(net).report
    projection = MappedProjection(
        "edges",
        "excitatory",
        wanted=np.array([0.5, 0.001, 0.3]),
        weight=np.array([0.5, 0.0, 0.25]),
        wanted_delay=np.array([1.0, 2.0, 3.0]),
        delay=np.array([1.0, 2.0, 4.0]),
        step=0.25,
        by="edges",
        most=0.5,
    )
    mapping = Mapping(
        "SpiNNaker",
        time=10.0,
        cores=2,
        chips=1,
        boards=1,
        sdram=1000,
        per_population={"a": 2},
        placements=((0, 0, 3, "a"), (0, 0, 4, "a")),
        missing=("absent.aplx",),
        projections=(projection,),
        report=report,
    )
    monkeypatch.setattr("neurosim.run.launch.map", lambda net, **options: mapping)
    assert main(["map", "ca3-memory", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    (edges,) = data.pop("projections")
    assert edges == {
        "projection": "edges",
        "receptor": "excitatory",
        "edges": 3,
        "weights that became 0": 1,
        "largest relative error": 1.0,
        "step": 0.25,
        "step set by": "edges",
        "largest weight": 0.5,
        "delays changed": 1,
    }
    assert data.pop("report") == report.data()
    assert data == {
        "network": "pair",
        "machine": "SpiNNaker",
        "time": 10.0,
        "cores": 2,
        "chips": 1,
        "boards": 1,
        "sdram": 1000,
        "per_population": {"a": 2},
        "placements": [[0, 0, 3, "a"], [0, 0, 4, "a"]],
        "missing": ["absent.aplx"],
    }


@mapped_there
def test_map_draws_the_chips_from_the_command_line(tmp_path, monkeypatch, capsys):
    from neurosim.cli.main import main

    monkeypatch.setenv("MPLBACKEND", "Agg")
    assert main(["map", "ca3-memory", "--picture", str(tmp_path / "new" / "chips.png")]) == 0
    assert "10 cores on 1 chip" in capsys.readouterr().out
    assert (tmp_path / "new" / "chips.png").read_bytes()[1:4] == b"PNG"


WORDS = """
import json, sys
import pyNN.spiNNaker as sim
import numpy as np

class Words(list):
    def write_value(self, data, data_type):
        self.append(int(data_type.encode_as_int(data)))

sim.setup(timestep=1.0)
{lines}
words = Words()
plasticity.weight_dependence.write_parameters(words, 1.0, np.ones(1), 1)
print(json.dumps(words))
"""


@mapped_there
@pytest.mark.parametrize("dependence", ["additive", "multiplicative"])
def test_amplitudes_of_stdp_are_changes_of_the_weight_in_the_words_for_the_machine(
    dependence, tmp_path
):
    """Read back from the words that sPyNNaker writes for its STDP programme, S16.15.

    The additive programme adds A as it is, the multiplicative one multiplies it by the distance of
    the weight from its bound. w_max is 6, so a factor of it cannot hide.
    """
    net = ns.Network("learning", dt="1 ms")
    a = net.population("a", 2, cells.lif())
    rule = plasticity.stdp(a_plus="3 nA", a_minus="1.5 nA", w_max="6 nA", dependence=dependence)
    net.project(a, a, ns.all_to_all(), weight="1 nA", delay="1 ms", back="2 ms", rule=rule)
    lines = ns.export(net, tmp_path / "out", backend=pynn.spinnaker).read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if "sim.STDPMechanism(" in line)
    mechanism = "\n".join(line.strip() for line in lines[first : first + 3])
    settings = "[Machine]\nvirtual_board = True\nversion = 5\n"
    (tmp_path / ".spynnaker.cfg").write_text(settings)  # which it reads from the home folder
    script = tmp_path / "words.py"
    script.write_text(WORDS.format(lines=mechanism))
    words = subprocess.run(
        [os.environ.get(PYTHON, sys.executable), script],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"HOME": str(tmp_path)},
    )
    one = 1 << 15
    low, high, plus, minus = json.loads(words.stdout.splitlines()[-1])
    assert (low, high) == (0, 6 * one)
    # Ours is the change of a weight in the middle of its range by a pair, per share of the range.
    expected = (3.0, 1.5) if dependence == "additive" else (0.5, 0.25)
    assert (plus / one, minus / one) == expected
