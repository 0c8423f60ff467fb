"""Faults of a board: a database as sPyNNaker 7.4.1 makes it, with the counters of a run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("sympy")

from support.pynn_networks import mapped_there, varied  # noqa: E402

from neurosim.backends import pynn  # noqa: E402
from neurosim.backends.pynn.simulator.provenance import provenance_rows  # noqa: E402
from neurosim.backends.pynn.simulator.run import ScriptRun  # noqa: E402
from neurosim.backends.pynn.simulator.spynnaker_settings import find_interpreter  # noqa: E402
from neurosim.ir.concretise import concretise  # noqa: E402

# Tables and view of its schema that are read.
SCHEMA = """
CREATE TABLE core(core_id INTEGER PRIMARY KEY AUTOINCREMENT, x INTEGER NOT NULL,
    y INTEGER NOT NULL, processor INTEGER NOT NULL, core_name STRING);
CREATE TABLE core_provenance(cp_id INTEGER PRIMARY KEY AUTOINCREMENT,
    core_id INTEGER NOT NULL REFERENCES core(core_id) ON DELETE RESTRICT,
    description STRING NOT NULL, the_value INTEGER NOT NULL);
CREATE VIEW core_provenance_view AS SELECT core_name, x, y, processor as p, description, the_value
    FROM core_provenance NATURAL JOIN core;
CREATE TABLE router_provenance(chip_id INTEGER PRIMARY KEY AUTOINCREMENT, x INTEGER NOT NULL,
    y INTEGER NOT NULL, description STRING NOT NULL, the_value INTEGER NOT NULL,
    expected INTEGER NOT NULL);
"""
SATURATED = "Times_synaptic_weights_have_saturated"
LATE = "Number_of_late_spikes"
OVERRUN = "Times_the_timer_tic_over_ran"
LOST = "Times_the_input_buffer_lost_packets"


def database(folder: Path, cores: dict[str, dict[str, int]], routers: dict[str, int]) -> Path:
    path = folder / "reports/2026-11-29-15-49-18-853818/run_1/data.sqlite3"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SCHEMA)
        for number, (name, counters) in enumerate(cores.items(), 1):
            connection.execute("INSERT INTO core VALUES (?, 0, 0, ?, ?)", (number, number, name))
            for description, value in counters.items():
                connection.execute(
                    "INSERT INTO core_provenance (core_id, description, the_value) "
                    "VALUES (?, ?, ?)",
                    (number, description, value),
                )
        for description, value in routers.items():
            connection.execute(
                "INSERT INTO router_provenance (x, y, description, the_value, expected) "
                "VALUES (0, 0, ?, ?, 0)",
                (description, value),
            )
    return folder


def texts(folder: Path) -> dict[str, str]:
    return {str(r.place): r.explanation for r in provenance_rows(folder, ["main", "main_two"])}


def test_counters_are_rows_of_their_populations_all_cores_together(tmp_path):
    cores = {
        "main(0:99)": {SATURATED: 3, LATE: 0, OVERRUN: 2},
        "main(100:149)": {SATURATED: 4, LATE: 0, OVERRUN: 0},
        "main_two(0:9)": {SATURATED: 0, LATE: 7, LOST: 1},
        "SCAMP(OS)_0:0": {},
    }
    faults = texts(database(tmp_path, cores, {"Dropped_Multicast_Packets": 5, "Entries": 9}))
    assert faults.keys() == {
        "population 'main', saturations",
        "population 'main', overruns",
        "population 'main_two', late packets",
        "population 'main_two', lost packets",
        "board, dropped packets",
    }
    assert faults["population 'main', saturations"].startswith("7 times the input of a step")
    assert faults["population 'main', overruns"].startswith("2 times a step took longer")
    assert faults["population 'main_two', late packets"].startswith("7 packets came too late")
    assert faults["board, dropped packets"].startswith("5 packets were dropped by routers")
    assert all("Use" in text or "Spread" in text for text in faults.values())


def test_a_run_without_faults_says_so(tmp_path):
    (row,) = provenance_rows(database(tmp_path, {"main(0:9)": {LATE: 0, OVERRUN: 0}}, {}), ["main"])
    assert (row.status, str(row.place)) == ("exact", "board")
    assert "no late or lost packet" in row.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "left no database"), (b"nothing", "cannot be read"), (b"", "cannot be read")],
)
def test_counters_that_were_not_read_are_not_taken_for_none(tmp_path, content, reason):
    if content is not None:
        path = tmp_path / "reports/a/run_1/data.sqlite3"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    (row,) = provenance_rows(tmp_path, ["main"])
    assert row.status == "approximated" and reason in row.reason


def test_a_database_without_counters_is_that_of_a_virtual_board(tmp_path):
    (row,) = provenance_rows(database(tmp_path, {"main(0:9)": {}}, {}), ["main"])
    assert row.status == "approximated" and "as on a virtual board" in row.reason


@mapped_there
def test_a_run_reads_the_database_that_sPyNNaker_made(tmp_path, monkeypatch):
    """Of a virtual board, which counts nothing: tables and names are those of sPyNNaker itself."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    settings = "[Machine]\nvirtual_board = True\nversion = 5\n[Mode]\nmode = Info\n"
    (tmp_path / ".spynnaker.cfg").write_text(settings)
    concrete = concretise(varied("1 ms"))
    plan = pynn.spinnaker._translate(concrete)
    run = ScriptRun(
        plan,
        concrete,
        pynn.spinnaker.lower(varied("1 ms")).report,
        python=find_interpreter("run"),
        folder=tmp_path / "kept",
    )
    run.run("20 ms", progress=False)
    assert "as on a virtual board" in run.report.rows[-1].reason
    assert any("as on a virtual board" in row["reason"] for row in run.result().header["report"])
    (path,) = (tmp_path / "kept").glob("reports/*/run_1/data.sqlite3")
    with closing(sqlite3.connect(path)) as connection, connection:
        (core,) = connection.execute(
            "SELECT core_id FROM core WHERE core_name LIKE 'main(%'"
        ).fetchone()
        connection.execute(
            "INSERT INTO core_provenance (core_id, description, the_value) VALUES (?, ?, 6)",
            (core, SATURATED),
        )
    (row,) = provenance_rows(tmp_path / "kept", ["main"])
    assert str(row.place) == "population 'main', saturations" and row.reason.startswith("6 times")
