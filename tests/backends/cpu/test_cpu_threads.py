"""Threads of the CPU engine: they stop at the same step, wait without hanging, and are only as many
as save time.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
import weakref

import numpy as np
import pytest
from support.cpu_networks import plastic
from support.stepping import COUNTER

import neurosim as ns
from neurosim.backend.engine import NothingDone
from neurosim.backends.cpu.threads.cores import Cores
from neurosim.backends.cpu.threads.pace import Pace
from neurosim.backends.cpu.threads.partitions import first_neurons
from neurosim.models.balanced_networks import coba, cuba, izhikevich_2003


@pytest.mark.parametrize("threads", [1, 2])
def test_no_spike_is_lost_when_the_buffer_of_a_stretch_is_full(threads):
    """2000 neurons that fire in every step fill the room for 65536 spikes after 31 of 50 steps."""
    net = ns.Network("all", dt="1 ms")
    net.record(
        net.population("p", 2000, ns.Cell("n : 1", step="n = n + 1", spike="n > 0")), "spikes"
    )
    run = ns.prepare(net, backend="cpu", threads=threads)
    assert run.engine.advance(0, 50).steps < 50
    run = ns.prepare(net, backend="cpu", threads=threads)
    run.run("50 ms")
    spikes = run.result()["p"].spikes
    assert np.array_equal(spikes.step, np.repeat(np.arange(50), 2000))
    assert np.array_equal(spikes.index, np.tile(np.arange(2000), 50))


def test_threads_stop_at_the_same_step_when_a_value_is_no_longer_finite():
    """The neuron that explodes belongs to one partition; the recording ends with the last whole
    step in both.
    """
    net = ns.Network("explosion", dt="1 ms")
    p = net.population("p", 200, ns.Cell("v : 1", step="v = v * v", initial={"v": 0.5}))
    net.record(p[:3], "v")
    ends = []
    for backend, options in (("reference", {}), ("cpu", {"threads": 1}), ("cpu", {"threads": 2})):
        run = ns.prepare(net, backend=backend, **options)
        run.set(p[150:151], v=2.0)
        with pytest.raises(
            ns.SimulationError,
            match=r"population 'p', neuron 150: v is inf at 10 ms, expected a finite value",
        ) as error:
            run.run("50 ms")
        ends.append(
            (error.value.time, error.value.recording["p"].trace("v").values.shape, run.step)
        )
    assert ends == [(10.0, (9, 3), 9)] * 3


def test_two_threads_end_many_short_runs_while_another_thread_is_busy():
    """A barrier that waits without freeing its core would hang here if cores are few."""
    run = ns.prepare(plastic(), backend="cpu", threads=2)
    busy, done = threading.Event(), threading.Event()

    def burn() -> None:
        while not busy.is_set():
            sum(range(1000))

    def many() -> None:
        for _ in range(150):
            run.run("0.3 ms", progress=False)
        done.set()

    threads = [
        threading.Thread(target=burn, daemon=True),
        threading.Thread(target=many, daemon=True),
    ]
    for thread in threads:
        thread.start()
    finished = done.wait(60)
    busy.set()
    assert finished and run.step == 450


def test_the_pace_takes_what_costs_less_and_notices_when_that_changes():
    pace, seconds = Pace((1, 2)), {1: 2e-6, 2: 1e-6}

    def stretch() -> list[int]:
        pace.begin()
        left, done = 100_000, []
        while left:
            threads, steps = pace.piece(left)
            pace.learn(threads, steps, steps * seconds[threads])
            left -= steps
            done += [threads] * steps
        return done

    def share() -> float:
        return np.mean(stretch()) - 1  # of the steps, on two threads

    assert all(share() > 0.9 for _ in range(40))
    seconds[2] = 1e-3
    assert share() > 0.9  # it knows only now, and one slow stretch may be an accident
    seconds[2] = 1e-6
    assert all(share() > 0.9 for _ in range(10))
    seconds[2] = 1e-3
    assert [share() > 0.5 for _ in range(20)].count(True) == 2
    assert share() < 0.1
    seconds[2] = 1e-6
    assert [share() > 0.9 for _ in range(20)][-2:] == [True, True]
    assert sum(pace.steps.values()) == 92 * 100_000 and pace.steps[2] > pace.steps[1] > 0


def test_a_large_network_is_prepared_for_two_threads_and_gives_the_bits_of_one():
    def spikes(**options: int) -> tuple[ns.Run, np.ndarray]:
        run = ns.prepare(cuba(10_000, seed=2), backend="cpu", **options)
        run.run("60 ms", progress=False)
        return run, run.result()["neurons"].spikes

    run, recorded = spikes()
    assert run.engine.partitions == min(2, len(os.sched_getaffinity(0)))
    assert recorded == spikes(threads=1)[1] and recorded.index.size > 1000


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
@pytest.mark.parametrize(
    ("build", "threads"),
    [
        (lambda: cuba(1000), 1),
        (lambda: cuba(10_000), 2),
        (lambda: coba(4000), 2),
        (lambda: izhikevich_2003(), 2),
    ],
    ids=["few neurons", "many neurons", "costly neurons", "many edges"],
)
def test_a_network_has_two_partitions_if_a_step_takes_much_longer_than_a_barrier(build, threads):
    assert ns.prepare(build(), backend="cpu").engine.partitions == threads


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two cores, and Linux to choose one",
)
def test_a_thread_whose_core_is_taken_moves_and_is_not_bound_to_its_new_core():
    """Both threads begin on the same core: bound there, and free again before they take cores."""
    allowed = os.sched_getaffinity(0)
    cores, allowed_after, one = Cores(), [], min(allowed)

    def begin() -> None:
        os.sched_setaffinity(0, {one})
        os.sched_setaffinity(0, allowed)
        cores.take()
        allowed_after.append(os.sched_getaffinity(0))

    for _ in range(2):
        thread = threading.Thread(target=begin)
        thread.start()
        thread.join()
    assert len(cores.taken) == 2 and allowed_after == [allowed, allowed]


def test_ranges_of_neurons_are_whole_lines_and_cover_all_for_any_number_of_partitions():
    """Rounded to a multiple of 64, a range must not end beyond the last neuron, as that of 60
    neurons in three partitions would.
    """
    for size in range(1, 700):
        for partitions in range(1, 10):
            bounds = first_neurons(size, partitions)
            assert bounds[0] == 0
            assert bounds[-1] == size
            assert bounds.size == partitions + 1
            assert (np.diff(bounds) >= 0).all()
            assert all(b % 64 == 0 for b in bounds[:-1] if b < size)


@pytest.mark.parametrize("threads", [3, 8])
def test_more_threads_than_lines_of_neurons_give_the_bits_of_one(threads):
    outcomes = []
    for number in (1, threads):
        run = ns.prepare(plastic(), backend="cpu", threads=number)
        run.run("20 ms", progress=False)
        outcomes.append(
            (run.result()["a"].spikes, run.result()["b"].spikes, run.get("learned", "w").tobytes())
        )
    assert outcomes[0] == outcomes[1] and outcomes[0][1].index.size > 0


def test_states_that_a_rule_reads_are_reset_after_all_threads_have_read_them():
    """All edges end in the first partition. The second, which has none to deliver, must not reset
    its neurons, from 64 on, before the first has read their v of 1. Sines make the delivery so long
    that both threads run meanwhile, even on one core.
    """
    net = ns.Network("reading", dt="1 ms")
    firing = net.population(
        "a", 128, ns.Cell("v : 1", step="v = v + 1", spike="v > 0", after_spike="v = 0")
    )
    counting = net.population("b", 4096, COUNTER)
    slow = "sin(sin(sin(sin(sin(sin(sin(sin(w))))))))"
    rule = ns.Rule(edge="w : 1", handlers=[("pre", f"out += v_pre + 0 * {slow}")], name="reading")
    net.project(firing, counting[:2048], ns.all_to_all(), weight=1.0, rule=rule, name="learned")
    run = ns.prepare(net, backend="cpu", threads=2)
    run.run("11 ms", progress=False)
    assert np.array_equal(run.get("b", "v"), np.repeat([10.0 * 128, 0.0], 2048))


def ended(run: ns.Run) -> BaseException | None:
    """Run for 5 ms; return the error. A run that hangs fails the test and is left behind."""
    raised: list[BaseException | None] = []

    def go() -> None:
        try:
            run.run("5 ms", progress=False)
            raised.append(None)
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=go, name="caller", daemon=True)
    thread.start()
    thread.join(60)
    assert raised, "the run hangs"
    return raised[0]


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("failing", ["the caller", "another", "none to start"])
def test_if_a_thread_fails_before_it_begins_the_run_ends_with_its_error_and_stays_whole(
    number, failing, monkeypatch
):
    """Threads begin together, or not at all: nothing was done if one cannot."""
    run, expected = (ns.prepare(plastic(), backend="cpu", threads=number) for _ in range(2))
    take, start, failed = Cores.take, threading.Thread.start, []

    def fail_to_take(cores: Cores) -> None:
        if (threading.current_thread().name == "caller") == (
            failing == "the caller"
        ) and not failed:
            failed.append(True)
            raise RuntimeError("planted")
        take(cores)

    def fail_to_start(thread: threading.Thread) -> None:
        if thread.name.endswith(f"_{number - 2}"):  # the last of the pool
            raise RuntimeError("planted")
        start(thread)

    with monkeypatch.context() as planted:
        if failing == "none to start":
            planted.setattr(threading.Thread, "start", fail_to_start)
        else:
            planted.setattr(Cores, "take", fail_to_take)
        error = ended(run)
        assert str(error) == "planted" and type(error) is RuntimeError and run.step == 0
        assert not isinstance(error.__context__, NothingDone)
    for one in (run, expected):
        assert ended(one) is None and ended(one) is None
    assert run.step == 100
    assert run.result()["b"].spikes == expected.result()["b"].spikes
    assert expected.result()["b"].spikes.index.size > 0


def test_statements_at_times_are_not_run_twice_if_a_thread_fails_after_them(monkeypatch):
    net = plastic()
    net.every("1 ms", net.populations["b"], "v = v + 0.1*mV")
    run = ns.prepare(net, backend="cpu", threads=2)
    before = run.snapshot()
    with monkeypatch.context() as planted:
        planted.setattr(Cores, "take", lambda _: exec("raise RuntimeError('planted')"))
        assert str(ended(run)) == "planted" and run.step == 0
    with pytest.raises(ns.NetworkError, match="no longer whole"):
        run.run("1 ms")
    run.restore(before)
    assert ended(run) is None


def test_a_thread_that_may_not_move_stays_on_its_core(monkeypatch):
    """A container may forbid it, or the cores that are allowed may change meanwhile."""

    def refuse(*arguments: object) -> None:
        raise PermissionError("planted")

    monkeypatch.setattr("neurosim.backends.cpu.threads.cores.current_core", lambda: 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", refuse, raising=False)
    cores = Cores()
    for _ in range(2):
        cores.take()
    assert cores.taken == {0}


@pytest.mark.process
@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="needs a system that forks"
)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_run_continues_in_a_forked_process_which_has_none_of_its_threads():
    run = ns.prepare(plastic(), backend="cpu", threads=2)
    run.run("10 ms", progress=False)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def go() -> np.ndarray:
        run.run("20 ms", progress=False)
        spikes = run.result()["b"].spikes
        return np.stack([spikes.step, spikes.index])

    child = context.Process(target=lambda: sender.send(go()))
    child.start()
    try:
        assert receiver.poll(60), "the child hangs"
        received = receiver.recv()
    finally:
        child.kill()
        child.join()
    assert np.array_equal(received, go()) and received[0].max() >= 100


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_that_is_dropped_frees_its_arrays_without_the_garbage_collector(threads):
    gc.collect()
    gc.disable()
    try:
        run = ns.prepare(plastic(), backend="cpu", threads=threads)
        run.run("5 ms", progress=False)
        run.set(run.owners["a"][3:6], rest="-40 mV")  # prepares the engine again
        run.run("5 ms", progress=False)
        held = [
            weakref.ref(owner) for owner in (run.engine, run.memory, run.memory["learned", "w"])
        ]
        del run
        assert [owner() for owner in held] == [None] * 3
    finally:
        gc.enable()
