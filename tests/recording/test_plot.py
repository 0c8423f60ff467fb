"""Pictures show what was recorded: where marks and bars stand, what axes say, and what was left
out.
"""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot

from neurosim import plot
from neurosim.analysis import measure
from neurosim.errors import NetworkError
from neurosim.model.cell import Cell
from neurosim.network.network import Network
from neurosim.network.populations import Population
from neurosim.plot.style import MOST_DOTS, MOST_POINTS, note
from neurosim.recording.recorded import PopulationRecording, ProjectionRecording
from neurosim.recording.recording import Recording
from neurosim.recording.samples import Spikes, Trace


@pytest.fixture(autouse=True)
def no_figures_are_left():
    yield
    pyplot.close("all")


def spikes(steps: int = 2000, size: int = 8, p: float = 0.02, dt: float = 0.5) -> Spikes:
    step, index = np.nonzero(np.random.default_rng(4).random((steps, size)) < p)
    return Spikes(index, step, size=size, dt=dt, steps=steps)


def trace(samples: int = 100, unit: str = "mV", every: int = 20) -> Trace:
    values = np.arange(samples)[:, None] + np.array([0.0, 10.0, 20.0])
    return Trace(
        values, every=every, first=0, members=[1, 3, 5], initial=np.zeros(3), dt=0.5, unit=unit
    )


def loop(constant: bool = False) -> ProjectionRecording:
    source, target = np.array([0, 0, 1, 2]), np.array([1, 3, 0, 3])
    initial = np.full(4, 0.5) if constant else np.array([0.1, 0.2, 0.3, 0.4])
    w = Trace(
        [[0.5, 0.5, 0.5, 0.5], [0.1, 0.5, 0.6, 0.8]],
        every=10,
        first=9,
        members=np.arange(4),
        initial=initial,
        dt=0.5,
        unit="nA",
    )
    return ProjectionRecording(
        "loop",
        "ca3",
        target_name="ca1",
        source=source,
        target=target,
        shape=(3, 4),
        traces={"w": w},
    )


def ca3(**parts) -> PopulationRecording:
    return PopulationRecording("ca3", 8, spikes(), {"v": trace()} | parts)


def notes(ax) -> str:
    return " ".join(text.get_text() for text in ax.texts)


def labels(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


# Activity


def test_a_raster_has_a_mark_per_spike_at_its_time_and_neuron():
    marks = plot.raster(ca3())
    assert np.array_equal(marks.get_xdata(), spikes().times())
    assert np.array_equal(marks.get_ydata(), spikes().index)
    ax = marks.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (ms)", "ca3: neuron")
    assert ax.get_xlim() == (0, 1000) and ax.get_ylim()[0] < 0 and ax.get_ylim()[1] > 7
    assert len(ax.texts) == 0 and marks.get_linestyle() == "None"


def test_pictures_show_the_recorded_neurons_alone():
    seen = np.flatnonzero(np.isin(spikes().index, [3, 5]))
    some = replace(spikes(), index=spikes().index[seen], step=spikes().step[seen], members=[3, 5])
    low, high = plot.raster(some).axes.get_ylim()
    assert 2 < low < 3 and 5 < high < 6
    alone = replace(some, index=(some.index - 3) // 2, size=2, members=None)
    assert np.array_equal(plot.rates(some).get_ydata(), plot.rates(alone).get_ydata())
    lines = plot.traces(PopulationRecording("ca3", 8, some, {"v": trace()}), neurons=[1, 3, 5])
    rows = [line for line in lines[0].axes.lines if line not in lines]
    assert [row.get_color() for row in rows] == [line.get_color() for line in lines[1:]]


def test_a_raster_draws_into_the_given_axes_and_shows_the_window_asked_for():
    _, ax = pyplot.subplots()
    marks = plot.raster(spikes(), ax, start=100, stop=200, colour="red")
    assert marks.axes is ax and marks.get_color() == "red" and ax.get_ylabel() == "neuron"
    assert np.array_equal(marks.get_xdata(), spikes().window(100, 200).times())
    assert ax.get_xlim() == (100, 200)


def test_a_large_raster_is_thinned_evenly_and_says_so():
    """300 000 spikes; each half of the time keeps half of the marks: 50 000, standard deviation
    0.13 thousand.
    """
    step, index = np.divmod(np.arange(300_000), 3)
    large = Spikes(index, step, size=3, dt=0.1, steps=100_000)
    marks = plot.raster(large)
    times = marks.get_xdata()
    assert len(times) == MOST_DOTS and marks.get_rasterized()
    assert notes(marks.axes) == "100,000 of 300,000 spikes drawn"
    assert np.all(np.diff(times) >= 0) and abs(np.sum(times < 5000) - MOST_DOTS / 2) < 1000
    assert len(np.unique(times + 1e6 * marks.get_ydata())) == MOST_DOTS  # none twice
    assert np.bincount(marks.get_ydata()) == pytest.approx([MOST_DOTS / 3] * 3, rel=0.02)


def test_long_times_are_labelled_in_seconds_while_the_data_stay_in_ms():
    marks = plot.raster(Spikes([0], [10_000], size=1, dt=1.0, steps=20_000))
    ax = marks.axes
    assert ax.get_xlabel() == "time (s)"
    assert ax.xaxis.get_major_formatter()(20_000, 0) == "20"
    assert marks.get_xdata().tolist() == [10_001]
    assert plot.raster(spikes()).axes.xaxis.get_major_formatter()(500, 0) == "500"


def test_a_remark_stands_right_above_the_right_end_of_the_axes_once():
    ax = pyplot.figure(dpi=72).subplots()
    note(ax, "a remark")
    note(ax, "a remark")
    (remark,) = ax.texts
    text, frame = remark.get_window_extent(), ax.get_window_extent()
    assert text.x1 == pytest.approx(frame.x1, abs=1)
    assert frame.y1 < text.y0 < frame.y1 + 4


def test_what_has_no_spikes_has_no_raster():
    with pytest.raises(NetworkError, match="its spikes were not recorded. Call net.record"):
        plot.raster(PopulationRecording("glia", 1))
    with pytest.raises(
        NetworkError,
        match=(
            r"plot.raster: found Recording, expected a recorded population or its spikes. "
            r'Choose one: result\["name"\]'
        ),
    ):
        plot.raster(Recording({"dt": 1, "steps": 1}))


def test_traces_are_the_recorded_values_in_their_unit():
    lines = plot.traces(ca3())
    ax = lines[0].axes
    assert [line.get_ydata()[0] for line in lines] == [0, 10, 20]
    assert lines[0].get_xdata() == pytest.approx(trace().times())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (ms)", "ca3: v (mV)")
    assert labels(ax) == [
        "neuron 1",
        "neuron 3",
        "neuron 5",
    ]
    assert ax.get_xlim() == (0, trace().times()[-1])
    plain = plot.traces(
        PopulationRecording("glia", 8, None, {"a": trace(unit="1")}), "a", neurons=[3]
    )
    assert plain[0].axes.get_ylabel() == "glia: a"
    assert plain[0].get_ydata()[0] == 10
    assert plain[0].axes.get_legend() is None


def test_spikes_stand_above_the_traces_of_their_neurons_in_the_same_colour():
    lines = plot.traces(ca3())
    rows = [line for line in lines[0].axes.lines if line not in lines]
    assert len(rows) == 3
    for line, row, neuron in zip(lines, rows, [1, 3, 5], strict=True):
        assert np.array_equal(row.get_xdata(), spikes().of(neuron))
        assert row.get_color() == line.get_color()
        assert row.get_ydata().min() > max(line.get_ydata().max() for line in lines)
        assert row.get_ydata().max() < row.axes.get_ylim()[1]
    assert len({row.get_ydata()[0] for row in rows}) == 3
    assert len(plot.traces(PopulationRecording("ca3", 8, None, {"v": trace()}))[0].axes.lines) == 3


def test_traces_show_the_window_asked_for():
    line = plot.traces(ca3(), neurons=[5], start=100, stop=300)[0]
    assert line.get_xdata().min() >= 100
    assert line.get_xdata().max() <= 300
    assert len(line.get_xdata()) == 20
    assert line.axes.get_xlim() == (100, 300)


def test_a_long_trace_keeps_its_extremes_with_fewer_points():
    values = np.zeros((1_000_000, 1))
    values[777_777], values[300_001] = 9, -9
    long = Trace(values, every=1, first=0, members=[0], initial=[0], dt=0.1, unit="mV")
    line = plot.traces(PopulationRecording("a", 1, None, {"v": long}))[0]
    x, y = line.get_data()
    assert len(x) <= MOST_POINTS and (y.min(), y.max()) == (-9, 9)
    assert x[np.argmax(y)] == pytest.approx(77_777.8, abs=20) and np.all(np.diff(x) >= 0)


def test_rates_are_the_measured_ones():
    line = plot.rates(ca3(), bin=25)
    times, values = measure.population_rate(spikes(), 25)
    assert np.array_equal(line.get_xdata(), times) and np.array_equal(line.get_ydata(), values)
    ax = line.axes
    assert ax.get_ylabel() == "rate (Hz)"
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] > values.max()
    assert notes(ax) == "mean per neuron, bins of 25 ms"
    assert notes(plot.rates(spikes()).axes) == "mean per neuron, bins of 5 ms"
    assert (
        notes(plot.rates(Spikes([], [], size=1, dt=0.1, steps=600_000)).axes)
        == "mean per neuron, bins of 300 ms"
    )


def test_rates_of_two_populations_share_axes_that_show_both():
    high = plot.rates(spikes(p=0.2))
    plot.rates(spikes(p=0.02), high.axes)
    assert high.axes.get_ylim()[1] > high.get_ydata().max()
    assert len(high.axes.lines) == 2
    assert len(high.axes.texts) == 1


def test_the_interval_histogram_is_a_density_over_whole_steps():
    outline = plot.isi_histogram(ca3())
    density, edges, _ = outline.get_data()
    intervals = measure.intervals(spikes())
    expected, _ = np.histogram(intervals, edges)
    width = np.diff(edges)
    assert density * width * len(intervals) == pytest.approx(expected) and edges[0] == 0.25
    assert np.allclose(width / 0.5, np.round(width / 0.5)) and len(density) <= 50
    longer = int(np.sum(intervals > edges[-1]))
    assert 0 < longer <= 0.01 * len(intervals)
    assert np.sum(density * width) == pytest.approx(1 - longer / len(intervals))
    assert notes(outline.axes) == f"{len(intervals)} intervals, {longer} longer ones"
    assert outline.axes.get_xlabel() == "interval between spikes (ms)"
    assert notes(plot.isi_histogram(Spikes([], [], size=1, dt=1, steps=10)).axes) == "no intervals"


# Projections


def test_the_weight_matrix_has_sources_downwards_and_nothing_where_there_is_no_edge():
    image = plot.weight_matrix(loop())
    expected = np.full((3, 4), np.nan)
    expected[[0, 0, 1, 2], [1, 3, 0, 3]] = [0.1, 0.5, 0.6, 0.8]
    assert np.array_equal(image.get_array().filled(np.nan), expected, equal_nan=True)
    ax = image.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "to ca1, neuron",
        "from ca3, neuron",
    )
    assert image.get_clim() == (0, 0.8)
    assert ax.get_ylim() == (2.5, -0.5) and ax.get_xlim() == (-0.5, 3.5)
    assert image.colorbar.ax.get_ylabel() == "loop: w (nA)"
    assert plot.weight_matrix(loop(), sample=0).get_array()[2, 3] == 0.5


def test_weights_of_both_signs_have_white_at_zero():
    image = plot.weight_matrix(([0, 1], [1, 0], [-2.0, 1.0], (2, 2)))
    assert plot.weight_matrix(([0, 1], [1, 0], [-1.0, 2.0], (2, 2))).get_clim() == (-2, 2)
    assert image.get_clim() == (-2, 2)
    assert image.get_cmap().name == "RdBu_r"
    assert image.colorbar.ax.get_ylabel() == "weight"


def test_a_large_matrix_shows_the_means_of_blocks():
    """1000 neurons make blocks of 3 by 3; the last is cut off at the edge."""
    image = plot.weight_matrix(([0, 2, 999, 3], [1, 2, 999, 0], [1.0, 3.0, 5.0, 7.0], (1000, 1000)))
    pixels = image.get_array()
    assert pixels.shape == (334, 334)
    assert pixels[0, 0] == 2
    assert pixels[333, 333] == 5
    assert pixels[1, 0] == 7
    assert pixels.count() == 3
    assert notes(image.axes) == "means of blocks of 3 x 3 pairs"
    assert image.axes.get_xlim() == (
        -0.5,
        999.5,
    )
    flat = plot.weight_matrix(([0, 4, 9], [0, 5, 999], [1.0, 3.0, 5.0], (10, 1000))).get_array()
    assert flat.shape == (10, 334) and (flat[0, 0], flat[4, 1], flat[9, 333]) == (1, 3, 5)


def test_the_weight_histogram_shows_the_weights_before_and_after():
    outline = plot.weight_histogram(loop(), bins=7)
    counts, edges, _ = outline.get_data()
    ax = outline.axes
    assert np.array_equal(counts, np.histogram([0.1, 0.5, 0.6, 0.8], edges)[0])
    assert (
        edges[0],
        edges[-1],
    ) == (0.1, 0.8)
    before = next(patch for patch in ax.patches if patch is not outline)
    assert np.array_equal(before.get_data()[0], np.histogram([0.1, 0.2, 0.3, 0.4], edges)[0])
    assert labels(ax) == ["at 10 ms", "initial"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "loop: w (nA)",
        "edges",
    )


def test_equal_initial_weights_are_a_line_that_hides_nothing():
    ax = plot.weight_histogram(loop(constant=True)).axes
    assert len(ax.patches) == 1
    assert [line.get_xdata() for line in ax.lines] == [[0.5, 0.5]]
    assert labels(ax)[1] == "initial"


def test_plain_arrays_have_a_histogram_too():
    outline = plot.weight_histogram((np.arange(4), np.arange(4), np.arange(4.0), (4, 4)), bins=4)
    assert outline.get_data()[0].tolist() == [1, 1, 1, 1]
    assert outline.axes.get_xlabel() == "weight"
    assert outline.axes.get_legend() is None


@pytest.mark.parametrize("edges", [loop(), ([0, 0, 1, 2], [1, 3, 0, 3], None, (3, 4))])
def test_connectivity_shows_every_pair_and_the_edges_per_neuron(edges):
    image = plot.connectivity(edges)
    assert image.get_array().tolist() == [[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1]]
    above, beside = image.axes.child_axes
    assert above.patches[0].get_data()[0].tolist() == [1, 1, 0, 2]
    assert beside.patches[0].get_data()[0].tolist() == [2, 1, 1]
    assert (above.get_ylabel(), beside.get_xlabel()) == ("in", "out") and image.colorbar is None


def test_connectivity_of_many_neurons_is_the_share_of_connected_pairs():
    """Blocks of 2 by 2, of 1 at the end of the targets; every source but the last is connected to
    all targets.
    """
    source, target = np.divmod(np.arange(149 * 151), 151)
    image = plot.connectivity((source, target, None, (150, 151)))
    pixels = image.get_array()
    assert pixels.shape == (75, 76)
    assert pixels[0, 0] == 1
    assert pixels[74, 0] == 0.5
    assert pixels[0, 75] == 1
    assert image.colorbar.ax.get_ylabel() == "edges per pair"


# The page


def recording(steps: int = 2000, report=()) -> Recording:
    glia = PopulationRecording("glia", 8, None, {"a": trace(unit="1")})
    ca1 = PopulationRecording("ca1", 8, spikes(p=0.05))
    header = {
        "network": "memory",
        "dt": 0.5,
        "steps": steps,
        "seed": 7,
        "backend": "spinnaker",
        "report": list(report),
        "finished": False,
    }
    return Recording(
        header,
        {"glia": glia, "ca3": ca3(), "ca1": ca1, "silent": PopulationRecording("silent", 3)},
        {"loop": loop()},
    )


def test_the_summary_shows_every_population_over_one_time_axis_and_the_weights():
    figure = plot.summary(recording())
    by_label = {ax.get_ylabel(): ax for ax in figure.axes}
    assert list(by_label) == [
        "glia: a",
        "ca3: neuron",
        "ca1: neuron",
        "rate (Hz)",
        "",
        "density (1/ms)",
        "edges",
    ]
    assert {
        by_label[name].get_xlim() for name in ("ca3: neuron", "glia: a", "ca1: neuron", "rate (Hz)")
    } == {(0, 1000)}
    assert len(by_label["ca3: neuron"].lines[0].get_xdata()) == len(spikes())
    assert by_label["rate (Hz)"].get_xlabel() == "time (ms)"
    assert by_label["glia: a"].get_xlabel() == ""
    assert labels(by_label["rate (Hz)"]) == ["ca3", "ca1"]
    assert (
        labels(by_label["density (1/ms)"])[0]
        == f"ca3, median {np.median(measure.intervals(spikes())):.3g} ms"
    )
    colours = [by_label[name].lines[0].get_color() for name in ("ca3: neuron", "ca1: neuron")]
    assert [line.get_color() for line in by_label["rate (Hz)"].lines] == colours
    assert len(set(colours)) == 2
    figure.canvas.draw()


def test_the_summary_says_what_was_run_and_approximated():
    rows = [
        {"place": f"p{k}", "status": "approximated", "reason": f"reason {k}", "remedy": ""}
        for k in range(8)
    ]
    rows.append({"place": "loop", "status": "exact", "reason": "as it is", "remedy": ""})
    corner = plot.summary(recording(report=rows)).axes[4]
    text = notes(corner)
    assert corner.get_title("left") == "memory"
    for part in (
        "1000 ms in steps of 0.5 ms",
        "backend spinnaker, seed 7, unfinished",
        "silent: 3 neurons\n",
        "loop: 4 edges",
        "8 approximated:",
    ):
        assert part in text
    assert f"ca3: 8 neurons, {measure.rate(spikes()):.3g} Hz" in text
    assert "p5: reason 5" in text
    assert "p6" not in text
    assert "... and 2 more, see .report" in text
    assert "as it is" not in text


def test_the_summary_leaves_out_weights_of_which_there_is_no_sample_yet():
    """As of a run of 50 ms with weights every 100 ms; a trace without a sample stays empty."""
    early = loop()
    early = replace(early, traces={"w": replace(early.trace("w"), values=np.zeros((0, 4)))})
    figure = plot.summary(Recording({"dt": 0.5, "steps": 2000}, {"ca3": ca3()}, {"loop": early}))
    assert "edges" not in {ax.get_ylabel() for ax in figure.axes}
    both = plot.summary(
        Recording(
            {"dt": 0.5, "steps": 2000},
            {"ca3": ca3()},
            {"loop": early, "late": replace(loop(), name="late")},
        )
    )
    assert [ax.get_xlabel() for ax in both.axes if ax.get_ylabel() == "edges"] == ["late: w (nA)"]
    silent = PopulationRecording("glia", 8, traces={"a": trace(samples=0)})
    plot.summary(Recording({"dt": 0.5, "steps": 10}, {"glia": silent})).canvas.draw()


def test_the_summary_of_almost_nothing_is_still_a_page():
    nothing = plot.summary(Recording({"dt": 0.5, "steps": 0}))
    assert len(nothing.axes) == 1 and "0 ms" in notes(nothing.axes[0])
    started = PopulationRecording("a", 1, Spikes([], [], size=1, dt=0.5, steps=0))
    assert len(plot.summary(Recording({"dt": 0.5, "steps": 0}, {"a": started})).axes) == 2
    quiet = PopulationRecording("a", 1, Spikes([], [], size=1, dt=0.5, steps=100))
    assert labels(plot.summary(Recording({"dt": 0.5, "steps": 100}, {"a": quiet})).axes[-1]) == [
        "a, none"
    ]


# Positions

CELL = Cell("v : mV", parameters={"k": 1.0}, name="still")
SITES = np.arange(24.0).reshape(8, 3) ** 1.5


def sheet(**values) -> Population:
    return Network("sheet", dt=0.5).population("sheet", 8, CELL, positions=SITES, **values)


def test_positions_are_drawn_where_neurons_lie():
    marks = plot.positions(sheet())
    np.testing.assert_allclose(marks.get_offsets(), SITES[:, :2])
    assert (marks.axes.get_xlabel(), marks.axes.get_ylabel()) == ("sheet: x (um)", "y (um)")
    some = plot.positions(sheet()[[5, 2]], plane="zx")
    np.testing.assert_allclose(some.get_offsets(), SITES[[5, 2]][:, [2, 0]])
    assert some.axes.get_xlabel() == "sheet: z (um)"


def test_values_colour_the_neurons_of_a_view_in_their_order():
    marks = plot.positions(sheet()[::2], [3.0, 1.0, 4.0, 1.5], label="rate (Hz)")
    assert marks.get_array().tolist() == [3.0, 1.0, 4.0, 1.5]
    assert marks.get_cmap().name == "viridis"
    assert "rate (Hz)" in [ax.get_ylabel() for ax in marks.axes.figure.axes]


def test_a_sample_of_a_trace_colours_its_members_and_leaves_the_others_as_rings():
    marks = plot.positions(sheet(), trace(), sample=2, label="v")
    np.testing.assert_allclose(marks.get_offsets(), SITES[[1, 3, 5], :2])
    assert marks.get_array().tolist() == [2.0, 12.0, 22.0]
    rings = marks.axes.collections[0]
    np.testing.assert_allclose(rings.get_offsets(), SITES[[0, 2, 4, 6, 7], :2])
    assert rings.get_facecolor().size == 0
    assert "v (mV)" in [ax.get_ylabel() for ax in marks.axes.figure.axes]
    assert notes(marks.axes) == f"at {trace().times()[2]:g} ms"


def test_values_of_both_signs_have_white_at_zero():
    marks = plot.positions(sheet(), np.arange(8.0) - 2)
    assert marks.get_cmap().name == "RdBu_r" and marks.get_clim() == (-5.0, 5.0)


def test_of_very_many_positions_some_are_drawn_and_a_note_says_so():
    size = MOST_DOTS + 10
    net = Network("sheet", dt=0.5)
    many = net.population("many", size, CELL, positions=np.ones((size, 3)))
    marks = plot.positions(many, np.arange(size))
    assert len(marks.get_offsets()) == MOST_DOTS
    assert notes(marks.axes) == "100,000 of 100,010 neurons drawn"


@pytest.mark.parametrize(
    ("values", "arguments", "words"),
    [
        ([1.0, 2.0], {}, r"found values of shape \(2,\), expected one for each of 8 neurons"),
        (None, {"plane": "xw"}, "found plane 'xw', expected two of x, y and z"),
        (None, {"plane": "x"}, "found plane 'x', expected two of x, y and z"),
        (trace(), {"sample": 100}, "found sample 100, expected one of 100 samples"),
    ],
)
def test_positions_refuse_values_and_planes_that_do_not_fit(values, arguments, words):
    with pytest.raises(NetworkError, match=f"plot.positions: {words}"):
        plot.positions(sheet(), values, **arguments)


def test_positions_of_a_population_without_any_are_refused():
    nowhere = Network("sheet", dt=0.5).population("nowhere", 3, CELL)
    with pytest.raises(
        NetworkError, match="population 'nowhere' has no positions. Give positions="
    ):
        plot.positions(nowhere)
