"""A long run written to a folder part by part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import NetworkError
from ..whole_files import remove_unfinished
from . import files
from .recording import Recording


class RecordingWriter:
    """Writes parts of a run to a folder: memory stays bounded, and a crash loses one part at most.

    Parameters
    ----------
    folder : path
        New or empty.
    header : mapping
        As that of `Recording`; "finished" stays False until `close`.

    Raises
    ------
    NetworkError
        If the folder holds other files.
    """

    def __init__(self, folder: str | Path, header: Mapping[str, Any]) -> None:
        self.folder = files.read_path(folder, where="stream")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_unfinished(self.folder)
            is_empty = not any(self.folder.iterdir())
        except OSError as error:
            raise NetworkError(
                f"folder {self.folder}: cannot be used ({error.strerror or error}), expected a new "
                "or empty folder. Choose another one, or allow writing there."
            ) from error
        if not is_empty:
            raise NetworkError(
                f"folder {self.folder}: it holds other files; expected a new or empty folder. "
                "Choose another one."
            )
        self.parts = 0
        # Written before the first part: if the process is killed, the folder says that it is
        # unfinished.
        self._write_header(dict(header) | {"finished": False})

    def append(self, part: Recording) -> Path:
        """Write the next part, whole or not at all, and return its path.

        Parameters
        ----------
        part : Recording
            "first" and "steps" of its header say where it belongs.
        """
        path = part.save(self.folder / f"part-{self.parts:08d}.npz")
        # Counted after it is on disk: if writing fails, the next attempt takes the same number.
        self.parts += 1
        return path

    def close(self, header: Mapping[str, Any]) -> None:
        """Replace the header by that of the finished run: "finished" unless it says otherwise."""
        # A run that was interrupted says so in its own header, which wins here.
        self._write_header({"finished": True} | dict(header))

    def _write_header(self, header: dict[str, Any]) -> None:
        # Atomically, as parts are: a reader never meets half a header while the run goes on.
        text = files.seal(header, "recording", where=str(self.folder))
        files.write_atomically(self.folder / files.HEADER, lambda file: file.write(text.encode()))
