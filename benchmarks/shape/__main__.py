"""The shape of the code beside its aims: ``python -m benchmarks.shape``, or make shape.

The first table has a row per measure, with the three folders of the package, all of them, and the
aim, which is held against all. The second has a row per package. The exit code is 1 if an aim is
missed. How each figure is defined:

- tokens per line of code: names, numbers, strings and operators, as tokenize yields them, over the
  lines that they touch. Comments, docstrings, ends of lines and indentation count on neither side.
- tokens of all kinds: everything that tokenize yields, over the lines that are not blank.
- lines over 100 or 120 columns: of all lines.
- comments: each on a line of its own or behind code, per 100 lines of code.
- docstrings: the share with a section Parameters (of a dataclass, also Attributes), among public
  functions and methods with three or more arguments, self and cls not counted; see `docstrings`.
  "users call" are the public names of neurosim with their methods, and the public functions of
  the models, constructors included; "other" are all others.
- files in a folder: Python files in the fullest folder of the core, without its subfolders.
- circles: groups of files that reach each other by imports, those for type checkers and those
  inside functions included; groups of packages likewise, where a file beside packages is a unit.
- type errors: of pyright, with the settings of the checkout.
- other names: in dir(neurosim) without an underscore in front, and not in its ``__all__``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..report import table
from .circles import of_files, of_packages
from .docstrings import Explained, explained
from .lines import Lines, count
from .modules import FOLDERS, Module, called_by_users, read
from .tools import largest_folder, type_errors, unlisted_names

ALL = "all"


@dataclass(frozen=True)
class Measure:
    """A figure beside its aim.

    Attributes
    ----------
    name : str
    values : mapping of str to float or None
        By folder, and of all. None: there is nothing to measure, or it was not measured.
    aim : float
    sign : str
        How the value has to stand to the aim: "<", "<=" or ">=".
    """

    name: str
    values: Mapping[str, float | None]
    aim: float
    sign: str = "<="

    def reached(self) -> bool | None:
        """Return whether the aim is met, None if that was not measured."""
        value = self.values[ALL]
        if value is None:
            return None
        if self.sign == "<":
            return value < self.aim
        return value >= self.aim if self.sign == ">=" else value <= self.aim

    def cells(self) -> list[str]:
        """Return the row of the table."""
        figures = ["-" if value is None else f"{value:.4g}" for value in self._in_order()]
        verdict = {True: "reached", False: "missed", None: "not measured"}[self.reached()]
        return [self.name, *figures, f"{self.sign} {self.aim:g}", verdict]

    def _in_order(self) -> list[float | None]:
        return [self.values.get(folder) for folder in (*FOLDERS, ALL)]


def main(words: Sequence[str] | None = None) -> int:
    """Print the tables and return 1 if an aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shape", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    here = Path(__file__).parents[2]
    parser.add_argument("--root", type=Path, default=here, help="another checkout")
    parser.add_argument("--no-types", action="store_true", help="leave out pyright")
    parser.add_argument("--list", action="store_true", help="name what misses the aims")
    options = parser.parse_args(words)

    modules = read(options.root)
    users = called_by_users(modules)
    counts = {name: count(module.text, module.tree) for name, module in modules.items()}
    documented = [row for module in modules.values() for row in explained(module, users)]
    unlisted = unlisted_names(options.root)
    measures = [
        *line_measures(modules, counts),
        *docstring_measures(documented),
        *circle_measures(modules),
        Measure("files in a folder of the core", {ALL: largest_folder(options.root)}, 15),
        Measure("names in dir(neurosim) that are not public", {ALL: len(unlisted)}, 0),
        type_measure(None if options.no_types else options.root),
    ]
    heads = ["", *FOLDERS, ALL, "aim", ""]
    print(table(heads, [measure.cells() for measure in measures]))
    print("\n" + package_table(modules, counts, documented))
    if options.list:
        print_details(modules, documented, unlisted)
    return int(any(measure.reached() is False for measure in measures))


def line_measures(modules: dict[str, Module], counts: dict[str, Lines]) -> list[Measure]:
    """Return what is measured on lines and tokens, per folder and in all."""
    sums = {
        folder: total(counts[m.name] for m in modules.values() if m.folder == folder)
        for folder in FOLDERS
    }
    sums[ALL] = total(sums.values())

    def ratio(top: str, bottom: str, factor: float = 1.0) -> dict[str, float | None]:
        return {
            folder: factor * getattr(sums[folder], top) / max(1, getattr(sums[folder], bottom))
            for folder in sums
        }

    over = {folder: float(lines.over_100) for folder, lines in sums.items()}
    return [
        Measure("tokens per line of code", ratio("tokens", "code"), 8.5, "<"),
        Measure("tokens of all kinds per line", ratio("all_tokens", "filled"), 8.5, "<"),
        Measure("lines over 100 columns", over, 0),
        Measure("lines over 120 columns, %", ratio("over_120", "lines", 100.0), 0),
        Measure("comments per 100 lines of code", ratio("comments", "code", 100.0), 6, ">="),
    ]


def total(lines: Iterable[Lines]) -> Lines:
    """Add the counts of files."""
    return sum(lines, start=Lines())


def docstring_measures(documented: list[Explained]) -> list[Measure]:
    """Return the shares of docstrings with Parameters, of what users call and of the rest."""
    measures = []
    for users, name, aim in ((True, "users call", 100), (False, "other", 60)):
        rows = [row for row in documented if row.users == users]
        values = {f: share([r for r in rows if r.folder == f]) for f in FOLDERS}
        values[ALL] = share(rows)
        measures.append(Measure(f"docstrings with Parameters, {name}, %", values, aim, ">="))
    return measures


def share(rows: list[Explained]) -> float | None:
    """Return the percentage of functions that explain their parameters."""
    return 100.0 * sum(row.explained for row in rows) / len(rows) if rows else None


def circle_measures(modules: dict[str, Module]) -> list[Measure]:
    """Return the numbers of circles of imports."""
    files, packages = of_files(modules), of_packages(modules)
    return [
        Measure("circles of imports, files", {ALL: len(files)}, 0),
        Measure("circles of imports, packages", {ALL: len(packages)}, 0),
    ]


def type_measure(root: Path | None) -> Measure:
    """Return the number of type errors; None: they are not measured."""
    if root is None:
        return Measure("type errors", {ALL: None}, 0)
    errors = type_errors(root)
    return Measure("type errors", {**{f: errors[f] for f in FOLDERS}, ALL: errors.total()}, 0)


def package_table(
    modules: dict[str, Module], counts: dict[str, Lines], documented: list[Explained]
) -> str:
    """Return a table with a row per package."""
    rows = []
    for package in sorted({module.package for module in modules.values()}):
        files = {name for name, module in modules.items() if module.package == package}
        lines = total(counts[name] for name in files)
        functions = [row for row in documented if row.module in files]
        parts = (share([r for r in functions if r.users == users]) for users in (True, False))
        code = max(1, lines.code)
        rows.append(
            [
                package,
                len(files),
                lines.code,
                f"{lines.tokens / code:.1f}",
                lines.over_100,
                f"{100 * lines.comments / code:.1f}",
                *("-" if part is None else f"{part:.0f}" for part in parts),
            ]
        )
    heads = ["package", "files", "code", "tokens", "over 100", "comments", "users call, %", "other"]
    return table(heads, rows)


def print_details(
    modules: dict[str, Module], documented: list[Explained], unlisted: list[str]
) -> None:
    """Print the functions, circles and names behind the figures."""
    for users, name in ((True, "users call"), (False, "other")):
        names = [r.name for r in documented if r.users == users and not r.explained]
        print(f"\nwithout Parameters, {name}: " + (", ".join(names) or "none"))
    for circle in of_files(modules) + of_packages(modules):
        print("\ncircle: " + ", ".join(circle))
    print("\nnames in dir(neurosim) that are not public: " + (", ".join(unlisted) or "none"))


if __name__ == "__main__":
    sys.exit(main())
