"""Fetching data sets: from the usual mirrors, with checksums, each file whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import DataError
from ..whole_files import write_whole
from .catalogue import KNOWN
from .read import advice, describe_set, find_folder

WAIT = 30.0  # s without an answer


def fetch(name: str, *, folder: str | Path | None = None, progress: bool = True) -> Path:
    """Download the files of a data set that are missing or damaged.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    folder : path, optional
        Of all data sets; unless given, the environment variable NEUROSIM_DATA names it.
    progress : bool
        Show a bar.

    Returns
    -------
    Path
        The folder that holds the files.

    Raises
    ------
    DataError
        If the data set cannot be fetched, no mirror answers, or a file's checksum is wrong.
    """
    description = describe_set(name)
    if not description.mirrors:
        raise DataError(f"data {name!r}: found no mirror. {advice(name, description)}")
    home = find_folder(name, folder)
    for file, checksum in description.checksums:
        path = home / file
        # By content: a file of the right name may be half of one, or an older version.
        if path.is_file() and _checksum(path.read_bytes()) == checksum:
            continue
        content = _download(name, file, checksum, progress=progress)
        # Not before there is a file to put into it: a failure leaves no empty folder.
        home.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda out, content=content: out.write(content))
    return home


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _download(
    name: str,
    file: str,
    checksum: str,
    *,
    progress: bool,
) -> bytes:
    """Return the content of a file from the first mirror that has the right one."""
    reasons = []
    for mirror in KNOWN[name].mirrors:
        try:
            content = _read(mirror + file, progress=progress)
        except OSError as error:  # errors of addresses and answers are among them
            reasons.append(f"{mirror}: {error}")
            continue
        actual = _checksum(content)
        if actual == checksum:
            return content
        # The next mirror may still have the right one.
        reasons.append(f"{mirror}: a file with the checksum {actual}")
    raise DataError(
        f"data {name!r}, {file}: found {'; '.join(reasons)}; expected the file with the SHA-256 "
        f"{checksum}. Try again where there is a network, or copy the file into the folder."
    )


def _read(address: str, *, progress: bool) -> bytes:
    # Imported here: both are slow to load, and reading data sets needs neither.
    from urllib.request import urlopen

    from tqdm.auto import tqdm

    with urlopen(address, timeout=WAIT) as answer:
        # Not every server says how much it sends; then the bar counts without an end.
        size = int(answer.headers.get("Content-Length") or 0)
        bar = tqdm(
            total=size or None,
            unit="B",
            unit_scale=True,
            desc=address.rpartition("/")[2],
            disable=None if progress else True,
        )
        parts = []
        with bar:
            # In pieces, so that the bar moves.
            while part := answer.read(1 << 16):
                parts.append(part)
                bar.update(len(part))
    content = b"".join(parts)
    # A connection that breaks off looks like the end of the answer.
    if size and len(content) != size:
        raise OSError(f"the answer ended after {len(content)} of {size} bytes")
    return content
