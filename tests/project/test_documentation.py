"""The documentation runs: examples, notebook and links."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")

ROOT = Path(__file__).parents[2]
TEXTS = ["README.md", "docs/language.md"]
NOTEBOOKS = sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "notebooks").glob("*.ipynb")
)


def blocks(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each Python block of a Markdown file."""
    text = path.read_text()
    for found in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield text[: found.start()].count("\n") + 2, found[1]


def cells(path: Path) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def execute(path: Path, parts: Iterator[tuple[int, str]]) -> dict:
    """Run the parts one after the other in one namespace; errors name the line of the file."""
    names = {"__name__": "__main__"}
    for line, text in parts:
        exec(compile("\n" * (line - 1) + text, str(path), "exec"), names)
    return names


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path, fast_backend):
    """Run in an empty folder, with the default backend installed."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("text", TEXTS)
def test_the_examples_of_the_documentation_run(text):
    assert execute(ROOT / text, blocks(ROOT / text))


def test_the_example_of_the_readme_is_the_script_that_draws_its_picture():
    script = (ROOT / "docs/example.py").read_text().partition("\n\n")[2]
    assert script in [text for _, text in blocks(ROOT / "README.md")]
    names = execute(ROOT / "docs/example.py", iter([(1, script)]))
    assert Path("example.png").stat().st_size > 10_000
    rate = names["ns"].measure.rate
    spikes = names["result"]["excitatory"].spikes
    assert rate(spikes, stop=100) > 20
    assert 4 < rate(spikes, start=1500) < 8


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_notebook_runs_from_top_to_bottom_and_was_saved_as_run(notebook):
    found = cells(ROOT / notebook)
    assert [cell["execution_count"] for cell in found] == list(range(1, len(found) + 1))
    execute(ROOT / notebook, ((1, "".join(cell["source"])) for cell in found))


@pytest.mark.parametrize(
    "text",
    sorted(
        path.relative_to(ROOT).as_posix()
        for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    ),
)
def test_links_lead_to_files_that_exist(text):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / text).read_text())
    missing = [target for target in targets if not ((ROOT / text).parent / target).exists()]
    assert not missing
