"""Networks with all that the compiled loops do, and eventful runs of them, for the tests of the CPU
engine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import neurosim as ns
from neurosim.models import cells


def plastic() -> ns.Network:
    """Return a network with all that threads share: many delays, learning edges, variables at both
    ends, noise, tables, a signal.
    """
    noisy = ns.Cell(
        """dv/dt = (rest - v + pulse) / tau + sigma * xi : mV
           count : 1""",
        parameters={
            "tau": "15 ms",
            "rest": "-58 mV",
            "sigma": "2 mV/ms**0.5",
            "pulse": "0 mV",
            "pause": "2 ms",
        },
        receives={"synaptic": ns.Port("mV", into="v"), "drive": ns.Port("mV", into="v")},
        spike="v > -52 * mV",
        after_spike="v = rest + uniform() * mV; count += 1",
        refractory=ns.Refractory("pause", "v"),
        initial={"v": "-60 mV"},
    )
    learning = ns.Rule(
        pre="dx/dt = -x / tau : 1",
        post="dy/dt = -y / tau : 1; q : mV",
        edge="w : mV",
        parameters={"tau": "10 ms", "top": "1 mV"},
        handlers=[
            ("pre", "w = clip(w - 0.02 * mV * y, 0, top); out += w; x += 1"),
            ("post", "w = clip(w + 0.02 * mV * x, 0, top); y += 1"),
            ("step", "q = 0; q += w * x"),
            ("rest", "w = 0.9 * w; x = 0"),
        ],
    )
    net = ns.Network("plastic", dt="0.1 ms", seed=5)
    a = net.population("a", 90, noisy, pulse=ns.table([0, 20, 0], every="5 ms"))
    b = net.population(
        "b", 200, noisy, tau=ns.uniform("10 ms", "20 ms"), pulse=ns.table([0, 20, 0], every="5 ms")
    )
    source = net.poisson("source", 40, rate=100)
    net.project(
        source,
        a,
        ns.fixed_probability(0.5),
        weight="0.6 mV",
        delay=ns.uniform("0 ms", "2 ms"),
        round_delays=True,
        port="drive",
    )
    net.project(
        a,
        b,
        ns.fixed_probability(0.3),
        weight="0.5 mV",
        delay=ns.uniform("0.2 ms", "2 ms"),
        round_delays=True,
        rule=learning,
        port="synaptic",
        name="learned",
    )
    net.project(
        b,
        b,
        ns.fixed_indegree(20),
        weight=ns.normal("0 mV", "0.4 mV"),
        delay="0.3 ms",
        port="synaptic",
        name="loop",
    )
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
    differing = [f"spikes of {p}" for p in ("a", "b") if one[p].spikes != two[p].spikes]
    differing += [
        f"trace of {name}"
        for o in ("b", "learned")
        for name in one[o].traces
        if not same_bits(one[o].trace(name).values, two[o].trace(name).values)
    ]
    mine, theirs = run.memory.portable(), other.memory.portable()
    held = [key for key in mine if not key[1].startswith(("_history", "_count", "_ring"))]
    return differing + [f"{key}" for key in held if not same_bits(mine[key], theirs[key])]


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.tobytes() == b.tobytes()


WORDS = [
    "load",
    "load_long",
    "load_short",
    "store",
    "step",
    "count",
    "first",
    "start",
    "stop",
    "thread",
    "spikes",
    "range",
    "table",
    "float",
    "flag",
    "truth",
    "kernel",
    "cfunc",
    "integrate",
    "reset",
    "normal_at",
    "port_d",
    "bounds",
    "load__",
    "at_v",
    "ring",
    "events",
    "n",
    "s",
    "k",
    "edge",
    "len",
    "int",
    "print",
]


def named() -> ns.Network:
    """Return a network whose parameters, states and rule variables have names that printed source
    uses for itself.
    """
    # products with a state are not computed beforehand
    total = " + ".join(f"{word} * cos({word} * v)" for word in WORDS)
    cell = ns.Cell(
        f"dv/dt = (1 + {total} - v) / tau : 1; fired : 1; until : 1",
        parameters={word: 0.01 * k for k, word in enumerate(WORDS, 1)}
        | {"tau": "10 ms", "level": ns.table([0.1, 0.2, 0.3], every="1 ms")},
        receives={"d": ns.Port("1", into="v"), "e": ns.Port("1", into="until")},
        spike="v > 1",
        after_spike=f"v = 0.1 * ({total}); fired += 1",
        refractory=ns.Refractory("1 ms", "v"),
        initial={"v": "i / N"},
        name="named",
    )
    rule = ns.Rule(
        pre="count : 1",
        post="first : 1",
        edge="w : 1; edge : 1",
        parameters={word: 0.01 for word in WORDS if word not in ("count", "first", "edge")},
        handlers=[
            (
                "pre",
                "count += 1; edge = load + load_short + table + step + thread; "
                "out += w * count + edge",
            ),
            ("post", "first += range + float + spikes"),
            ("step", "first += 0.1 * (bounds - first); out += 0.001 * first"),
        ],
    )
    net = ns.Network("named", dt="0.1 ms", seed=1)
    p = net.population("p", 100, cell)
    net.project(
        p,
        p,
        ns.fixed_probability(0.1),
        weight=0.01,
        rule=rule.reading(bounds=p["level"].by("target")),
        port="d",
        name="rule",
    )
    net.record(p, "spikes", "v")
    return net


def scattered() -> ns.Network:
    """Return a network of edges with many delays: several between a pair, several projections to a
    port, one with a delay for all between them.
    """
    net = ns.Network("scattered", dt="0.1 ms", seed=11)
    cell = cells.lif(rest="-49.5 mV", tau_syn="3 ms", refractory="4 ms")
    a = net.population("a", 130, cell, v=ns.uniform("-65 mV", "-50 mV"))
    b = net.population("b", 200, cell, v=ns.uniform("-65 mV", "-50 mV"))
    for number, (source, target, low) in enumerate(
        [(a, b, 0.0), (b, b, 1.0), (b, a, 0.5), (a, b, 0.3)]
    ):
        net.project(
            source,
            target,
            ns.fixed_total_number(3000, multapses=True),
            weight=ns.normal("0 nA", "0.03 nA"),
            delay=ns.uniform(low, 3.0),
            round_delays=True,
            port="synaptic",
            name=f"many{number}",
        )
        if number == 0:
            net.project(
                a, b, ns.fixed_probability(0.1), weight="0.01 nA", delay="0.7 ms", port="synaptic"
            )
    net.poisson_drive(b, n=10, rate=100, weight="0.03 nA", port="synaptic")
    net.project(
        a,
        b,
        ns.fixed_outdegree(5),
        weight="0.02 nA",
        delay=ns.uniform(0, 1),
        round_delays=True,
        port="synaptic",
        name="shared",
    )
    for population in (a, b):
        net.record(population, "spikes")
    return net


def journey(run: ns.Run, folder: Path) -> list[np.ndarray]:
    """Change all that concerns spikes on their way, a few steps apart; return what the neurons
    felt.
    """
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


def pairs(
    order: tuple[str, str], fraction: float, every: str, *, delay: Any = "0.5 ms"
) -> ns.Network:
    """Return a network whose rows are long enough for post-spikes to wait, and that fires often
    enough to fill their notes.
    """
    handlers = {
        "pre": "out += w; w = clip(w - 0.02 * mV * y, 0, top); c += 0.1; x += 1",
        "post": (
            "w = clip(w + up * x + 0.001 * mV * c * uniform(), 0, top); n += 1 + t / ms; y += 1"
        ),
    }
    rule = ns.Rule(
        edge="w : mV; dc/dt = -c / tau : 1; n : 1",
        pre="dx/dt = -x / tau_x : 1",
        post="dy/dt = -y / tau : 1",
        parameters={
            "tau": "10 ms",
            "tau_x": ns.Parameter("ms", np.linspace(5, 30, 60), per="source"),
            "top": "1 mV",
            "up": ns.Parameter("mV", np.linspace(0, 0.1, 150), per="target"),
        },
        handlers=[
            *((trigger, handlers[trigger]) for trigger in order),
            ("rest", "w = 0.9 * w; x = 0"),
        ],
    )
    net = ns.Network("pairs", dt="0.1 ms", seed=3)
    cell = cells.lif_delta(
        tau="10 ms", rest="0 mV", reset="2 mV", threshold="5 mV", refractory="0.3 ms"
    )
    a, b = net.population("a", 60, cell), net.population("b", 150, cell)
    for p in (a, b):
        net.poisson_drive(p, n=1, rate=8000, weight="1.5 mV", port="synaptic")
    net.project(
        a,
        b,
        ns.fixed_probability(0.5),
        weight=0.3,
        delay=delay,
        round_delays=True,
        dendritic_fraction=fraction,
        rule=rule,
        port="synaptic",
        name="learned",
    )
    net.record(b, "spikes")
    net.record(net["learned"], "w", every=every)
    return net
