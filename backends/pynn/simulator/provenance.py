"""Faults of a run on a board: read from the database of provenance that sPyNNaker leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from neurosim.backend.report_rows import Place, Row

# Settings that take precedence over the user's, beside the script: without them counters are not
# read from the board.
FILE = "spynnaker.cfg"
SETTINGS = """[Reports]
read_placements_provenance_data = True
read_router_provenance_data = True
read_provenance_data_on_end = True
"""
_SLOWER = "Use fewer neurons per core, or a longer time_scale_factor."
_LESS_INPUT = "Use smaller weights, or give max_expected_summed_weight."
# Counter of sPyNNaker 7.4.1 -> subject of its row, what a count means, remedy.
_OF_CORES = {
    "Times_synaptic_weights_have_saturated": (
        "saturations",
        "times the input of a step reached the largest sum of 16 bits and was cut off",
        _LESS_INPUT,
    ),
    "Times_plastic_synaptic_weights_have_saturated": (
        "saturations of plastic input",
        "times the plastic input of a step reached the largest sum of 16 bits and was cut off",
        _LESS_INPUT,
    ),
    "Number_of_late_spikes": (
        "late packets",
        "packets came too late for their step, and were dropped or counted in the next",
        _SLOWER,
    ),
    "Late spikes": ("late spikes", "spikes were processed in a later step than theirs", _SLOWER),
    "Skipped synapses": (
        "dropped spikes",
        "synapses were skipped, since their spike came later than their delay",
        _SLOWER,
    ),
    "Times_the_input_buffer_lost_packets": (
        "lost packets",
        "times the buffer of arriving packets was full and lost some",
        _SLOWER,
    ),
    "Times_the_background_queue_overloaded": (
        "overruns of the background",
        "times the work behind a step was not done when the next began",
        _SLOWER,
    ),
    "Times_the_timer_tic_over_ran": (
        "overruns",
        "times a step took longer than its time",
        _SLOWER,
    ),
    "Times_the_transmission_of_spikes_overran": (
        "overruns of transmission",
        "times spikes waited for the network of the board",
        _SLOWER,
    ),
    "Times_the_callback_queue_was_overloaded": (
        "overruns of the queue",
        "times a step could not begin because earlier ones were waiting",
        _SLOWER,
    ),
}
_OF_ROUTERS = {
    "Dropped_Multicast_Packets": (
        "dropped packets",
        "packets were dropped by routers; some may have been sent again",
        "Spread the network over more chips, or use a longer time_scale_factor.",
    ),
}
_CORES = (
    "SELECT core_name, description, SUM(the_value) FROM core_provenance_view "
    "GROUP BY core_name, description"
)
_ROUTERS = "SELECT description, SUM(the_value) FROM router_provenance GROUP BY description"


def provenance_rows(folder: Path, populations: Sequence[str]) -> list[Row]:
    """Return rows on saturations, late and lost packets and overruns of a run on a board.

    Parameters
    ----------
    folder : path
        Of the script, in which sPyNNaker wrote its reports.
    populations : sequence of str
        Labels of the script.

    Returns
    -------
    list of Row
        One for each kind of fault of each population; one that says so if there were none, or if
        the counters were not read.
    """
    paths = sorted(folder.glob("reports/*/run_*/data.sqlite3"), key=lambda p: p.stat().st_mtime)
    if not paths:
        return [_unknown("sPyNNaker left no database of provenance")]
    try:
        # Read-only: the file is sPyNNaker's, and only looked at.
        with closing(sqlite3.connect(f"{paths[-1].as_uri()}?mode=ro", uri=True)) as database:
            cores = database.execute(_CORES).fetchall()
            routers = database.execute(_ROUTERS).fetchall()
    except sqlite3.Error as error:
        return [_unknown(f"its database of provenance cannot be read ({error})")]
    if not any(description in _OF_CORES for _, description, _ in cores):
        return [_unknown("sPyNNaker read no counters, as on a virtual board")]
    rows = [*_core_rows(cores, populations), *_router_rows(routers)]
    if rows:
        return rows
    reason = "no saturation, no late or lost packet and no overrun was counted."
    return [Row(Place("board"), "exact", reason)]


def _core_rows(
    cores: Sequence[tuple[object, object, object]], populations: Sequence[str]
) -> Iterator[Row]:
    counts: dict[tuple[str, str], int] = {}
    for core, description, value in cores:
        # Cores of one population, of neurons or synapses, are counted together.
        if description in _OF_CORES and isinstance(value, int | float) and value > 0:
            key = _population(str(core), populations), str(description)
            counts[key] = counts.get(key, 0) + int(value)
    for (name, description), count in counts.items():
        subject, words, remedy = _OF_CORES[description]
        place = Place("population", name, subject) if name else Place(f"board, {subject}")
        yield Row(place, "approximated", f"{count} {words}.", remedy)


def _router_rows(routers: Sequence[tuple[object, object]]) -> Iterator[Row]:
    for description, value in routers:
        if description in _OF_ROUTERS and isinstance(value, int | float) and value > 0:
            subject, words, remedy = _OF_ROUTERS[str(description)]
            place = Place(f"board, {subject}")
            yield Row(place, "approximated", f"{int(value)} {words}.", remedy)


def _population(core: str, populations: Sequence[str]) -> str:
    """Return the population of a core by its label, such as ``main(0:99)``; empty: of none."""
    # The longest, since one label may begin with another.
    fitting = [name for name in populations if core.startswith((f"{name}(", f"{name}_"))]
    return max(fitting, key=len, default="")


def _unknown(reason: str) -> Row:
    return Row(
        Place("board"),
        "approximated",
        f"faults of the run are not known: {reason}.",
        "Keep the folder (folder=...) and read its reports.",
    )
