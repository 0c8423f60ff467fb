"""Checkpoints of a loop of training: everything that its future depends on, in one file."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch

from neurosim.errors import NetworkError
from neurosim.whole_files import write_whole

from ..trainer import Trainer

FORMAT = 1


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
    try:
        # No code of the file is run: a checkpoint may come from somebody else.
        state = torch.load(path, weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, BadZipFile, RuntimeError, EOFError) as error:
        raise NetworkError(
            f"checkpoint {str(path)!r}: found no checkpoint ({type(error).__name__}), expected a "
            "file that fit has written. Delete it, or name another."
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise NetworkError(
            f"checkpoint {str(path)!r}: found a file of another form, expected a checkpoint of "
            f"form {FORMAT}. Delete it, or name another."
        )
    # The trainer first: it refuses the state of another network before anything has changed.
    trainer.load_state_dict(state["trainer"])
    optimizer.load_state_dict(state["optimizer"])
    # Last, so that nothing above draws from it any more.
    torch.set_rng_state(state["generator"])
    return Progress(tuple(state["losses"]), tuple(state["accuracies"]))
