"""The Trainer beside snnTorch and Norse on the processor, and ``gpu`` beside ``cpu``.

Run with ``python -m benchmarks.training``; ``--small`` runs in seconds. Norse is measured if it is
installed (``pip install norse==1.1.0``), compiled too with ``--compiled``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from .devices import courses, networks
from .devices.layers import Work, contestants, time_layers
from .report import RESULTS, held, machine, quartiles, table, verdicts, write

ASKED = 1.25  # times snnTorch's time, at most
# Of compiled steps, at least: times faster than snnTorch, than Norse, and than the eager loop.
FASTER = {"snnTorch": 1.4, "Norse": 1.0}
LONG = 10.0


def main() -> None:
    """Measure, print and write."""
    chosen = _options()
    torch.set_num_threads(chosen.threads)
    described = machine()
    work = Work((784, 128, 10), 25, 16 if chosen.small else 128)
    names = [n for n in contestants() if chosen.compiled or n != "Norse, compiled"]
    layers = time_layers(
        work, torch.device("cpu"), repetitions=3 if chosen.small else 25, names=names
    )
    long = [
        courses.time_course(
            steps=100 if chosen.small else 1000,
            batch=16,
            repetitions=3 if chosen.small else 7,
            recurrent=recurrent,
        )
        for recurrent in (False, True)
    ]
    course, recurrent_course = long
    measures = [_beside(layers, "snnTorch"), *_compiled(layers), *_long(course, chosen.small)]
    beside = networks.beside_cpu(small=chosen.small)
    print("\n".join(f"{name}: {value}" for name, value in described.items()))
    print(f"\n{layers['work']}, {chosen.threads} threads, forward and backward:\n")
    rows = [
        [name, f"{1000 * s['median']:.1f}", quartiles(s, "{:.1f}", 1000)]
        for name, s in layers["seconds"].items()
    ]
    print(table(["", "ms", "quartiles"], rows), "", verdicts(measures), sep="\n")
    for timed in long:
        seconds = {name: s["median"] for name, s in timed["seconds"].items()}
        print(f"\n{timed['work']}, forward and backward:\n")
        print(table(["", "ms"], [[name, f"{1000 * s:.0f}"] for name, s in seconds.items()]))
    print("\ndevice='cpu' of gpu beside cpu: told, not judged\n")
    rows = [[name, f"{r['ratio']:.1f}"] for name, r in beside.items()]
    print(table(["", "times the time of cpu"], rows))
    content = {
        "machine": described,
        "torch": torch.__version__,
        "threads": chosen.threads,
        "layers": layers,
        "course": course,
        "recurrent course": recurrent_course,
        "measures": measures,
        "beside cpu": beside,
    }
    write(chosen.out, "training", content)


def _beside(layers: dict[str, Any], name: str) -> dict[str, Any]:
    """Return our time in times of a contestant's, beside what is asked."""
    seconds = {n: s["median"] for n, s in layers["seconds"].items()}
    ratio = seconds["Trainer"] / seconds[name]
    return held(f"Trainer, eager, in times of {name}", ratio, ASKED, unit="x")


def _compiled(layers: dict[str, Any]) -> list[dict[str, Any]]:
    """Return how much faster compiled steps are than the contestants, beside what is asked."""
    seconds = {n: s["median"] for n, s in layers["seconds"].items()}
    return [
        held(
            f"Trainer, compiled: times faster than {name}",
            seconds[name] / seconds["Trainer, compiled"],
            asked,
            unit="x",
            least=True,
        )
        for name, asked in FASTER.items()
        if name in seconds
    ]


def _long(course: dict[str, Any], small: bool) -> list[dict[str, Any]]:
    ratio = course["eager in times of compiled"]["median"]
    name = f"{course['work']}: compiled, times faster than eager"
    return [] if small else [held(name, ratio, LONG, unit="x", least=True)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="fewer repetitions, smaller batches")
    parser.add_argument("--compiled", action="store_true", help="Norse compiled, too")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch (1)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder (benchmarks/results)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
