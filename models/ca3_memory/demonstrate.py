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
    backend
    out : folder
        Made if it is missing; takes ``results.json``, written after every experiment, then
        ``E1.png`` and ``E3.png``.
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
        If the memory is too small for the operations, or the seed is not 0: it would stand beside
        results that know nothing of it.
    """
    from tqdm.auto import tqdm

    if seed:
        raise NetworkError(
            f"model 'ca3-memory', seed: found {seed}, expected 0: nothing in the model is random. "
            "Leave it out."
        )
    chosen = Settings(**settings)
    experiments = [
        EXPERIMENTS["E1"](chosen),
        EXPERIMENTS["E2"](chosen),
        EXPERIMENTS["E3"](replace(chosen, cues=16, content_size=6)),
    ]
    folder, rows, found, pictures = Path(out), [], {}, []
    content = {
        "model": "ca3-memory",
        "seed": seed,
        "backend": str(backend),
        "settings": settings,
        "finished": False,
        "rows": rows,
        "experiments": found,
    }
    for experiment in tqdm(experiments, unit="experiment", desc="CA3 memory", disable=not progress):
        name, played = experiment.name, play(experiment, backend)
        found[name] = {"counts": counts(played), "tally": tally(judge(played))}
        rows += judged(name, found[name])
        content["finished"] = len(found) == len(experiments)
        write_json(
            folder / "results.json", content
        )  # at once: Ctrl-C leaves what was found, and so does a picture that fails
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


def judged(name: str, found: dict[str, Any]) -> list[Row]:
    """Return the rows of an experiment: correct operations, and spikes of each population beside
    the authors' tables.
    """
    correct, number = found["tally"]["all"]
    rows = [
        {
            "quantity": f"{name}: correct operations",
            "measured": correct,
            "expected": number,
            "pass": correct == number,
        }
    ]
    for population, expected in PUBLISHED[name].items():
        if population[:2] != "IN":
            measured = found["counts"][population]
            rows.append(
                {
                    "quantity": f"{name}: spikes of {population}",
                    "measured": measured,
                    "expected": expected,
                    "pass": measured == expected,
                }
            )
    return rows
