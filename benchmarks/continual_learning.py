"""Finished courses of continual learning, as tables beside what was asked of them (F1, F2, F6).

Run with ``python -m benchmarks.continual_learning``: it reads the results that ``python -m
neurosim.models.orthogonal_projection.full_runs`` has written, and prints a table for each group of
courses in Markdown. Courses that are not finished yet are named below. With ``--page FILE`` the
tables also replace the text between two marks of a page.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neurosim.models.orthogonal_projection.checks import full
from neurosim.models.orthogonal_projection.full_runs import cases

from .pages import markdown, replace_between
from .report import RESULTS

Row = Mapping[str, Any]
MARK = "courses"
HEADS = (
    "course",
    "ACC (%)",
    "BWT (%)",
    "first task at the end (before)",
    "last task",
    "ACC with quantised weights",
    "processor minutes",
)
# Titles of groups, by the words with which the names of their courses begin.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Ten permuted MNIST tasks, 784-800-800-10, one epoch each": ("permuted",),
    "Colour images: five tasks of two classes of CIFAR-10; five data sets": ("split", "five"),
    "One head for all classes, without task identity": ("one head",),
}


def describe(course: Row) -> list[str]:
    """Return the cells of a course in the order of `HEADS`.

    Parameters
    ----------
    course : row
        Of the results.
    """
    final = course["matrix"][-1]
    # Joint training tests once, after everything.
    before = course["matrix"][0][0]
    first = f"{final[0]:.2f}" + ("" if before is None else f" ({before:.2f})")
    quantised = course.get("deployed", {}).get("quantised")
    return [
        course["name"],
        f"{course['acc']:.2f}",
        "" if course["bwt"] is None else f"{course['bwt']:.2f}",
        first,
        f"{final[-1]:.2f}",
        "" if quantised is None else f"{100 * sum(quantised) / len(quantised):.2f}",
        f"{course['processor seconds'] / 60:.0f}",
    ]


def tables(courses: Sequence[Row]) -> str:
    """Return a table for each group that has a course, in Markdown.

    Parameters
    ----------
    courses : rows
    """
    parts = []
    for title, beginnings in GROUPS.items():
        members = [course for course in courses if course["name"].startswith(beginnings)]
        if members:
            rows = [describe(course) for course in members]
            parts.append(f"{title}:\n\n{markdown(HEADS, rows)}")
    return "\n\n".join(parts)


def verdicts(courses: Sequence[Row]) -> list[str]:
    """Return a line for each full-scale check whose courses are all there.

    Parameters
    ----------
    courses : rows
    """
    results = {course["name"]: course for course in courses}
    lines = []
    for check in full()[1]:
        # A check that lacks one of its courses is left out, not failed.
        if results.keys() >= set(check.needs):
            _, passed = check.judge({name: results[name] for name in check.needs})
            outcome = "reached" if passed else "**missed**"
            lines.append(f"- {check.id}, {check.expected}: {outcome}.")
    return lines


def waiting(courses: Sequence[Row]) -> str:
    """Return a line that names the courses without a result, empty if there are none.

    Parameters
    ----------
    courses : rows
    """
    finished = {course["name"] for course in courses}
    names = [name for name in cases() if name not in finished]
    return f"Not run yet: {', '.join(names)}." if names else ""


def main() -> None:
    """Print the tables, and write them into a page if one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS / "orthogonal_projection.json")
    parser.add_argument("--page", type=Path, metavar="FILE", help="takes the tables")
    words = parser.parse_args()
    courses = json.loads(words.results.read_text())["courses"]
    parts = [tables(courses), "\n".join(verdicts(courses)), waiting(courses)]
    text = "\n\n".join(part for part in parts if part)
    print(text)
    if words.page:
        words.page.write_text(replace_between(words.page.read_text(), text, mark=MARK))


if __name__ == "__main__":
    main()
