"""Schemas: the names and kinds of values that JSON data of a file must have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from ..errors import NetworkError, describe

MOST = 2**53  # steps; the largest range of whole numbers that float64 holds without gaps


@dataclass(frozen=True)
class Field:
    """The values that a field may have.

    Parameters
    ----------
    description : str
        Of these values, for messages.
    fits : function (value) -> bool
    optional : bool
        Whether the field may be missing.
    """

    description: str
    fits: Callable[[Any], bool]
    optional: bool = False


def is_whole(value: object, least: int = 0) -> bool:
    """Return whether a value is a whole number from ``least`` to `MOST`; truth values are none."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        return False
    return least <= int(value) <= MOST


def _is_length(value: object) -> bool:
    """Return whether a value is a finite number above 0."""
    if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
        return False
    # A whole number of Python may be too large for a float.
    return bool(0 < value <= 1e100 and isfinite(value))


def _is_list(value: object, item_type: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, item_type) for item in value)


WHOLE = Field("a whole number from 0 to 2**53", is_whole)
POSITIVE_WHOLE = Field("a whole number from 1 to 2**53", lambda value: is_whole(value, 1))
LENGTH = Field("a finite number above 0", _is_length)
TEXT = Field("a text", lambda value: isinstance(value, str))
FLAG = Field("true or false", lambda value: isinstance(value, bool))
TEXTS = Field("a list of texts", lambda value: _is_list(value, str))
OBJECT = Field("a dictionary", lambda value: isinstance(value, dict))
OBJECTS = Field("a list of dictionaries", lambda value: _is_list(value, dict))


def optional(field: Field) -> Field:
    """Return a field that may be missing."""
    return Field(field.description, field.fits, optional=True)


def require_fields(
    data: object,
    schema: Mapping[str, Field],
    *,
    where: str,
    exact: bool = False,
) -> None:
    """Raise NetworkError unless data is a dictionary whose fields fit a schema.

    Parameters
    ----------
    data : object
    schema : mapping of str to Field
    where : str
        Begins the message.
    exact : bool
        Whether other fields are refused.
    """
    remedy = "The file is damaged or of another origin: load another copy or run again."
    if not isinstance(data, dict):
        raise NetworkError(f"{where}: found {describe(data)}, expected a dictionary. {remedy}")
    for name, field in schema.items():
        if name not in data:
            if field.optional:
                continue
            raise NetworkError(
                f"{where}: found no field {name!r}, expected {field.description}. {remedy}"
            )
        if not field.fits(data[name]):
            raise NetworkError(
                f"{where}: found {name} = {describe(data[name])}, expected {field.description}. "
                f"{remedy}"
            )
    strangers = [name for name in data if name not in schema] if exact else []
    if strangers:
        raise NetworkError(
            f"{where}: found a field {describe(strangers[0])}, expected "
            f"{', '.join(schema)} alone. {remedy}"
        )
