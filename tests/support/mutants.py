"""Plants one-line faults in a copy of the tree and counts how many the tests catch.

Run by hand, in a checkout with everything that the tests need::

    PYTHONPATH=tests python -m support.mutants --count 100 --seed 1

Each fault is tried on the tests of its file (`TESTS`): those first whose text names the file, those
that take longest last, until one fails. A test that failed must pass without the fault. A line of
JSON holds the outcome and the difference. The same command resumes a run that was interrupted.
``--report`` prints the results; `mutants.md` tells of the last campaign.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import cache_from_source
from itertools import chain, zip_longest
from pathlib import Path
from time import monotonic, sleep

from support.longest import LONGEST
from support.mutations import Mutation, mutations

ROOT = Path(__file__).parents[2]
FOLDERS = ("neurosim", "models", "backends")
LEFT_OUT = (
    ".git",
    ".venv*",
    ".*_cache",
    "__pycache__",
    "*.egg-info",
    "build",
    "dist",
    "out",
    "_build",
)

# The folders with the tests of a source: those of the longest beginning of its path.
TESTS = {
    "neurosim/": ("tests/language", "tests/run", "tests/project"),
    "neurosim/analysis/": ("tests/recording",),
    "neurosim/backend/": ("tests/run", "tests/network", "tests/conformance"),
    "neurosim/cli/": ("tests/cli", "tests/recording"),
    "neurosim/compiled/": ("tests/language", "tests/network", "tests/backends/cpu"),
    "neurosim/draws/": ("tests/network", "tests/conformance"),
    "neurosim/expr/": ("tests/language", "tests/conformance"),
    "neurosim/ir/": ("tests/ir", "tests/conformance", "tests/run"),
    "neurosim/model/": ("tests/language", "tests/conformance", "tests/network"),
    "neurosim/network/": ("tests/network", "tests/run", "tests/conformance"),
    "neurosim/plot/": ("tests/recording",),
    "neurosim/recording/": ("tests/recording", "tests/run"),
    "neurosim/run/": ("tests/run", "tests/conformance"),
    "models/": ("tests/models", "tests/conformance"),
    "backends/": ("tests/project",),
    "backends/brian/": ("tests/backends/brian",),
    "backends/cpu/": ("tests/conformance", "tests/backends/cpu", "tests/run", "tests/ir"),
    "backends/pynn/": ("tests/backends/pynn",),
    "backends/reference/": ("tests/conformance", "tests/run", "tests/ir"),
}


@dataclass(frozen=True)
class Mutant:
    """A fault in one file of the tree.

    Attributes
    ----------
    path : str
        Of the source, within the tree.
    mutation : Mutation
    """

    path: str
    mutation: Mutation

    def id(self, source: str) -> str:
        """Return what tells this fault in this source from all others."""
        text = json.dumps([self.path, source, asdict(self.mutation)])
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Bench:
    """How faults are tried.

    Attributes
    ----------
    root : path
        The tree, which stays as it is.
    tests : mapping of str to sequence of str
        As `TESTS`.
    results : path
        Lines of JSON, appended to.
    timeout : float
        Seconds for a batch of tests. A fault that none of them has seen by then has survived it.
    patience : float
        Seconds for a single test. One that takes longer hangs, and the fault is caught.
    """

    root: Path
    tests: Mapping[str, Sequence[str]]
    results: Path
    timeout: float
    patience: float

    def tests_of(self, path: str) -> tuple[list[str], list[str]]:
        """Return the files with the tests of a source: those that name it, and the others.

        The longest come last in both.
        """
        start = max((start for start in self.tests if path.startswith(start)), key=len)
        source = Path(path).with_suffix("")
        module = ".".join(source.parent.parts if source.name == "__init__" else source.parts)
        stem = module.rpartition(".")[2].strip("_")
        named, others = [], []
        for folder in self.tests[start]:
            for file in sorted((self.root / folder).rglob("test_*.py")):
                name = file.relative_to(self.root).as_posix()
                is_named = stem in file.stem or module in file.read_text()
                (named if is_named else others).append(name)
        return sorted(named, key=length), sorted(others, key=length)

    def known(self) -> dict[str, dict]:
        """Return the results until now by id."""
        if not self.results.exists():
            return {}
        rows = [json.loads(line) for line in self.results.read_text().splitlines()]
        return {row["id"]: row for row in rows}

    def run(self, mutants: Sequence[Mutant], workers: int = 1) -> list[dict]:
        """Try the faults of which there is no result yet, and return the results of all.

        Raises
        ------
        RuntimeError
            If a test that caught a fault fails without it, too.
        """
        sources = {m.path: (self.root / m.path).read_text() for m in mutants}
        ids = {mutant.id(sources[mutant.path]): mutant for mutant in mutants}
        known = self.known()
        waiting = [mutant for id_, mutant in ids.items() if id_ not in known]
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            copies: queue.Queue[Path] = queue.Queue()
            for number in range(workers):
                copies.put(copy(self.root, Path(folder) / str(number)))
            green = {failed_test(row["by"]) for row in known.values()}
            with ThreadPoolExecutor(workers) as pool:
                for row in pool.map(lambda mutant: self._try(mutant, copies, green), waiting):
                    known[row["id"]] = row
        return [known[id_] for id_ in ids]

    def _try(self, mutant: Mutant, copies: queue.Queue[Path], green: set[str]) -> dict:
        """Plant a fault in a copy that is free, run its tests and take it out again."""
        tree = copies.get()
        source = (self.root / mutant.path).read_text()
        planted = mutant.mutation.plant(source)
        start = monotonic()
        try:
            try:
                write(tree / mutant.path, planted)
                outcome, words = self._judge(tree, self.tests_of(mutant.path))
            finally:
                write(tree / mutant.path, source)
            self._require_green(tree, words, green)
        finally:
            copies.put(tree)
        row = {
            "id": mutant.id(source),
            "path": mutant.path,
            "line": mutant.mutation.line,
            "kind": mutant.mutation.kind,
            "outcome": outcome,
            "by": words,
            "seconds": round(monotonic() - start, 1),
            "diff": difference(source, planted, mutant.path),
        }
        with self.results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        return row

    def _judge(self, tree: Path, batches: Sequence[Sequence[str]]) -> tuple[str, str]:
        """Return the outcome of the first batch of tests that fails, or of the last."""
        outcome, words = "survived", ""
        for tests in batches:
            if tests and outcome == "survived":
                outcome, words = self._test(tree, tests)
        return outcome, words

    def _require_green(self, tree: Path, words: str, green: set[str]) -> None:
        """Run a test that failed without the fault, unless it is known to pass."""
        test = failed_test(words)
        if not test or test in green:
            return
        outcome, again = self._test(tree, [test])
        if outcome != "survived":
            raise RuntimeError(f"{test} without a fault: {outcome}\n{again}")
        green.add(test)

    def _test(self, tree: Path, tests: Sequence[str]) -> tuple[str, str]:
        """Return "caught", "hung" or "survived", and the words of the first test that failed."""
        pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not slow"]
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                [*pytest, "-p", "no:cacheprovider", *tests],
                cwd=tree,
                env=os.environ | {"PYTHONPATH": str(tree)},
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            outcome = self._wait(process, output.fileno())
            output.seek(0)
            text = output.read()
        if outcome is not None:
            return outcome, f"after {text[-80:]!r}"
        failed = [line for line in text.splitlines() if line.startswith(("FAILED", "ERROR"))]
        # A fault that ends the interpreter leaves no line; pytest itself ends with 0 to 5.
        words = failed[0] if failed else text[-300:]
        return ("survived", "") if process.returncode == 0 else ("caught", words)

    def _wait(self, process: subprocess.Popen, output: int) -> str | None:
        """Wait for tests, which write a character each; end them if they take too long."""
        began = heard = monotonic()
        size = 0
        outcome = None
        while process.poll() is None and outcome is None:
            sleep(0.1)
            now, written = monotonic(), os.fstat(output).st_size
            if written > size:
                size, heard = written, now
            if now - heard > self.patience:
                outcome = "hung"
            elif now - began > self.timeout:
                outcome = "survived"
        if outcome is not None:
            os.killpg(process.pid, 9)  # the processes of the tests, too
            process.wait()
        return outcome


def failed_test(words: str) -> str:
    """Return the test of a line of pytest's summary, or "" if it tells of none."""
    state, _, rest = words.partition(" ")
    return rest.partition(" - ")[0] if state in ("FAILED", "ERROR") else ""


def write(path: Path, source: str) -> None:
    """Write a source without bytecode of another: an equal size and second would keep that."""
    path.write_text(source)
    Path(cache_from_source(path)).unlink(missing_ok=True)


def length(test: str) -> int:
    """Return the rank of a file of tests by its time: the longest has the highest."""
    name = test.removeprefix("tests/")
    return len(LONGEST) - LONGEST.index(name) if name in LONGEST else 0


def copy(root: Path, to: Path) -> Path:
    """Copy a tree without what is built or installed in it, and return the copy."""
    shutil.copytree(root, to, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    return to


def difference(before: str, after: str, path: str) -> str:
    """Return the lines that differ, without context."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, "", "", 0)
    return "\n".join(line.rstrip("\n") for line in lines)


def choose(root: Path, count: int, seed: int, only: str = "") -> list[Mutant]:
    """Choose faults at random, as many of each kind, from the sources whose path begins so."""
    kinds: dict[str, list[Mutant]] = defaultdict(list)
    for path in chain.from_iterable(sorted((root / f).rglob("*.py")) for f in FOLDERS):
        name = path.relative_to(root).as_posix()
        if name.startswith(only) and not name.startswith(("neurosim/models", "neurosim/backends")):
            for mutation in mutations(path.read_text()):
                kinds[mutation.kind].append(Mutant(name, mutation))
    stream = random.Random(seed)
    shuffled = [stream.sample(kinds[kind], len(kinds[kind])) for kind in sorted(kinds)]
    turns = chain.from_iterable(zip_longest(*shuffled))
    return [mutant for mutant in turns if mutant is not None][:count]


def report(rows: Sequence[dict]) -> str:
    """Return the survivors with their differences, and the counts."""
    survivors = [row for row in rows if row["outcome"] == "survived"]
    counts = Counter(row["outcome"] for row in rows)
    lines = [f"{row['path']}:{row['line']}, {row['kind']}\n{row['diff']}\n" for row in survivors]
    caught = counts["caught"] + counts["hung"]
    share = f" ({100 * caught / len(rows):.0f} %)" if rows else ""
    return "\n".join([*lines, f"{caught} of {len(rows)} caught{share}, {counts['hung']} by time"])


def main(words: Sequence[str] | None = None) -> None:
    """Choose faults, try them and print those that no test caught."""
    parser = argparse.ArgumentParser(prog="python -m support.mutants", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="PATH", help="sources that begin so")
    parser.add_argument("--timeout", type=float, default=900.0, metavar="SECONDS")
    parser.add_argument("--patience", type=float, default=120.0, metavar="SECONDS")
    parser.add_argument("--workers", type=int, default=1, help="copies side by side")
    parser.add_argument("--results", type=Path, default=ROOT / "out" / "mutants.jsonl")
    parser.add_argument("--report", action="store_true", help="run nothing")
    options = parser.parse_args(words)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    bench = Bench(
        ROOT, TESTS, results=options.results, timeout=options.timeout, patience=options.patience
    )
    if options.report:
        print(report(list(bench.known().values())))
    else:
        mutants = choose(ROOT, options.count, options.seed, options.only)
        print(report(bench.run(mutants, options.workers)))


if __name__ == "__main__":
    main()
