"""The benchmarks of devices run in small on the processor, and refuse what cannot be right."""

from __future__ import annotations

import json
import sys

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


def test_a_part_that_fails_is_told_and_the_others_are_measured(tmp_path, monkeypatch):
    def fail():
        raise RuntimeError("no such kernel")

    chosen = ["gpu", "--device", "cpu", "--small", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", chosen)
    measured = [gpu.Part("broken", 1, fail), gpu.Part("whole", 1, lambda: {"spikes": 3})]
    monkeypatch.setattr(gpu, "parts", lambda device, small: measured)
    with pytest.raises(SystemExit, match="failed: broken"):
        gpu.main()
    content = json.loads((tmp_path / "gpu.json").read_text())
    assert content["device"] == "CPU"
    assert content["parts"]["broken"] == {"failed": "RuntimeError: no such kernel"}
    assert content["parts"]["whole"]["result"] == {"spikes": 3}


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
