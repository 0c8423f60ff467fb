"""Trials of the CA3 memory, its checks on their results, and the model in the catalogue."""

import importlib
import json

import pytest
from support.messages import parts

from neurosim.cli.main import main
from neurosim.errors import NetworkError
from neurosim.models.ca3_memory import CA3Memory, Settings, model
from neurosim.models.ca3_memory.checks import CHECKS, EXPERIMENTS
from neurosim.models.ca3_memory.demonstrate import judged
from neurosim.models.ca3_memory.experiment import PUBLISHED, Experiment, Played, play
from neurosim.models.ca3_memory.network import TO_CUE, build, network
from neurosim.models.ca3_memory.operations import BY_CONTENT, BY_CUE, LEARN
from neurosim.models.ca3_memory.picture import draw
from neurosim.models.ca3_memory.residues import FIRES, residue, shortest_spacing
from neurosim.models.ca3_memory.trials import (
    forgotten_bits,
    latencies,
    map_of_states,
    random_memories,
    retention,
    rounds_of_recall,
    short_presentations,
    thresholds,
)

pytestmark = pytest.mark.experiment

# ---- trials


def test_thresholds_and_latencies_are_as_published(backend):
    fires = thresholds(backend)
    assert fires["slow"] == {"3.29": False, "3.3": True, "3.35": True, "3.36": True}
    assert fires["fast"] == {"3.29": False, "3.3": False, "3.35": False, "3.36": True}
    assert [latency["differ"] for latency in latencies(backend).values()] == [[], [], [], []]
    assert latencies(backend)["learn 2: {1, 7}"]["offsets"]["OUT content"] == [5, 6, 7]


def test_short_presentations_are_learned_with_less_margin_and_silence_takes_nothing(fast_backend):
    presentations = short_presentations(fast_backend)
    assert all(presentation["recalled"] for presentation in presentations.values())
    assert [round(presentations[n]["to cue"], 2) for n in "123"] == [4.3, 4.3, 6.0]
    assert retention(fast_backend, silence=200.0)["by cue and by content"] == [15, 15]


def test_random_memories_are_recalled_until_operations_come_too_densely(fast_backend):
    apart = random_memories(
        fast_backend, cues=5, content_size=20, spacing=10, private=True, recalls=40
    )
    assert apart["all"] == [450, 450]
    assert set(apart) == {
        LEARN,
        BY_CUE,
        BY_CONTENT,
        "all",
        "missing, wrong",
    }
    dense = random_memories(fast_backend, cues=5, content_size=10, spacing=7, recall_spacing=6)
    assert dense[BY_CUE][0] == dense[BY_CUE][1] == 150 and dense[BY_CONTENT][0] < 100
    assert map_of_states(fast_backend, cells=16)["all"] == [22, 22]


def test_the_shortest_spacing_grows_with_the_bits_of_a_content_and_with_the_rounds_of_recall():
    assert [shortest_spacing(bits) for bits in (1, 10, 16, 32)] == [22, 22, 23, 25]
    assert [shortest_spacing(10, rounds=n) for n in (1, 10, 1000)] == [14, 16, 28]


@pytest.mark.parametrize(("bits", "spacing"), [(3, 14), (5, 14), (10, 17)])
def test_residues_foretell_after_how_many_rounds_a_third_memory_answers(
    fast_backend, bits, spacing
):
    """The weight of every bit grows by the same amount in each round, until they fire together."""
    learned = residue(spacing, rounds=0)
    foretold = (FIRES / bits - learned) / (residue(spacing, rounds=1) - learned)
    right = rounds_of_recall(fast_backend, bits=bits, spacing=spacing, most=60)["right"]
    assert right == pytest.approx(foretold, rel=0.1, abs=1)


@pytest.mark.parametrize("bits", [10, 32])
def test_at_the_default_spacing_memories_are_asked_for_again_and_again(fast_backend, bits):
    trial = rounds_of_recall(fast_backend, bits=bits, most=100)
    assert trial == {"spacing": shortest_spacing(bits), "right": 100}


def test_two_forgotten_bits_at_once_find_their_former_cue_and_one_does_not(fast_backend):
    assert forgotten_bits(fast_backend) == {"one": [], "two": [0]}


# ---- the model in the catalogue


def test_the_demonstration_leaves_pictures_and_its_results(fast_backend, tmp_path):
    rows = model.demonstrate(backend=fast_backend, out=tmp_path / "new", progress=False)
    written = json.loads((tmp_path / "new" / "results.json").read_text())
    assert written["rows"] == rows and len(rows) == 33 and all(row["pass"] for row in rows)
    for name in ("E1", "E3"):
        assert (tmp_path / "new" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"


def test_a_demonstration_keeps_its_results_where_ctrl_c_ends_it_or_a_picture_fails(
    fast_backend, tmp_path, monkeypatch
):
    """Ctrl-C comes in the second experiment; a folder stands where the first picture should go."""
    demonstration = importlib.import_module("neurosim.models.ca3_memory.demonstrate")
    (tmp_path / "whole" / "E1.png").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        model.demonstrate(backend=fast_backend, out=tmp_path / "whole", progress=False)
    whole = json.loads((tmp_path / "whole" / "results.json").read_text())
    assert whole["finished"] and [*whole["experiments"]] == ["E1", "E2", "E3"]

    def interrupted(experiment: Experiment, backend: str) -> Played:
        if experiment.name == "E2":
            raise KeyboardInterrupt
        return play(experiment, backend)

    monkeypatch.setattr(demonstration, "play", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.demonstrate(backend=fast_backend, out=tmp_path / "part", progress=False)
    part = json.loads((tmp_path / "part" / "results.json").read_text())
    assert not part["finished"] and part["experiments"] == {"E1": whole["experiments"]["E1"]}
    assert part["rows"] == whole["rows"][: len(part["rows"])]
    assert [path.name for path in (tmp_path / "part").iterdir()] == ["results.json"]


def test_a_seed_that_would_change_nothing_is_refused(tmp_path, capsys):
    message = (
        "model 'ca3-memory', seed: found 5, ",
        "expected 0: nothing in the model is random. Leave it out.",
    )
    with pytest.raises(NetworkError, match=parts(*message)):
        model.demonstrate(seed=5, out=tmp_path / "new", progress=False)
    assert main(["run", "ca3-memory", "--seed", "5", "--out", str(tmp_path / "new")]) == 2
    assert "".join(message) in capsys.readouterr().err and not (tmp_path / "new").exists()


def test_rows_of_the_demonstration_show_what_differs_from_the_tables():
    results = {"counts": PUBLISHED["E1"] | {"Int": 12}, "tally": {"all": [8, 9]}}
    assert [row["quantity"] for row in judged("E1", results) if not row["pass"]] == [
        "E1: correct operations",
        "E1: spikes of Int",
    ]


def test_a_picture_shows_the_answers_that_came(backend, tmp_path, monkeypatch):
    """Of a memory that answers wrongly the picture must show what it answered, not what was
    expected.
    """
    from matplotlib.axes import Axes

    written, annotate = [], Axes.annotate
    monkeypatch.setattr(
        Axes,
        "annotate",
        lambda ax, text, *more, **options: (
            written.append(text) or annotate(ax, text, *more, **options)
        ),
    )
    memory = CA3Memory(5, 10, backend=backend, watch=True)
    memory.learn(0, {0, 1})
    memory.run.set(TO_CUE, w=0.0)
    assert memory.recall_by_content({1}) == set()
    draw(tmp_path / "picture.png", memory.run.result(), memory.schedule, memory.settings)
    assert {"learn 0\n{0, 1}", "{1}?\n= {}"} <= set(written)
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_the_network_of_the_catalogue_has_the_published_size_and_records_all_of_it():
    net = network(seed=3, cues=16, content_size=6)
    assert sum(p.size for p in net.populations.values()) - net["IN"].size == 4 * 16 + 5 * 6 + 1
    assert {probe.owner.name for probe in net.probes} == set(net.populations)
    assert not build(Settings()).probes
    assert model.settings == {"cues": 5, "content_size": 10, "amplitude": 6.0}


def test_the_checks_need_the_experiments_of_the_specification_and_no_other():
    assert {name for check in CHECKS for name in check.needs} == set(EXPERIMENTS)
    amplitudes = [
        (name, experiment.keywords["amplitude"])
        for name, experiment in EXPERIMENTS.items()
        if name.startswith("amplitude x ")
    ]
    assert amplitudes == [
        ("amplitude x 0.8", pytest.approx(4.8)),
        ("amplitude x 0.95", pytest.approx(5.7)),
        ("amplitude x 1.05", pytest.approx(6.3)),
        ("amplitude x 1.2", pytest.approx(7.2)),
    ]
    maps = {name: e.keywords for name, e in EXPERIMENTS.items() if name.startswith("map")}
    assert maps == {f"map of {cells}": {"cells": cells} for cells in (16, 64, 128)}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_the_acceptance_checks_of_the_specification_hold_but_for_the_densest_relearning(
    check, fast_backend, results
):
    """A9 asks for 100 % at 10 ms too, where a few recalls by content find what a cue forgot (see
    above); at 14 and 20 ms all are right.
    """
    measured, passed = check.judge({name: results[name] for name in check.needs})
    wrong = (
        [name for name, recalled in measured.items() if len(set(recalled.split("/"))) == 2]
        if check.id == "A9"
        else []
    )
    assert wrong == (["relearned 1 x, 5x10, 10 ms"] if check.id == "A9" else []) and passed != bool(
        wrong
    ), measured


@pytest.fixture(scope="module")
def results(fast_backend):
    return {name: experiment(fast_backend) for name, experiment in EXPERIMENTS.items()}
