"""Checkpoints of a loop of training: everything that its future depends on, in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neurosim.errors import NetworkError, describe
from neurosim.whole_files import read_archive, write_whole

from ..trainer import Trainer

FORMAT = 1
_ENTRIES = {"format", "trainer", "optimizer", "generator", "losses", "accuracies"}


@dataclass(frozen=True)
class Progress:
    """What a loop of training has done.

    Attributes
    ----------
    losses : tuple of float
        Mean loss of each epoch.
    accuracies : tuple of float
        Part of the samples that were right in each epoch, in the batches as they were trained;
        NaN if it is unknown.
    interrupted : bool
        Whether Ctrl-C ended it, within the epoch that follows.
    """

    losses: tuple[float, ...] = ()
    accuracies: tuple[float, ...] = ()
    interrupted: bool = False

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return len(self.losses)


def require_writable(path: object) -> None:
    """Raise unless a checkpoint can be written there: hours of training come before it is.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    NetworkError
    """
    if not isinstance(path, str | Path):
        raise NetworkError(
            f"checkpoint: found {describe(path)}, expected the path of a file. Name one."
        )
    file = Path(path)
    if file.is_dir():
        raise NetworkError(
            f"checkpoint {str(path)!r}: found a folder, expected a file. Name a file within it."
        )
    if not file.parent.is_dir():
        raise NetworkError(
            f"checkpoint {str(path)!r}: found no folder {str(file.parent)!r}, expected one to "
            "write into. Make it first."
        )


def save_checkpoint(
    path: Path,
    trainer: Trainer,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
) -> None:
    """Write a checkpoint whole, or leave the file as it is.

    Parameters
    ----------
    path : Path
    trainer : Trainer
    optimizer : torch.optim.Optimizer
    progress : Progress

    Notes
    -----
    The state of torch's own generator is saved as well: loaders shuffle, and encoders draw, by it.
    """
    state: dict[str, Any] = {
        "format": FORMAT,
        "trainer": trainer.state_dict(),
        "optimizer": optimizer.state_dict(),
        "generator": torch.get_rng_state(),
        "losses": list(progress.losses),
        "accuracies": list(progress.accuracies),
    }
    write_whole(path, lambda file: torch.save(state, file))


def load_checkpoint(path: Path, trainer: Trainer, optimizer: torch.optim.Optimizer) -> Progress:
    """Restore a checkpoint; return what had been done.

    Parameters
    ----------
    path : Path
    trainer : Trainer
        Of the same network.
    optimizer : torch.optim.Optimizer
        Of the same kind.

    Raises
    ------
    NetworkError
        If the file is no checkpoint, or one of another network.
    """
    # No code of the file is run: a checkpoint may come from somebody else.
    load = partial(torch.load, weights_only=True, map_location="cpu")
    state = read_archive(path, load, writer="fit")
    is_complete = isinstance(state, dict) and state.keys() >= _ENTRIES
    if not is_complete or state["format"] != FORMAT or not _is_sound(state):
        raise NetworkError(
            f"checkpoint {str(path)!r}: found a file of another form, expected a checkpoint of "
            f"form {FORMAT}. Delete it, or name another."
        )
    _require_same_values(path, state["trainer"], trainer)
    _require_same_groups(path, state["optimizer"], optimizer)
    # The trainer first: it refuses the state of another network before anything has changed.
    trainer.load_state_dict(state["trainer"])
    optimizer.load_state_dict(state["optimizer"])
    # Last, so that nothing above draws from it any more.
    torch.set_rng_state(state["generator"])
    return Progress(tuple(state["losses"]), tuple(state["accuracies"]))


def _is_sound(state: Mapping[str, Any]) -> bool:
    """Return whether entries are of the types that are restored; names are compared later."""
    generator = state["generator"]
    now = torch.get_rng_state()
    optimizer = state["optimizer"]
    numbers = [state["losses"], state["accuracies"]]
    return (
        isinstance(state["trainer"], Mapping)
        and all(isinstance(value, Tensor) for value in state["trainer"].values())
        and isinstance(optimizer, Mapping)
        and isinstance(optimizer.get("param_groups"), list)
        and isinstance(optimizer.get("state"), Mapping)
        and isinstance(generator, Tensor)
        and (generator.dtype, generator.shape) == (now.dtype, now.shape)
        and all(isinstance(n, list) and all(isinstance(x, float) for x in n) for n in numbers)
    )


def _require_same_values(path: Path, saved: Mapping[str, Tensor], trainer: Trainer) -> None:
    """Raise unless the same names learn, in the same precision."""
    expected = trainer.state_dict()
    if saved.keys() != expected.keys():
        more = ", ".join(sorted(saved.keys() - expected.keys())) or "nothing more"
        fewer = ", ".join(sorted(expected.keys() - saved.keys())) or "nothing"
        raise NetworkError(
            f"checkpoint {str(path)!r}: found {more} and not {fewer}, expected what this Trainer "
            "holds. Make the Trainer with the same train= and feedback=, or name another file."
        )
    for name, value in saved.items():
        if value.dtype != expected[name].dtype:
            raise NetworkError(
                f"checkpoint {str(path)!r}: found {name!r} in {value.dtype}, expected "
                f"{expected[name].dtype}. Make the Trainer with the same precision=."
            )


def _require_same_groups(
    path: Path, saved: Mapping[str, Any], optimizer: torch.optim.Optimizer
) -> None:
    """Raise unless an optimiser has the groups, and their options, of the saved one."""

    def shape(groups: list[dict[str, Any]]) -> list[tuple[int, set[str]]]:
        # A schedule adds `initial_lr` to groups, before or after they are saved.
        return [(len(group["params"]), set(group) - {"initial_lr"}) for group in groups]

    if shape(saved["param_groups"]) != shape(optimizer.param_groups):
        raise NetworkError(
            f"checkpoint {str(path)!r}: found the state of another optimiser, expected that of "
            f"{type(optimizer).__name__} over the same values. Make the optimiser as it was, or "
            "name another file."
        )
