"""The table of a sweep: a row for every job, and what is made of it."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import NetworkError, describe, describe_unknown
from ..recording.libraries import import_library
from ..whole_files import write_whole
from .grid import SEED, Point
from .jobs import Failure

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_LINES = 60  # of a printed table
_GAP = "  "


@dataclass(frozen=True)
class SweepRow:
    """One job of a sweep.

    Attributes
    ----------
    point : Point
        Values of the axes, and the seed.
    values : dict of str to number or list, or None
        Measured.
    failure : Failure or None
    """

    point: Point
    values: Mapping[str, Any] | None
    failure: Failure | None


@dataclass(frozen=True, eq=False)
class SweepTable:
    """Results of all jobs; ``table["rate"]`` is an array over axes and seeds.

    Attributes
    ----------
    grid : dict of str to tuple
        Axis -> its values.
    seeds : tuple of int
    rows : tuple of SweepRow
        The last axis fastest, and seeds faster still.
    """

    grid: Mapping[str, tuple[Any, ...]]
    seeds: tuple[int, ...]
    rows: tuple[SweepRow, ...]

    @property
    def measures(self) -> list[str]:
        """Names of what was measured."""
        return list(dict.fromkeys(name for row in self.rows for name in row.values or {}))

    @property
    def numbers(self) -> list[str]:
        """Names of measures that are numbers, not arrays."""
        arrays = {name for row in self.rows for name, v in (row.values or {}).items() if np.ndim(v)}
        return [name for name in self.measures if name not in arrays]

    @property
    def failed(self) -> list[SweepRow]:
        """Jobs that failed, with their errors."""
        return [row for row in self.rows if row.failure is not None]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each axis, and of seeds."""
        return (*(len(values) for values in self.grid.values()), len(self.seeds))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, measure: str) -> np.ndarray:
        """Return what was measured over all axes and seeds.

        Parameters
        ----------
        measure : str

        Returns
        -------
        (axes ..., seeds, shape of the measure ...) float64
            NaN for jobs that failed.

        Raises
        ------
        NetworkError
            If it was not measured, or its arrays have different shapes.
        """
        measures = self.measures
        if measure not in measures:
            raise NetworkError(describe_unknown("measure", measure, measures, owner="the sweep"))
        # A job that failed has no values, and one of another seed may lack a measure.
        values = [(row.values or {}).get(measure) for row in self.rows]
        shapes = {np.shape(value) for value in values if value is not None}
        if len(shapes) > 1:
            listed = ", ".join(map(str, sorted(shapes)))
            raise NetworkError(
                f"sweep, {measure!r}: found arrays of the shapes {listed}, expected one shape. "
                "Use the rows: table.rows, or table.to_pandas()."
            )
        (shape,) = shapes
        missing = np.full(shape, np.nan)
        stacked = [missing if value is None else np.asarray(value, float) for value in values]
        return np.array(stacked).reshape(*self.shape, *shape)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SweepTable):
            return NotImplemented
        if dict(self.grid) != dict(other.grid) or self.seeds != other.seeds:
            return False
        own_rows = [_comparable(row) for row in self.rows]
        other_rows = [_comparable(row) for row in other.rows]
        return own_rows == other_rows

    # ---- text

    def __str__(self) -> str:
        count = ["seeds"] if len(self.seeds) > 1 else []
        head = [*self.grid, *count, *self.measures]
        lines = [head, *self._lines()[:_MOST_LINES]]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = []
        for line in lines:
            cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
            text.append(_GAP.join(cells))
        more = len(self.rows) // len(self.seeds) - _MOST_LINES
        if more > 0:
            text.append(f"... and {more} more points")
        failed = self.failed
        if failed:
            text.append(f"{len(failed)} of {len(self.rows)} jobs failed:")
            text += [f"  {row.point.text()}: {row.failure}" for row in failed[:_MOST_LINES]]
        return "\n".join(text)

    __repr__ = __str__

    def _lines(self) -> list[list[str]]:
        """Return a line for each point: of several seeds the mean and the standard deviation."""
        count = len(self.seeds)
        lines = []
        for first in range(0, len(self.rows), count):
            rows = self.rows[first : first + count]
            done = [row.values for row in rows if row.values is not None]
            cells = [str(value) for value in rows[0].point.values.values()]
            if count > 1:
                cells.append(str(len(done)))
            for measure in self.measures:
                cells.append(_spread([values.get(measure) for values in done]))
            lines.append(cells)
        return lines

    # ---- other libraries

    def to_pandas(self) -> pandas.DataFrame:
        """Return a pandas frame with a row per job.

        Returns
        -------
        pandas.DataFrame
            Columns: the axes, "seed", the measures, and "error" (text, empty: none). A measure
            that has the name of an axis is called ``measured_`` and this name.

        Raises
        ------
        NetworkError
            If pandas is not installed.
        """
        pandas = _library("pandas", "to_pandas")
        return pandas.DataFrame(self._records(), columns=self._heads())

    def to_csv(self, path: str | Path) -> None:
        """Write a file of comma-separated values with a row per job, whole or not at all.

        Parameters
        ----------
        path : path
            Columns as of `to_pandas`; arrays as JSON.
        """
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._heads(), lineterminator="\n")
        writer.writeheader()
        for record in self._records():
            writer.writerow({name: _cell(value) for name, value in record.items()})
        content = text.getvalue().encode()
        write_whole(Path(path), lambda file: file.write(content))

    def to_xarray(self) -> xarray.Dataset:
        """Return an xarray dataset over the axes and "seed".

        Returns
        -------
        xarray.Dataset
            A variable for each measure, named as by `to_pandas`; NaN for jobs that failed. Arrays
            have further dimensions, such as "profile_0".

        Raises
        ------
        NetworkError
            If xarray is not installed, or arrays of a measure have different shapes.
        """
        xarray = _library("xarray", "to_xarray")
        dimensions = [*self.grid, SEED]
        variables = {}
        for name, column in self._columns().items():
            values = self[name]
            more = [f"{column}_{n}" for n in range(values.ndim - len(dimensions))]
            variables[column] = ([*dimensions, *more], values)
        coordinates = {}
        for name, values in self.grid.items():
            # Values that are lists are no coordinates: their numbers are.
            scalar = all(np.ndim(value) == 0 for value in values)
            coordinates[name] = list(values) if scalar else range(len(values))
        return xarray.Dataset(variables, {**coordinates, SEED: list(self.seeds)})

    def _records(self) -> list[dict[str, Any]]:
        """Return a record for each job, by `_heads`."""
        names = self._columns()
        records = []
        for row in self.rows:
            values = row.values or {}
            record = {**row.point.values, SEED: row.point.seed}
            for name, column in names.items():
                record[column] = values.get(name)
            record["error"] = "" if row.failure is None else str(row.failure)
            records.append(record)
        return records

    def _heads(self) -> list[str]:
        return [*self.grid, SEED, *self._columns().values(), "error"]

    def _columns(self) -> dict[str, str]:
        """Return the column of each measure."""
        taken = {*self.grid, SEED, "error"}
        return {name: f"measured_{name}" if name in taken else name for name in self.measures}

    # ---- pictures

    def plot(self, *names: str, ax: Axes | None = None) -> Axes:
        """Draw a measure over one axis or two.

        Parameters
        ----------
        *names : str
            One axis and a measure: a thin line per seed, their mean, and a band of one standard
            deviation around it; for each value of the other axes in another colour. Two axes and
            a measure: a heat map of means over seeds and the other axes.
        ax : matplotlib Axes, optional
            New ones unless given.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        NetworkError
            If there is no such axis or measure, or the measure is an array.
        """
        # matplotlib is slow to import, and tables need none.
        from ..plot.style import axes, note
        from .pictures import draw_lines, draw_map

        values = self._plotted(names)
        ax = axes(ax)
        if len(names) == 2:
            axis, measure = names
            draw_lines(ax, values, grid=self.grid, axis=axis, measure=measure)
        else:
            axis, upwards, measure = names
            draw_map(ax, values, grid=self.grid, axis=axis, upwards=upwards, measure=measure)
        if self.failed:
            note(ax, f"{len(self.failed)} of {len(self)} jobs failed")
        return ax

    def plot_all(self) -> Figure:
        """Draw all measures that are numbers, over the first axis or the first two.

        Returns
        -------
        matplotlib Figure
            A panel for each measure, see `plot`.

        Raises
        ------
        NetworkError
            If the sweep has no axis, or no measure that is a number.
        """
        from matplotlib import pyplot  # slow to import, and it may open a display

        numbers = self.numbers
        axes = list(self.grid)[:2]
        if not (axes and numbers):
            raise NetworkError(
                f"sweep, plot_all: found {len(self.grid)} axes and {len(numbers)} measures that "
                "are numbers, expected one at least of both. Draw arrays yourself: table['name']."
            )
        figure, panels = pyplot.subplots(
            len(numbers), figsize=(7.0, 3.5 * len(numbers)), layout="constrained", squeeze=False
        )
        for panel, name in zip(panels[:, 0], numbers, strict=True):
            self.plot(*axes, name, ax=panel)
        return figure

    def _plotted(self, names: tuple[str, ...]) -> np.ndarray:
        """Return what a picture shows over axes and seeds, or raise NetworkError."""
        if len(names) not in (2, 3) or len(set(names[:-1])) < len(names) - 1:
            raise NetworkError(
                f"sweep, plot: found {describe(names)}, expected one or two axes and a measure. "
                f'Write such as table.plot("{next(iter(self.grid), "axis")}", '
                f'"{next(iter(self.measures), "measure")}").'
            )
        for name in names[:-1]:
            if name not in self.grid:
                raise NetworkError(describe_unknown("axis", name, self.grid, owner="the sweep"))
        values = self[names[-1]]
        if values.ndim != len(self.shape):
            raise NetworkError(
                f"sweep, plot: {names[-1]!r} is an array at each point, expected a number. "
                'Draw it yourself: table["name"].'
            )
        return values


def _comparable(row: SweepRow) -> tuple[Any, ...]:
    """Return a row as data; NaN equals itself."""
    values = row.values if row.values is None else repr(sorted(row.values.items()))
    return row.point, values, None if row.failure is None else row.failure.error


def _cell(value: Any) -> Any:
    """Return a value as a cell of a text file."""
    return json.dumps(value) if isinstance(value, list | tuple | dict) else value


def _spread(values: list[Any]) -> str:
    """Return the mean of numbers, and of several their standard deviation, as text."""
    numbers = [value for value in values if value is not None]
    if not numbers:
        return "-"
    if any(np.ndim(number) for number in numbers):
        return " or ".join(sorted({f"array {np.shape(number)}" for number in numbers}))
    # A measure that is NaN, such as the irregularity of a silent network, has no part in the mean.
    finite = np.array([number for number in numbers if not math.isnan(number)], float)
    if finite.size == 0:
        return "nan"
    if finite.size == 1:
        return f"{finite[0]:.4g}"
    return f"{finite.mean():.4g} ± {finite.std(ddof=1):.2g}"


def _library(name: str, verb: str) -> Any:
    arrays = "table['name'], table.rows"
    return import_library(name, where=f"sweep, {verb}", install=name, arrays=arrays)
