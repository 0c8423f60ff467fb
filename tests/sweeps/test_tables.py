"""The table of a sweep: text, arrays, pictures and other libraries."""

from __future__ import annotations

import math
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

import neurosim as ns
from neurosim.sweeps.grid import points
from neurosim.sweeps.jobs import Failure
from neurosim.sweeps.table import SweepRow, SweepTable

matplotlib.use("Agg")
AXES = {"rate": (5, 10, 20), "g": (3.0, 4.0)}


def known_table(grid=AXES, seeds=(0, 1), *, failing=()) -> SweepTable:
    """Return a table of numbers that are known: rate + 100 g + 1000 seed."""
    rows = []
    for number, point in enumerate(points(grid, seeds)):
        total = point.values.get("rate", 0) + 100 * point.values.get("g", 0) + 1000 * point.seed
        if number in failing:
            rows.append(SweepRow(point, None, Failure("run", "ValueError: no", "a.py, line 1")))
        else:
            rows.append(SweepRow(point, {"rate": float(total), "pair": [total, 1.0]}, None))
    return SweepTable(grid, seeds, tuple(rows))


@pytest.fixture(autouse=True)
def _closed():
    yield
    pyplot.close("all")


def test_arrays_are_over_axes_and_seeds():
    table = known_table(failing=(3,))
    assert table["rate"].shape == (3, 2, 2) and table["pair"].shape == (3, 2, 2, 2)
    assert table["rate"][2, 0].tolist() == [320.0, 1320.0]
    assert math.isnan(table["rate"][0, 1, 1]) and np.isnan(table["pair"][0, 1, 1]).all()
    with pytest.raises(
        ns.NetworkError, match="the sweep has no measure 'rates'. Did you mean 'rat"
    ):
        table["rates"]


def test_the_text_has_a_line_for_each_point_and_each_error():
    lines = str(known_table(failing=(3,))).splitlines()
    assert lines[0].split() == ["rate", "g", "seeds", "rate", "pair"]
    assert lines[1].split() == ["5", "3.0", "2", "805", "±", "7.1e+02", "array", "(2,)"]
    assert lines[2].split() == ["5", "4.0", "1", "405", "array", "(2,)"]
    assert lines[7:] == [
        "1 of 12 jobs failed:",
        "  rate=5, g=4.0, seed 1: run: ValueError: no (a.py, line 1)",
    ]
    alone = str(known_table({"rate": (5,)}, (3,))).splitlines()
    assert [line.split() for line in alone] == [
        ["rate", "rate", "pair"],
        ["5", "3005", "array", "(2,)"],
    ]


def test_tables_are_equal_if_their_numbers_are():
    assert known_table() == known_table() and known_table(failing=(3,)) == known_table(failing=(3,))
    assert known_table() != known_table(failing=(3,)) and known_table() != known_table(seeds=(0, 2))


def test_pandas_has_a_row_per_job_and_a_name_for_each_column():
    pytest.importorskip("pandas")
    frame = known_table(failing=(3,)).to_pandas()
    assert list(frame.columns) == ["rate", "g", "seed", "measured_rate", "pair", "error"]
    assert frame["measured_rate"][2] == 405 and math.isnan(frame["measured_rate"][3])
    assert frame["error"][3] == "run: ValueError: no (a.py, line 1)" and frame["error"][2] == ""


def test_xarray_has_the_axes_as_coordinates():
    pytest.importorskip("xarray")
    data = known_table(failing=(3,)).to_xarray()
    assert dict(data.sizes) == {"rate": 3, "g": 2, "seed": 2, "pair_0": 2}
    assert float(data["measured_rate"].sel(rate=20, g=4.0, seed=1)) == 1420


def test_a_library_that_is_missing_is_named(monkeypatch):
    for name, verb in (("pandas", "to_pandas"), ("xarray", "to_xarray")):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ns.NetworkError, match=f"{verb}: .*Install it: pip install {name}"):
            getattr(known_table(), verb)()


def test_one_axis_is_a_line_per_seed_with_mean_and_spread():
    ax = known_table().plot("rate", "rate")
    # Of each value of g: two seeds, and their mean.
    assert len(ax.lines) == 6 and len(ax.collections) == 2
    assert ax.lines[0].get_xdata().tolist() == [5, 10, 20]
    assert ax.lines[1].get_ydata().tolist() == [1305, 1310, 1320]
    assert ax.lines[2].get_ydata().tolist() == [805, 810, 820]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["g 3.0", "g 4.0"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("rate", "rate")


def test_the_band_is_one_standard_deviation():
    ax = known_table({"rate": (5, 10)}, (0, 1, 2)).plot("rate", "rate")
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(5) and heights.max() == pytest.approx(2010)


def test_two_axes_are_a_map_of_means_and_failures_are_noted():
    ax = known_table(failing=(3,)).plot("g", "rate", "rate")
    (image,) = ax.images
    assert image.get_array().tolist() == [[805, 405], [810, 910], [820, 920]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("g", "rate")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["3.0", "4.0"]
    assert ax.texts[-1].get_text() == "1 of 12 jobs failed"


def test_axes_of_text_and_one_seed_are_drawn():
    table = known_table({"kind": ("thick", "thin")}, (0,))
    ax = table.plot("kind", "rate")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["thick", "thin"]
    assert len(ax.lines) == 1


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("rate",), r"found \('rate'\), expected one or two axes and a measure"),
        (("g", "g", "rate"), "expected one or two axes and a measure"),
        (("gain", "rate"), "the sweep has no axis 'gain'"),
        (("g", "cv"), "the sweep has no measure 'cv'"),
        (("g", "pair"), "plot: 'pair' is an array at each point, expected a number"),
    ],
)
def test_a_wrong_picture_is_refused(names, message):
    with pytest.raises(ns.NetworkError, match=message):
        known_table().plot(*names)


def test_csv_has_the_columns_of_pandas_and_arrays_as_json(tmp_path):
    path = tmp_path / "table.csv"
    known_table(failing=(3,)).to_csv(path)
    lines = path.read_text().splitlines()
    assert lines[0] == "rate,g,seed,measured_rate,pair,error"
    assert lines[1] == '5,3.0,0,305.0,"[305.0, 1.0]",'
    assert lines[4] == '5,4.0,1,,,"run: ValueError: no (a.py, line 1)"'
    assert len(lines) == 13


def test_all_numbers_are_drawn_in_panels_and_arrays_are_not():
    table = known_table()
    assert table.numbers == ["rate"]
    figure = table.plot_all()
    panel, bar = figure.axes
    assert (panel.get_xlabel(), panel.get_ylabel(), bar.get_ylabel()) == ("rate", "g", "mean rate")
    with pytest.raises(ns.NetworkError, match="plot_all: found 0 axes and 1 measures"):
        known_table({}, (0,)).plot_all()
