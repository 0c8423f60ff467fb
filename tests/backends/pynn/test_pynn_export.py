"""Exported folders: a plain PyNN script that runs without neurosim and gives what a run gives."""

import ast
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sympy")

from support.messages import parts  # noqa: E402
from support.pynn_networks import one_pair, varied  # noqa: E402

import neurosim as ns  # noqa: E402
from neurosim.backends import pynn  # noqa: E402
from neurosim.backends.pynn.simulator.script import Script  # noqa: E402
from neurosim.backends.pynn.simulator.script_data import identifiers  # noqa: E402
from neurosim.ir.concretise import concretise  # noqa: E402
from neurosim.models import ca3_memory, cells, plasticity  # noqa: E402


def test_the_folder_has_script_arrays_readme_and_report(tmp_path):
    path = ns.export(varied(), tmp_path / "out", backend=pynn.nest, time="20 ms")
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "README.md",
        "arrays.npz",
        "network.py",
        "report.json",
        "report.txt",
    ]
    text, readme = path.read_text(), (path.parent / "README.md").read_text()
    assert "neurosim" not in "".join(
        ast.dump(n) for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Import | ast.ImportFrom)
    )
    head = ast.get_docstring(ast.parse(text))
    report = pynn.nest.lower(varied()).report
    approximated = report.of("approximated")
    assert "What differs" in head and "report.txt, written beside this script" in head
    assert f"({len(approximated)} rows differ)" in head
    assert f"- {approximated[0].place}: " in head
    assert (path.parent / "report.txt").read_text() == f"{report}\n"
    assert json.loads((path.parent / "report.json").read_text()) == report.data()
    assert "it does not need neurosim" in readme
    assert "python network.py" in readme
    assert f"({len(report.of('approximated'))} rows)" in readme
    assert "board" not in readme
    assert str(tmp_path) not in text + readme


def test_the_script_runs_without_neurosim_and_gives_what_a_run_gives(tmp_path):
    pytest.importorskip("nest")
    net = one_pair(cells.lif(), [3, 40], weight="20 nA", delay="0.5 ms", size=2)
    path = ns.export(net, tmp_path / "out", backend=pynn.nest, time="10 ms")
    blocked = (
        "import sys; sys.modules['neurosim'] = None; import runpy; runpy.run_path('network.py')"
    )
    subprocess.run(
        [sys.executable, "-c", blocked], cwd=path.parent, check=True, capture_output=True
    )
    with np.load(path.parent / "results.npz") as results:
        spikes, v = results["target.spikes"], results["target.v"]
    result = ns.simulate(net, "10 ms", backend=pynn.nest)["target"]
    np.testing.assert_allclose(np.sort(spikes[:, 1]), np.sort(result.spikes.times()))
    np.testing.assert_array_equal(v[1:], result.trace("v").values)
    assert len(spikes) >= 2


def test_an_impossible_network_and_a_full_folder_are_refused(tmp_path):
    net = one_pair(cells.adex_exponential(), [3], weight="1 nA", delay="0.5 ms", port="excitatory")
    with pytest.raises(ns.LoweringError, match="closest is Izhikevich"):
        ns.export(net, tmp_path / "out", backend=pynn.nest)
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ns.NetworkError, match="holds other files"):
        ns.export(varied(), tmp_path, backend=pynn.nest)
    with pytest.raises(ns.NetworkError, match="backend 'cpu' cannot export"):
        ns.export(varied(), tmp_path / "out", backend="cpu")


def test_an_unknown_option_is_refused_before_draws_and_folders_are_made(tmp_path):
    """The weights would fall outside their bounds in every draw: that no draw was made is seen by
    the message.
    """
    net = varied()
    drawn = ns.normal("1 nA", "0 nA", low="2 nA", high="3 nA")
    net.project(net["main"], net["main"], ns.all_to_all(), weight=drawn, delay="1 ms", name="never")
    with pytest.raises(ns.LoweringError, match="still falls outside its bounds"):
        ns.export(net, tmp_path / "out", backend=pynn.nest)
    message = parts(
        "export: backend 'nest' has no option 'threads'. ",
        "The options are: time.",
        "Leave it out, or name one of these.",
    )
    with pytest.raises(ns.NetworkError, match=message):
        ns.export(net, tmp_path / "out", backend=pynn.nest, threads=4)
    assert not (tmp_path / "out").exists()


def test_the_script_of_the_content_addressable_memory_is_the_network_row_by_row(tmp_path):
    net = ca3_memory.model.network(seed=0)
    path = ns.export(net, tmp_path / "out", backend=pynn.spinnaker)
    text = path.read_text()
    assert "It needs a board" in (path.parent / "README.md").read_text()
    for population in net.populations.values():
        standard = "SpikeSourceArray" if population.source_spikes is not None else "IF_curr_exp"
        assert f"{population.name} = sim.Population({population.size}, sim.{standard}(" in text
    with np.load(path.parent / "arrays.npz") as arrays:
        for projection in net.projections.values():
            receptor = "inhibitory" if projection.port == "inhibitory" else "excitatory"
            edges = arrays[f"{projection.name}.{receptor}"]
            assert len(edges) == projection.edge_count().known
            # magnitudes, as SpiNNaker has them
            np.testing.assert_array_equal(edges[:, 2], projection.weight)
            # one step more, for the same step of arrival
            np.testing.assert_array_equal(edges[:, 3], projection.delay + 1.0)
            assert set(edges[:, 0]) <= set(projection.source.indices)
            assert set(edges[:, 1]) <= set(projection.target.indices)
    assert text.count("sim.STDPMechanism(") == 2 and "dendritic_delay_fraction=1.0" in text
    assert "sim.SpikePairRule(tau_plus=3.0, tau_minus=3.0, A_plus=6.0, A_minus=6.0)" in text
    assert "w_max=6.0" in text


@pytest.mark.parametrize("name", ["class", "sim", "a-b", "np"])
def test_every_name_of_a_population_becomes_a_name_of_python(tmp_path, name):
    net = ns.Network("names", dt="1 ms")
    net.record(net.population(name, 1, cells.lif()), "spikes")
    ast.parse(ns.export(net, tmp_path / "out", backend=pynn.nest).read_text())


def test_names_that_python_cannot_tell_apart_are_kept_apart(tmp_path):
    net = ns.Network("names", dt="1 ms")
    a, b = net.population("a-b", 1, cells.lif()), net.population("a_b", 2, cells.lif())
    net.project(
        a, b, ns.all_to_all(), weight="1 nA", delay="1 ms", rule=plasticity.stdp(), name="a->b"
    )
    tree = ast.parse(ns.export(net, tmp_path / "out", backend=pynn.nest).read_text())
    assigned = [
        t.id
        for n in tree.body
        if isinstance(n, ast.Assign)
        for t in n.targets
        if isinstance(t, ast.Name) and "sim." in ast.unparse(n.value)
    ]
    assert len(assigned) == len(set(assigned))


HOSTILE = ['a"""\nraise SystemExit\n"""', "a'''\\", "a'] = 1\nraise SystemExit\n#", "a\r\0"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_and_reasons_become_no_statements_of_a_script(name):
    """Networks refuse such names; here a plan is given them in place of its own."""
    plan = pynn.nest._translate(concretise(varied()))
    renamed = {p.name: f"{p.name}{name}" for p in plan.populations}
    hostile = replace(
        plan,
        name=name,
        populations=tuple(replace(p, name=renamed[p.name]) for p in plan.populations),
        projections=tuple(
            replace(q, name=f"{q.name}{name}", source=renamed[q.source], target=renamed[q.target])
            for q in plan.projections
        ),
        recordings=tuple(replace(r, owner=renamed.get(r.owner, r.owner)) for r in plan.recordings),
        rows=tuple(replace(row, reason=f"{row.reason}{name}") for row in plan.rows),
    )
    plain, script = (ast.parse(Script(p, 20.0).text).body for p in (plan, hostile))
    assert [type(node) for node in script] == [type(node) for node in plain]
    assert not any(isinstance(node, ast.Raise) for node in script)


@pytest.mark.parametrize("name", ["DT", "HERE", "RUN_TIME", "list", "range", "np", "in", "nest"])
def test_a_population_may_have_the_name_of_anything_that_a_script_uses(name):
    names = identifiers([name, "other"])
    assert names[name] != name and names[name].isidentifier() and names["other"] == "other"


def test_bounds_of_a_rule_are_in_the_unit_of_the_standard_cell_as_its_weights_are():
    """The cell halves the current of the port and turns its sign."""
    cell = ns.Cell(
        """dv/dt = (rest - v + resistance * (drive - 0.5 * pull)) / tau : mV
           ddrive/dt = -drive / (3 * ms) : nA
           dpull/dt = -pull / (4 * ms) : nA""",
        parameters={"rest": "-60 mV", "tau": "10 ms", "resistance": "50 Mohm"},
        receives={"plus": ns.Port("nA", into="drive"), "minus": ns.Port("nA", into="pull")},
        spike="v > rest + 15 * mV",
        after_spike="v = rest - 5 * mV",
        refractory=ns.Refractory("3 ms", "v"),
    )
    net = ns.Network("halved", dt="1 ms")
    a = net.population("a", 2, cell)
    rule = plasticity.stdp(w_max="3 nA")
    net.project(
        a, a, ns.all_to_all(), rule=rule, weight="1 nA", delay="2 ms", port="minus", name="e"
    )
    (projection,) = pynn.nest._translate(concretise(net)).projections
    assert set(projection.weight) == {-0.5}
    assert projection.rule.weights == {"w_min": 0.0, "w_max": -1.5}
