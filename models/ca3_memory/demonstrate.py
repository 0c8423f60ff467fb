"""The demonstration: experiments E1 to E3 beside the authors' tables, with pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from neurosim.backend.lowering import Backend
from neurosim.errors import NetworkError
from neurosim.recording.files import write_json

from .experiment import EXPERIMENTS, PUBLISHED, counts, judge, play, tally
from .network import Settings
from .picture import draw

Row = dict[str, Any]
TITLES = {
    "E1": "E1: three memories, recalled by cue and by content; one of them is overwritten",
    "E3": "E3: a map of 16 cells, whose states are found by content",
}


def demonstrate(
    *,
    seed: int = 0,
    backend: str | Backend = "cpu",
    out: str | Path = ".",
    progress: bool = True,
    **settings: Any,
) -> list[Row]:
    """Run E1, E2 and E3.

    Parameters
    ----------
    seed : int
        0: nothing in the model is random.
    backend : str or Backend
    out : path
        Folder, created if it is missing; takes ``results.json``, written after every experiment,
        then ``E1.png`` and ``E3.png``.
    progress : bool
        Show a bar.
    **settings
        Fields of `Settings`; sizes are those of E1 and E2, E3 has its own.

    Returns
    -------
    list of {"quantity", "measured", "expected", "pass"}

    Raises
    ------
    NetworkError
        If the memory is too small for the operations, or the seed is not 0.
    """
    from tqdm.auto import tqdm

    # A seed beside results that do not depend on it would mislead.
    if seed:
        raise NetworkError(
            f"model 'ca3-memory', seed: found {seed}, expected 0: nothing in the model is random. "
            "Leave it out."
        )
    chosen = Settings(**settings)
    experiments = [
        EXPERIMENTS["E1"](chosen),
        EXPERIMENTS["E2"](chosen),
        # The map has sizes of its own, which the operations of E3 need.
        EXPERIMENTS["E3"](replace(chosen, cues=16, content_size=6)),
    ]
    folder = Path(out)
    rows = []
    results = {}
    pictures = []
    content = {
        "model": "ca3-memory",
        "seed": seed,
        "backend": str(backend),
        "settings": settings,
        "finished": False,
        "rows": rows,
        "experiments": results,
    }
    for experiment in tqdm(experiments, unit="experiment", desc="CA3 memory", disable=not progress):
        name = experiment.name
        played = play(experiment, backend)
        results[name] = {"counts": counts(played), "tally": tally(judge(played))}
        rows += judged(name, results[name])
        content["finished"] = len(results) == len(experiments)
        # After each experiment, and before any picture: Ctrl-C or a picture that fails leaves all
        # results so far.
        write_json(folder / "results.json", content)
        if name in TITLES:
            pictures.append((name, played.recording, experiment))
    for name, recording, experiment in pictures:
        draw(
            folder / f"{name}.png",
            recording,
            experiment.schedule,
            experiment.settings,
            title=TITLES[name],
        )
    return rows


def judged(name: str, result: dict[str, Any]) -> list[Row]:
    """Return the rows of an experiment beside the authors' tables.

    They are the number of correct operations, and the spikes of each population.
    """
    correct, number = result["tally"]["all"]
    rows = [
        {
            "quantity": f"{name}: correct operations",
            "measured": correct,
            "expected": number,
            "pass": correct == number,
        }
    ]
    for population, expected in PUBLISHED[name].items():
        # The input is presented, not computed.
        if population[:2] != "IN":
            measured = result["counts"][population]
            rows.append(
                {
                    "quantity": f"{name}: spikes of {population}",
                    "measured": measured,
                    "expected": expected,
                    "pass": measured == expected,
                }
            )
    return rows
