"""Exceptions that leave a run: all that was computed counts, or the run refuses until it is
restored. Signals call their handlers between steps. One run serves one thread at a time.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import support.random_networks as rn
from support.cpu_networks import pairs
from support.messages import parts
from support.open_runs import network, prepared

import neurosim as ns
from neurosim.run import progress
from neurosim.run.guard import Guard
from neurosim.run.recorder import Recorder
from neurosim.run.signals import SignalQueue


class Stop(Exception):
    """Raised by handlers of the tests."""


def stop(number: int, frame: object) -> None:
    raise Stop


@contextmanager
def handler_of(number: int, handler: Callable | signal.Handlers) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(number, before)


def learning(backend: str) -> ns.Run:
    """Return a run whose post-spikes the cpu engine defers."""
    return ns.prepare(pairs(("post", "pre"), 0.0, "7 ms"), backend=backend)


def require_equal(run: ns.Run, make: Callable[[str], ns.Run], backend: str) -> None:
    """Compare everything with a run of as many steps that nothing disturbed."""
    expected = make(backend)
    expected.run(run.program.dt * run.step, progress=False)
    assert rn.differences(rn.outcome(expected), rn.outcome(run)) == []


@pytest.mark.parametrize("make", [prepared, learning])
def test_what_a_handler_raises_leaves_a_run_that_counts_all_it_computed(backend, make, monkeypatch):
    monkeypatch.setattr("neurosim.run.run._STRETCH", 0.002)
    run, moments = make(backend), random.Random(1)
    with handler_of(signal.SIGALRM, stop):
        for _ in range(40):
            with pytest.raises(Stop):
                signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-5, 4e-3))
                run.run("1000 s", progress=False)
        assert signal.getsignal(signal.SIGALRM) is stop
    run.run(run.program.dt, progress=False)
    require_equal(run, make, backend)


def test_signals_in_many_short_calls_leave_a_whole_run(backend):
    run, moments, stops = prepared(backend), random.Random(2), 0
    calls = 0
    with handler_of(signal.SIGALRM, stop):
        while stops < 60:
            try:
                signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-5, 4e-3))
                while True:
                    run.run(0.5, progress=False)
                    run.snapshot()
                    run.get("cells", "v")
                    calls += 1
            except Stop:
                stops += 1
    assert calls > 0
    require_equal(run, prepared, backend)


def test_sets_and_signals_of_rules_are_whole_or_not_made(backend):
    """Each draws or changes many arrays; a handler raises after the call, never within."""
    run, moments, stops = prepared(backend), random.Random(3), 0
    with handler_of(signal.SIGALRM, stop):
        while stops < 60:
            try:
                signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-5, 1e-3))
                while True:
                    run.set("cells", v=0.25, tau="10 ms", drive=[0.5, 0.6, 0.7, 0.8, 0.9])
                    run.emit("night")
            except Stop:
                stops += 1
                run.set("cells", drive="0.9 mV")
    run.run(5, progress=False)
    assert np.ptp(run.get("plastic", "z")) == 0


def test_handlers_may_read_and_save_a_run_that_works(backend, tmp_path, monkeypatch):
    run, seen = learning(backend), []
    advance = run.engine.advance

    def alarm(first: int, count: int, **more: bool) -> object:
        if first >= 64:
            os.kill(os.getpid(), signal.SIGALRM)
        return advance(first, count, **more)

    monkeypatch.setattr(run.engine, "advance", alarm)

    def save(number: int, frame: object) -> None:
        run.save(tmp_path / "state.npz")
        seen.append((run.step, run.get("learned", "w")))
        with pytest.raises(ns.NetworkError, match=parts("run: found a run that is running")):
            run.run(1, progress=False)
        raise Stop

    with handler_of(signal.SIGALRM, save), pytest.raises(Stop):
        run.run("1000 s", progress=False)
    ((step, weights),) = seen
    again = learning(backend)
    again.load(tmp_path / "state.npz")
    assert again.step == step == run.step and np.array_equal(again.get("learned", "w"), weights)
    require_equal(again, learning, backend)


def test_a_handler_of_ctrl_c_is_called_and_an_ignored_one_stays_ignored(backend, monkeypatch):
    monkeypatch.setattr("neurosim.run.run._STRETCH", 0.002)
    run, calls = prepared(backend), []

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with handler_of(signal.SIGINT, lambda number, frame: calls.append(number)):
        timer = threading.Timer(0.02, interrupt)
        timer.start()
        while not calls:
            run.run("10 ms", progress=False)
        timer.join()
    assert calls == [signal.SIGINT] and not run.interrupted
    with handler_of(signal.SIGINT, signal.SIG_IGN):
        interrupt()
        run.run("10 ms", progress=False)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert not run.interrupted


def test_all_handlers_are_called_even_if_the_first_raises():
    calls = []
    with (
        handler_of(signal.SIGUSR1, stop),
        handler_of(signal.SIGUSR2, lambda n, f: calls.append(n)),
        pytest.raises(Stop),
        SignalQueue() as queue,
    ):
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)
        time.sleep(0.01)
        assert queue and not calls
    assert calls == [signal.SIGUSR2]


def test_a_queue_that_could_not_leave_its_place_passes_signals_on_and_is_replaced():
    calls = []
    with handler_of(signal.SIGUSR1, lambda n, f: calls.append(n)):
        queue = SignalQueue()
        queue.install()
        queue._is_open = False
        os.kill(os.getpid(), signal.SIGUSR1)
        with SignalQueue():
            os.kill(os.getpid(), signal.SIGUSR1)
        assert len(calls) == 2 and signal.getsignal(signal.SIGUSR1) != queue.collect
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_handlers_that_change_between_two_verbs_wait_for_the_end_of_the_second():
    guard = Guard("network")
    calls = []

    def arrive(number: int) -> int:
        """Return how often handlers were called while a verb worked."""
        calls.clear()
        with guard.working("set"):
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            within = len(calls)
        return within

    with handler_of(signal.SIGUSR1, lambda n, f: calls.append("first")):
        assert arrive(signal.SIGUSR1) == 0 and calls == ["first"]
        signal.signal(signal.SIGUSR1, lambda n, f: calls.append("second"))
        assert arrive(signal.SIGUSR1) == 0 and calls == ["second"]
        with handler_of(signal.SIGUSR2, lambda n, f: calls.append("other")):
            assert arrive(signal.SIGUSR2) == 0 and calls == ["other"]
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        assert arrive(signal.SIGUSR1) == 0 and calls == []
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN


def test_a_handler_that_was_replaced_in_a_run_stays_replaced():
    def replace(number: int, frame: object) -> None:
        signal.signal(signal.SIGUSR1, stop)

    with handler_of(signal.SIGUSR1, replace):
        with SignalQueue():
            os.kill(os.getpid(), signal.SIGUSR1)
        assert signal.getsignal(signal.SIGUSR1) is stop


# ---- exceptions in the midst of a step or change

REFUSED = {
    "run": lambda run, path: run.run(1, progress=False),
    "get": lambda run, path: run.get("learned", "w"),
    "edges": lambda run, path: run.edges("learned"),
    "set": lambda run, path: run.set("learned", w=1.0),
    "reset": lambda run, path: run.reset("learned"),
    "snapshot": lambda run, path: run.snapshot(),
    "save": lambda run, path: run.save(path / "refused.npz"),
}


def torn(run: ns.Run, monkeypatch: pytest.MonkeyPatch, time: str = "40 ms") -> None:
    """Let memory advance in a call whose recording fails."""

    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as context, pytest.raises(MemoryError):
        context.setattr(Recorder, "append", fail)
        run.run(time, progress=False)


@pytest.mark.parametrize("mend", ["restore", "restore with its clock", "load"])
def test_a_run_torn_within_a_stretch_refuses_until_it_is_restored(
    fast_backend, mend, tmp_path, monkeypatch
):
    """On the engine that puts off work: the others leave nothing undone between two steps."""
    backend = fast_backend
    run = learning(backend)
    run.run("20 ms", progress=False)
    snapshot = run.snapshot()
    run.save(tmp_path / "state.npz")
    before = rn.outcome(run)
    torn(run, monkeypatch)
    for verb, use in REFUSED.items():
        with pytest.raises(
            ns.NetworkError,
            match=parts(
                f"{verb}: found a run of ",
                "that is no longer whole (an exception left 'run' within a change)",
                "Restore a snapshot, or load a file;",
            ),
        ):
            use(run, tmp_path)
    result = run.result()
    assert result.header["steps"] == 200 and result.header["finished"] is False
    if mend == "load":
        run.load(tmp_path / "state.npz")
    else:
        run.restore(snapshot, clock=mend != "restore")
    assert rn.differences(before, rn.outcome(run)) == []
    run.run("20 ms", progress=False)
    require_equal(run, learning, backend)


def test_a_set_that_fails_half_way_is_refused_further_use(backend, monkeypatch):
    run = prepared(backend, 5)
    snapshot = run.snapshot()
    with monkeypatch.context() as context, pytest.raises(MemoryError):
        context.setattr(run.engine, "refresh", lambda: (_ for _ in ()).throw(MemoryError))
        run.set("cells", v=0.5)
    with pytest.raises(ns.NetworkError, match=parts("an exception left 'set' within a change")):
        run.get("cells", "v")
    run.restore(snapshot)
    run.run(5, progress=False)
    require_equal(run, prepared, backend)


def test_a_refused_call_leaves_a_whole_run(backend):
    run = prepared(backend, 5)
    for call in (
        lambda: run.set("cells", nothing=1.0),
        lambda: run.reset("cells", "nothing"),
        lambda: run.emit("nothing"),
        lambda: run.restore(
            prepared("reference", 1, pairs(("pre", "post"), 0.0, "7 ms")).snapshot()
        ),
        lambda: run.run("0.3 ms"),
    ):
        with pytest.raises(ns.NetworkError):
            call()
    run.run(5, progress=False)
    require_equal(run, prepared, backend)


def test_a_run_that_ended_with_a_wrong_value_can_be_read_and_restored_only(backend):
    net = ns.Network("net", dt=1)
    cell = ns.Cell("v : 1", step="v = v * 1e200", initial={"v": 1.0}, name="bursting")
    net.record(net.population("cells", 1, cell), "v")
    run = ns.prepare(net, backend=backend)
    snapshot = run.snapshot()
    with pytest.raises(ns.SimulationError):
        run.run(5, progress=False)
    assert np.isinf(run.get("cells", "v")).all() and run.result().header["steps"] == 1
    with pytest.raises(ns.NetworkError, match=parts("no longer whole (v of population 'cells', ")):
        run.run(1, progress=False)
    run.restore(snapshot, clock=True)
    run.set("cells", v=1e-200)
    run.run(1, progress=False)
    assert run.result()["cells"].trace("v").values.tolist() == [[1e-200 * 1e200]]


def test_an_error_of_the_progress_bar_leaves_a_whole_run(backend, monkeypatch):
    run = learning(backend)

    @contextmanager
    def broken(*_: object, **options: object) -> Iterator[Callable[[int], None]]:
        def fail(count: int) -> None:
            raise BrokenPipeError

        yield fail

    with monkeypatch.context() as context, pytest.raises(BrokenPipeError):
        context.setattr("neurosim.run.run.bar", broken)
        run.run("40 ms")
    assert 0 < run.step < 400 and progress.bar is not broken
    require_equal(run, learning, backend)


def test_exceptions_thrown_by_another_thread_leave_a_run_that_is_right_or_refuses(
    backend, monkeypatch
):
    """As programs that limit the time of a function do: at any instruction of Python."""
    monkeypatch.setattr("neurosim.run.run._STRETCH", 0.001)
    run, moments = learning(backend), random.Random(4)
    snapshot = run.snapshot()
    me = ctypes.c_ulong(threading.get_ident())

    def throw() -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(me, ctypes.py_object(Stop))

    refused = 0
    for _ in range(30):
        timer = threading.Timer(moments.uniform(1e-4, 3e-3), throw)
        with pytest.raises(Stop):
            timer.start()
            run.run("1000 s", progress=False)
        timer.join()
        try:
            run.run(run.program.dt, progress=False)
        except ns.NetworkError:
            refused += 1
            run.restore(snapshot, clock=True)
        assert len(run.result()["learned"].trace("w").values) == run.step // 70
    require_equal(run, learning, backend)


# ---- threads


def test_one_run_is_used_by_one_thread_at_a_time(backend):
    run, errors = prepared(backend), []
    with handler_of(signal.SIGALRM, stop):

        def use() -> None:
            while run.step == 0:
                time.sleep(1e-3)
            for verb in (
                lambda: run.run(1, progress=False),
                lambda: run.set("cells", v=9.0),
                lambda: run.get("cells", "v"),
                run.result,
            ):
                try:
                    verb()
                except ns.NetworkError as error:
                    errors.append(str(error))
            os.kill(os.getpid(), signal.SIGALRM)

        other = threading.Thread(target=use)
        other.start()
        with pytest.raises(Stop):
            run.run("10000 s", progress=False)
        other.join()
    assert len(errors) == 4
    assert errors[0] == (
        "run: found the run of 'net' in use by another thread, expected one thread at a time. "
        "Wait for it, or prepare a run for each thread."
    )
    compared = min(run.step, 500)
    expected = prepared(backend, compared).result()["cells"].trace("v").values
    assert np.array_equal(run.result()["cells"].trace("v").values[:compared], expected)


def test_threads_may_use_a_run_one_after_the_other(backend):
    run = ns.prepare(network(), backend=backend)
    for _ in range(2):
        thread = threading.Thread(target=lambda: run.run(2, progress=False))
        thread.start()
        thread.join()
    assert run.step == 8
    require_equal(run, prepared, backend)
