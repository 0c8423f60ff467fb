"""The CPU engine beyond its numbers: threads, stretches, compiled code, the cache on disk, changes between stretches."""

from __future__ import annotations

import os
import re
import threading
from typing import Any

import numpy as np
import pytest
from numba.core.errors import NumbaError

import neurosim as ns
from neurosim import cache as core
from neurosim.backends.cpu import cache, printing
from neurosim.backends.cpu.engine import CpuEngine
from neurosim.backends.cpu.pace import Pace
from neurosim.backends.cpu.pending import CHUNKS, FRESH, Pending
from neurosim.models import cells
from neurosim.models.balanced_networks import cuba

PACKED = r"\bv?(?:add|sub|mul|div){0}\b|\bf(?:add|sub|mul|div)\s+v\d+\.{1}"  # two or more numbers at once, on x86 and on ARM


def plastic() -> ns.Network:
    """Return a network with all that threads share: many delays, learning edges, variables at both ends, noise, tables, a signal."""
    noisy = ns.Cell(
        """dv/dt = (rest - v + pulse) / tau + sigma * xi : mV
           count : 1""",
        parameters={"tau": "15 ms", "rest": "-58 mV", "sigma": "2 mV/ms**0.5", "pulse": "0 mV", "pause": "2 ms"},
        receives={"synaptic": ns.Port("mV", into="v"), "drive": ns.Port("mV", into="v")},
        spike="v > -52 * mV", after_spike="v = rest + uniform() * mV; count += 1", refractory=ns.Refractory("pause", "v"),
        initial={"v": "-60 mV"})
    learning = ns.Rule(
        pre="dx/dt = -x / tau : 1", post="dy/dt = -y / tau : 1; q : mV", edge="w : mV", parameters={"tau": "10 ms", "top": "1 mV"},
        handlers=[("pre", "w = clip(w - 0.02 * mV * y, 0, top); out += w; x += 1"), ("post", "w = clip(w + 0.02 * mV * x, 0, top); y += 1"),
                  ("step", "q = 0; q += w * x"), ("rest", "w = 0.9 * w; x = 0")])
    net = ns.Network("plastic", dt="0.1 ms", seed=5)
    a = net.population("a", 90, noisy, pulse=ns.table([0, 20, 0], every="5 ms"))
    b = net.population("b", 200, noisy, tau=ns.uniform("10 ms", "20 ms"), pulse=ns.table([0, 20, 0], every="5 ms"))
    source = net.poisson("source", 40, rate=100)
    net.project(source, a, ns.fixed_probability(0.5), weight="0.6 mV", delay=ns.uniform("0 ms", "2 ms"), round_delays=True, port="drive")
    net.project(a, b, ns.fixed_probability(0.3), weight="0.5 mV", delay=ns.uniform("0.2 ms", "2 ms"), round_delays=True, rule=learning,
                port="synaptic", name="learned")
    net.project(b, b, ns.fixed_indegree(20), weight=ns.normal("0 mV", "0.4 mV"), delay="0.3 ms", port="synaptic", name="loop")
    net.project(b, a, ns.fixed_outdegree(5), weight="0.1 mV", port="synaptic")
    net.poisson_drive(b, n=20, rate=30, weight="0.2 mV", port="drive", name="input")
    for population in (a, b):
        net.record(population, "spikes")
    net.record(b[60:70], "v", "count", every="0.5 ms")
    net.record(net["learned"], "w", "q", every="2 ms")
    return net


def story(run: ns.Run, *, parts: int = 1) -> ns.Run:
    """Live through 60 ms with changes in between, each stretch in so many parts."""
    def go(steps: int) -> None:
        for part in range(parts):
            run.run((steps * (part + 1) // parts - steps * part // parts) * 0.1, progress=False)

    go(200)
    run.emit("rest")
    go(101)
    run.set("b", rest="-57 mV")
    run.set("a", pulse=ns.table([10, 0, 0, 5], every="1 ms"))
    run.set("input", rate=60)
    go(99)
    run.set("learned", tau="12 ms", w=0.4)
    run.reset("b", "count")
    run.reset("learned")
    go(200)
    return run


def differences(run: ns.Run, other: ns.Run) -> list[str]:
    """Return what two runs recorded and hold differently, to the last bit."""
    one, two = run.result(), other.result()
    found = [f"spikes of {p}" for p in ("a", "b") if one[p].spikes != two[p].spikes]
    found += [f"trace of {name}" for o in ("b", "learned") for name in one[o].traces
              if not same_bits(one[o].trace(name).values, two[o].trace(name).values)]
    mine, theirs = run.memory.portable(), other.memory.portable()
    held = [key for key in mine if not key[1].startswith(("_history", "_count", "_ring"))]
    return found + [f"{key}" for key in held if not same_bits(mine[key], theirs[key])]


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.fixture(scope="module")
def reference() -> ns.Run:
    """The story on the engine that defines what is right."""
    return story(ns.prepare(plastic(), backend="reference"))


def test_the_story_is_worth_comparing(reference):
    """Every part of it is active, so that equality says something."""
    recorded = reference.result()
    assert min(recorded[p].spikes.index.size for p in "ab") > 500
    assert np.ptp(recorded["learned"].trace("w").values, axis=0).max() > 0.1 and recorded["learned"].trace("q").values.any()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_gives_the_bits_of_the_reference(reference, threads):
    run = story(ns.prepare(plastic(), backend="cpu", threads=threads))
    assert run.engine.threads == threads
    assert differences(run, reference) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_the_split_of_a_run_does_not_matter(reference, threads):
    assert differences(story(ns.prepare(plastic(), backend="cpu", threads=threads), parts=7), reference) == []


def test_the_comparison_sees_one_changed_bit(reference):
    run = story(ns.prepare(plastic(), backend="cpu", threads=2))
    run.memory["learned", "w"][7] = np.nextafter(run.memory["learned", "w"][7], 1.0)
    assert differences(run, reference) == ["('learned', 'w')"]


def test_a_rule_that_sums_over_the_targets_of_a_neuron_runs_on_one_thread():
    """Threads own targets: no thread has all terms of the sum."""
    rule = ns.Rule(pre="s : 1", edge="w : 1", handlers=[("step", "s = 0; s += w")])
    net = ns.Network("sums", dt="1 ms")
    p = net.population("p", 200, ns.Cell("v : 1"))
    net.project(p, p, ns.fixed_probability(0.1), weight=ns.uniform(0, 1), rule=rule, name="sums")
    runs = [ns.prepare(net, backend="cpu", threads=2), ns.prepare(net, backend="reference")]
    assert runs[0].engine.threads == 1
    for run in runs:
        run.run("2 ms")
    assert same_bits(runs[0].get("sums", "s"), runs[1].get("sums", "s")) and runs[0].get("sums", "s").any()


# ---- buffers and ends of a run


@pytest.mark.parametrize("threads", [1, 2])
def test_no_spike_is_lost_when_the_buffer_of_a_stretch_is_full(threads):
    """2000 neurons that fire in each step fill the room for 65536 spikes after 31 of 50 steps."""
    net = ns.Network("all", dt="1 ms")
    net.record(net.population("p", 2000, ns.Cell("n : 1", step="n = n + 1", spike="n > 0")), "spikes")
    run = ns.prepare(net, backend="cpu", threads=threads)
    assert run.engine.advance(0, 50).steps < 50
    run = ns.prepare(net, backend="cpu", threads=threads)
    run.run("50 ms")
    spikes = run.result()["p"].spikes
    assert np.array_equal(spikes.step, np.repeat(np.arange(50), 2000)) and np.array_equal(spikes.index, np.tile(np.arange(2000), 50))


def test_threads_stop_at_the_same_step_when_a_value_is_no_longer_finite():
    """The neuron that explodes belongs to one thread; the recording ends with the last whole step in both."""
    net = ns.Network("explosion", dt="1 ms")
    p = net.population("p", 200, ns.Cell("v : 1", step="v = v * v", initial={"v": 0.5}))
    net.record(p[:3], "v")
    found = []
    for backend, options in (("reference", {}), ("cpu", {"threads": 1}), ("cpu", {"threads": 2})):
        run = ns.prepare(net, backend=backend, **options)
        run.set(p[150:151], v=2.0)
        with pytest.raises(ns.SimulationError, match=r"population 'p', neuron 150: v is inf at 10 ms, expected a finite value") as error:
            run.run("50 ms")
        found.append((error.value.time, error.value.recording["p"].trace("v").values.shape, run.step))
    assert found == [(10.0, (9, 3), 9)] * 3


def test_two_threads_end_many_short_runs_while_another_thread_is_busy():
    """A barrier that waits for a thread without giving its core away would hang here, where cores are few."""
    run = ns.prepare(plastic(), backend="cpu", threads=2)
    busy, done = threading.Event(), threading.Event()

    def burn() -> None:
        while not busy.is_set():
            sum(range(1000))

    def many() -> None:
        for _ in range(150):
            run.run("0.3 ms", progress=False)
        done.set()

    threads = [threading.Thread(target=burn, daemon=True), threading.Thread(target=many, daemon=True)]
    for thread in threads:
        thread.start()
    finished = done.wait(60)
    busy.set()
    assert finished and run.step == 450


# ---- changes between stretches


@pytest.mark.parametrize("threads", [1, 2])
def test_a_parameter_that_becomes_one_per_neuron_prepares_the_cell_again_and_follows_the_reference(threads, monkeypatch):
    built = []
    monkeypatch.setattr(CpuEngine, "_build", lambda self, build=CpuEngine._build: (built.append(self), build(self))[1])
    runs = []
    for backend, options in (("reference", {}), ("cpu", {"threads": threads})):
        run = ns.prepare(plastic(), backend=backend, **options)
        run.run("10 ms")
        view = run.owners["a"][3:6]
        run.set(view, rest="-40 mV", pause="5 ms")
        run.run("10 ms")
        run.set(run.owners["b"][100:], rest="-50 mV")
        run.set(view, rest=[-45.0, -50.0, -55.0])
        runs.append(story(run))
    assert len(built) == 3, "once to prepare, once for each population"
    assert differences(*runs) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_all_other_changes_rebuild_and_compile_nothing(reference, threads, monkeypatch):
    run = ns.prepare(plastic(), backend="cpu", threads=threads)

    def refuse(*arguments: object) -> None:
        raise AssertionError("prepared again")

    monkeypatch.setattr(CpuEngine, "_build", refuse)
    monkeypatch.setattr(cache, "load", refuse)
    before = run.snapshot()
    story(run)
    assert differences(run, reference) == []
    run.restore(before, clock=True)
    assert differences(story(run), reference) == []
    with pytest.raises(AssertionError, match="prepared again"):
        run.set(run.owners["a"][0:1], rest="-57 mV")


@pytest.mark.parametrize("threads", [1, 2])
def test_streaming_in_many_parts_gives_the_recording_of_memory(reference, threads, tmp_path, monkeypatch):
    monkeypatch.setattr("neurosim.recorder._PART", 2000)
    run = story(ns.prepare(plastic(), backend="cpu", threads=threads, stream=tmp_path / "stream"), parts=5)
    assert len(list((tmp_path / "stream").iterdir())) > 5
    assert differences(run, reference) == []


# ---- compiled code


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache of this test alone: code from another's cache on disk cannot be looked into."""
    monkeypatch.setenv("NEUROSIM_CACHE", str(tmp_path / "cache"))
    core.folder.cache_clear()
    yield tmp_path / "cache"
    core.folder.cache_clear()


def packed(source: str, kernel: str = "integrate", *, x86: str = "pd", arm: str = "2d") -> int:
    """Return how many packed instructions (of doubles unless said otherwise) the machine code of a kernel has."""
    return len(re.findall(PACKED.format(x86, arm), getattr(cache.load("kernels", source), kernel)._library.get_asm_str()))


CELLS = [cells.lif(), cells.lif_conductance(), cells.izhikevich(synapse="exponential", noise=1.0)]


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: c.name)
def test_integration_is_vectorised_and_a_loop_that_cannot_be_is_seen(cell, empty_cache):
    """The control reads the neighbour's new voltage, which must be there before."""
    net = ns.Network("one", dt="0.1 ms")
    net.population("p", 100, cell)
    source = ns.prepare(net, backend="cpu").source
    dependent = source.replace("load(_at_v, _n, 'v')", "load(_at_v, _n - 1, 'v')")
    assert dependent != source
    assert packed(source) >= 5 and packed(dependent) == 0


def test_a_rule_over_neighbours_is_vectorised_and_one_over_scattered_targets_is_not(empty_cache):
    found = []
    for wiring in (ns.all_to_all(), ns.fixed_probability(0.5)):
        net = ns.Network("one", dt="0.1 ms")
        p = net.population("p", 100, cells.lif_delta())
        net.project(p, p, wiring, rule=ns.Rule(edge="w : mV", handlers=[("step", "out += where(i_post < i_pre, w, 0 * mV)")]), port="synaptic")
        found.append(packed(ns.prepare(net, backend="cpu").engine._sources[-1], "handler0_0"))
    assert found[0] >= 1 and found[1] == 0


def test_arrays_over_neurons_begin_on_a_cache_line_also_when_they_were_replaced():
    """Vectors that cross lines made CUBA half as fast again."""
    run = ns.prepare(plastic(), backend="cpu", threads=2)
    run.set(run.owners["a"][0:1], rest="-57 mV")
    begins = {key: array.ctypes.data % 64 for key, array in run.memory.arrays.items() if key[0] in "ab" or key[1] == "_ring"}
    assert len(begins) > 20 and run.memory["a", "rest"].size == 90 and not any(begins.values())


WORDS = ["load", "load_long", "store", "step", "count", "first", "start", "stop", "thread", "spikes", "range", "table", "float", "flag", "truth",
         "kernel", "cfunc", "integrate", "reset", "normal_at", "port_d", "bounds", "load__", "at_v", "ring", "events", "n", "s", "k", "edge",
         "len", "int", "print"]


def named() -> ns.Network:
    """Return a network whose parameters, states and rule variables have names that printed source uses for itself."""
    total = " + ".join(f"{word} * cos({word} * v)" for word in WORDS)  # products with a state are not computed beforehand
    cell = ns.Cell(
        f"dv/dt = (1 + {total} - v) / tau : 1; fired : 1; until : 1",
        parameters={word: 0.01 * k for k, word in enumerate(WORDS, 1)} | {"tau": "10 ms", "level": ns.table([0.1, 0.2, 0.3], every="1 ms")},
        receives={"d": ns.Port("1", into="v"), "e": ns.Port("1", into="until")},
        spike="v > 1", after_spike=f"v = 0.1 * ({total}); fired += 1", refractory=ns.Refractory("1 ms", "v"), initial={"v": "i / N"},
        name="named")
    rule = ns.Rule(
        pre="count : 1", post="first : 1", edge="w : 1; edge : 1",
        parameters={word: 0.01 for word in WORDS if word not in ("count", "first", "edge")},
        handlers=[("pre", "count += 1; edge = load + table + step + thread; out += w * count + edge"),
                  ("post", "first += range + float + spikes"),
                  ("step", "first += 0.1 * (bounds - first); out += 0.001 * first")])
    net = ns.Network("named", dt="0.1 ms", seed=1)
    p = net.population("p", 100, cell)
    net.project(p, p, ns.fixed_probability(0.1), weight=0.01, rule=rule.reading(bounds=p["level"].by("target")), port="d", name="rule")
    net.record(p, "spikes", "v")
    return net


@pytest.mark.parametrize("threads", [1, 2])
def test_users_names_do_not_meet_those_of_printed_source(threads):
    runs = [ns.prepare(named(), backend="reference"), ns.prepare(named(), backend="cpu", threads=threads)]
    for run in runs:
        run.run("30 ms")
    one, two = (run.result()["p"] for run in runs)
    assert one.spikes == two.spikes and one.spikes.index.size > 20
    assert same_bits(one.trace("v").values, two.trace("v").values)
    assert all(same_bits(runs[0].get("rule", name), runs[1].get("rule", name)) for name in ("count", "first", "edge"))


def test_names_that_are_not_kept_apart_are_noticed(monkeypatch, empty_cache):
    monkeypatch.setattr(printing, "RESERVED", frozenset())
    with pytest.raises((NumbaError, UnboundLocalError)):
        ns.prepare(named(), backend="cpu")


# ---- spikes on their way


def scattered() -> ns.Network:
    """Return a network of edges with many delays: several between a pair, several projections to a port, one with a delay for all between them."""
    net = ns.Network("scattered", dt="0.1 ms", seed=11)
    cell = cells.lif(rest="-49.5 mV", tau_syn="3 ms", refractory="4 ms")
    a, b = net.population("a", 130, cell, v=ns.uniform("-65 mV", "-50 mV")), net.population("b", 200, cell, v=ns.uniform("-65 mV", "-50 mV"))
    for number, (source, target, low) in enumerate([(a, b, 0.0), (b, b, 1.0), (b, a, 0.5), (a, b, 0.3)]):
        net.project(source, target, ns.connect.fixed_total_number(3000, multapses=True), weight=ns.normal("0 nA", "0.03 nA"),
                    delay=ns.uniform(low, 3.0), round_delays=True, port="synaptic", name=f"many{number}")
        if number == 0:
            net.project(a, b, ns.fixed_probability(0.1), weight="0.01 nA", delay="0.7 ms", port="synaptic")
    net.poisson_drive(b, n=10, rate=100, weight="0.03 nA", port="synaptic")
    net.project(a, b, ns.fixed_outdegree(5), weight="0.02 nA", delay=ns.uniform(0, 1), round_delays=True, port="synaptic", name="shared")
    for population in (a, b):
        net.record(population, "spikes")
    return net


def journey(run: ns.Run, folder) -> list[np.ndarray]:
    """Change all that concerns spikes on their way, a few steps apart; return what the neurons felt."""
    felt = []

    def go(steps: int) -> None:
        run.run(0.1 * steps, progress=False)
        felt.extend(run.get(p, name) for p in "ab" for name in ("v", "synaptic"))

    go(203)
    run.set("many0", w=2 * run.get("many0", "w"))
    run.set("shared", w=0.03)
    go(5)
    before = run.snapshot()
    run.reset("many1")
    go(7)
    run.set("shared", w=np.linspace(0, 0.05, 650))
    go(11)
    run.restore(before)  # put at another time: 18 steps later
    go(13)
    run.save(folder / "state.npz")
    run.reset()
    go(17)
    run.load(folder / "state.npz")
    go(19)
    run.restore(before, clock=True)
    run.set("many3", w=0.0)
    go(201)
    return felt


@pytest.mark.parametrize("room", [None, 1, 600])
def test_spikes_on_their_way_along_many_delays_land_as_in_the_reference(room, tmp_path, monkeypatch):
    """Also where the lists of what is to land have no room, or room for some."""
    if room is not None:
        monkeypatch.setattr("neurosim.backends.cpu.delivery.Pending", lambda tables, most, dtype: Pending(tables, most=room, dtype=dtype))
    found = []
    for backend, options in (("reference", {}), ("cpu", {"threads": 1}), ("cpu", {"threads": 2}), ("cpu", {"threads": 3})):
        run = ns.prepare(scattered(), backend=backend, **options)
        found.append(journey(run, tmp_path))
        spikes = run.result()
        assert min(spikes[p].spikes.index.size for p in "ab") > 100
        if backend == "cpu":
            full = [pool[FRESH] == pool[CHUNKS] for pool, *_ in run.engine._delivery.pending._pools.values()]
            assert len(full) == options["threads"] and set(full) == {room is not None}
    for other in found[1:]:
        assert len(other) == len(found[0]) and all(same_bits(a, b) for a, b in zip(found[0], other, strict=True))


# ---- which edges an event concerns


@pytest.mark.parametrize("last", [range(60, 70), [60, 61, 62, 62, 65, 65, 66, 67, 68, 69]], ids=["neighbours", "as many, but not neighbours"])
@pytest.mark.parametrize("threads", [1, 3])
def test_edges_onto_neighbours_are_counted_not_looked_up_and_give_the_bits_of_the_reference(last, threads):
    """Sources without edges stand first, between and last; threads share the targets."""
    rule = ns.Rule(edge="w : mV", post="s : mV", handlers=[
        ("pre", "s += w; out += w"), ("step", "out += where(i_post == 60 + floor(10 * uniform()), w, 0 * mV); w = 0.99 * w")])
    sources, targets = np.repeat([1, 3, 6], 10), np.concatenate([np.arange(60, 70), np.arange(120, 130), last])
    runs = []
    for backend, options in (("reference", {}), ("cpu", {"threads": threads})):
        net = ns.Network("near", dt="1 ms", seed=2)
        a, b = net.population("a", 8, cells.lif_delta(rest="-40 mV")), net.population("b", 130, cells.lif_delta())
        net.project(a, b, ns.from_arrays(sources, targets), weight=ns.uniform("0 mV", "1 mV"), rule=rule, port="synaptic", name="near")
        runs.append(ns.prepare(net, backend=backend, **options))
        runs[-1].run("90 ms")
    assert ("_shift" in runs[1].source) == isinstance(last, range)
    found = [[run.get("b", "v"), run.get("near", "w"), run.get("near", "s")] for run in runs]
    assert all(same_bits(one, other) and np.ptp(one) > 0 for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_slots_are_found_among_more_delays_than_a_word_has_bits(fraction):
    """Most neurons lack most of the 300 delays, or of the 150 at either end."""
    runs = [ns.prepare(pairs(("post", "pre"), fraction, "7 ms", delay=ns.uniform("0 ms", "30 ms")), backend=backend, **options)
            for backend, options in (("reference", {}), ("cpu", {"threads": 1}), ("cpu", {"threads": 2}))]
    for run in runs:
        run.run("60 ms")
    p = runs[0].program.projections["learned"]
    split = [slots for slots in (p.pre_slots, p.post_slots) if not slots.uniform]
    assert split and all(s.delays.size > 64 and s.neuron.size < 0.5 * s.delays.size * s.first.size for s in split)
    assert runs[0].result()["b"].spikes.index.size > 500
    for run in runs[1:]:
        assert all(same_bits(run.get("learned", name), runs[0].get("learned", name)) for name in ("w", "c", "n", "x", "y"))
        assert run.result()["b"].spikes == runs[0].result()["b"].spikes


# ---- work put off, and work shared out


def pairs(order: tuple[str, str], fraction: float, every: str, *, delay: Any = "0.5 ms") -> ns.Network:
    """Return a network whose rows are long enough for post-spikes to wait, and that fires often enough to fill their notes."""
    handlers = {"pre": "out += w; w = clip(w - 0.02 * mV * y, 0, top); c += 0.1; x += 1",
                "post": "w = clip(w + up * x + 0.001 * mV * c * uniform(), 0, top); n += 1 + t / ms; y += 1"}
    rule = ns.Rule(
        edge="w : mV; dc/dt = -c / tau : 1; n : 1", pre="dx/dt = -x / tau_x : 1", post="dy/dt = -y / tau : 1",
        parameters={"tau": "10 ms", "tau_x": ns.Parameter("ms", np.linspace(5, 30, 60), per="source"), "top": "1 mV",
                    "up": ns.Parameter("mV", np.linspace(0, 0.1, 150), per="target")},
        handlers=[*((trigger, handlers[trigger]) for trigger in order), ("rest", "w = 0.9 * w; x = 0")])
    net = ns.Network("pairs", dt="0.1 ms", seed=3)
    cell = cells.lif_delta(tau="10 ms", rest="0 mV", reset="2 mV", threshold="5 mV", refractory="0.3 ms")
    a, b = net.population("a", 60, cell), net.population("b", 150, cell)
    for p in (a, b):
        net.poisson_drive(p, n=1, rate=8000, weight="1.5 mV", port="synaptic")
    net.project(a, b, ns.fixed_probability(0.5), weight=0.3, delay=delay, round_delays=True, dendritic_fraction=fraction, rule=rule, port="synaptic",
                name="learned")
    net.record(b, "spikes")
    net.record(net["learned"], "w", every=every)
    return net


@pytest.mark.parametrize(("order", "fraction", "every"), [(("post", "pre"), 0.0, "7 ms"), (("pre", "post"), 1.0, "90 ms")])
def test_post_spikes_that_wait_leave_the_bits_of_the_reference(order, fraction, every):
    """Records, signals, changes and ends of runs find every edge as if nothing had waited."""
    found = []
    for backend, options in (("reference", {}), ("cpu", {"threads": 1}), ("cpu", {"threads": 2})):
        run = ns.prepare(pairs(order, fraction, every), backend=backend, **options)
        if backend == "cpu":
            assert list(run.engine._delivery.deferral.sweeps) == ["learned"]
        seen = []
        for _ in range(3):
            run.run("40 ms", progress=False)
            run.run("0.1 ms", progress=False)
            seen += [run.get("learned", name) for name in ("w", "c", "n")]
            run.emit("rest")
        run.set("learned", tau="12 ms")
        run.run("10 ms", progress=False)
        result = run.result()
        found.append([*seen, run.get("learned", "w"), result["b"].spikes.index, result["learned"].trace("w").values])
    assert found[0][-2].size > 40 * 150 * 3  # more spikes in a piece than notes have room for
    for other in found[1:]:
        assert all(same_bits(a, b) for a, b in zip(found[0], other, strict=True))


def test_rules_whose_post_spikes_cannot_wait_do_not():
    """What a post-spike reads must not change until then: not the target's trace, not a state, not what each step changes."""
    def waits(post: str, *more: tuple[str, str]) -> bool:
        rule = ns.Rule(edge="w : mV", pre="dx/dt = -x / tau : 1", post="dy/dt = -y / tau : 1", parameters={"tau": "10 ms"},
                       handlers=[("post", post), ("pre", "out += w; w -= 0.1 * mV * y; x += 1"), *more])
        net = ns.Network("waits", dt="0.1 ms")
        p = net.population("p", 60, cells.lif_delta())
        net.project(p, p, ns.all_to_all(), weight=0.1, rule=rule, port="synaptic", delay="1 ms", name="learned")
        return bool(ns.prepare(net, backend="cpu").engine._delivery.deferral.sweeps)

    assert waits("w += 0.1 * mV * x; y += 1")
    for post in ("w += 0.1 * mV * x * y; y += 1", "w += 0.1 * v_post; y += 1", "out += w; y += 1", "y += 1"):
        assert not waits(post)
    assert not waits("w += 0.1 * mV * x; y += 1", ("step", "w = 0.99 * w"))
    assert not waits("w += 0.1 * mV * x; y += 1", ("step", "x = 0.5 * x"))


@pytest.mark.parametrize("mean", [0.0, 3e-4, 1.5, 30.0, 700.0])
def test_counts_of_a_drive_are_those_of_the_reference_also_from_tables(mean):
    """One rate for neighbours is looked up; neurons apart are counted one by one."""
    net = ns.Network("drive", dt="0.1 ms", seed=5)
    p = net.population("p", 700, ns.Cell("v : mV", receives={"x": ns.Port("mV", into="v")}))
    net.poisson_drive(p[7:650], n=10, rate=mean * 1000, weight="0.1 mV", port="x", name="table")
    net.poisson_drive(p[::3], n=10, rate=mean * 500, weight="0.3 mV", port="x", name="single")
    found = []
    for options in ({"backend": "reference"}, {"backend": "cpu", "threads": 1}, {"backend": "cpu", "threads": 2}):
        run = ns.prepare(net, **options)
        run.run("2 ms", progress=False)
        run.set("table", rate=mean * 700)
        run.run("1 ms", progress=False)
        found.append(run.get("p", "v"))
    assert all(same_bits(found[0], other) for other in found[1:])
    assert found[0].any() == (mean > 0.0)


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


def test_a_large_network_is_prepared_for_two_threads_and_gives_the_bits_of_one():
    def spikes(**options: int) -> tuple[ns.Run, np.ndarray]:
        run = ns.prepare(cuba(10_000, seed=2), backend="cpu", **options)
        run.run("60 ms", progress=False)
        return run, run.result()["neurons"].spikes

    run, found = spikes()
    assert run.engine.threads == min(2, len(os.sched_getaffinity(0)))
    assert found == spikes(threads=1)[1] and found.index.size > 1000
