"""A device, checked and timed in one call of at most eight minutes.

Run with ``python -m benchmarks.gpu`` on a machine with a CUDA device, or in small with
``python -m benchmarks.gpu --device cpu --small``. What would end later than ``--minutes`` is left
out, and the JSON says so; it is written again after each part, so that nothing measured is lost.
Parts run in a process of their own. If one of them kills it, hangs, or leaves a device on which
nothing runs any more, the next process continues with the part after it.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, time
from typing import Any

import torch

from neurosim.backends.gpu.devices import find_device
from neurosim.backends.gpu.static_sums import Delivery

from .devices import agreement, networks
from .devices.layers import Work, contestants, time_layers
from .report import RESULTS, held, machine, verdicts

# A part that takes so many times its estimate hangs.
_PATIENCE = 2
_UNUSABLE = 75  # code of a process whose device runs nothing any more


@dataclass(frozen=True)
class Part:
    """Something that is checked or timed.

    Attributes
    ----------
    name : str
    seconds : float
        That it takes at most on an H200, by estimate; it is left out if fewer are left.
    measure : function that returns results
    judge : function from results to verdicts, see `report.held`
    """

    name: str
    seconds: float
    measure: Callable[[], Any]
    judge: Callable[[Any], list[dict[str, Any]]] = lambda result: []


def main() -> None:
    """Check, time, print and write."""
    chosen = _options()
    path = chosen.out / f"{chosen.name}.json"
    if chosen.until is not None:
        measure(chosen, path)
        return
    path.unlink(missing_ok=True)
    until = time() + 60 * chosen.minutes
    command = [sys.executable, "-m", "benchmarks.gpu", *sys.argv[1:], "--until", str(until)]
    content = supervise(command, path, until=until)
    print(f"\ndevice: {content['device']}\n", verdicts(content["measures"]), sep="\n")
    failed = [name for name, part in content["parts"].items() if "failed" in part]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def supervise(command: Sequence[str], path: Path, *, until: float) -> dict[str, Any]:
    """Run processes, one after the other, until all parts are measured; return their results.

    Parameters
    ----------
    command : sequence of str
        Of a process that measures the parts that are missing in the JSON.
    path : Path
        Of the JSON.
    until : float
        The time of the clock at which the last process is ended.
    """
    while True:
        process = subprocess.Popen(command)
        try:
            code = process.wait(timeout=max(1.0, until - time()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
        content = json.loads(path.read_text()) if path.exists() else {}
        part = content.pop("under way", None)
        if part is not None:
            ended = {"failed": f"its process ended with code {code}"}
            content["parts"][part] = {"left out": "the time was over"} if code is None else ended
            print(f"  {content['parts'][part]}", flush=True)
            _write(path, content)
        elif not content or code not in (0, None, _UNUSABLE):
            raise SystemExit(f"the process ended with code {code} before a part began")
        if code in (0, None):
            return content


def measure(chosen: argparse.Namespace, path: Path) -> None:
    """Measure the parts that are missing in the JSON, and write it after each.

    Parameters
    ----------
    chosen : argparse.Namespace
        See `_options`.
    path : Path
        Of the JSON.
    """
    device = find_device(chosen.device)
    content = json.loads(path.read_text()) if path.exists() else _header(chosen, device)
    for part in parts(device, small=chosen.small):
        if part.name in content["parts"]:
            continue
        left = chosen.until - time()
        if not chosen.small and part.seconds > left:
            content["parts"][part.name] = {"left out": f"{left:.0f} s were left"}
            continue
        print(f"{part.name} ...", flush=True)
        _write(path, content | {"under way": part.name})
        # In small, an interpreter on a busy processor may take long.
        limit = 0 if chosen.small else math.ceil(_PATIENCE * part.seconds)
        content["parts"][part.name] = result = _result(part, content["measures"], limit=limit)
        _write(path, content)
        if "failed" in result:
            print(f"  failed: {result['failed']}", flush=True)
            if not _is_usable(device):
                raise SystemExit(_UNUSABLE)
    _write(path, content)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Replaced as a whole: a process that is killed meanwhile leaves the last one.
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content, indent=1) + "\n")
    new.replace(path)


def _header(chosen: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {
        "device": name,
        "small": chosen.small,
        "torch": torch.__version__,
        "machine": machine(),
        "parts": {},
        "measures": [],
    }


def _is_usable(device: torch.device) -> bool:
    """Return whether a device runs anything: after a wrong access of memory none does."""
    try:
        return bool(torch.ones(1, device=device).sum() == 1)
    except RuntimeError:
        return False


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", help="cuda, cuda:N or cpu (a CUDA device)")
    parser.add_argument("--small", action="store_true", help="in about a minute on a processor")
    parser.add_argument("--minutes", type=float, default=8.0, help="that it takes at most (8)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder (benchmarks/results)")
    parser.add_argument("--name", default="gpu", help="of the file (gpu)")
    # Given by `main` to its processes: the time of the clock at which they must have ended.
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def _result(part: Part, measures: list[dict[str, Any]], *, limit: int) -> dict[str, Any]:
    """Return the results of a part, or why it failed: the others are measured all the same."""
    began = perf_counter()
    # Whoever waits for a device hears no exception: the signal ends the process after `limit` s.
    signal.alarm(limit)
    try:
        result = part.measure()
        measures += part.judge(result)
    # Whatever a driver, a compiler or a peer raises: the JSON says it in its words.
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}
    finally:
        signal.alarm(0)
        # Networks of a part refer to themselves: large ones would fill the memory of the next.
        gc.collect()
    return {"result": result, "took": round(perf_counter() - began, 1)}


def parts(device: torch.device, *, small: bool) -> list[Part]:
    """Return all parts, checks before times."""
    return [*_checks(device, small=small), *_times(device, small=small)]


def _checks(device: torch.device, *, small: bool) -> list[Part]:
    name = str(device)
    compare = [
        Part(f"equal to cpu: {title}", 25, partial(agreement.agree, build, time, name), _equal)
        for title, (build, time) in agreement.networks(small=small).items()
    ]
    return [
        Part(
            "functions and draws in Triton: values that differ",
            40,
            partial(agreement.functions_and_draws, device, small=small),
            lambda r: [held("values that differ", sum(r.values()), 0, unit="")],
        ),
        *compare,
        Part(
            "sums that are pushed",
            30,
            partial(agreement.pushed, device, small=small),
            lambda r: [held("pushed twice: other bits", not r["the same bits twice"], 0, unit="")],
        ),
    ]


def _equal(result: dict[str, Any]) -> list[dict[str, Any]]:
    if not result["spikes"]:
        raise ValueError("no neuron spikes")
    wrong = result["populations that differ"] + len(result["arrays that differ"])
    return [held("spikes and arrays that differ from cpu", wrong, 0, unit="")]


def _times(device: torch.device, *, small: bool) -> list[Part]:
    layer = Work((64, 64), 10, 4) if small else Work((16_384, 16_384), 500, 16, rate=0.02)
    large: list[tuple[Delivery, float]] = [("push", 0.1), ("pull", 0.3)]
    # Compiling steps would take most of the time.
    names = [name for name in contestants() if name != "Trainer, compiled"]
    digits = Work((784, 128, 10), 25, 16 if small else 128)
    return [
        *(
            Part(
                f"100 000 Izhikevich x 1000 synapses, 1 s, {delivery}",
                100,
                partial(networks.izhikevich, device, small=small, delivery=delivery),
                partial(_seconds, what=f"100 000 x 1000, 1 s, {delivery}", most=most, small=small),
            )
            for delivery, most in large
        ),
        Part(
            "16 384 LIF behind a dense layer, batch 16, 500 steps, there and back",
            90,
            partial(time_layers, layer, device, repetitions=3, names=names),
            partial(_layer, small=small),
        ),
        Part(
            "plastic liquid, batch 256",
            45,
            partial(networks.liquid, str(device), small=small),
            partial(_samples, small=small),
        ),
        Part(
            "cortical microcircuit, full scale, 1 s",
            180,
            partial(networks.microcircuit, device, small=small),
            partial(_seconds, what="microcircuit, 1 s", most=0.25, small=small),
        ),
        Part(
            "784-128-10, T 25", 30, partial(time_layers, digits, device, repetitions=5, names=names)
        ),
        Part("device='cpu' beside cpu", 60, partial(networks.beside_cpu, small=small)),
    ]


def _seconds(
    result: dict[str, Any], *, what: str, most: float, small: bool
) -> list[dict[str, Any]]:
    return [] if small else [held(what, result["seconds"], most, unit="s")]


def _samples(result: dict[str, Any], *, small: bool) -> list[dict[str, Any]]:
    rate = result["samples per second"]
    return [] if small else [held("liquid: samples of 250 ms", rate, 1000, unit="1/s", least=True)]


def _layer(result: dict[str, Any], *, small: bool) -> list[dict[str, Any]]:
    if small:
        return []
    median = {name: times["median"] for name, times in result["seconds"].items()}
    ours = median["Trainer"]
    floor = median.pop("matrix products alone")
    return [
        held("16 384 LIF: time of its matrix products", ours / floor, 1.5, unit="x"),
        *(
            held(f"16 384 LIF: time of {name}", ours / seconds, 1.0, unit="x")
            for name, seconds in median.items()
            if name != "Trainer"
        ),
    ]


if __name__ == "__main__":
    main()
