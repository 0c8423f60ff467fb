"""The benchmarks of devices run in small on the processor, and refuse what cannot be right."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import pytest

pytest.importorskip("benchmarks", reason="benchmarks are no part of the package")
pytest.importorskip("snntorch")
pytest.importorskip("triton")

import torch  # noqa: E402

from benchmarks import gpu, training  # noqa: E402
from benchmarks.devices.courses import _require_equal, time_course  # noqa: E402
from benchmarks.devices.layers import ByTrainer, Work, time_layers  # noqa: E402

CPU = torch.device("cpu")


def test_layers_of_all_contestants_spike_alike_and_are_timed():
    result = time_layers(Work((40, 20, 10), 12, 4, rate=0.3), CPU, repetitions=1)
    rates = result["spikes per sample and step"]
    assert rates["Trainer"] == rates["snnTorch"] > 0.5
    assert result["seconds"]["Trainer"]["repetitions"] == 1


def test_long_courses_have_the_same_spikes_and_gradients_both_ways():
    result = time_course(steps=60, batch=2, repetitions=1)
    assert result["spikes per neuron"] > 0.5
    assert result["eager in times of compiled"]["repetitions"] == 1


def test_a_course_with_other_spikes_has_no_time():
    spikes, gradient = torch.ones(3, 2, 4), torch.ones(4, 4)
    equal = {"eager": (spikes, gradient), "compiled": (spikes, gradient)}
    _require_equal(equal)
    for wrong in ((1 - spikes, gradient), (spikes, 2 * gradient)):
        with pytest.raises(ValueError, match="expected the same"):
            _require_equal(equal | {"compiled": wrong})


def test_a_contestant_that_spikes_otherwise_has_no_time(monkeypatch):
    class Louder(ByTrainer):
        def forward(self, spikes):
            return 1.1 * super().forward(spikes)

    monkeypatch.setattr("benchmarks.devices.layers.BySnnTorch", Louder)
    with pytest.raises(ValueError, match=r"snnTorch: found .* spikes per step, expected"):
        time_layers(Work((40, 20, 10), 12, 4, rate=0.3), CPU, repetitions=1)


def options(folder) -> argparse.Namespace:
    return argparse.Namespace(
        device="cpu", small=True, out=folder, name="gpu", until=time.time() + 60
    )


def raises(error: Exception) -> Any:
    def fail(*arguments):
        raise error

    return fail


def test_a_part_that_fails_is_told_and_the_others_are_measured(tmp_path, monkeypatch):
    path = tmp_path / "gpu.json"
    measured = [
        gpu.Part("broken", 1, raises(RuntimeError("no such kernel"))),
        gpu.Part("silent", 1, lambda: {}, raises(ValueError("no neuron spikes"))),
        gpu.Part("whole", 1, lambda: {"spikes": 3}),
    ]
    monkeypatch.setattr(gpu, "parts", lambda device, small: measured)
    gpu.measure(options(tmp_path), path)
    content = json.loads(path.read_text())
    assert content["device"] == "CPU" and "under way" not in content
    assert content["parts"]["broken"] == {"failed": "RuntimeError: no such kernel"}
    assert content["parts"]["silent"] == {"failed": "ValueError: no neuron spikes"}
    assert content["parts"]["whole"]["result"] == {"spikes": 3}


def test_a_device_that_runs_nothing_any_more_needs_another_process(tmp_path, monkeypatch):
    path = tmp_path / "gpu.json"
    measured = [
        gpu.Part("broken", 1, raises(RuntimeError("an illegal memory access"))),
        gpu.Part("whole", 1, lambda: {"spikes": 3}),
    ]
    monkeypatch.setattr(gpu, "parts", lambda device, small: measured)
    monkeypatch.setattr(gpu, "_is_usable", lambda device: False)
    with pytest.raises(SystemExit) as stopped:
        gpu.measure(options(tmp_path), path)
    assert stopped.value.code == gpu._UNUSABLE
    assert "whole" not in json.loads(path.read_text())["parts"]
    gpu.measure(options(tmp_path), path)
    assert {"broken", "whole"} == json.loads(path.read_text())["parts"].keys()


# Each start of this process measures the next part; the first two end before they are done.
STARTS = """
import json, os, sys, time
from pathlib import Path
path = Path(sys.argv[1])
content = json.loads(path.read_text()) if path.exists() else {"parts": {}, "measures": []}
done = len(content["parts"])
path.write_text(json.dumps(content | {"under way": f"part {done}"}))
if done == 0:
    os.abort()
content["parts"][f"part {done}"] = {"result": done}
if done == 2:
    path.write_text(json.dumps(content | {"under way": "part 3"}))
    time.sleep(60)
path.write_text(json.dumps(content))
sys.exit(75)
"""


def test_processes_continue_with_the_next_part_until_the_time_is_over(tmp_path):
    path = tmp_path / "gpu.json"
    command = [sys.executable, "-c", STARTS, str(path)]
    content = gpu.supervise(command, path, until=time.time() + 5)
    assert content["parts"] == {
        "part 0": {"failed": "its process ended with code -6"},
        "part 1": {"result": 1},
        "part 2": {"result": 2},
        "part 3": {"left out": "the time was over"},
    }
    assert json.loads(path.read_text()) == content


def test_a_process_that_ends_before_its_first_part_is_not_started_again(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    with pytest.raises(SystemExit, match="ended with code 3 before a part began"):
        gpu.supervise(command, tmp_path / "gpu.json", until=time.time() + 20)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_benchmark_of_a_device_runs_in_small_on_the_processor(tmp_path, monkeypatch):
    chosen = ["gpu", "--device", "cpu", "--small", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", chosen)
    gpu.main()
    content = json.loads((tmp_path / "gpu.json").read_text())
    assert {m["outcome"] for m in content["measures"]} == {"reached"}
    assert all("result" in part for part in content["parts"].values())


@pytest.mark.slow
def test_the_benchmark_of_training_runs_in_small(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["training", "--small", "--out", str(tmp_path)])
    training.main()
    content = json.loads((tmp_path / "training.json").read_text())
    assert content["beside cpu"]["CUBA 4000"]["ratio"] > 0
