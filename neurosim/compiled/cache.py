"""Generated source and its compiled code on disk, so that a second start compiles nothing.

Files are readable; their folder depends on the engine, the versions of compilers, and the CPU.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

CORE = Path(__file__).parents[1]
CALLED = (
    "compiled/functions.py",
    "draws/compiled_edges.py",
    "draws/compiled_pairs.py",
    "draws/compiled_streams.py",
    "draws/sorting.py",
    "draws/streams.py",
    "expr/functions.py",
)  # files of the core that generated source calls

# A file is executed once per process, because its name has the hash of its contents.
_loaded: dict[Path, ModuleType] = {}


def root() -> Path:
    """Return the folder of all caches.

    It is ``neurosim`` in the folder that the environment names as ``NEUROSIM_CACHE``, else in the
    user's cache folder.
    """
    chosen = os.environ.get("NEUROSIM_CACHE")
    if chosen:
        return Path(chosen) / "neurosim"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "neurosim" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "neurosim"


@cache
def folder(engine: Path | None = None) -> Path:
    """Return the folder for the compiled code of an engine.

    If it cannot be written, it is a temporary folder that begins as a copy of it.

    Parameters
    ----------
    engine : Path, optional
        Folder of the engine's own sources; None: of the core.
    """
    wanted = root() / key(engine)
    if _writable(wanted):
        return wanted
    spare = Path(tempfile.gettempdir()) / f"neurosim-{_user()}" / key(engine)
    if not spare.exists() and wanted.is_dir():
        _copy(wanted, spare)
    return (
        spare if _writable(spare) and _mine(spare) else Path(tempfile.mkdtemp(prefix="neurosim-"))
    )


def _writable(path: Path) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(path, os.W_OK)


def _mine(path: Path) -> bool:
    """Return whether a folder among those of others is our own: its code will be run."""
    # The folder for temporary files is open to all users of a machine.
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()


def _copy(known: Path, path: Path) -> None:
    """Copy a folder under a temporary name, then rename it: other processes may copy it, too."""
    if not _writable(path.parent):
        return
    temporary = Path(tempfile.mkdtemp(dir=path.parent))
    for file in known.rglob("*"):
        if file.is_file():
            copy = temporary / file.relative_to(known)
            copy.parent.mkdir(exist_ok=True)
            shutil.copy2(file, copy)  # with its time, which Numba compares
    try:
        temporary.rename(path)
    except OSError:
        shutil.rmtree(temporary)


def clear() -> int:
    """Delete the caches of all engines and versions; return the number of files."""
    path = root()
    count = sum(1 for file in path.rglob("*") if file.is_file()) if path.is_dir() else 0
    shutil.rmtree(path, ignore_errors=True)
    # The next call has to make the folder again.
    folder.cache_clear()
    return count


def load(name: str, source: str, *, engine: Path | None = None) -> ModuleType:
    """Return the module of generated source, from its file if it is there.

    Parameters
    ----------
    name : str
        Begins the file's name, for readers; its hash makes it unique.
    source : str
    engine : Path, optional
        As for `folder`.
    """
    digest = hashlib.blake2b(source.encode(), digest_size=8).hexdigest()
    path = folder(engine) / f"{name}_{digest}.py"
    if path not in _loaded:
        if not path.exists():
            _write(path, source)
        _loaded[path] = _execute(f"neurosim_printed_{name}_{digest}", path)
    return _loaded[path]


def _execute(name: str, path: Path) -> ModuleType:
    loader = SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    if spec is None:
        raise ImportError(f"no module can be made of {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Numba finds the module of cached code by its name
    loader.exec_module(module)
    return module


def _write(path: Path, source: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "w") as file:
        file.write(source)
    # Two processes may write the same text: the last one replaces it by equal bytes.
    os.replace(temporary, path)


def key(engine: Path | None = None) -> str:
    """Return a hash of all that the machine code depends on besides the generated source.

    Numba does not notice edits in files that the source calls.
    """
    import llvmlite
    import llvmlite.binding as llvm
    import numba

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
                numba.__version__,
                llvmlite.__version__,
                sys.version,
                llvm.get_host_cpu_name(),
                features,
            )
        ).encode()
    )
    return digest.hexdigest()


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "user"
