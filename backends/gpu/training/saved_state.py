"""The state of a Trainer that is saved besides what learns: all of it tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from neurosim.errors import NetworkError

_DIGEST = "network_digest"


def add_state(module: nn.Module, *, digest: str) -> None:
    """Add buffers to a module: the samples that it has seen, and the digest of its network.

    Parameters
    ----------
    module : torch.nn.Module
    digest : str
        Hexadecimal.

    Notes
    -----
    A state of another network is refused when it is loaded.
    """
    # Bytes in a tensor: a state that holds tensors alone is loaded without running code.
    number = torch.tensor(list(bytes.fromhex(digest)), dtype=torch.uint8)
    module.register_buffer("samples_seen", torch.zeros((), dtype=torch.int64))
    module.register_buffer(_DIGEST, number)
    module.register_load_state_dict_pre_hook(_require_same_network)


def _require_same_network(
    module: nn.Module,
    state: Mapping[str, Any],
    prefix: str,
    *_: object,
) -> None:
    saved = state.get(f"{prefix}{_DIGEST}")
    own = module.get_buffer(_DIGEST)
    if saved is not None and not torch.equal(saved.cpu(), own.cpu()):
        raise NetworkError(
            "load_state_dict: found the state of another network (or of this one with other "
            "values at the start), expected one of the network that this Trainer was made of. "
            "Make the Trainer of the same network, seed included."
        )
