"""Chooses the device of a run, and says which there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurosim.errors import NetworkError, describe

if TYPE_CHECKING:
    import torch

_WHERE = "backend 'gpu', device"


def require_device(name: Any) -> None:
    """Raise NetworkError unless this is a name of a device, whether or not it is there.

    Parameters
    ----------
    name : "cpu", "cuda", "cuda:N" or None
    """
    device_type, colon, number = name.partition(":") if isinstance(name, str) else ("", "", "")
    numbered = device_type == "cuda" and number.isascii() and number.isdigit()
    if name is not None and not (name in ("cpu", "cuda") or colon and numbered):
        raise NetworkError(
            f"{_WHERE}: found {describe(name)}, expected 'cuda', 'cuda:N' or 'cpu'. Name one."
        )


def find_device(name: str | None) -> torch.device:
    """Return the device of a run; unless it is named, a CUDA device.

    Parameters
    ----------
    name : "cpu", "cuda", "cuda:N" or None

    Raises
    ------
    NetworkError
        If there is no such device.
    """
    import torch  # takes seconds, and a report needs none of it

    if name == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    number = int(name.partition(":")[2] or 0) if name else 0
    if number < count:
        return torch.device("cuda", number)
    devices = "no CUDA device" if count == 0 else f"{count} CUDA devices, numbered from 0"
    asked = "one, since no device was named" if name is None else repr(name)
    raise NetworkError(
        f"{_WHERE}: found {devices}, expected {asked}. Name device='cpu' to compute on the "
        "processor with the same numbers, or install a build of PyTorch that sees your GPU."
    )


def describe_devices() -> str:
    """Return the devices on which a run may be held, in words."""
    import torch

    if not torch.cuda.is_available():
        return "no CUDA device; device='cpu' runs"
    names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    return f"CUDA: {', '.join(names)}"
