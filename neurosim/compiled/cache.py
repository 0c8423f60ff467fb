"""Printed source on disk: readable files in a folder keyed by engine, versions and CPU, so that a second start compiles nothing."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

CORE = Path(__file__).parents[1]
CALLED = (
    "compiled/functions.py",
    "draws/compiled_edges.py",
    "draws/compiled_streams.py",
    "draws/sorting.py",
    "draws/streams.py",
    "expr/functions.py",
)  # what printed source calls of the core

_loaded: dict[
    Path, ModuleType
] = {}  # a file is executed once per process; what it holds never changes


def root() -> Path:
    """Return the folder of all caches: ``neurosim`` in the folder ``NEUROSIM_CACHE``, else in the user's cache folder."""
    given = os.environ.get("NEUROSIM_CACHE")
    if given:
        return Path(given) / "neurosim"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "neurosim" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "neurosim"


@cache
def folder(engine: Path | None = None) -> Path:
    """Return the folder of an engine (None: of the core); where it cannot be written, a temporary one that begins with what is there.

    Parameters
    ----------
    engine : folder of the engine's own sources
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
    """Whether a folder in a place that others share is not somebody else's, whose code would be run."""
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()


def _copy(known: Path, path: Path) -> None:
    """Make a folder with the files of another, all at once: other processes may be making it, too."""
    if not _writable(path.parent):
        return
    made = Path(tempfile.mkdtemp(dir=path.parent))
    for file in known.rglob("*"):
        if file.is_file():
            to = made / file.relative_to(known)
            to.parent.mkdir(exist_ok=True)
            shutil.copy2(file, to)  # with its time, by which Numba may know it
    try:
        made.rename(path)
    except OSError:
        shutil.rmtree(made)


def clear() -> int:
    """Delete everything that was cached, for all engines and versions; return the number of files."""
    path = root()
    count = sum(1 for file in path.rglob("*") if file.is_file()) if path.is_dir() else 0
    shutil.rmtree(path, ignore_errors=True)
    folder.cache_clear()
    return count


def load(name: str, source: str, *, engine: Path | None = None) -> ModuleType:
    """Return the module of printed source, from its file where it is known.

    Parameters
    ----------
    name : str
        Begins the file's name, for readers; its hash makes it unique.
    source : str
    engine : see `folder`
    """
    digest = hashlib.blake2b(source.encode(), digest_size=8).hexdigest()
    path = folder(engine) / f"{name}_{digest}.py"
    if path not in _loaded:
        if not path.exists():
            _write(path, source)
        spec = importlib.util.spec_from_file_location(f"neurosim_printed_{name}_{digest}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # Numba finds the module of cached code by its name
        spec.loader.exec_module(module)
        _loaded[path] = module
    return _loaded[path]


def _write(path: Path, source: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "w") as file:
        file.write(source)
    os.replace(
        temporary, path
    )  # two processes may write the same text; the last one wins with equal bytes


def key(engine: Path | None = None) -> str:
    """Digest of all that the machine code depends on, besides the printed source: Numba does not notice edits in called files."""
    import llvmlite
    import llvmlite.binding as llvm
    import numba

    digest = hashlib.blake2b(digest_size=8)
    for file in (
        *(sorted(engine.rglob("*.py")) if engine else ()),
        *(CORE / name for name in CALLED),
    ):
        digest.update(file.read_bytes())
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
