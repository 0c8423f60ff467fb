"""The text of a recording: one line per population and projection, in columns."""

from __future__ import annotations

from collections.abc import Mapping

from .recorded import PopulationRecording, ProjectionRecording
from .samples import Trace

_NOUNS = {"source": "source neuron", "target": "target neuron"}


def describe_contents(
    populations: Mapping[str, PopulationRecording], projections: Mapping[str, ProjectionRecording]
) -> list[str]:
    """Return a line per population and projection, in columns of equal width."""
    lines = [_population_columns(population) for population in populations.values()]
    lines += [_projection_columns(projection) for projection in projections.values()]
    # Both kinds of lines have the same four columns, so that they stand below each other.
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  " + "  ".join(map(str.ljust, columns, widths)).rstrip() for columns in lines]


def describe_number(count: int, noun: str) -> str:
    """Return a number of things as text, such as "1 spike" or "2 spikes"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _population_columns(population: PopulationRecording) -> tuple[str, ...]:
    return (
        population.name,
        describe_number(population.size, "neuron"),
        _describe_spikes(population),
        ", ".join(_population_phrases(population)),
    )


def _population_phrases(population: PopulationRecording) -> list[str]:
    traces = _describe_traces(population.traces, "neuron")
    names = population.values_at_spikes
    return ([traces] if traces else []) + [f"{variable} at spikes" for variable in names]


def _projection_columns(projection: ProjectionRecording) -> tuple[str, ...]:
    return (
        projection.name,
        f"{projection.source_name} -> {projection.target_name}",
        describe_number(len(projection.source), "edge"),
        _describe_traces(projection.traces, "edge"),
    )


def _describe_spikes(population: PopulationRecording) -> str:
    spikes = population.recorded
    if spikes is None:
        return "no spikes recorded"
    count = len(spikes.members)
    # Per recorded neuron: neurons that were not recorded would count as silent.
    neuron_time = count * spikes.duration
    rate = f", {1000 * len(spikes) / neuron_time:.3g} Hz" if neuron_time else ""
    of_some = "" if count == population.size else f" of {describe_number(count, 'neuron')}"
    return describe_number(len(spikes), "spike") + of_some + rate


def _describe_traces(traces: Mapping[str, Trace], noun: str) -> str:
    phrases = []
    for name, trace in traces.items():
        members = describe_number(len(trace.members), _NOUNS.get(trace.per, noun))
        phrases.append(f"{name} of {members} every {trace.every * trace.dt:.12g} ms")
    return ", ".join(phrases)
