"""Generated source and its compiled code on disk, so that a second start compiles nothing.

Files are readable; their folder depends on the engine, the versions of compilers, and the CPU. A
damaged file is written again. Code is run from folders alone that nobody else could have written.
"""

from __future__ import annotations

import atexit
import hashlib
import linecache
import os
import shutil
import stat
import sys
import tempfile
import warnings
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from ..whole_files import remove, write_whole
from .machine_code import Function, functions_of, link, pack

CORE = Path(__file__).parents[1]
CALLED = (
    "compiled/addressed_arrays.py",
    "compiled/cache.py",
    "compiled/cached.py",
    "compiled/functions.py",
    "compiled/machine_code.py",
    "draws/compiled_edges.py",
    "draws/compiled_pairs.py",
    "draws/compiled_streams.py",
    "draws/sorting.py",
    "draws/streams.py",
    "expr/functions.py",
)  # files of the core that generated source calls, or that write its compiled code

_DIGEST = 16  # bytes in front of compiled code, by which damage is noticed

# A file is executed once per process, because its name has the hash of its contents.
_loaded: dict[tuple[Path | None, str], ModuleType] = {}
_linked: dict[tuple[Path | None, str], dict[str, Function]] = {}
_stores: dict[Path | None, Store] = {}  # by the engine's folder of sources
_warned: list[str] = []  # reasons of which this process has warned


def root() -> Path | None:
    """Return the folder of all caches; None if the user has no folder.

    It is ``neurosim`` in the folder that the environment names as ``NEUROSIM_CACHE``, else in the
    user's cache folder.
    """
    chosen = os.environ.get("NEUROSIM_CACHE")
    if chosen:
        return Path(chosen).absolute() / "neurosim"
    windows = sys.platform == "win32"
    users = os.environ.get("LOCALAPPDATA" if windows else "XDG_CACHE_HOME", "")
    # A path that depends on the current folder does not name the user's.
    if not os.path.isabs(users):
        # Without HOME, and of a user whom the system does not know, "~" stays as it is. An empty
        # one would name the top of all folders.
        home = os.path.expanduser("~") if os.environ.get("HOME", "~") else ""
        if not os.path.isabs(home):
            return None
        users = home if windows else os.path.join(home, ".cache")
    return Path(users) / ("neurosim/cache" if windows else "neurosim")


@dataclass(frozen=True)
class Store:
    """Files of one engine: read from one or two folders, written to one.

    Parameters
    ----------
    written : Path, optional
        None: nothing can be stored.
    read : tuple of Path
        In this order; the code in them may be run.
    reason : str
        Why files are not kept for the next process; empty: they are.
    """

    written: Path | None
    read: tuple[Path, ...]
    reason: str = ""

    def load(self, name: str) -> bytes | None:
        """Return the content that was saved, None if there is none or it is damaged."""
        for folder in self.read:
            content = _read(folder / name)
            if content is not None and content[:_DIGEST] == _digest(content[_DIGEST:]):
                return content[_DIGEST:]
        return None

    def save(self, name: str, data: bytes) -> None:
        """Store a content, from which `load` notices damage."""
        self.write(name, _digest(data) + data)

    def write(self, name: str, content: bytes) -> None:
        """Write a file in place of whatever has its name, if that is possible."""
        if self.reason:
            tell_once(self.reason)
        if self.written is None:
            return
        path = self.written / name
        try:
            if path.is_dir():
                remove(path)
            # Lost with a failure of power at worst: then it is compiled again.
            write_whole(path, lambda file: file.write(content), lasting=False)
        except OSError as error:
            tell_once(f"{path} cannot be written ({error.strerror or error})")


def tell_once(reason: str) -> None:
    """Warn that compiled code is not kept, in the first call of a process."""
    if not _warned:
        _warned.append(reason)
        warnings.warn(
            f"neurosim: compiled code is not kept, because {reason}; this run compiles what it "
            "needs. Make room or allow writing there, or name another folder in NEUROSIM_CACHE.",
            RuntimeWarning,
            stacklevel=2,
        )


@cache
def folder(engine: Path | None = None) -> Path | None:
    """Return the folder to which compiled code of an engine is written; None if there is none.

    Parameters
    ----------
    engine : Path, optional
        Folder of the engine's own sources that generated source calls; None: of the core.
    """
    _stores[engine] = _open(engine)
    return _stores[engine].written


def store(engine: Path | None = None) -> Store:
    """Return the store of compiled code of an engine; see `folder`."""
    folder(engine)
    return _stores[engine]


def _open(engine: Path | None) -> Store:
    """Return the store of an engine.

    If its folder cannot be written, or its code must not be run, a temporary folder takes its
    place, which is removed at the end of the process.
    """
    try:
        top = root()
    except OSError as error:  # the current folder is gone, to which a path is relative
        return _spare(f"the folder of NEUROSIM_CACHE cannot be told ({error.strerror or error})")
    if top is None:
        return _spare("there is no home folder")
    wanted = top / key(engine)
    try:
        top.parent.mkdir(parents=True, exist_ok=True)
        reason = _distrust_parent(top.parent)
        for folder_used in (top, wanted):
            if not reason:
                folder_used.mkdir(mode=0o700, exist_ok=True)
                reason = _distrust(folder_used)
    except OSError as error:
        return _spare(f"{wanted} cannot be made ({error.strerror or error})")
    if reason:
        return _spare(reason)
    if not os.access(wanted, os.W_OK | os.X_OK):
        return _spare(f"{wanted} cannot be written", wanted)
    return Store(wanted, (wanted,))


def _distrust_parent(folder: Path) -> str:
    """Return why folders in a folder could be exchanged by others; "" if they cannot."""
    mode = folder.stat().st_mode
    is_open = hasattr(os, "getuid") and mode & stat.S_IWOTH and not mode & stat.S_ISVTX
    return f"others may write {folder}" if is_open else ""


def _distrust(folder: Path) -> str:
    """Return why code in a folder must not be run: others could have put it there; "" if not."""
    if not hasattr(os, "getuid"):
        return ""
    status = folder.stat()
    # What the superuser has installed may be run.
    if status.st_uid not in (os.getuid(), 0):
        return f"{folder} belongs to another user"
    is_open = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return f"others may write {folder}" if is_open else ""


def _spare(reason: str, *read: Path) -> Store:
    """Return a store of this process alone, which also reads other folders."""
    try:
        # `mkdtemp` makes a folder that nobody else may enter.
        spare = Path(tempfile.mkdtemp(prefix="neurosim-"))
    except OSError:
        return Store(None, read, reason)
    process = os.getpid()

    def remove_spare() -> None:
        # A process that was forked ends before its parent.
        if os.getpid() == process:
            shutil.rmtree(spare, ignore_errors=True)

    atexit.register(remove_spare)
    return Store(spare, (spare, *read), reason)


def clear() -> int:
    """Delete the caches of all engines and versions; return the number of files."""
    path = root()
    count = 0
    if path is not None and path.is_dir():
        count = sum(1 for file in path.rglob("*") if file.is_file())
        shutil.rmtree(path, ignore_errors=True)
    # The next call has to make the folder again.
    folder.cache_clear()
    return count


def load(name: str, source: str, *, engine: Path | None = None) -> ModuleType:
    """Return the module of generated source, whose file is written for readers.

    Parameters
    ----------
    name : str
        Begins the file's name, for readers; its hash makes it unique.
    source : str
    engine : Path, optional
        As for `folder`.
    """
    files = store(engine)
    stem = _stem(name, source)
    entry = files.written, stem
    if entry not in _loaded:
        _loaded[entry] = _execute(stem, source, files)
    return _loaded[entry]


def functions(name: str, source: str, *, engine: Path | None = None) -> dict[str, Function]:
    """Return the functions of generated source that are called by address, by their names.

    The source is executed, and Numba imported, only if their machine code is not stored.

    Parameters
    ----------
    name, source : str
        As for `load`.
    engine : Path, optional
        As for `folder`.
    """
    files = store(engine)
    stem = _stem(name, source)
    entry = files.written, stem
    if entry not in _linked:
        _find(f"{stem}.py", source.encode(), files)
        code = files.load(f"{stem}.code")
        _linked[entry] = link(code) if code is not None else _compile(name, source, engine=engine)
    return _linked[entry]


def _compile(name: str, source: str, *, engine: Path | None) -> dict[str, Function]:
    module = vars(load(name, source, engine=engine))
    code = pack(module)
    if code is not None:
        store(engine).save(f"{_stem(name, source)}.code", code)
    return functions_of(module)


def _stem(name: str, source: str) -> str:
    return f"{name}_{hashlib.blake2b(source.encode(), digest_size=8).hexdigest()}"


def _execute(stem: str, source: str, files: Store) -> ModuleType:
    path = str(_find(f"{stem}.py", source.encode(), files))
    module = ModuleType(f"neurosim_printed_{stem}")
    module.__file__ = path
    # The text is compiled and not the file, which may be damaged; messages show these lines.
    linecache.cache[path] = len(source), None, source.splitlines(keepends=True), path
    module.__dict__["STORE"] = files  # where `compiled.cached` keeps machine code
    sys.modules[module.__name__] = module  # Numba finds the module of cached code by its name
    exec(compile(source, path, "exec"), module.__dict__)
    return module


def _find(name: str, content: bytes, files: Store) -> Path:
    """Return the path of a file with this content, which is written if there is none."""
    for directory in files.read:
        if _read(directory / name) == content:
            return directory / name
    files.write(name, content)
    return (files.written or Path("neurosim")) / name


def _read(path: Path) -> bytes | None:
    """Return the content of a file; None of whatever damage has put in its place."""
    # A folder, no permission, an error of the disk; a pipe or a device would be read for ever.
    with suppress(OSError):
        if path.is_file():
            return path.read_bytes()
    return None


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


def key(engine: Path | None = None) -> str:
    """Return a hash of all that the machine code depends on besides the generated source.

    Numba does not notice edits in files that the source calls.
    """
    import llvmlite.binding as llvm

    digest = hashlib.blake2b(digest_size=8)
    for file in (
        *(sorted(engine.rglob("*.py")) if engine else ()),
        *(CORE / name for name in CALLED),
    ):
        digest.update(file.read_bytes())
    # A home folder may be shared by machines with other instructions.
    features = str(sorted(llvm.get_host_cpu_features().items()))
    digest.update(
        repr(
            (
                version("numba"),
                version("llvmlite"),
                sys.version,
                llvm.get_host_cpu_name(),
                features,
            )
        ).encode()
    )
    return digest.hexdigest()
