"""Recordings for other tools: Neo blocks, xarray trees and NWB files."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from .libraries import import_library

if TYPE_CHECKING:
    import neo
    import pynwb
    import xarray

    from .recorded import Contents, PopulationRecording, ProjectionRecording
    from .samples import Spikes, Trace
    from .spike_values import SpikeValues

# Libraries that are imported here, and the requirements that bring them, as in setup.cfg.
REQUIREMENTS = {
    "neo": "neo>=0.14",
    "quantities": "neo>=0.14",
    "xarray": "xarray>=2024.10",
    "pynwb": "pynwb>=3",
    "hdmf.common": "pynwb>=3",
}


def to_neo(recording: Contents) -> neo.Block:
    """Return a Neo block of one segment: a spike train per neuron, an analog signal per trace.

    Times are those of the end of the step, in ms. The header is the block's annotation "header".
    Values at spikes are an irregular signal per neuron, "population.variable at spikes", with the
    annotation "neuron". A signal is named "population.variable". Its array annotation "member"
    holds the neurons or edges, its annotation "unit" the unit. A unit that Neo does not know is
    dimensionless there.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    neo.Block

    Raises
    ------
    NetworkError
        If Neo is not installed.
    """
    neo = _library("neo", "to_neo")
    quantities = _library("quantities", "to_neo")
    segment = neo.Segment(name=str(recording.header.get("network", "")))
    for name, population in recording.populations.items():
        spikes = population.recorded
        if spikes is not None:
            # Without its window a silent train would look like a short recording.
            start, stop = _window(spikes)
            for neuron, times in _per_neuron(spikes):
                segment.spiketrains.append(
                    neo.SpikeTrain(
                        times,
                        units="ms",
                        t_start=start,
                        t_stop=stop,
                        population=name,
                        neuron=neuron,
                    )
                )
        for variable, at_spikes in population.values_at_spikes.items():
            segment.irregularlysampledsignals += [
                neo.IrregularlySampledSignal(
                    times,
                    at_spikes.of(neuron),
                    units=_unit_of_neo(quantities, at_spikes.unit),
                    time_units="ms",
                    name=f"{name}.{variable} at spikes",
                    unit=at_spikes.unit,
                    neuron=neuron,
                )
                for neuron, times in _per_neuron(at_spikes.spikes)
            ]
    for owner, variable, trace in _traces(recording):
        unit = _unit_of_neo(quantities, trace.unit)
        # A sample of step k is the state at its end.
        first = (trace.first + 1) * trace.dt
        signal = neo.AnalogSignal(
            trace.values,
            units=unit,
            sampling_period=trace.every * trace.dt * quantities.ms,
            t_start=first * quantities.ms,
            name=f"{owner}.{variable}",
            unit=trace.unit,
            array_annotations={"member": trace.members},
        )
        segment.analogsignals.append(signal)
    block = neo.Block(name=segment.name, header=recording.header)
    block.segments.append(segment)
    return block


def _unit_of_neo(quantities: ModuleType, text: str) -> Any:
    try:
        # Neo knows the units of `quantities` alone; an annotation holds the text of any.
        return quantities.Quantity(1.0, "dimensionless" if text == "1" else text).units
    except LookupError:
        return quantities.dimensionless


def to_xarray(recording: Contents) -> xarray.DataTree:
    """Return a tree with one dataset per population and projection.

    A trace "v" has the dimensions "v_time" (ms) and "v_member". Spikes are "spike_neuron" and
    "spike_step" along "spike", with the coordinate "spike_time" (ms); "spike_member" are the
    neurons that were recorded. Values at spikes are "v_at_spikes" along "v_spike", with the
    coordinates "v_spike_neuron" and "v_spike_time" (ms). Edges are "source" and "target" along
    "edge". A trace whose name something else has, such as "source", is called "recorded_source".
    The root's attribute "header" is the header as JSON text.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    xarray.DataTree

    Raises
    ------
    NetworkError
        If xarray is not installed.
    """
    xarray = _library("xarray", "to_xarray")
    # JSON text: netCDF, to which such trees are written, has no nested attributes.
    sets = {"/": xarray.Dataset(attrs={"header": json.dumps(recording.header)})}
    owners: dict[str, Any] = {**recording.populations, **recording.projections}
    for name, owner in owners.items():
        variables: dict[str, Any] = {}
        coordinates: dict[str, Any] = {}
        labels = _labels_of_traces(owner)
        for recorded, trace in owner.traces.items():
            variable = labels[recorded]
            # Dimensions of their own: traces of one owner may have other members and another
            # distance.
            time = f"{variable}_time"
            member = f"{variable}_member"
            variables[variable] = xarray.Variable(
                (time, member), trace.values, {"units": trace.unit}
            )
            coordinates |= {
                time: xarray.Variable(time, trace.times(), {"units": "ms"}),
                member: trace.members,
            }
        spikes = getattr(owner, "recorded", None)
        if spikes is not None:
            variables |= {
                "spike_neuron": ("spike", spikes.index),
                "spike_step": ("spike", spikes.step),
            }
            coordinates |= {
                "spike_time": xarray.Variable("spike", spikes.times(), {"units": "ms"}),
                "spike_member": spikes.members,
            }
        for variable, at_spikes in getattr(owner, "values_at_spikes", {}).items():
            spike = f"{variable}_spike"
            attributes = {"units": at_spikes.unit}
            variables[f"{variable}_at_spikes"] = (spike, at_spikes.values, attributes)
            coordinates[f"{spike}_neuron"] = (spike, at_spikes.index)
            coordinates[f"{spike}_time"] = (spike, at_spikes.times(), {"units": "ms"})
        if name in recording.projections:
            variables |= {"source": ("edge", owner.source), "target": ("edge", owner.target)}
        sets[f"/{name}"] = xarray.Dataset(variables, coordinates)
    return xarray.DataTree.from_dict(sets)


def _labels_of_traces(owner: PopulationRecording | ProjectionRecording) -> dict[str, str]:
    """Return the name of each trace in a dataset, in which every name means one thing."""
    taken = {"source", "target", "edge", "spike"}
    taken |= {f"spike_{part}" for part in ("neuron", "step", "time", "member")}
    for variable in getattr(owner, "values_at_spikes", {}):
        spike = f"{variable}_spike"
        taken |= {f"{variable}_at_spikes", spike, f"{spike}_neuron", f"{spike}_time"}
    labels: dict[str, str] = {}
    for trace in owner.traces:
        label = trace
        while taken & {label, f"{label}_time", f"{label}_member"}:
            label = f"recorded_{label}"
        taken |= {label, f"{label}_time", f"{label}_member"}
        labels[trace] = label
    return labels


def to_nwb(
    recording: Contents,
    *,
    start: datetime | None = None,
    identifier: str | None = None,
    **about: Any,
) -> pynwb.NWBFile:
    """Return an NWB file in memory: spikes of recorded neurons as units, traces as time series.

    Units have the columns "population" and "neuron". Values at spikes are a table,
    "population.variable at spikes", with the columns "time", "neuron" and "value". Times are in
    seconds.

    Parameters
    ----------
    recording : Recording
    start : datetime, optional
        Moment of time 0; 1970-01-01 unless given, since a simulation has none.
    identifier : str, optional
        The hash of the recorded network unless given.
    **about
        Further fields of ``pynwb.NWBFile``, such as ``experimenter``.

    Returns
    -------
    pynwb.NWBFile

    Raises
    ------
    NetworkError
        If pynwb is not installed.
    """
    pynwb = _library("pynwb", "to_nwb")
    header = recording.header
    file = pynwb.NWBFile(
        session_description=(
            f"simulation of {header.get('network', 'a network')} with neurosim, "
            f"backend {header.get('backend', 'unknown')}"
        ),
        identifier=identifier or str(header.get("hash", "unknown")),
        session_start_time=start or datetime(1970, 1, 1, tzinfo=UTC),
        **about,
    )
    recorded = {
        name: population.recorded
        for name, population in recording.populations.items()
        if population.recorded is not None
    }
    # Columns must be declared before the first unit; without spikes there is no such table.
    if recorded:
        file.add_unit_column("population", "population of the neuron")
        file.add_unit_column("neuron", "index of the neuron in its population")
    for name, spikes in recorded.items():
        # Observed intervals tell a silent neuron from one that nobody recorded.
        window = np.array([_window(spikes)]) / 1000
        for neuron, times in _per_neuron(spikes):
            file.add_unit(
                spike_times=times / 1000, obs_intervals=window, population=name, neuron=neuron
            )
    for name, population in recording.populations.items():
        for variable, at_spikes in population.values_at_spikes.items():
            file.add_acquisition(_table_of_nwb(f"{name}.{variable} at spikes", at_spikes))
    for owner, variable, trace in _traces(recording):
        series = pynwb.TimeSeries(
            name=f"{owner}.{variable}",
            data=trace.values,
            unit=trace.unit,
            starting_time=(trace.first + 1) * trace.dt / 1000,
            rate=1000 / (trace.every * trace.dt),
            description=f"{variable} of {owner}, members {trace.members.tolist()}",
        )
        file.add_acquisition(series)
    return file


def _table_of_nwb(name: str, at_spikes: SpikeValues) -> Any:
    common = _library("hdmf.common", "to_nwb")
    columns = (
        ("time", "time of the spike, seconds", at_spikes.times() / 1000),
        ("neuron", "index of the neuron in its population", at_spikes.index),
        ("value", f"in {at_spikes.unit}", at_spikes.values),
    )
    return common.DynamicTable(
        name=name,
        description=f"{name}, before the reset",
        columns=[common.VectorData(name=n, description=d, data=data) for n, d, data in columns],
    )


def _library(name: str, function: str) -> Any:
    return import_library(name, where=function, install=repr(REQUIREMENTS[name]))


def _window(spikes: Spikes) -> tuple[float, float]:
    return spikes.first * spikes.dt, (spikes.first + spikes.steps) * spikes.dt


def _per_neuron(spikes: Spikes) -> list[tuple[int, np.ndarray]]:
    """Return each recorded neuron and the times of its spikes, ms."""
    # One stable sort groups spikes by neuron and leaves the times of each ascending; a mask for
    # each neuron would read all spikes once per neuron.
    order = np.argsort(spikes.index, kind="stable")
    times = spikes.times()[order]
    index = spikes.index[order]
    # Also silent members have their slice, an empty one.
    first, last = (np.searchsorted(index, spikes.members, side) for side in ("left", "right"))
    return [
        (neuron, times[i:j])
        for neuron, i, j in zip(spikes.members.tolist(), first, last, strict=True)
    ]


def _traces(recording: Contents) -> list[tuple[str, str, Trace]]:
    owners: list[PopulationRecording | ProjectionRecording] = [
        *recording.populations.values(),
        *recording.projections.values(),
    ]
    return [
        (owner.name, variable, trace)
        for owner in owners
        for variable, trace in owner.traces.items()
    ]
