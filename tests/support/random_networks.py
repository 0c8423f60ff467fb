"""Random networks for hypothesis: composed of a fixed catalogue of cells and rules, so that
compiled code is made once for each.

Every cell has a state ``v : 1`` and ports in plain numbers, so that any rule fits between any two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st

import neurosim as ns
from neurosim import Cell, Parameter, Port, Refractory, Rule

LIF = Cell(
    """dv/dt = (bias + g - v) / tau : 1
              dg/dt = -g / tau_g : 1""",
    parameters={"tau": "8 ms", "tau_g": "3 ms", "bias": 0.5, "threshold": 1.0},
    receives={"x": Port("1", into="g"), "y": Port("1", into="v")},
    spike="v >= threshold",
    after_spike="v = 0",
    refractory=Refractory("2 ms", "v"),
    name="exact",
)
CONDUCTANCE = Cell(
    """dv/dt = (bias - v + open * (4 - v)) / tau : 1
                      dg/dt = -g / tau_g : 1
                      open = max(g, 0) : 1""",
    parameters={"tau": "6 ms", "tau_g": "2 ms", "bias": 0.3, "pause": "1 ms"},
    receives={"x": Port("1", into="g")},
    spike="v > 1",
    after_spike="v = v - 1",
    refractory="pause",
    name="conditionally_linear",
)
NOISY = Cell(
    "dv/dt = -v / tau + sigma * xi : 1; count : 1",
    parameters={"tau": "5 ms", "sigma": "0.4 / ms**0.5", "bias": 1.0},
    receives={"x": Port("1", into="v")},
    spike="v > bias - 0.2 * uniform()",
    after_spike="v = 0.1 * normal(); count += 1",
    name="noisy",
)
STEPPED = Cell(
    "v : 1; u : 1",
    parameters={"bias": 0.2, "current": 0.1},
    receives={"x": Port("1"), "y": Port("1", into="u")},
    step="""
        v += 0.5 * (0.3 * v * (1 - v) - 0.1 * u + x + current(t))
        v = clip(v, -2, 2)
        u = where(v > 0.5 and not u > 1, u + 0.05 * dt / ms, 0.9 * u) + bias ** 2 * 0.1""",
    spike="v >= 0.6 or u > 3",
    after_spike="v = -0.2; u *= 0.5",
    refractory="1 ms",
    name="stepped",
)
READOUT = Cell(
    "dv/dt = (x - v) / tau : 1",
    parameters={"tau": "9 ms", "bias": 0.0},
    receives={"x": Port("1"), "y": Port("1", into="v")},
    name="readout",
)
OSCILLATOR = Cell(
    """dv/dt = (v - v ** 3 / 3 - clip(u, -2, 2) + 0.3 * sin(t / (7 * ms) + i / N)) / tau : 1
                     du/dt = (v + bias - 0.8 * u) / (12 * tau) : 1""",
    parameters={"tau": "4 ms", "bias": 0.7},
    receives={"y": Port("1", into="u")},
    spike="v > 1 and abs(u) < 5",
    method="rk4",
    name="oscillator",
)
BEAT = Cell(
    "v : 1",
    parameters={"bias": 0.2},
    step="v += bias * (1 + tanh(v) ** 2)",
    spike="v >= 1",
    after_spike="v = v - 1 + 0.01 * normal()",
    initial={"v": ns.uniform(0, 1)},
    name="beat",
)
CELLS = {
    "lif": LIF,
    "conductance": CONDUCTANCE,
    "noisy": NOISY,
    "stepped": STEPPED,
    "readout": READOUT,
    "oscillator": OSCILLATOR,
    "beat": BEAT,
}
SPIKE_PORTS = {
    "lif": "xy",
    "conductance": "x",
    "noisy": "x",
    "stepped": "xy",
    "readout": "y",
    "oscillator": "y",
}
GRADED_PORTS = SPIKE_PORTS | {"readout": "xy"}

PAIR = Rule(
    pre="dx/dt = -x / tau_x : 1",
    post="dy/dt = -y / tau_y : 1",
    edge="w : 1",
    name="pair",
    handlers=[
        ("pre", "w = clip(w - 0.1 * y, -1, 1); out += w; x += 1"),
        ("post", "w = min(w + step_up * x, 1); y += 1"),
    ],
    parameters={"tau_x": "10 ms", "tau_y": "7 ms", "step_up": Parameter("1", 0.1, per="source")},
)
REWARDED = Rule(
    post="dy/dt = -y / tau_y : 1",
    edge="w : 1; de/dt = -e / tau_e : 1",
    name="rewarded",
    handlers=[
        ("post", "y = 1 + 0.5 * y; e -= 0.2"),
        ("pre", "e += y - 0.1; out += w"),
        ("reward", "w = clip(w + level * e, -1, 1); y *= 0.5"),
    ],
    parameters={"tau_y": Parameter("ms", 5.0, per="target"), "tau_e": "20 ms", "level": 0.1},
)
RELEASE = Rule(
    pre="du/dt = -u / tau_u : 1; r : 1",
    edge="w : 1",
    name="release",
    handlers=[
        ("pre", "u = u + 0.4 * (1 - u); out += w * u * r * (uniform() < 0.7); r -= u * r"),
        ("step", "r += (1 - r) * dt / tau_r"),
    ],
    parameters={"tau_u": "15 ms", "tau_r": "30 ms"},
)
GRADED = Rule(
    edge="w : 1",
    definitions="gap = v_pre - v_post : 1",
    handlers=[("step", "out += 0.01 * w * gap")],
    name="graded",
)
SUMS = Rule(
    pre="s : 1",
    post="a : 1",
    edge="w : 1",
    name="sums",
    handlers=[
        ("pre", "a += w; out += w - 0.01 * a"),
        ("post", "s += 0.1 * w * v_post"),
        ("step", "a *= 0.9; s = 0.9 * s; w += 0.002 * (s - a)"),
    ],
)
LINKED = Rule(
    edge="w : 1",
    handlers=[
        ("pre", "out += w * gain + 0.1 * each"),
        ("step", "w = clip(w + 0.01 * (near - far), -1, 1)"),
    ],
    parameters={"gain": 1.0, "near": 0.5, "far": 0.0, "each": 0.0},
    name="linked",
)
SHAKEN = Rule(
    edge="w : 1",
    post="z : 1",
    name="shaken",
    handlers=[
        ("pre", "out += w + 0.1 * z"),
        ("reward", "w += 0.05 * normal(); z += uniform() * i_post / N_post"),
        ("step", "z *= exp(-dt / tau_z); z += 0.001 * w"),
    ],
    parameters={"tau_z": "9 ms"},
)
SCALED = Rule(
    edge="w : 1; last : ms",
    name="scaled",
    handlers=[
        ("post", "w += 0.01 * (t - last) / ms * (i_pre < 0.5 * N_pre); out += 0.1 * scale"),
        ("pre", "out += scale * w; last = t"),
    ],
    parameters={"scale": Parameter("1", ns.uniform(0.5, 1.0), per="edge")},
)
RELAXING = Rule(
    pre="dx/dt = (0.3 - x) / tau_x : 1",
    post="dy/dt = grow * (1 - y) - 0.1 / ms * y : 1",
    edge="w : 1; dc/dt = rate * (rest - c) : 1",
    name="relaxing",
    handlers=[
        ("post", "c += 0.1 * x; y += 0.2"),
        ("pre", "w = clip(w + 0.1 * (c - y), -1, 1); out += w; x += 1"),
        ("reward", "c = 0.5 * c"),
    ],
    parameters={
        "tau_x": "10 ms",
        "grow": Parameter("1/ms", 0.05, per="target"),
        "rate": Parameter("1/ms", 0.02, per="source"),
        "rest": 0.1,
    },
)
FLOWING = Rule(
    pre="dx/dt = -x / tau : 1; dh/dt = (x - h) / tau_h : 1",
    post="dz/dt = (v_post - z) / tau_h + 0.1 * xi / ms**0.5 : 1",
    edge="w : 1; dn/dt = 0.1 / ms * h * (1 - n) - n * n / tau_h : 1",
    name="flowing",
    handlers=[
        ("pre", "x += 1; out += w * n"),
        ("post", "w = clip(w + 0.01 * z, -1, 1)"),
        ("step", "out += 0.01 * n"),
    ],
    parameters={"tau": "8 ms", "tau_h": "5 ms"},
)
# Which delays each rule is drawn with: every pair is compiled on its own.
RULES = {
    "pair": (PAIR, ("none", "each", "both")),
    "rewarded": (REWARDED, ("dendritic", "axons")),
    "release": (RELEASE, ("axonal", "axons")),
    "graded": (GRADED, ("dendritic",)),
    "sums": (SUMS, ("none", "each")),
    "linked": (LINKED, ("axonal",)),
    "shaken": (SHAKEN, ("none",)),
    "scaled": (SCALED, ("dendritic", "both")),
    "relaxing": (RELAXING, ("none", "both")),
    "flowing": (FLOWING, ("dendritic", "axons")),
}
ANY_DELAYS = ("none", "axonal", "dendritic", "each", "axons")
SIZES = st.sampled_from([1, 2, 3, 9, 20, 70, 150])  # above 64 two threads share a population


@dataclass
class Story:
    """A network, and what is done to it.

    ("run", steps), ("set", owner, values), ("emit", signal), ("reset", owner), ("rewind", steps,
    whether the clock goes back too).
    """

    net: ns.Network
    actions: list[tuple] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"seed {self.net.seed}, dt {self.net.dt}:\n" + "\n".join(
            [*self.lines, *map(repr, self.actions)]
        )

    @property
    def steps(self) -> int:
        return sum(action[1] for action in self.actions if action[0] == "run")


def play(run: ns.Run, actions: list[tuple]) -> ns.Run:
    """Carry out the actions of a story; a value that is not finite ends it."""
    for verb, *arguments in actions:
        if verb == "run":
            try:
                run.run(arguments[0] * run.program.dt, progress=False)
            except ns.SimulationError:
                break
        elif verb == "set":
            run.set(arguments[0], **arguments[1])
        elif verb == "rewind":
            snapshot = run.snapshot()
            run.run(arguments[0] * run.program.dt, progress=False)
            run.restore(snapshot, clock=arguments[1])
        else:
            getattr(run, verb)(*arguments)
    return run


def outcome(run: ns.Run) -> dict[tuple, np.ndarray]:
    """Return everything that a run recorded and everything that its future depends on, in a form
    that does not depend on threads.
    """
    state: dict[tuple, np.ndarray] = {}
    arrays = run.memory.portable()
    for (owner, name), array in arrays.items():
        if name == "_history":  # of each row only the first count entries mean anything
            array = np.concatenate(
                [
                    array[slot, :count]
                    for slot, count in enumerate(arrays[owner, "_count"].sum(axis=1))
                ]
            )
        state["memory", owner, name] = array
    recorded = run.result()
    for name, population in recorded.populations.items():
        if population.recorded is not None:
            state["spikes", name, "index"] = population.recorded.index
            state["spikes", name, "step"] = population.recorded.step
    for name in recorded:
        for variable, trace in recorded[name].traces.items():
            state["trace", name, variable] = trace.values
    return state


def differences(one: dict[tuple, np.ndarray], other: dict[tuple, np.ndarray]) -> list[str]:
    """Name what differs between two outcomes, to the last bit; zeros of either sign and NaNs of any
    payload are one value.
    """
    wrong = [f"{key} is only in one of them" for key in one.keys() ^ other.keys()]
    for key in one.keys() & other.keys():
        a, b = one[key], other[key]
        if a.shape != b.shape or a.dtype != b.dtype:
            wrong.append(f"{key}: {a.dtype}{a.shape} and {b.dtype}{b.shape}")
        elif not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            at = np.flatnonzero((a != b).ravel())
            wrong.append(
                f"{key}: {at.size} of {a.size} differ, first at {at[0]}: "
                f"{a.ravel()[at[0]]!r} and {b.ravel()[at[0]]!r}"
            )
    return sorted(wrong)


# ---- strategies


@st.composite
def stories(draw: Any, *, layers: bool = True) -> Story:
    """Draw a network of some populations, projections and drives, and some stretches with changes
    between them; with ``layers`` some projections act within a step or share weights.
    """
    net = ns.Network(
        "random", dt=draw(st.sampled_from([0.1, 0.5, 1.0])), seed=draw(st.integers(0, 2**32))
    )
    story = Story(net)
    cell_names = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=3))
    for number, cell_name in enumerate(cell_names):
        _population(draw, story, f"{cell_name}{number}", cell_name)
    _source(draw, story)
    targets = [p for p in net.populations.values() if p.cell.receives]
    for number in range(draw(st.integers(1, 5)) if targets else 0):
        target = draw(st.sampled_from(targets))
        _projection(draw, story, f"projection{number}", target, layers=layers)
    if targets and draw(st.booleans()):
        target = _view(draw, draw(st.sampled_from(targets)))
        net.poisson_drive(
            target,
            n=draw(st.integers(1, 50)),
            rate=draw(st.sampled_from([0.0, 20.0, 300.0])),
            weight=0.3,
            port=_ports(target.population, SPIKE_PORTS)[0],
        )
        story.lines.append(f"drive onto {target}")
    _probes(draw, story)
    _actions(draw, story)
    if layers:
        _chain(story)
    return story


def _cell_name(population: Any) -> str:
    return population.name.rstrip("0123456789")


def _ports(population: Any, ports: dict[str, str]) -> str:
    return ports[_cell_name(population)]


def _population(draw: Any, story: Story, name: str, cell_name: str) -> None:
    size = draw(SIZES)
    values: dict[str, Any] = {
        "bias": f"{CELLS[cell_name].parameter('bias').value} + 0.3 * i / N + 0.1 * rho",
        "rho": ns.uniform(0, 1),
    }
    if cell_name == "lif":
        values["threshold"] = ns.normal(1.0, 0.1, low=0.5)
    if cell_name == "conductance":
        values["pause"] = draw(st.sampled_from([0.0, 1.0])) + np.arange(size) % 3
    if cell_name == "stepped":
        rows = draw(st.integers(1, 4))
        values["current"] = ns.table(
            0.3 * np.sin(np.arange(rows * size).reshape(rows, size)),
            every=draw(st.integers(1, 5)) * story.net.dt,
        )
    story.net.population(name, size, CELLS[cell_name], **values)
    story.lines.append(f"{name}: {size}")


def _source(draw: Any, story: Story) -> None:
    net = story.net
    size = draw(SIZES)
    source_type = draw(st.sampled_from(["poisson", "bernoulli", "given"]))
    if source_type == "poisson":
        net.poisson("source", size, rate=ns.table([100.0, 0.0, 400.0], every=8 * net.dt))
    elif source_type == "bernoulli":
        net.bernoulli("source", size, p=np.linspace(0.05, 0.4, size))
    else:
        pairs = draw(st.sets(st.tuples(st.integers(0, size - 1), st.integers(0, 40)), max_size=60))
        net.spike_source("source", size, steps=([i for i, _ in pairs], [k for _, k in pairs]))
    story.lines.append(f"source: {size} {source_type}")


def _view(draw: Any, population: Any) -> Any:
    n = population.size
    selection = draw(st.sampled_from(["whole", "whole", "slice", "list"]))
    if selection == "slice" and n > 1:
        return population[n // 3 :: 2]
    if selection == "list":
        return population[
            draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=min(n, 6), unique=True))
        ]
    return population[:]


def _connector(draw: Any, source: Any, target: Any) -> tuple[Any, str]:
    n, m = len(source), len(target)
    connector_name = draw(
        st.sampled_from(["all", "probability", "indegree", "outdegree", "total", "pairs", "one"])
    )
    if connector_name == "one" and n == m:
        return ns.one_to_one(), connector_name
    if connector_name == "all" and n * m <= 2000:
        return ns.all_to_all(autapses=draw(st.booleans())), connector_name
    if connector_name == "indegree":
        return ns.fixed_indegree(draw(st.integers(0, 4)), multapses=True), connector_name
    if connector_name == "outdegree":
        return ns.fixed_outdegree(draw(st.integers(0, min(m, 4)))), connector_name
    if connector_name == "total":
        return ns.fixed_total_number(draw(st.integers(0, 30)), multapses=True), connector_name
    if connector_name == "pairs":  # unsorted, some of them several times
        count = draw(st.integers(0, 30))
        generator = np.random.default_rng(draw(st.integers(0, 99)))
        return ns.from_arrays(
            generator.integers(0, n, count), generator.integers(0, m, count)
        ), connector_name
    return ns.fixed_probability(draw(st.sampled_from([0.1, 0.6]))), "probability"


def _delays(draw: Any, mode: str, dt: float) -> dict[str, Any]:
    d = draw(st.integers(1, 6))
    spread = ns.uniform(0, 6 * dt)
    return {
        "none": {},
        "axonal": {
            "delay": d * dt,
            "dendritic_fraction": 0.0,
            "back": draw(st.integers(0, 3)) * dt,
        },
        "dendritic": {"delay": d * dt},
        "each": {"delay": spread, "round_delays": True},
        "axons": {"delay": spread, "round_delays": True, "dendritic_fraction": 0.0},
        "both": {
            "delay": spread,
            "round_delays": True,
            "dendritic_fraction": 0.5,
            "back": ns.uniform(0, 4 * dt),
        },
    }[mode]


# Rules that may deliver within a step.
WITHIN = (None, PAIR, SUMS, SHAKEN)


def _layers(net: ns.Network, source: Any, target: Any, rule: Any, connector: Any) -> dict[str, Any]:
    """Return arguments that replace delays and weights so that a projection acts within a step or
    shares weights.

    They follow from the seed and the sizes, so that all that hypothesis draws stays as it is.
    """
    chance = np.random.default_rng([net.seed, len(net.projections), len(source), len(target)])
    order = ["source", *(name for name in net.populations if name != "source")]
    forward = order.index(source.name) < order.index(target.name)
    recurrent = source.population is target.population
    edges = connector.count(len(source), len(target), recurrent=recurrent).known
    values: dict[str, Any] = {}
    if forward and rule in WITHIN and chance.random() < 0.8:
        values["same_step"] = True
    if rule in (None, PAIR) and edges is not None and chance.random() < 0.4:
        index = chance.integers(0, 3, edges)
        values["weight"] = ns.shared([0.4, -0.2, 0.7], index=index)
    return values


def _chain(story: Story) -> None:
    """Let spikes of some networks run through their populations within a step, by static edges, a
    rule and weights that edges share. All follows from the seed and the sizes.
    """
    net = story.net
    chance = np.random.default_rng([net.seed, *(p.size for p in net.populations.values())])
    if chance.random() < 0.5:
        return
    populations = [net.populations["source"], *net.populations.values()]
    for number, (source, target) in enumerate(pairwise(populations)):
        if target.name == "source" or not target.cell.receives:
            continue
        if source.cell.spike is None and source.source_spikes is None:
            continue
        rule = WITHIN[int(chance.integers(0, len(WITHIN)))]
        ends = chance.integers(0, source.size, 40), chance.integers(0, target.size, 40)
        weight = ns.shared([0.3, 0.5, -0.1, 0.6], index=chance.integers(0, 4, 40))
        port = _ports(target, SPIKE_PORTS)[-1]
        name = f"within{number}"
        net.project(
            source,
            target,
            ns.from_arrays(*ends),
            weight=weight,
            rule=rule,
            port=port,
            same_step=True,
            name=name,
        )
        net.record(net[name], "w", every=2 * net.dt)
        story.lines.append(f"{name}: {rule}, {source.name} -> {target.name}.{port}")


def _projection(draw: Any, story: Story, name: str, target: Any, *, layers: bool) -> None:
    net = story.net
    rule_name = draw(st.sampled_from(["static", *RULES]))
    graded, by_state = rule_name == "graded", rule_name in ("graded", "sums", "flowing")
    spiking = [
        p
        for p in net.populations.values()
        if (graded or p.cell.spike is not None or p.source_spikes is not None)
        and (not graded or p.name != "source")
    ]
    if not spiking:
        return
    source, target = _view(draw, draw(st.sampled_from(spiking))), _view(draw, target)
    if by_state and target.population.name == "source":
        return
    connector, connector_name = _connector(draw, source, target)
    rule, modes = RULES.get(rule_name, (None, ANY_DELAYS))
    mode = draw(st.sampled_from(modes))
    values: dict[str, Any] = {}
    if rule is REWARDED:
        rule = REWARDED.reading(level=_any(draw, net)["bias"]) if draw(st.booleans()) else rule
    if rule is LINKED:
        rule = _linked(draw, net, source, target)
        generator = np.random.default_rng(draw(st.integers(0, 99)))
        count = draw(st.integers(0, 30))
        connector = ns.from_arrays(
            np.sort(generator.integers(0, len(source), count)),
            generator.integers(0, len(target), count),
        )
        connector_name = "pairs"
        rule = (
            rule.reading(each=source["v"].by(generator.integers(0, len(source), count)))
            if source.population.name != "source"
            else rule
        )
    if rule is SUMS:
        values = {"a": np.linspace(0, 1, len(target)), "s": 0.1}
    weight = draw(st.sampled_from([0.4, -0.2, ns.uniform(-0.2, 0.8)]))
    port = draw(
        st.sampled_from(list(_ports(target.population, GRADED_PORTS if graded else SPIKE_PORTS)))
    )
    values |= {"weight": weight, **_delays(draw, mode, net.dt)}
    if layers:
        own = _layers(net, source, target, rule, connector)
        if own.get("same_step"):
            values = {k: v for k, v in values.items() if k in ("weight", "a", "s")}
            mode = "within the step"
        values |= own
    net.project(source, target, connector, port=port, rule=rule, name=name, **values)
    story.lines.append(
        f"{name}: {rule_name}, {source} -> {target}.{port}, {connector_name}, {mode}, "
        f"weight {values['weight']}"
    )


def _any(draw: Any, net: ns.Network) -> Any:
    """One neuron of some population with equations."""
    population = draw(st.sampled_from([p for p in net.populations.values() if p.name != "source"]))
    return population[draw(st.integers(0, population.size - 1))]


def _linked(draw: Any, net: ns.Network, source: Any, target: Any) -> Rule:
    """Links to one neuron, by target (to a sum of an earlier projection where there is one), by
    source.
    """
    earlier = [
        p
        for p in net.projections.values()
        if p.rule is SUMS
        and p.target.population is target.population
        and len(p.target) == len(target)
        and p.delay == 0.0
    ]
    near = draw(st.sampled_from(earlier))["a"].by("target") if earlier else target["v"].by("target")
    far = source["v"].by("source") if source.population.name != "source" else _any(draw, net)["v"]
    return LINKED.reading(gain=_any(draw, net)["bias"], near=near, far=far)


def _probes(draw: Any, story: Story) -> None:
    net = story.net
    for p in net.populations.values():
        if p.cell.spike is not None or p.source_spikes is not None:
            net.record(_view(draw, p), "spikes")
        if p.name != "source" and draw(st.booleans()):
            net.record(_view(draw, p), "v", every=draw(st.integers(1, 4)) * net.dt)
    for p in net.projections.values():
        variables = (
            ["w"] if p.rule is None else [v.name for v in (*p.rule.edge, *p.rule.pre, *p.rule.post)]
        )
        for variable in draw(st.lists(st.sampled_from(variables), unique=True, max_size=2)):
            net.record(p, variable, every=draw(st.integers(1, 4)) * net.dt)


def _actions(draw: Any, story: Story) -> None:
    for _ in range(draw(st.integers(1, 3))):
        story.actions.append(("run", draw(st.integers(1, 30))))
        verb = draw(
            st.sampled_from(
                [
                    "none",
                    "state",
                    "weights",
                    "emit",
                    "reset",
                    "parameter",
                    "variable",
                    "table",
                    "rewind",
                ]
            )
        )
        action = _action(draw, story, verb)
        if action is not None:
            story.actions.append(action)
    story.actions.append(("run", draw(st.integers(1, 10))))


def _action(draw: Any, story: Story, verb: str) -> tuple | None:
    net = story.net
    cells = [p for p in net.populations.values() if p.name != "source"]
    plastic = [p for p in net.projections.values() if p.rule is not None]
    if verb == "state":
        view = _view(draw, draw(st.sampled_from(cells)))
        return "set", view, {"v": np.linspace(-0.5, 0.5, len(view))}
    if verb == "parameter":
        view = _view(draw, draw(st.sampled_from(cells)))
        return "set", view, {"bias": draw(st.sampled_from([0.1, 0.6]))}
    if verb == "table":
        tables = [p for p in cells if _cell_name(p) == "stepped"]
        return (
            (
                "set",
                tables[0].name,
                {"current": ns.table(np.ones((7, tables[0].size)) * 0.2, every=net.dt)},
            )
            if tables
            else None
        )
    if verb == "weights" and net.projections:
        return (
            "set",
            draw(st.sampled_from(sorted(net.projections))),
            {"w": draw(st.sampled_from([0.1, 0.7]))},
        )
    if verb == "variable" and plastic:
        projection = draw(st.sampled_from(plastic))
        variables = [
            v.name for v in (*projection.rule.pre, *projection.rule.post, *projection.rule.edge)
        ]
        variables += [p.name for p in projection.rule.parameters if p.per is None]
        return "set", projection, {draw(st.sampled_from(variables)): 0.3}
    if verb == "rewind":
        return "rewind", draw(st.integers(1, 9)), draw(st.booleans())
    if verb == "emit":
        return ("emit", "reward") if any("reward" in p.rule.signals for p in plastic) else None
    if verb == "reset":
        owner = draw(st.sampled_from([None, *sorted(net.populations), *sorted(net.projections)]))
        return ("reset", owner) if owner != "source" else None
    return None
