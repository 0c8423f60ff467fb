"""Reading data sets from a folder: IDX files and NumPy archives, checked before they are used."""

from __future__ import annotations

import gzip
import os
import zipfile
import zlib
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, describe_unknown
from .catalogue import KNOWN, Description
from .samples import Images, Recordings, Sounds

VARIABLE = "NEUROSIM_DATA"
"""Environment variable that names the folder of all data sets."""

Split = Literal["train", "test"]
ImageSet = Literal["mnist", "fashion-mnist", "kmnist", "notmnist", "cifar10"]
_UINT8 = 0x08  # code of an IDX file's type
_TEST_NUMBERS = 5  # of each digit and speaker of the spoken digits, the first are for testing


@overload
def load(name: ImageSet, split: Split, *, folder: str | Path | None = None) -> Images: ...
@overload
def load(
    name: Literal["nmnist"], split: Split, *, folder: str | Path | None = None
) -> Recordings: ...
@overload
def load(name: Literal["fsdd"], split: Split, *, folder: str | Path | None = None) -> Sounds: ...
@overload
def load(
    name: str, split: Split, *, folder: str | Path | None = None
) -> Images | Recordings | Sounds: ...
def load(
    name: str, split: Split, *, folder: str | Path | None = None
) -> Images | Recordings | Sounds:
    """Return a part of a data set.

    Parameters
    ----------
    name : str
        One of `NAMES`, such as ``"mnist"``.
    split : "train" or "test"
    folder : path, optional
        Holds a folder of each data set's name; unless given, the environment variable
        NEUROSIM_DATA names it.

    Returns
    -------
    Images, Recordings or Sounds
        In the order of the files.

    Raises
    ------
    DataError
        If the name or the split is unknown, no folder is named, or a file is missing or damaged.
    """
    description = describe_set(name)
    files = {"train": description.train, "test": description.test}.get(split)
    if files is None:
        raise DataError(describe_unknown("split", split, ("train", "test"), owner=f"data {name!r}"))
    if not files:
        raise DataError(
            f"data {name!r}: found no {split} part, expected the other one. It has no such part."
        )
    home = find_folder(name, folder)
    paths = [home / file for file in files]
    # All before the first is read: a missing label file is not found after a minute of images.
    for path in paths:
        if not path.is_file():
            raise DataError(f"data {name!r}: found no file {path}. {advice(name, description)}")
    match description.format:
        case "idx":
            return _images(paths[0], paths[1])
        case "pictures":
            return Images(**_arrays(paths[0], values="images", labels="labels"))
        case "events":
            return _recordings(paths[0])
        case "sounds":
            return _sounds(paths[0], split)


def find_folder(name: str, folder: str | Path | None) -> Path:
    """Return the folder of a data set; it need not exist.

    Parameters
    ----------
    name : str
    folder : path or None
        Of all data sets; None: that of the environment variable.

    Raises
    ------
    DataError
        If no folder is named.
    """
    root = os.environ.get(VARIABLE) if folder is None else folder
    # An empty variable would mean the working directory, which nobody asked for.
    if not root:
        raise DataError(
            f"data {name!r}: found no folder of data sets, expected one by folder=, --data or the "
            f"environment variable {VARIABLE}. {advice(name, describe_set(name))}"
        )
    return Path(root).expanduser() / name


def describe_set(name: str) -> Description:
    if name not in KNOWN:
        raise DataError(describe_unknown("data set", name, KNOWN, owner="neurosim.datasets"))
    return KNOWN[name]


def advice(name: str, description: Description) -> str:
    files = ", ".join(description.files)
    if description.mirrors:
        return f"Fetch it: neurosim data fetch {name} --data DIR"
    return f"It cannot be fetched; put {files} into DIR/{name} ({description.source})."


def _images(images: Path, labels: Path) -> Images:
    values = read_idx(images, dimensions=3)
    numbers = read_idx(labels, dimensions=1)
    if len(values) != len(numbers):
        raise DataError(
            f"data {images}: found {len(values)} images and {len(numbers)} labels, expected as "
            "many of both. Fetch both files again."
        )
    return Images(values, numbers)


def read_idx(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """Return the array of a gzipped IDX file of bytes.

    Parameters
    ----------
    path : Path
    dimensions : int
        That it must have.

    Raises
    ------
    DataError
        If the file is damaged, or holds something else.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"data {path}: found a file that cannot be unpacked ({error}), expected gzip. "
            "Fetch it again."
        ) from error
    header = 4 + 4 * dimensions  # the magic number, then the length along each dimension
    magic = bytes((0, 0, _UINT8, dimensions))
    if len(content) < header or content[:4] != magic:
        raise DataError(
            f"data {path}: found {content[:4].hex(' ') or 'nothing'} at its start, expected "
            f"00 00 08 {dimensions:02x}, bytes in {dimensions} dimensions. Fetch it again."
        )
    # The format is big-endian, whatever the machine is.
    lengths = np.frombuffer(content, ">u4", dimensions, 4)
    shape = tuple(int(n) for n in lengths)
    values = np.frombuffer(content, np.uint8, offset=header)
    # Python's numbers do not overflow, whatever the header says.
    size = 1
    for n in shape:
        size *= n
    if values.size != size:
        raise DataError(
            f"data {path}: found {values.size} bytes of values, expected {size} for the shape "
            f"{shape}. Fetch it again."
        )
    return values.reshape(shape)


def _arrays(path: Path, **names: str) -> dict[str, NDArray]:
    """Return arrays of a NumPy archive by our names for them."""
    try:
        # Without pickles: a file from elsewhere must not be able to run code.
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in names.values() if name not in archive.files]
            if missing:
                raise DataError(
                    f"data {path}: found {', '.join(archive.files)}, expected also "
                    f"{', '.join(missing)}. Copy the file again."
                )
            return {own: archive[name] for own, name in names.items()}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        # An error of data is a ValueError, too, and says already what is wrong.
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"data {path}: found a file that cannot be read ({error}), expected a NumPy archive. "
            "Copy it again."
        ) from error


def _recordings(path: Path) -> Recordings:
    arrays = _arrays(path, x="x", y="y", polarity="p", time="t", offsets="offsets", labels="labels")
    _require_offsets(path, arrays["offsets"], arrays["x"].size, arrays["labels"].size)
    return Recordings(**arrays)


def _sounds(path: Path, split: Split) -> Sounds:
    arrays = _arrays(
        path,
        values="samples",
        offsets="offsets",
        labels="label",
        speakers="speaker",
        numbers="number",
    )
    offsets = arrays["offsets"]
    _require_offsets(path, offsets, arrays["values"].size, arrays["labels"].size)
    # The official rule of the data set.
    is_test = arrays["numbers"] < _TEST_NUMBERS
    chosen = np.flatnonzero(is_test if split == "test" else ~is_test)
    parts = [arrays["values"][offsets[b] : offsets[b + 1]] for b in chosen]
    # Those of the file do not fit any more: sounds of the other split lay in between.
    ends = np.cumsum([part.size for part in parts])
    return Sounds(
        np.concatenate(parts),
        np.concatenate([[0], ends]),
        arrays["labels"][chosen],
        arrays["speakers"][chosen],
        8000.0,
    )


def _require_offsets(
    path: Path,
    offsets: NDArray,
    values: int,
    samples: int,
) -> None:
    # Wrong offsets raise nothing later: slices beyond the end are silently short.
    fits = offsets.size == samples + 1 and offsets[0] == 0 and offsets[-1] == values
    if not fits or np.any(np.diff(offsets) < 0):
        raise DataError(
            f"data {path}: found offsets that do not divide {values} values into {samples} "
            "samples, expected ascending ones from 0 to the end. Copy the file again."
        )
