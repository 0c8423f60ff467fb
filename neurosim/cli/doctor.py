"""The installation: packages, rivals for the import name, models, backends and compiled code."""

from __future__ import annotations

import platform
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import (
    Distribution,
    EntryPoint,
    PackageNotFoundError,
    distributions,
    entry_points,
    requires,
    version,
)
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from ..distribution import DISTRIBUTION


class Package(NamedTuple):
    """A package that neurosim uses.

    Attributes
    ----------
    feature : str
        "core", or the extra that needs it.
    name, needs : str
        As in the metadata: "numpy" and ">=2.0".
    version : str or None
        None: it is missing.
    """

    feature: str
    name: str
    needs: str
    version: str | None


class Cache(NamedTuple):
    """Compiled code of a backend.

    Attributes
    ----------
    backend : str
    folder : path
        Of the code of this version.
    clear : () -> int
        Removes the code of all versions and returns the number of files.
    """

    backend: str
    folder: Path
    clear: Callable[[], int]


def packages() -> list[Package]:
    """Return the packages that the metadata of neurosim names, core and extras."""
    rows = []
    for line in requires(DISTRIBUTION) or ():
        requirement, _, marker = line.partition(";")
        # Three expressions do for our own metadata; a full parser would be one more dependency.
        name = re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0]
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", marker)
        feature = extra[1] if extra else "core"
        needs = requirement.strip().removeprefix(name)
        rows.append(Package(feature, name, needs, _version(name)))
    return rows


def install_command(missing: list[Package]) -> str:
    """Return the command that installs missing packages for this Python."""
    # Not the bare word pip, which may belong to another Python; quoted, since ">" redirects.
    command = [sys.executable, "-m", "pip", "install"]
    # Two extras may need the same package.
    command += dict.fromkeys(f"{package.name}{package.needs}" for package in missing)
    return shlex.join(command)


def rivals() -> list[Distribution]:
    """Return the other distributions that are named neurosim or bring a package of this name.

    The package index has one. pip lets it overwrite our files, and the reverse.
    """
    return [distribution for distribution in distributions() if _is_rival(distribution)]


def advice(rival: Distribution) -> str:
    """Return one line on the harm that another distribution does, and one with the remedy."""
    pip = f"{shlex.quote(sys.executable)} -m pip"
    return (
        f"{rival.name} {rival.version} in {rival.locate_file('')} is another distribution that is "
        "imported as 'neurosim': files of one may replace files of the other.\n"
        f"  to mend it: {pip} uninstall {rival.name}, "
        f"and in the checkout of {DISTRIBUTION}: {pip} install --force-reinstall --no-deps ."
    )


def models() -> list[tuple[str, str]]:
    """Return name and summary of every model and network, or why it cannot be loaded."""
    return [(entry.name, _summary(loaded)) for entry, loaded in _loaded("neurosim.models")]


def _summary(loaded: Any) -> str:
    if isinstance(loaded, str):
        return loaded
    if hasattr(loaded, "summary"):
        return loaded.summary
    # Of a function that builds a network: the first sentence of its docstring.
    sentence = (loaded.__doc__ or "").partition("\n")[0].removeprefix("Return ")
    return f"Network without experiments: {sentence}"


def backends() -> list[tuple[str, str, str]]:
    """Return name, status and summary of every backend; the status says what is missing."""
    rows = []
    for entry, loaded in _loaded("neurosim.backends"):
        if isinstance(loaded, str):
            rows.append((entry.name, "broken", loaded))
            continue
        missing = loaded.missing()
        if missing is None:
            rows.append((entry.name, "installed", loaded.summary))
        else:
            rows.append((entry.name, "missing", missing))
    return rows


def caches() -> list[Cache]:
    """Return the compiled code of the backends that keep any.

    Their modules ``cache`` offer ``folder()`` and ``clear()``.
    """
    rows = []
    for entry in sorted(entry_points(group="neurosim.backends")):
        try:
            # By convention, not by a table: this module knows no backend.
            if find_spec(f"{entry.module}.cache"):
                cache = import_module(f"{entry.module}.cache")
                folder = cache.folder()
                if folder is not None:
                    rows.append(Cache(entry.name, Path(folder), cache.clear))
        except ImportError:  # a backend whose packages are missing compiles nothing
            continue
    return rows


def size(folder: Path) -> tuple[int, float]:
    """Return the number of files below a folder, and their size in MB."""
    # Numba writes many small files: both numbers help to decide whether to clear them.
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes) / 1e6


def machine() -> str:
    """Return one line on Python and the machine."""
    system = f"{platform.system()} {platform.machine()}"
    return f"neurosim {version(DISTRIBUTION)}, Python {platform.python_version()}, {system}"


def _is_rival(other: Distribution) -> bool:
    if _normal(other.name) == DISTRIBUTION:
        return False
    if Path(str(other.locate_file("pyproject.toml"))).exists():
        return False  # a build left its metadata in a checkout; nothing is installed from there
    # Older metadata lists packages in a file of its own, newer only the files that were installed.
    listed = (other.read_text("top_level.txt") or "").split()
    folders = {path.parts[0] for path in other.files or ()}
    return "neurosim" in {_normal(other.name), *listed, *folders}


def _normal(name: str) -> str:
    """Return a distribution's name as the index compares it."""
    return re.sub("[-_.]+", "-", name).lower()


def _loaded(group: str) -> Iterator[tuple[EntryPoint, Any]]:
    """Yield entry points with what they name, or with the reason why it cannot be loaded."""
    for entry in sorted(entry_points(group=group)):
        try:
            yield entry, entry.load()
        # A broken installation of one must not hide the others: its reason is part of the list.
        except (ImportError, AttributeError) as error:
            yield entry, f"cannot be loaded: {error}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
