"""Reports are data, and a network is lowered once for each verb."""

from __future__ import annotations

import pytest

import neurosim as ns
from neurosim.backend.lowering import Lowered
from neurosim.backend.report import Report
from neurosim.backend.report_rows import Place, Row
from neurosim.models import ca3_memory, cells

ROWS = (
    Row(Place("population", "ca3"), "exact", "v: exact."),
    Row(Place("projection", "loop", "weights"), "approximated", "rounded.", "Use others."),
    Row(Place("recording", "ca3", "v"), "impossible", "no."),
    Row(Place("dt"), "exact", "steps of 1 ms."),
)
REPORT = Report("nest", "memory", ROWS)


def test_the_rows_of_an_owner_are_found_by_its_name_recordings_included():
    assert REPORT["ca3"] == (ROWS[0], ROWS[2])
    assert REPORT["loop"] == (ROWS[1],)
    with pytest.raises(ns.NetworkError, match=r"has no part 'cb3'.*Did you mean 'ca3'"):
        REPORT["cb3"]
    assert REPORT._ipython_key_completions_() == ["ca3", "loop"]


def test_a_place_is_text_only_where_it_is_printed():
    texts = [
        "population 'ca3'",
        "projection 'loop', weights",
        "recording of 'v' of 'ca3'",
        "dt",
    ]
    assert [str(row.place) for row in ROWS] == texts
    assert all(text in str(REPORT) for text in texts)


def test_every_owner_that_a_report_names_exists_in_the_network(backend):
    net = ns.Network("named", dt="1 ms")
    source = net.poisson("source", 3, rate=10)
    target = net.population("target", 3, cells.lif())
    net.project(source, target, ns.all_to_all(), weight="1 nA", name="edges")
    net.poisson_drive(target, n=2, rate=5, weight="1 nA", name="drive")
    report = ns.check(net, backend=backend)
    assert report.owners() == ["source", "target", "edges", "drive"]
    assert [row.place.kind for row in report.rows] == [
        "population",
        "population",
        "projection",
        "drive",
    ]


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count the draws of networks and their translations to PyNN."""
    pytest.importorskip("sympy")
    from neurosim.backends import pynn
    from neurosim.backends.pynn.translation import network as translation
    from neurosim.run import launch

    counted = {"draws": 0, "translations": 0}

    def counting(function, name):
        def call(*arguments, **options):
            counted[name] += 1
            return function(*arguments, **options)

        return call

    for module in (pynn, launch):
        monkeypatch.setattr(module, "concretise", counting(module.concretise, "draws"))
    monkeypatch.setattr(translation, "translate", counting(translation.translate, "translations"))
    return counted


@pytest.mark.parametrize("backend", ["spinnaker", "nest"])
@pytest.mark.parametrize("verb", ["check", "export", "prepare"])
def test_one_verb_draws_once_and_translates_once(backend, verb, counts, tmp_path):
    net = ca3_memory.model.network(seed=0)
    if verb == "check":
        assert ns.check(net, backend=backend).rows
    elif verb == "export":
        assert ns.export(net, tmp_path / "script", backend=backend).exists()
    elif backend == "nest":
        pytest.importorskip("pyNN")
        ns.prepare(net, backend=backend)
    else:  # a board that nobody has is missed after the translation
        with pytest.raises((ns.LoweringError, ns.NetworkError)):
            ns.prepare(net, backend=backend)
    assert counts == {"draws": 1, "translations": 1}


def test_a_check_by_an_engine_draws_nothing_and_a_run_draws_once(backend, counts):
    net = ca3_memory.model.network(seed=0)
    ns.check(net, backend=backend)
    assert counts == {"draws": 0, "translations": 0}
    ns.prepare(net, backend=backend)
    assert counts == {"draws": 1, "translations": 0}


@pytest.mark.experiment
def test_export_on_the_command_line_draws_once(counts, tmp_path, capsys):
    from neurosim.cli.main import main

    folder = str(tmp_path / "script")
    assert main(["export", "ca3-memory", folder, "--backend", "spinnaker"]) == 0
    assert "written:" in capsys.readouterr().out
    assert counts == {"draws": 1, "translations": 1}


class Forgetful:
    """A backend whose report promises a run, but whose lowering has no artefact."""

    name, options = "forgetful", {}

    def missing(self) -> str | None:
        return None

    def lower(self, network: ns.Network, **options: object) -> Lowered:
        return Lowered(Report("forgetful", "empty", ()), None)


def test_a_backend_that_promises_a_run_and_lowers_to_none_is_named():
    with pytest.raises(TypeError, match="backend 'forgetful': its report promises an artefact"):
        ns.prepare(ns.Network("empty", dt="1 ms"), backend=Forgetful())


def test_a_report_begins_with_counts_and_what_is_not_exact():
    lines = str(REPORT).splitlines()
    assert lines[0].endswith("on backend 'nest': 1 impossible, 1 approximated, 2 exact")
    assert [line.split()[0] for line in lines[1:]] == [
        "impossible",
        "approximated",
        "exact",
        "exact",
    ]
    assert [line.split()[0] for line in REPORT.text(every=True).splitlines()[1:]] == [
        row.status for row in ROWS
    ]


def test_equal_rows_are_one_line_that_counts_and_names_them():
    reason = "20 becomes 20.1."
    rows = [
        Row(Place("population", name, aspect), "approximated", reason)
        for name in "abcdef"
        for aspect in ("tau_m", "cm")
    ]
    other = Row(Place("population", "g", "cm"), "approximated", "another reason.")
    text = str(Report("nest", "n", (*rows, other)))
    assert text.splitlines()[1:] == [
        "  approximated 6 populations ('a', 'b', 'c', 'd' and 2 more), tau_m and cm: "
        "20 becomes 20.1.",
        "  approximated population 'g', cm: another reason.",
    ]


DIFFERENT = {
    "reason": (Place("population", "b"), "exact", "y."),
    "status": (Place("population", "b"), "approximated", "x."),
    "remedy": (Place("population", "b"), "exact", "x.", "Do."),
    "kind": (Place("drive", "b"), "exact", "x."),
}


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT)
def test_rows_that_differ_are_never_one_line(other):
    rows = (Row(Place("population", "a"), "exact", "x."), Row(*other))
    assert len(str(Report("nest", "n", rows)).splitlines()) == 3


def test_long_lines_are_wrapped_to_a_width():
    text = REPORT.text(width=60)
    assert max(map(len, text.splitlines()[1:])) <= 60
    assert " ".join(text.split()) == " ".join(REPORT.text().split())


def test_a_report_is_data():
    data = REPORT.data()
    assert data["counts"] == {"exact": 2, "approximated": 1, "impossible": 1}
    assert data["rows"] == [row.data() for row in ROWS]


def test_a_rate_that_is_text_is_reported_as_clipped():
    net = ns.Network("net", dt="1 ms")
    net.poisson("text", 3, rate="(500 + 800 * sin(2*pi*t / (50*ms))) * Hz")
    net.poisson("number", 3, rate=500)
    texts = {row.place.owner: row.reason for row in ns.check(net, backend="cpu").rows}
    assert "Its rate, a text, counts as 0 below 0, and as 1/dt above." in texts["text"]
    assert "a spike with probability rate * dt per step" in texts["text"]
    assert "text" not in texts["number"]
