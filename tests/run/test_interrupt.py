"""Ctrl-C ends a run between two steps, and what was recorded is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from support.cpu_networks import pairs, same_bits
from support.open_runs import network, prepared, states

import neurosim as ns
from neurosim.run.signals import SignalQueue


def interrupt_soon() -> threading.Timer:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def test_a_run_looks_up_as_seldom_as_the_one_before_it_learned_to(monkeypatch):
    """As often as it must, when steps come to take longer than a look may wait."""
    run, counts = prepared("reference"), []
    advance = run.engine.advance
    monkeypatch.setattr(
        run.engine,
        "advance",
        lambda first, count, **more: counts.append(count) or advance(first, count, **more),
    )
    for longest, steps in ((1e9, 100), (1e9, 150), (0.0, 3), (0.0, 3)):
        monkeypatch.setattr("neurosim.run.run._STRETCH", longest)
        run.run(0.5 * steps, progress=False)
    assert counts == [64, 36, 150, 3, 1, 1, 1]


def test_an_interrupt_ends_a_run_between_two_steps_and_the_run_may_go_on(backend):
    run = prepared(backend)
    timer = interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        run.run("10000 s", progress=False)
    timer.join()
    reached = run.step
    assert 0 < reached < 2e7 and run.result().header["finished"] is False
    assert len(run.result()["cells"].trace("v").values) == reached
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    held = {key: array for key, array in states(run).items() if key != "step"}
    assert all(np.isfinite(a).all() for a in held.values() if a.dtype.kind == "f")
    run.run(10, progress=False)
    assert run.step == reached + 20 and run.result().header["finished"] is True
    compared = min(reached, 200)
    expected = prepared(backend, compared).result()["cells"].trace("v").values
    assert run.result()["cells"].trace("v").values[:compared].tolist() == expected.tolist()


def test_an_interrupted_simulation_returns_what_was_recorded(backend, capsys):
    timer = interrupt_soon()
    result = ns.simulate(network(), "10000 s", backend=backend, progress=False)
    timer.join()
    assert result.header["finished"] is False
    assert len(result["cells"].spikes) > 0
    assert result.header["steps"] == len(result["cells"].trace("v").values)
    assert "interrupted at" in capsys.readouterr().err


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_ctrl_c_at_a_process_ends_it_cleanly_with_what_was_recorded(backend, tmp_path):
    script = textwrap.dedent(f"""
        import sys
        import neurosim as ns
        net = ns.Network("net", dt=1)
        cell = ns.Cell("v : 1", step="v += 0.4", spike="v > 1", after_spike="v = 0")
        cells = net.population("cells", 3, cell)
        net.record(cells, "spikes")
        run = ns.prepare(net, backend={backend!r})
        print("ready", flush=True)
        try:
            run.run("10000 s", progress=False)
        except KeyboardInterrupt:
            result = run.result()
            result.save({str(tmp_path / "kept.npz")!r})
            header, spikes = result.header, result["cells"].spikes
            print(header["finished"], header["steps"], len(spikes), flush=True)
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout.readline().strip() == "ready"
        threading.Event().wait(0.4)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    finished, steps, spikes = out.split()
    assert finished == "False" and int(steps) > 100 and int(spikes) == 3 * (int(steps) // 3)
    assert ns.Recording.load(tmp_path / "kept.npz").header["steps"] == int(steps)


# edges are many for each source, so that the cpu engine puts off what post-spikes do to them
LEARNED = (
    "w",
    "c",
    "n",
    "x",
    "y",
)


def learned(run: ns.Run) -> list[np.ndarray]:
    return [run.get("learned", name) for name in LEARNED]


def undisturbed(steps: int, **options) -> list[np.ndarray]:
    run = ns.prepare(pairs(("post", "pre"), 0.0, "7 ms"), **options)
    run.run(0.1 * steps, progress=False)
    return learned(run)


def test_an_error_while_recording_leaves_a_run_whole_and_it_may_go_on(
    fast_backend, tmp_path, monkeypatch
):
    """The disk is full for the second part, and only for a while."""
    backend = fast_backend
    monkeypatch.setattr("neurosim.run.recorder._PART", 0)
    expected = ns.prepare(pairs(("post", "pre"), 0.0, "7 ms"), backend=backend)
    expected.run("60 ms", progress=False)
    run = ns.prepare(
        pairs(("post", "pre"), 0.0, "7 ms"), backend=backend, stream=tmp_path / "parts"
    )
    run.run("5 ms", progress=False)
    with monkeypatch.context() as full:
        full.setattr("neurosim.recording.writer.RecordingWriter.append", refused)
        with pytest.raises(OSError, match="disk full"):
            run.run("55 ms", progress=False)
    assert 50 < run.step < 600 and run.interrupted
    assert all(
        same_bits(a, b)
        for a, b in zip(learned(run), undisturbed(run.step, backend=backend), strict=True)
    )
    run.run(60 - 0.1 * run.step, progress=False)
    assert not run.interrupted
    assert all(same_bits(a, b) for a, b in zip(learned(run), learned(expected), strict=True))
    assert run.result()["b"].spikes == expected.result()["b"].spikes
    assert expected.result()["b"].spikes.index.size > 500
    assert same_bits(
        run.result()["learned"].trace("w").values, expected.result()["learned"].trace("w").values
    )


def refused(*_) -> None:
    raise OSError("disk full")


def test_a_second_ctrl_c_while_a_run_ends_waits_as_the_first_one_did(backend, monkeypatch):
    run = ns.prepare(pairs(("post", "pre"), 0.0, "7 ms"), backend=backend)
    advance, asked = run.engine.advance, []

    def pressed(first, count, **more):
        asked.append(count)
        os.kill(os.getpid(), signal.SIGINT)
        return advance(first, count, **more)

    monkeypatch.setattr(run.engine, "advance", pressed)
    with pytest.raises(KeyboardInterrupt):
        run.run("60 ms", progress=False)
    assert asked == [64, 0] and run.step == 64
    assert all(
        same_bits(a, b) for a, b in zip(learned(run), undisturbed(64, backend=backend), strict=True)
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_what_was_put_off_stays_so_when_catching_up_is_broken_off(threads, monkeypatch):
    engine = ns.prepare(pairs(("post", "pre"), 0.0, "7 ms"), backend="cpu", threads=threads)
    engine.engine.advance(0, 200, more=True)
    with monkeypatch.context() as broken:
        broken.setattr(engine.engine._workers, "call", refused)
        with pytest.raises(OSError, match="disk full"):
            engine.engine.advance(200, 0)
    engine.engine.advance(200, 100)
    engine.step = 300
    assert all(
        same_bits(a, b)
        for a, b in zip(learned(engine), undisturbed(300, backend="reference"), strict=True)
    )


def test_a_handler_of_ctrl_c_that_python_does_not_know_is_left_alone(monkeypatch):
    """A program that embeds Python may install one; Python calls it None and cannot put it back."""
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(
        signal, "signal", lambda number, handler: pytest.fail("the handler was replaced")
    )
    with SignalQueue() as signals:
        assert not signals
    assert prepared("reference", 3).step == 3
