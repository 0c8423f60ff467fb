"""Libraries for tables and other formats: none is needed to run networks, and all load slowly."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import NetworkError


def import_library(name: str, *, where: str, install: str, arrays: str = "") -> Any:
    """Return a module, which is imported only now.

    Parameters
    ----------
    name : str
        Of the module.
    where : str
        Begins the message of an error.
    install : str
        What pip is to install.
    arrays : str
        Attributes that hold the same numbers without the library.

    Raises
    ------
    NetworkError
        If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        message = (
            f"{where}: the library {name!r} cannot be imported ({error}). Install it: pip install "
            f"{install}."
        )
        if arrays:
            message += f" The arrays need none: {arrays}."
        raise NetworkError(message) from error
