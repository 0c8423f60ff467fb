"""A recording with something of everything, for the tests of recordings."""

import numpy as np

from neurosim.recording.recorded import PopulationRecording, ProjectionRecording
from neurosim.recording.recording import Recording
from neurosim.recording.samples import Spikes, Trace

HEADER = {
    "network": "memory",
    "dt": 0.1,
    "steps": 40,
    "seed": 7,
    "backend": "cpu",
    "finished": True,
}
ROW = {"place": "ca3", "status": "approximated", "reason": "float32", "remedy": ""}


def spikes(first: int = 0, steps: int = 40) -> Spikes:
    """Five neurons; neuron i spikes in all steps k with k = 2 i (mod 10)."""
    step, index = np.nonzero(np.arange(first, first + steps)[:, None] % 10 == 2 * np.arange(5))
    return Spikes(index, step + first, size=5, dt=0.1, first=first, steps=steps)


def trace(first: int = 0, samples: int = 4, unit: str = "mV") -> Trace:
    """Members 4 and 1 every ten steps; the value is 100 * member + step, and NaN in step 20."""
    step = first + 10 * np.arange(samples)
    values = np.where(step == 20, np.nan, step)[:, None] + np.array([400.0, 100.0])
    return Trace(values, every=10, first=first, members=[4, 1], initial=[-1, -2], dt=0.1, unit=unit)


def loop(first: int = 0, samples: int = 4) -> ProjectionRecording:
    source, target = [0, 0, 1, 3, 3], [1, 2, 0, 4, 4]
    weights = first // 10 + np.arange(samples)[:, None] + 10.0 * np.arange(5)
    w = Trace(
        weights, every=10, first=first, members=np.arange(5), initial=np.zeros(5), dt=0.1, unit="nA"
    )
    x = Trace(
        np.ones((samples, 4)),
        every=10,
        first=first,
        members=np.arange(4),
        initial=np.zeros(4),
        dt=0.1,
        unit="1",
        per="source",
    )
    return ProjectionRecording(
        "loop",
        "ca3",
        target_name="ca3",
        source=source,
        target=target,
        shape=(4, 5),
        traces={"w": w, "x": x},
    )


def recording(first: int = 0, steps: int = 40) -> Recording:
    samples = steps // 10
    ca3 = PopulationRecording("ca3", 5, spikes(first, steps), {"v": trace(first, samples)})
    glia = PopulationRecording("glia", 1)
    header = HEADER | {"first": first, "steps": steps, "report": [ROW]}
    return Recording(header, {"ca3": ca3, "glia": glia}, {"loop": loop(first, samples)})
