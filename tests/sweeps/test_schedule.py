"""How many jobs run at once: by cores, by memory, and with how many threads."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
from support.sweep_functions import count

import neurosim as ns
from neurosim.sweeps import schedule
from neurosim.sweeps.grid import Point
from neurosim.sweeps.jobs import Outcome, Task
from neurosim.sweeps.schedule import Load, Machine, estimate, run_all, with_threads


def large(size, seed):
    """Return a network whose edges are foretold and never drawn: size * 1e6 of them."""
    net = ns.Network("large", dt="1 ms", seed=seed)
    cell = ns.Cell("v : 1", receives={"drive": ns.Port("1", into="v")})
    neurons = net.population("e", 1000 * size, cell)
    net.project(
        neurons,
        neurons,
        ns.fixed_indegree(1000),
        weight=ns.normal(1, 0.1),
        delay="1 ms",
        name="loop",
    )
    return net


def task(size: int, number: int = 0, **options) -> Task:
    return Task(
        Point({"size": size}, 0),
        large,
        count,
        "",
        "",
        "",
        time=1.0,
        backend="cpu",
        options=options,
        number=number,
    )


def test_a_job_takes_the_memory_of_its_network():
    # A target takes 2 bytes and a weight 8; edges are a million per unit of size.
    assert estimate(task(20)) - estimate(task(10)) == pytest.approx(10e6 * 10, rel=0.1)


def test_as_many_jobs_of_one_thread_as_cores_and_memory_allow(monkeypatch):
    monkeypatch.setattr(schedule, "cores", lambda: 4)
    small = Machine(4, 1e12).load_of(task(1))
    assert small.threads == 1 and not small.is_alone
    half = Machine(4, 2.5 * small.memory).load_of(task(1))
    assert half.threads == 2
    alone = Machine(4, 1.5 * small.memory).load_of(task(1))
    assert alone.threads == 4 and alone.is_alone


@pytest.mark.parametrize(("fits", "most"), [(10.0, 3), (2.5, 2), (0.5, 1)])
def test_jobs_wait_until_memory_suffices(monkeypatch, fits, most):
    monkeypatch.setattr(schedule, "cores", lambda: 3)
    need = Machine(3, 1.0).load_of(task(1)).memory
    room = Machine(3, fits * need)
    at_work: list[Future[Outcome]] = []
    highest = 0

    def submit(function, job):
        nonlocal highest
        future: Future[Outcome] = Future()
        at_work.append(future)
        highest = max(highest, len(at_work))
        if len(at_work) == most:
            at_work.pop(0).set_result(Outcome("done", str(job.number)))
        return future

    ended = run_all([task(1, number) for number in range(7)], submit, room=room)
    keys = []
    for _ in range(7 - most + 1):
        keys.append(next(ended)[1].key)
    assert highest == most
    while at_work:
        at_work.pop().set_result(Outcome("done", "last"))
    assert len(keys) + len(list(ended)) == 7 and room.at_work == 0 and room.taken == 0


def test_threads_are_given_to_engines_that_have_some():
    several = Load(1.0, 2, False)
    assert with_threads(task(1), several).options == {"threads": 2}
    assert with_threads(task(1, threads=3), several).options == {"threads": 3}
    assert with_threads(task(1, ranks=2), several).options == {"ranks": 2}
    # Alone, the engine chooses by what its steps cost.
    assert with_threads(task(1), Load(1.0, 4, True)).options == {}
    reference = Task(**{**vars(task(1)), "backend": "reference"})
    assert with_threads(reference, several).options == {}


def test_an_executor_that_takes_no_more_jobs_is_named(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    cluster = ThreadPoolExecutor(1)
    cluster.shutdown()
    with pytest.raises(ns.NetworkError, match="found an executor that takes no more jobs.*stored"):
        ns.sweep(large, {"size": [1]}, time="1 ms", measure=count, folder=tmp_path, cluster=cluster)


def test_an_error_of_an_executor_fails_its_job_alone():
    def submit(function, job):
        future: Future[Outcome] = Future()
        if job.number:
            future.set_result(Outcome("done", "key"))
        else:
            future.set_exception(ModuleNotFoundError("No module named 'mine'"))
        return future

    outcomes = dict(
        (job.number, outcome)
        for job, outcome in run_all([task(1, 0), task(1, 1)], submit, room=None)
    )
    assert outcomes[1].state == "done" and outcomes[0].failure is not None
    assert str(outcomes[0].failure) == "process: ModuleNotFoundError: No module named 'mine'"
