"""Arguments of operations by name: rows of the host hold them where compiled code reads them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import ModuleType

import pytest
from numba import njit

from neurosim.backends.cpu.kernels import operations
from neurosim.backends.cpu.kernels.intrinsics import load_arg
from neurosim.backends.cpu.kernels.operations import (
    CODES,
    HISTORY,
    OPERATIONS,
    WIDTH,
    Argument,
    Call,
    History,
    flatten,
    positions,
    row_of,
)
from neurosim.backends.cpu.plan.tables import Tables

# Every class of arguments, and the constants by which compiled code reads them.
READERS = {
    operations.Integrate: operations.INTEGRATE,
    operations.Call: operations.CALL,
    operations.Assign: operations.ASSIGN,
    operations.Collect: operations.COLLECT,
    operations.Replay: operations.REPLAY,
    operations.Static: operations.STATIC,
    operations.StaticShared: operations.STATIC_SHARED,
    operations.Events: operations.EVENTS,
    operations.Gather: operations.GATHER,
    operations.Gathered: operations.GATHERED,
    operations.Fold: operations.FOLD,
    operations.Reset: operations.RESET,
    operations.CatchUp: operations.CATCH_UP,
    operations.Spikes: operations.SPIKES,
    operations.SpikeValues: operations.SPIKE_VALUES,
    operations.Trace: operations.TRACE,
    operations.Signal: operations.SIGNAL,
    operations.DrawArguments: operations.DRAW,
    operations.DriveArguments: operations.DRIVE,
    operations.LandingArguments: operations.LANDING,
    operations.NoteArguments: operations.NOTES,
}


def numbered(arguments: type, first: int = 1000, step: int = 100) -> object:
    """Return arguments whose values are all different, by declared fields alone."""
    values: dict[str, object] = {}
    for n, declared in enumerate(fields(arguments)):
        value = first + step * n
        is_history = declared.type is History
        values[declared.name] = numbered(History, value, 1) if is_history else value
    return arguments(**values)


def constants() -> list[tuple[str, ModuleType]]:
    """Return the names of readers, in capitals, and these."""
    return [
        (n, v) for n, v in vars(operations).items() if isinstance(v, ModuleType) and n.isupper()
    ]


def sources(folder: str) -> list[Path]:
    """Return the files of a package of the engine."""
    return sorted((Path(operations.__file__).parents[1] / folder).glob("*.py"))


def misplaced(arguments: object, reader: ModuleType, row: list[Argument]) -> list[str]:
    """Return the fields whose value is not at the position by which the reader finds it."""
    wrong: list[str] = []
    for declared in fields(arguments):
        value, position = getattr(arguments, declared.name), getattr(reader, declared.name, None)
        if is_dataclass(value):
            wrong += misplaced(value, position, row) if position else [declared.name]
        elif position is None or not position < len(row) or row[position] != value:
            wrong.append(declared.name)
    return wrong


@pytest.mark.parametrize("arguments", READERS, ids=lambda c: c.__name__)
def test_every_argument_stands_where_the_reader_of_its_name_finds_it(arguments):
    instance = numbered(arguments)
    row = flatten(instance)
    assert misplaced(instance, READERS[arguments], row) == []
    assert len(row) == len(set(row)) == operations.length(arguments)


def test_every_operation_and_every_class_of_arguments_has_a_reader():
    declared = {c for c in vars(operations).values() if is_dataclass(c) and isinstance(c, type)}
    values = {operations.Size, operations.Pointer}
    assert declared - values - {operations.Barrier, History} == set(READERS)
    assert set(OPERATIONS) == {operations.Barrier, *READERS} - {
        operations.DrawArguments,
        operations.DriveArguments,
        operations.LandingArguments,
        operations.NoteArguments,
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda c: c.__name__)
def test_a_row_begins_with_the_code_of_its_operation_and_fits_its_width(operation):
    row = row_of(numbered(operation))
    assert row[0] == getattr(CODES, operation.__name__.lower())
    assert row[1:] == flatten(numbered(operation)) and len(row) <= WIDTH


def test_a_history_stands_first_so_that_one_reader_serves_all_operations():
    """`loop.spikes_at` reads `HISTORY` whatever operation the arguments are of."""
    with_history = [c for c in READERS if "history" in c.__annotations__]
    assert len(with_history) >= 7
    for arguments in with_history:
        instance = numbered(arguments)
        assert misplaced(instance.history, HISTORY, flatten(instance)) == []


def test_kernels_read_declared_arguments_alone():
    """Compiling would tell too, but only of kernels that a test happens to run."""
    readers = {name: c for c in READERS for name, r in constants() if r is READERS[c]}
    readers |= {"HISTORY": History}
    texts = [path.read_text() for folder in ("kernels", "codegen") for path in sources(folder)]
    read = {pair for text in texts for pair in re.findall(r"\b([A-Z_]+)\.([a-z]\w*)", text)}
    accessed = {(name, attribute) for name, attribute in read if name in readers}
    assert len(accessed) > 90
    undeclared = {
        f"{name}.{attribute}"
        for name, attribute in accessed
        if attribute not in readers[name].__annotations__
    }
    assert undeclared == set()


def test_the_plan_writes_every_declared_argument():
    """The same of the host: each call of a class names exactly its fields."""
    classes = {c.__name__: c for c in (*READERS, History)}
    calls = [
        (node.func.id, sorted(str(keyword.arg) for keyword in node.keywords))
        for path in sources("plan")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in classes
    ]
    assert {name for name, _ in calls} == set(classes)
    wrong = [(n, names) for n, names in calls if names != sorted(classes[n].__annotations__)]
    assert wrong == []


def test_compiled_code_reads_an_argument_by_its_name():
    events, landing = operations.EVENTS, operations.LANDING

    @njit
    def read(events_args, landing_args):
        return (
            load_arg(events_args, events.history.depth),
            load_arg(events_args, events.last_partition),
            load_arg(landing_args, landing.term),
        )

    # Tables read no memory for plain numbers.
    tables = Tables(memory=None)
    first, second = numbered(operations.Events), numbered(operations.LandingArguments)
    args = [tables.args(arguments) for arguments in (first, second)]
    addresses = [array.ctypes.data for array in args]
    expected = first.history.depth, first.last_partition, second.term
    assert read(*addresses) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel": 1, "args": 2, "start": 3},
        {"kernel": 1, "args": 2, "start": 3, "extent": 4, "step": 5},
        {"kernel": 1, "args": 2, "start": 3, "stop": 4},
    ],
    ids=["missing", "superfluous", "misnamed"],
)
def test_missing_and_misnamed_arguments_are_refused_by_the_writer(arguments):
    with pytest.raises(TypeError, match="extent|step|stop"):
        Call(**arguments)


def test_a_reader_of_another_order_or_without_a_field_is_noticed():
    """The check itself: readers of two faulty declarations of `Call`."""

    @dataclass(kw_only=True)
    class Swapped:
        kernel: int
        args: int
        extent: int
        start: int

    @dataclass(kw_only=True)
    class Incomplete:
        kernel: int
        args: int
        start: int

    call = numbered(Call)
    row = flatten(call)
    assert misplaced(call, positions(Swapped), row) == ["start", "extent"]
    assert misplaced(call, positions(Incomplete), row) == ["extent"]
