"""Checkpoints of a course of tasks: everything that its future depends on, in one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from neurosim.errors import NetworkError
from neurosim.gpu import Trainer
from neurosim.whole_files import read_archive, write_whole

from .accuracy import AccuracyMatrix
from .strategies import Strategy

FORMAT = 1  # raised when older files can no longer be read
_OF_COURSE = {"strategy", "tasks", "seed", "memory", "accuracy", "seconds", "losses"}
_ENTRIES = {"format", "trainer", "generator", *_OF_COURSE}


def save_course(
    path: Path,
    trainer: Trainer,
    strategy: Strategy,
    *,
    names: Sequence[str],
    seed: int,
    fields: Mapping[str, Any],
) -> None:
    """Write a checkpoint whole, or leave the file as it is.

    Parameters
    ----------
    path : Path
    trainer : Trainer
    strategy : Strategy
    names : sequence of str
        Of all tasks.
    seed : int
    fields : mapping
        ``accuracy``, ``seconds`` and ``losses`` of the course.
    """
    state: dict[str, Any] = {
        "format": FORMAT,
        "strategy": strategy.name,
        "tasks": list(names),
        "seed": seed,
        "trainer": trainer.state_dict(),
        "memory": strategy.state(),
        # Encoders may draw by torch's own generator.
        "generator": torch.get_rng_state(),
        "accuracy": torch.from_numpy(fields["accuracy"].values),
        "seconds": list(fields["seconds"]),
        "losses": list(fields["losses"]),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda file: torch.save(state, file))


def load_course(
    path: Path,
    trainer: Trainer,
    strategy: Strategy,
    *,
    names: Sequence[str],
    seed: int,
) -> dict[str, Any]:
    """Restore a checkpoint; return ``accuracy``, ``seconds`` and ``losses`` of the course.

    Parameters
    ----------
    path : Path
    trainer : Trainer
        Of the same network.
    strategy : Strategy
        Made as before.
    names : sequence of str
        Of all tasks.
    seed : int

    Raises
    ------
    NetworkError
        If the file is no checkpoint of these tasks, this strategy, seed and network.
    """
    where = f"checkpoint {str(path)!r}"
    # No code of the file is run: a checkpoint may come from somebody else.
    load = partial(torch.load, weights_only=True, map_location="cpu")
    state = read_archive(path, load, writer="learn_tasks")
    is_complete = isinstance(state, dict) and state.keys() >= _ENTRIES
    if not is_complete or not _is_sound(state, trainer):
        raise NetworkError(
            f"{where}: found a file of another form, expected a checkpoint of form {FORMAT} of "
            "learn_tasks. Delete it, or name another."
        )
    # Names alone are compared: samples would have to be stored to be compared as well.
    expected = {"strategy": strategy.name, "tasks": list(names), "seed": seed}
    for key, value in expected.items():
        if state[key] != value:
            raise NetworkError(
                f"{where}, {key}: found {state[key]!r}, expected {value!r}: it belongs to another "
                "course. Delete it, or name another."
            )
    # The trainer first: it refuses the state of another network before anything has changed.
    trainer.load_state_dict(state["trainer"])
    strategy.restore(state["memory"])
    torch.set_rng_state(state["generator"])
    accuracy = AccuracyMatrix(state["accuracy"].numpy())
    return {
        "accuracy": accuracy,
        "seconds": tuple(state["seconds"]),
        "losses": tuple(state["losses"]),
    }


def _is_sound(state: Mapping[str, Any], trainer: Trainer) -> bool:
    """Return whether entries are of the types that are restored; names are compared later."""
    generator = state["generator"]
    now = torch.get_rng_state()
    expected = trainer.state_dict()
    numbers = [state["seconds"], state["losses"]]
    return (
        all(isinstance(state[name], int) for name in ("format", "seed"))
        and state["format"] == FORMAT
        and isinstance(state["trainer"], Mapping)
        and all(_is_like(value, expected.get(name)) for name, value in state["trainer"].items())
        and isinstance(state["memory"], Mapping)
        and isinstance(state["accuracy"], torch.Tensor)
        and isinstance(generator, torch.Tensor)
        and (generator.dtype, generator.shape) == (now.dtype, now.shape)
        and all(isinstance(n, list) and all(isinstance(x, float) for x in n) for n in numbers)
    )


def _is_like(value: object, other: torch.Tensor | None) -> bool:
    """Return whether a value is a tensor of the shape of another; of other names is asked later."""
    return isinstance(value, torch.Tensor) and (other is None or value.shape == other.shape)
