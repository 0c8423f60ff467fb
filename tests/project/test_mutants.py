"""The script that plants faults: tried on a small tree with a fault that is caught and one that is
equivalent.
"""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.longest import LONGEST
from support.mutants import FOLDERS, ROOT, TESTS, Bench, Mutant, choose, report
from support.mutations import mutations

SOURCE = '''"""Greets."""


def greater(a: int, b: int) -> int:
    """Return the greater of two numbers."""
    return a if a > b else b
'''
TEST = """from neurosim.greater import greater


def test_greater():
    assert greater(1, 2) == 2 and greater(2, 1) == 2
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name, text in {
        "neurosim/__init__.py": "",
        "neurosim/greater.py": SOURCE,
        "tests/test_greater.py": TEST,
        "pyproject.toml": '[tool.pytest.ini_options]\nmarkers = ["slow: slow"]\n',
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def bench(tree: Path, *, patience: float = 600.0) -> Bench:
    results = tree.parent / "results.jsonl"
    return Bench(tree, {"neurosim/": ["tests"]}, results=results, timeout=600.0, patience=patience)


@pytest.mark.process
def test_a_caught_fault_and_an_equivalent_one_are_told_apart_and_not_tried_again(tree):
    condition, comparison = (Mutant("neurosim/greater.py", m) for m in mutations(SOURCE))
    assert (condition.mutation.kind, comparison.mutation.kind) == ("condition", "comparison")
    rows = bench(tree).run([condition])
    assert [row["outcome"] for row in rows] == ["caught"]
    assert "test_greater" in rows[0]["by"]
    assert rows[0]["diff"].splitlines()[-2:] == [
        "-    return a if a > b else b",
        "+    return a if not (a > b) else b",
    ]

    (tree / "tests/test_greater.py").write_text(TEST.replace("== 2", "<= 2"))
    rows = bench(tree).run([condition, comparison])
    assert [row["outcome"] for row in rows] == ["caught", "survived"], "the first is not tried anew"
    assert (tree / "neurosim/greater.py").read_text() == SOURCE
    lines = (tree.parent / "results.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == rows == list(bench(tree).known().values())
    assert report(rows).startswith("neurosim/greater.py:6, comparison\n")
    assert report(rows).endswith("1 of 2 caught (50 %), 0 by time")


@pytest.mark.process
def test_tests_that_fail_without_a_fault_are_no_measure(tree):
    (tree / "tests/test_greater.py").write_text(TEST.replace("== 2 and", "== 1 and"))
    with pytest.raises(RuntimeError, match="test_greater.py::test_greater without a fault: caught"):
        bench(tree).run([Mutant("neurosim/greater.py", mutations(SOURCE)[0])])


@pytest.mark.process
def test_a_fault_that_lets_a_test_hang_is_caught_and_one_that_outlasts_all_tests_is_not(tree):
    (tree / "neurosim/greater.py").write_text("while False:\n    pass\n")
    (tree / "tests/test_greater.py").write_text(
        "import time\nimport pytest\n\n\ndef test_it():\n    import neurosim.greater\n\n\n"
        "@pytest.mark.parametrize('n', range(99))\ndef test_long(n):\n    time.sleep(0.1)\n"
    )
    (hanging,) = (
        Mutant("neurosim/greater.py", m)
        for m in mutations("while False:\n    pass\n")
        if m.kind == "condition"
    )
    assert [row["outcome"] for row in bench(tree, patience=5.0).run([hanging])] == ["hung"]
    (tree / "neurosim/greater.py").write_text("False < 1\n")
    fault = Mutant("neurosim/greater.py", mutations("False < 1\n")[0])
    short = replace(bench(tree), timeout=3.0)
    assert [row["outcome"] for row in short.run([fault])] == ["survived"]


def test_the_tests_that_name_a_source_come_first_and_the_longest_last():
    tests = Bench(ROOT, TESTS, results=ROOT, timeout=0.0, patience=0.0)
    named, others = tests.tests_of("neurosim/ir/propagators.py")
    assert named == ["tests/ir/test_exponential.py", "tests/ir/test_propagators.py"]
    longest = [f"tests/{name}" for name in reversed(LONGEST) if f"tests/{name}" in others]
    assert others[-len(longest) :] == longest and len(others) > len(longest) > 1


@pytest.mark.parametrize(
    ("line", "faults"),
    [
        ("x = a + b", {"x = a - b"}),
        ("x = (a) - (-b)", {"x = (a) + (-b)"}),
        ("x = a < b <= c", {"x = a <= b <= c", "x = a < b < c"}),
        ("x = a is not b", {"x = a is b"}),
        ("x = a and b and c", {"x = a or b and c", "x = a and b or c"}),
        ("x = 3, 0.5, True", {"x = 4, 0.5, True", "x = 3, 1.5, True", "x = 3, 0.5, False"}),
        ("x.y = z", {"pass"}),
        ("f(a, b)", {"f(b, a)", "pass"}),
        ("x[i] -= y", {"x[i] += y", "pass"}),
        ("while not x: pass", {"while not (not x): pass"}),
        ("x: Literal[1] = y", set()),
        ('"""Words 1 < 2."""', set()),
        ("raise Error(1 + 2)", set()),
        ('x = f"é{a}" + b', {'x = f"é{a}" - b'}),
        ('x = "é", a + b', {'x = "é", a - b'}),
        ("if TYPE_CHECKING: f(a, b)", set()),
        ("isinstance(x, y)", {"pass"}),
        ("x = max(a, b)", set()),
        ("x: TypeAlias = A | B", set()),
        ("x = [a,\n+ b + c]", {"x = [a,\n+ b - c]"}),
    ],
)
def test_every_fault_of_a_line_is_planted_once(line, faults):
    planted = [mutation.plant(line) for mutation in mutations(line)]
    assert set(planted) == faults and len(planted) == len(faults)


def test_faults_are_chosen_again_by_their_seed_and_leave_sources_that_can_be_read():
    mutants = choose(ROOT, 60, seed=3, only="neurosim/ir/d")
    again, other = (choose(ROOT, 60, seed, only="neurosim/ir/d") for seed in (3, 4))
    assert mutants == again != other
    assert len({mutant.mutation.kind for mutant in mutants}) == 6
    for mutant in mutants:
        source = (ROOT / mutant.path).read_text()
        planted = mutant.mutation.plant(source)
        assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(source))
        assert len(planted.splitlines()) == len(source.splitlines())


def test_every_source_has_tests_that_exist():
    packages = {
        f"{path.parent.relative_to(ROOT).as_posix()}/"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }
    assert all(package.startswith(tuple(TESTS)) for package in packages)
    assert packages.issuperset(TESTS)
    assert all((ROOT / tests).is_dir() for tests in set().union(*TESTS.values()))
