"""Hashes of twenty-four networks' states and recordings: equal before and after a change of code.

Run by hand: ``python tests/support/recording_hashes.py hashes.json`` on one checkout, the same with
``--compare hashes.json`` on another. The hash of a network covers every array of `Run.save`:
spikes, traces, states, weights, spikes in flight; and the identity of the network itself.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]  # as pytest finds the modules of tests and support

import neurosim as ns  # noqa: E402
from neurosim.models import (  # noqa: E402
    balanced_networks,
    cortical_microcircuit,
    plastic_balanced_network,
    polychronous_network,
)
from neurosim.models.astrocyte_liquid.samples import Liquid  # noqa: E402
from neurosim.models.ca3_memory.memory import CA3Memory  # noqa: E402

try:
    from support import cpu_networks, predictions, random_networks
except ImportError:  # a checkout whose tests lie in one folder
    import cpu_networks
    import predictions
    import random_networks

RANDOM_NETWORKS = 8


def hash_of(run: ns.Run) -> str:
    """Return the hash of everything that a run has recorded and that its future depends on."""
    digest = hashlib.blake2b(digest_size=12)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.npz"
        run.save(path)
        with np.load(path) as arrays:
            header = json.loads(arrays["header.json"])
            identity = header["header"]["content"]["hash"]
            for name in sorted(set(arrays.files) - {"header.json"}):
                values = arrays[name]
                digest.update(f"{name} {values.dtype} {values.shape}".encode())
                digest.update(np.ascontiguousarray(values).tobytes())
    digest.update(str(identity).encode())
    return digest.hexdigest()


def played(network: ns.Network, time: str, **options: object) -> ns.Run:
    """Return a run of a network after some time on the compiled engine."""
    run = ns.prepare(network, backend="cpu", threads=2, **options)
    run.run(time, progress=False)
    return run


def memory() -> ns.Run:
    """Return a CA3 memory that has learned, overwritten and recalled."""
    held = CA3Memory(4, 8, backend="cpu", watch=True)
    held.learn(1, [1, 2, 3])
    held.learn(2, [4, 5])
    held.learn(1, [6])
    held.recall_by_cue(1)
    held.recall_by_content([5])
    return held.run


def reservoir() -> ns.Run:
    """Return a prediction reservoir after two trials."""
    learner = predictions.learner("cpu")
    learner.train(predictions.NEAR, 0)
    learner.train(predictions.NEAR, 1)
    return learner.trainer


def liquid() -> ns.Run:
    """Return an astrocyte liquid that has organised itself over two samples."""
    held = Liquid(backend="cpu")
    chances = np.random.default_rng(1).random((2, held.settings.inputs)) * 0.2
    held.self_organise(chances)
    return held.run


def random_stories(count: int) -> list[random_networks.Story]:
    """Return random networks, the same ones in every checkout."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    stories: list[random_networks.Story] = []

    @seed(11)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(random_networks.stories(layers=False))
    def collect(story: random_networks.Story) -> None:
        stories.append(story)

    collect()
    return stories[-count:]


def networks() -> dict[str, Callable[[], ns.Run]]:
    """Return the networks by name, each as a function that runs it."""
    balanced = {
        "cuba": (balanced_networks.cuba(2000, delay="1 ms", seed=1), "200 ms"),
        "coba": (balanced_networks.coba(2000, delay="1 ms", seed=1), "200 ms"),
        "izhikevich": (balanced_networks.izhikevich_2003(seed=1), "200 ms"),
        "plastic-balanced": (
            plastic_balanced_network.plastic_balanced_network(size=1000, seed=1),
            "100 ms",
        ),
        "microcircuit": (cortical_microcircuit.cortical_microcircuit(0.02, seed=1), "50 ms"),
        "polychronous": (polychronous_network.polychronous_network(seed=1), "300 ms"),
    }
    runs: dict[str, Callable[[], ns.Run]] = {}
    for name, (network, time) in balanced.items():
        runs[name] = lambda network=network, time=time: played(network, time)
    for name in ("cuba", "plastic-balanced"):
        network, time = balanced[name]
        runs[f"{name} in float32"] = lambda network=network, time=time: played(
            network, time, precision="float32"
        )
    runs |= {"ca3-memory": memory, "prediction-reservoir": reservoir, "astrocyte-liquid": liquid}
    for name in ("plastic", "scattered", "named"):
        build = getattr(cpu_networks, name)
        runs[f"tests: {name}"] = lambda build=build: played(build(), "20 ms")
    runs["tests: plastic in float32"] = lambda: played(
        cpu_networks.plastic(), "20 ms", precision="float32"
    )
    for number, story in enumerate(random_stories(RANDOM_NETWORKS)):
        for backend in ("reference", "cpu"):
            runs[f"random {number} on {backend}"] = lambda story=story, backend=backend: (
                random_networks.play(ns.prepare(story.net, backend=backend), story.actions)
            )
    return runs


def main() -> int:
    """Write the hashes, or compare them; return 1 where one differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", help="file that the hashes are written to")
    parser.add_argument("--compare", help="file of hashes that these are held against")
    options = parser.parse_args()
    hashes = {}
    for name, run in networks().items():
        hashes[name] = hash_of(run())
        print(f"{hashes[name]}  {name}", flush=True)
    if options.file:
        Path(options.file).write_text(json.dumps(hashes, indent=1) + "\n")
    if not options.compare:
        return 0
    before = json.loads(Path(options.compare).read_text())
    different = sorted(
        name for name in before.keys() | hashes.keys() if before.get(name) != hashes.get(name)
    )
    print(f"{len(hashes) - len(different)} of {len(hashes)} equal", *different, sep="\n  ")
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
