"""The documentation runs: examples, tutorial, gallery, notebook and links."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from matplotlib import pyplot

import neurosim as ns
from neurosim.models import cells

matplotlib.use("Agg")

ROOT = Path(__file__).parents[2]
TUTORIAL = sorted(path.name for path in (ROOT / "docs/tutorial").glob("*.md"))
TRAINED = ["docs/training.md", "docs/continual_learning.md"]
LIQUID = "docs/astrocyte_liquid.md"
TEXTS = ["README.md", "docs/index.md", "docs/language.md", LIQUID, *TRAINED]
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
SCRIPTS = sorted(path.name for path in (ROOT / "docs/examples").glob("*.py"))
README_SCRIPT = "balance.py"
# A shorter run of a script of the gallery: (text, replacement); the text must stand in it.
SHORTER = {
    "alternating_pair.py": ('"3 s"', '"0.3 s"'),
    "astrocyte.py": ('"4 s"', '"0.2 s"'),
    "calcium_and_plasticity.py": ("= 40, 60", "= 4, 2"),
    "cochlear_neurons.py": ("0.02 ms", "0.1 ms"),
    "competing_inputs.py": ('"100 s"', '"2 s"'),
    "current_based_network.py": ("0.1 ms", "0.5 ms"),
    "distal_reward.py": ('dt="0.1 ms"', 'dt="0.5 ms"'),
    "frequency_current.py": ('"5 s"', '"0.5 s"'),
    "gamma_rhythm.py": ('"400 ms"', '"120 ms"'),
    "gliotransmission.py": ("size = 100", "size = 5"),
    "helpful_noise.py": ('"4 s"', '"0.4 s"'),
    "hodgkin_huxley_network.py": ('"400 ms"', '"110 ms"'),
    "interneurons_in_step.py": ("200, 20, 24", "20, 4, 4"),
    "irregular_activity.py": ('"1 s"', '"0.6 s"'),
    "neural_mass.py": ('"5 s"', '"2.2 s"'),
    "perturbation.py": ("= 500, 200", "= 100, 20"),
    "phase_locking.py": ("0.1 ms", "0.5 ms"),
    "pitch.py": ("duration = 400", "duration = 30"),
    "population_bursts.py": ('"4 s"', '"0.3 s"'),
    "pulse_coupled.py": ("0.1 ms", "1 ms"),
    "ring.py": ("0.1 ms", "0.5 ms"),
    "short_term_plasticity.py": ("0.1 ms", "0.5 ms"),
    "sound_localisation.py": ("0.02, 1000", "0.02, 50"),
    "stdp_window.py": ("61, 2", "61, 20"),
    "sweep.py": ("0.5, 17", "0.5, 2"),
    "synfire_chain.py": ("10, 100, 85", "3, 30, 85"),
    "triplets.py": ("arange(60)", "arange(6)"),
}
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (".", "docs", "docs/tutorial", "docs/coming_from", "docs/decisions", "benchmarks")
    for path in (ROOT / folder).glob("*.md")
)


def blocks(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each Python block of a Markdown file."""
    text = path.read_text()
    for block in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield text[: block.start()].count("\n") + 2, block[1]


def code_cells(path: Path) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def execute(path: Path, parts: Iterable[tuple[int, str]]) -> dict:
    """Run the parts one after the other in one namespace; errors name the line of the file."""
    names = {"__name__": "__main__"}
    for line, text in parts:
        exec(compile("\n" * (line - 1) + text, str(path), "exec"), names)
    return names


def headings(path: Path) -> set[str]:
    """Return the anchors that the headings of a Markdown file have on GitHub and on the site."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path, fast_backend):
    """Run in an empty folder, with the default backend installed."""
    monkeypatch.chdir(tmp_path)
    yield
    pyplot.close("all")


@pytest.mark.parametrize("text", TEXTS)
def test_the_examples_of_the_documentation_run(text):
    if text in TRAINED:
        pytest.importorskip("torch")
    assert execute(ROOT / text, blocks(ROOT / text))


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.simulator) if page == "other_simulators.md" else page
        for page in TUTORIAL
    ],
)
def test_a_page_of_the_tutorial_runs_from_top_to_bottom(page):
    parts = list(blocks(ROOT / "docs/tutorial" / page))
    assert len(parts) > 2 or page == "index.md"
    execute(ROOT / "docs/tutorial" / page, parts)


@pytest.mark.parametrize("page", [page for page in TUTORIAL if page != "index.md"])
def test_a_page_of_the_tutorial_is_named_in_its_index(page):
    assert f"]({page})" in (ROOT / "docs/tutorial/index.md").read_text()


def test_the_example_of_the_readme_is_the_script_that_draws_its_picture():
    path = ROOT / "docs/examples" / README_SCRIPT
    script = path.read_text().partition('"""\n\n')[2]
    assert script in [text for _, text in blocks(ROOT / "README.md")]
    names = execute(path, [(1, script)])
    assert Path("example.png").stat().st_size > 10_000
    rate = names["ns"].measure.rate
    spikes = names["result"]["excitatory"].spikes
    assert rate(spikes, stop=100) > 20
    assert 4 < rate(spikes, start=1500) < 8


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name != README_SCRIPT])
def test_a_script_of_the_gallery_runs_and_draws(script):
    """In small: the site runs it whole."""
    path = ROOT / "docs/examples" / script
    text, (old, new) = path.read_text(), SHORTER.get(script, ("", ""))
    assert old in text
    execute(path, [(1, text.replace(old, new))])
    assert pyplot.get_fignums()


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_of_the_gallery_begins_with_a_title(script):
    text = (ROOT / "docs/examples" / script).read_text()
    title, line = text.splitlines()[1:3]
    assert text.startswith('"""\n')
    assert line == "=" * len(title)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_notebook_runs_from_top_to_bottom_and_was_saved_as_run(notebook):
    code = code_cells(ROOT / "notebooks" / notebook)
    text = "".join("".join(cell["source"]) for cell in code)
    if "import torch" in text or "continual_learning" in text:
        pytest.importorskip("torch")
    if "datasets.load" in text and "NEUROSIM_DATA" not in os.environ:
        pytest.skip("needs real data, in the folder that NEUROSIM_DATA names")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    execute(ROOT / "notebooks" / notebook, ((1, "".join(cell["source"])) for cell in code))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings_that_exist(page):
    path = ROOT / page
    missing = []
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text()):
        file, _, anchor = target.partition("#")
        end = path.parent / file if file else path
        if not end.exists() or (anchor and anchor not in headings(end)):
            missing.append(target)
    assert not missing


def test_every_decision_is_in_the_index_in_order():
    folder = ROOT / "docs/decisions"
    pages = sorted(path.stem for path in folder.glob("0*.md"))
    listed = re.findall(r"^(0\S+)$", (folder / "index.md").read_text(), re.MULTILINE)
    assert listed == pages
    assert [int(page[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = (folder / f"{page}.md").read_text()
        titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert titles == ["Context", "Decision", "Consequences", "How it was measured"], page
        assert text.startswith(f"# {int(page[:4])}. "), page


def documented() -> dict[str, list[str]]:
    """Return what each page of the API names: modules, classes and functions, in full."""
    names: dict[str, list[str]] = {}
    for path in sorted((ROOT / "docs/api").glob("*.rst")):
        text = path.read_text()
        module = re.search(r"^\.\. currentmodule:: (\S+)", text, re.MULTILINE)
        entries = re.findall(
            r"^\.\. (?:automodule|autoclass|autofunction|py:data):: ([\w.]+)", text, re.MULTILINE
        )
        prefix = f"{module[1]}." if module else ""
        names[path.stem] = [n if n.startswith("neurosim.") else prefix + n for n in entries]
    return names


@pytest.mark.parametrize("page", [page for page in documented() if page != "index"])
def test_a_page_of_the_api_names_what_exists(page):
    for name in documented()[page]:
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            try:
                value = importlib.import_module(".".join(parts[:length]))
            except ModuleNotFoundError:
                continue
            break
        for part in parts[length:]:
            value = getattr(value, part)


def test_every_public_name_is_on_a_page_of_the_api():
    names = {name for page in documented().values() for name in page}
    pages = {f"neurosim.{name}" for name in ns.__all__}
    # on the page of errors
    errors = {f"neurosim.{n}" for n in ns.__all__ if n.endswith(("Error", "Warning"))}
    modules = {"neurosim.measure"}  # function by function
    assert pages - names - errors - modules == set()


def test_the_floor_plan_names_every_package():
    plan = (ROOT / "docs/architecture.md").read_text()
    folders = [
        path.parent.name
        for part in ("neurosim", "backends", "models")
        for path in (ROOT / part).rglob("__init__.py")
        if path.parent != ROOT / part
    ]
    assert len(folders) > 20
    assert [folder for folder in folders if f"{folder}/" not in plan] == []


# ---- the backend of docs/backends.md


def small_backend() -> Any:
    path = ROOT / "docs/small_backend.py"
    names = {"__name__": "small_backend"}
    exec(compile(path.read_text(), str(path), "exec"), names)
    return names["backend"]


def network_for_the_small_backend() -> ns.Network:
    """Every kind of port, two delays, given spikes, a table, refractoriness with frozen states."""
    net = ns.Network("small", dt="0.1 ms", seed=3)
    driven = ns.uniform("0.15 nA", "0.3 nA")
    leaky = net.population("leaky", 60, cells.lif(), current=driven, v=ns.uniform(-70, -50))
    one = net.population("one", 1, cells.adex_exponential())
    current = ns.table([4.0, 10.0, 0.0], every="20 ms")
    fast = net.population("fast", 30, cells.izhikevich(synapse="exponential"), current=current)
    source = net.spike_source("source", 5, times=[[3.0, 50.0], [1.0], [], [59.0], [4.0]])
    weight = ns.normal("0.05 nA", "0.02 nA")
    net.project(leaky, leaky, ns.fixed_probability(0.2), weight=weight, delay="1.5 ms", name="loop")
    net.project(source, leaky, ns.all_to_all(), weight="0.2 nA", name="input")
    net.project(leaky, fast, ns.fixed_indegree(3), weight=2, delay="0.3 ms", port="synaptic")
    net.project(leaky, one, ns.all_to_all(), weight="0.02 nA", port="excitatory")
    for population in (leaky, one, fast, source):
        net.record(population, "spikes")
    net.record(leaky, "v")
    net.record(fast, "v", "u")
    return net


def test_the_example_backend_has_the_bits_of_the_reference():
    net = network_for_the_small_backend()
    small, reference = (
        ns.simulate(net, "60 ms", backend=backend) for backend in (small_backend(), "reference")
    )
    assert small.names() == reference.names()
    assert all(small[name] == reference[name] for name in reference.names())
    assert small["leaky"].spikes.count().sum() > 100


def test_the_verbs_of_a_run_work_on_the_example_backend():
    net = network_for_the_small_backend()
    run, other = (ns.prepare(net, backend=name) for name in (small_backend(), "reference"))
    for open_run in (run, other):
        open_run.run("20 ms")
        open_run.set("leaky", current="0.25 nA")
        open_run.reset("fast")
    other.restore(run.snapshot())
    for open_run in (run, other):
        open_run.run("10 ms")
    assert run.result()["leaky"] == other.result()["leaky"]
    assert run.result()["fast"].spikes == other.result()["fast"].spikes


def test_the_example_backend_refuses_the_rest():
    net = network_for_the_small_backend()
    rule = ns.Rule(edge="w : nA", handlers=[("pre", "out += w")])
    net.project(net["leaky"], net["leaky"], ns.one_to_one(), rule=rule, weight=0.1, name="rule")
    net.poisson_drive(net["leaky"], rate=10, weight=0.1)
    net.poisson("noise", 3, rate=10)
    net.population("fine", 1, ns.Cell("dv/dt = -v * v / ms : 1", method="adaptive"))
    with pytest.raises(ns.LoweringError, match="plasticity") as refusal:
        ns.simulate(net, "1 ms", backend=small_backend())
    assert len(refusal.value.report.of("impossible")) == 4
