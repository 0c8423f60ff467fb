"""Tables of finished courses of continual learning."""

from __future__ import annotations

import pytest

pytest.importorskip(
    "benchmarks",
    reason="benchmarks are no part of the package: run python -m pytest where they are",
)

pytest.importorskip("torch")

from benchmarks import continual_learning, pages
from neurosim.errors import NetworkError


def course_of(name: str, *, acc: float, bwt: float, **more: object) -> dict[str, object]:
    """Return the result of a course of two tasks."""
    matrix = [[96.0, None], [94.5, 95.25]]
    return {
        "name": name,
        "acc": acc,
        "bwt": bwt,
        "matrix": matrix,
        "processor seconds": 125.0,
        **more,
    }


def test_courses_stand_in_the_table_of_their_group_with_what_quantisation_does():
    courses = [
        course_of("permuted dsr hlop", acc=95.0, bwt=-1.0, deployed={"quantised": [0.94, 0.96]}),
        course_of("one head mnist plain", acc=40.0, bwt=-50.0),
    ]
    lines = continual_learning.tables(courses).splitlines()
    row = "| permuted dsr hlop | 95.00 | -1.00 | 94.50 (96.00) | 95.25 | 95.00 | 2 |"
    assert row in lines
    assert "| one head mnist plain | 40.00 | -50.00 | 94.50 (96.00) | 95.25 |  | 2 |" in lines
    assert not any("CIFAR-10" in line for line in lines)


def test_a_check_is_judged_once_all_of_its_courses_are_there():
    reached = course_of("permuted dsr hlop", acc=94.5, bwt=-2.5)
    missed = course_of("permuted dsr hlop", acc=93.5, bwt=-2.5)
    assert continual_learning.verdicts([]) == []
    assert continual_learning.verdicts([reached])[0].endswith("reached.")
    assert continual_learning.verdicts([missed])[0].endswith("**missed**.")
    names = [f"permuted {way} {s}" for way in ("bptt", "ottt") for s in ("hlop", "plain")]
    three = [course_of(name, acc=95.0, bwt=-1.0) for name in names[:3]]
    assert continual_learning.verdicts(three) == []
    four = [*three, course_of(names[3], acc=85.0, bwt=-12.0)]
    assert [line[:4] for line in continual_learning.verdicts(four)] == ["- F2"]


def test_courses_without_a_result_are_named():
    names = list(continual_learning.cases())
    courses = [course_of(name, acc=95.0, bwt=-1.0) for name in names]
    assert continual_learning.waiting(courses) == ""
    assert continual_learning.waiting(courses[2:]) == f"Not run yet: {names[0]}, {names[1]}."


def test_tables_replace_what_stands_between_the_marks_of_a_page():
    begin, end = "<!-- courses: begin -->", "<!-- courses: end -->"
    page = f"title\n{begin}\nold\n{end}\nrest\n"
    changed = pages.replace_between(page, "| new |", mark="courses")
    assert changed == f"title\n{begin}\n| new |\n{end}\nrest\n"
    assert pages.replace_between(changed, "| new |", mark="courses") == changed
    with pytest.raises(NetworkError, match="page: found no <!-- courses: begin -->"):
        pages.replace_between("title", "| new |", mark="courses")
