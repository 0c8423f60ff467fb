"""Training on GPUs and CPUs with PyTorch: the public names of the GPU backend."""

from __future__ import annotations

# The one door from the core to a backend: nothing of the core imports this file.
try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError("neurosim.gpu: torch is missing. Run: pip install torch snntorch") from error

from neurosim.backends.gpu.training.fitting.checkpoints import (
    Progress,
    load_checkpoint,
    save_checkpoint,
)
from neurosim.backends.gpu.training.fitting.fit import fit
from neurosim.backends.gpu.training.gradients import surrogates
from neurosim.backends.gpu.training.gradients.first_batch import SilenceWarning, StillWarning
from neurosim.backends.gpu.training.gradients.methods import (
    Bptt,
    Dsr,
    EProp,
    Method,
    Ottt,
    Truncated,
)
from neurosim.backends.gpu.training.gradients.operations import sign_concordant
from neurosim.backends.gpu.training.gradients.surrogates import Surrogate
from neurosim.backends.gpu.training.trainer import Trainer

__all__ = [
    "Bptt",
    "Dsr",
    "EProp",
    "Method",
    "Ottt",
    "Progress",
    "SilenceWarning",
    "StillWarning",
    "Surrogate",
    "Trainer",
    "Truncated",
    "fit",
    "load_checkpoint",
    "save_checkpoint",
    "sign_concordant",
    "surrogates",
]
