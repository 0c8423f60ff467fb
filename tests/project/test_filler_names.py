"""Names say what they hold: no value, argument, attribute or function has a filler for a name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("neurosim", "models", "backends", "benchmarks", "tests", "docs")

# Words that fit any value, and so say nothing about one.
FILLERS = frozenset(
    {
        "data2",
        "each",
        "found",
        "given",
        "kept",
        "kind",
        "made",
        "place",
        "shown",
        "stuff",
        "that",
        "thing",
        "things",
        "this",
        "tmp",
        "told",
    }
)

# Comments and texts, which hold such words without binding them.
PROSE = re.compile(
    r"""\#[^\n]*|(\"{3}|'{3}).*?\1|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)
WORDS = re.compile(rf"\b_*(?:{'|'.join(sorted(FILLERS))})_*\b", re.IGNORECASE)

# Where one of them is the precise word. Besides, a row of a report has a `Place`.
PRECISE = {
    # Verbs that users call, and an argument of theirs: `run.each`, `batch.each`, `each=10`.
    "each": (
        "neurosim/run/run.py",
        "neurosim/run/batch.py",
        "models/astrocyte_liquid/measures.py",
    ),
    # Spikes that stay in their step, beside those that are moved: `Changes.kept`.
    "kept": ("neurosim/analysis/changes.py",),
    # Fields of dataclasses, and what is read from them: `Place`, `Draw`, `Distribution`,
    # `Operation`, `Mutation`, `Kind`; the kind of a file, which its header names.
    "kind": (
        "neurosim/backend/report_rows.py",
        "neurosim/backend/report_text.py",
        "neurosim/draws/values.py",
        "neurosim/expr/dimensions.py",
        "neurosim/expr/mathematics.py",
        "neurosim/expr/parse.py",
        "neurosim/expr/tree.py",
        "neurosim/recording/files.py",
        "neurosim/recording/recorded.py",
        "models/ca3_memory/operations.py",
        "benchmarks/memory.py",
        "tests/support/mutants.py",
        "tests/support/mutations.py",
    ),
    # The line of the user's code at which a job failed: `Failure.place`.
    "place": ("neurosim/backend/report_text.py", "neurosim/sweeps/jobs.py"),
}


def sources() -> Iterator[tuple[str, str]]:
    """Yield path and text of every file of Python, but for those behind links to other folders."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(("neurosim/backends/", "neurosim/models/")):
                yield name, path.read_text()


def bound_name(node: ast.AST) -> str:
    """Return the name that a node of a syntax tree binds; empty if it binds none."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return name
        case ast.arg(arg=name):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            return name
        case ast.alias(asname=str(name)):
            return name
    return ""


def fillers(text: str) -> list[tuple[int, str]]:
    """Return line and word of every binding whose name is a filler."""
    # To parse all files takes ten seconds; few have such a word in their code.
    if not WORDS.search(PROSE.sub(" ", text)):
        return []
    nodes = list(ast.walk(ast.parse(text)))
    words = [
        (node.lineno, word)
        for node in nodes
        if (word := bound_name(node).strip("_").lower()) in FILLERS
    ]
    has_places = any(
        (isinstance(node, ast.Name) and node.id == "Place")
        or (isinstance(node, ast.ClassDef) and node.name == "Place")
        for node in nodes
    )
    return sorted((line, word) for line, word in words if not (word == "place" and has_places))


@pytest.fixture(scope="module")
def fillers_of_files() -> dict[str, list[tuple[int, str]]]:
    return {path: fillers(text) for path, text in sources()}


def test_no_name_is_a_filler(fillers_of_files):
    faults = [
        f"{path}, line {line}: {word!r} says nothing about the value; name what it holds"
        for path, lines in fillers_of_files.items()
        for line, word in lines
        if path not in PRECISE.get(word, ())
    ]
    assert faults == []


def test_every_exception_is_still_needed(fillers_of_files):
    used = {(word, path) for path, lines in fillers_of_files.items() for _, word in lines}
    listed = {(word, path) for word, paths in PRECISE.items() for path in paths}
    assert listed - used == set()


@pytest.mark.parametrize(
    "text",
    [
        "found = 1",
        "found: int = 1",
        "self._found = 1",
        "for found in (): pass",
        "rows = [found for found in ()]",
        "(found := 1)",
        "with open() as found: pass",
        "try: ...\nexcept OSError as found: ...",
        "import os as found",
        "def found(): ...",
        "class Found: ...",
        "def function(found): ...",
        "def function(*, found=1): ...",
        "def function(**found): ...",
        "function = lambda found: 1",
        "match 1:\n    case found: ...",
    ],
)
def test_a_filler_is_seen_wherever_a_name_is_bound(text):
    assert [word for _, word in fillers(text)] == ["found"]


def test_names_that_are_only_read_and_places_of_rows_are_no_fillers():
    assert fillers("spikes = found\nfunction(given=1)\nself.kept\n'told'") == []
    assert fillers("place = Place('run')") == []
    assert fillers("place = path") == [(1, "place")]
