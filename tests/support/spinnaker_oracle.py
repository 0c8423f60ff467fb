"""SpiNNaker's arithmetic in plain whole numbers, written a second time, with faults to plant.

Nothing here is shared with `backends.pynn.rehearsal`. A `Fault` turns one rule into a wrong one, so
that tests can show that they would notice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """Rules that are wrong on purpose.

    Attributes
    ----------
    nearest : bool
        Products are rounded to the nearest, not down.
    grouped_as_written : bool
        Izhikevich's products are those of the source, not of the compiler.
    remembered : int
        Spikes of a target that a synapse remembers.
    """

    nearest: bool = False
    grouped_as_written: bool = False
    remembered: int = 15


RIGHT = Fault()


def fixed(number: float) -> int:
    return round(number * 32768)


def wrap(number: int) -> int:
    number &= 0xFFFFFFFF
    return number - (1 << 32) if number >= 1 << 31 else number


def times(a: int, b: int, fault: Fault = RIGHT) -> int:
    return wrap((a * b + (16384 if fault.nearest else 0)) >> 15)


def decay(number: int, factor: int) -> int:
    return wrap(number * factor >> 32)


@dataclass
class Lif:
    """A LIF cell with an excitatory synapse; constants as the machine computed them."""

    resistance: int
    factor: int
    rest: int
    reset: int
    threshold: int
    refractory: int
    offset: int
    synapse: tuple[int, int]  # decay and share
    v: int = 0
    current: int = 0
    timer: int = 0

    def step(self, arriving: int, fault: Fault = RIGHT) -> bool:
        """Run one step with the sum of a slot, shifted; return whether it spikes."""
        self.current = wrap(self.current + decay(arriving, self.synapse[1]))
        if self.timer:
            self.timer -= 1
        else:
            steady = wrap(
                times(self.resistance, wrap(self.current + self.offset), fault) + self.rest
            )
            self.v = wrap(steady - times(self.factor, wrap(steady - self.v), fault))
        spikes = self.v >= self.threshold
        if spikes:
            self.v = self.reset
            self.timer = self.refractory
        self.current_at_update = self.current
        self.current = decay(self.current, self.synapse[0])
        return spikes


@dataclass
class Izhikevich:
    """A cell of Izhikevich with a constant current."""

    a: int
    b: int
    c: int
    d: int
    offset: int
    v: int
    u: int
    dt: int = 32768
    h: int = 32768

    def step(self, fault: Fault = RIGHT) -> bool:
        """Run one step; return whether it spikes."""
        a, b, h, v, u = self.a, self.b, self.h, self.v, self.u

        def product(x: int, y: int) -> int:
            return times(x, y, fault)

        def half(x: int) -> int:
            return product(x, 16384)

        def recovery(slope: int) -> int:
            if fault.grouped_as_written:
                return product(product(h, slope), a)
            return product(slope, product(a, h))

        before = wrap((140 << 15) + self.offset - u)
        slope = wrap(before + product(wrap(product(1311, v) + (5 << 15)), v))
        middle = wrap(v + half(product(slope, h)))
        change = half(recovery(wrap(product(b, v) - u)))
        bend = product(wrap(product(1311, middle) + (5 << 15)), middle)
        self.v = wrap(v + product(wrap(before - change + bend), h))
        self.u = wrap(u + recovery(wrap(product(b, middle) - wrap(u + change))))
        self.h = self.dt
        if self.v < 30 << 15:
            return False
        self.v = self.c
        self.u = wrap(self.u + self.d)
        self.h = times(self.dt, 60620)
        return True


def table(tau: float, dt: float = 1.0) -> list[int]:
    """Return the decays of a trace by age."""
    length = math.ceil(math.log(2048) * tau / dt)
    return [math.floor(math.exp(-t * dt / tau) * 2048) for t in range(length + length % 2)]


def later(trace: int, age: int, decays: list[int]) -> int:
    return trace * decays[age] >> 11 if 0 <= age < len(decays) else 0


@dataclass
class Synapse:
    """One edge with additive pair STDP."""

    weight: int
    shift: int
    delay: int
    plus: list[int]
    minus: list[int]
    raise_by: int
    lower_by: int
    least: int
    most: int
    last: int = 0
    trace: int = 0
    spikes: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])

    def target_spikes(self, step: int, fault: Fault = RIGHT) -> None:
        before, trace = self.spikes[-1]
        self.spikes.append((step, later(trace, step - before, self.minus) + 2048))
        if len(self.spikes) > fault.remembered + 1:
            del self.spikes[1]

    def source_spikes(self, step: int) -> int:
        """Return the weight of 16 bits that is sent."""
        w = self.weight << self.shift
        known = [(t, y) for t, y in self.spikes if t <= max(step - self.delay, 0)]
        for t, _ in known:
            age = t + self.delay - self.last
            if t > max(self.last - self.delay, 0) and age > 0:
                grown = later(self.trace, age, self.plus) << 4
                w = min(w + times(self.raise_by, grown), self.most)
        t, y = known[-1]
        if step - self.delay >= t:
            shrunk = later(y, step - self.delay - t, self.minus) << 4
            w = max(w - times(self.lower_by, shrunk), self.least)
        self.weight = w >> self.shift
        self.trace = later(self.trace, step - self.last, self.plus) + 2048
        self.last = step
        return self.weight


def weights_of(
    synapse: Synapse, sources: Sequence[int], targets: Sequence[int], fault: Fault = RIGHT
) -> list[int]:
    """Return the weights that an edge sends, for spikes of its source and its target."""
    sent = []
    for step in range(max([*sources, *targets]) + 1):
        if step in targets:
            synapse.target_spikes(step, fault)
        if step in sources:
            sent.append(synapse.source_spikes(step))
    return sent
