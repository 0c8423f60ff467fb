"""The demonstration: experiment X2 for one seed, with a picture and a table of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import neurosim as ns
from neurosim.backend.lowering import Backend
from neurosim.recording.files import write_json

from .experiment import SWITCHES, Result, blocks, tested
from .network import Settings, build
from .picture import draw
from .trials import Learner, Prediction, Truth, run_trial

Row = dict[str, Any]


def demonstrate(
    *,
    seed: int = 0,
    backend: str | Backend = "cpu",
    out: str | Path = ".",
    progress: bool = True,
    **settings: Any,
) -> list[Row]:
    """Run the four blocks of X2.

    Parameters
    ----------
    seed : int
    backend : str or Backend
    out : path
        Folder, created if it is missing; takes ``results.json``, written after every block, then
        ``prediction_reservoir.png``.
    progress : bool
        Show a bar.
    **settings
        Fields of `Settings`.

    Returns
    -------
    list of {"quantity", "measured", "expected", "pass"}
        The limits are those of the acceptance checks for means over seeds; a single seed may miss
        one.
    """
    from tqdm.auto import tqdm

    chosen = Settings(**settings)
    learner = Learner(backend, settings=chosen, seed=seed)
    content = {
        "model": "prediction-reservoir",
        "seed": seed,
        "backend": str(backend),
        "settings": settings,
    }
    folder = Path(out)
    rows = []
    finished = []
    tests: dict[tuple[int, int], Prediction] = {}
    with tqdm(
        total=len(SWITCHES) * chosen.trials,
        unit="trial",
        desc="prediction reservoir",
        disable=not progress,
    ) as bar:

        def train(truth: Truth, outcome: int) -> None:
            learner.train(truth, outcome)
            bar.update()

        for block in blocks(
            learner,
            SWITCHES,
            train=train,
            watch=lambda block, trial, test: tests.__setitem__((block, trial), test),
        ):
            finished.append(block)
            rows = judge(finished, tested(chosen))
            # After each block: Ctrl-C leaves the results so far.
            write_json(
                folder / "results.json",
                content
                | {"finished": len(finished) == len(SWITCHES), "rows": rows, "blocks": finished},
            )
    draw(
        folder / "prediction_reservoir.png",
        chosen,
        spikes=spikes(learner),
        tests=tests,
        errors=[[block["before"], *block["errors"]] for block in finished],
        tested=tested(chosen),
    )
    return rows


def judge(finished: list[Result], tested: list[int]) -> list[Row]:
    """Return errors, peaks and angles of each finished block beside their limits."""
    rows = []

    def row(
        quantity: str,
        measured: float,
        limit: float,
        *,
        least: bool = False,
    ) -> None:
        passed = measured >= limit if least else measured <= limit
        expected = f"{'>=' if least else '<='} {limit:g}"
        rows.append(
            {
                "quantity": quantity,
                "measured": round(measured, 3),
                "expected": expected,
                "pass": bool(passed),
            }
        )

    first = dict(zip(tested, finished[0]["errors"], strict=True))
    for trial, limit in ((10, 0.80), (50, 0.48), (100, 0.44)):
        # Short blocks end before some of these trials.
        if trial in first:
            row(f"block 1: E({trial})/E(1)", first[trial] / first[1], limit)
    for number, (truth, block) in enumerate(zip(SWITCHES, finished, strict=False), start=1):
        errors = dict(zip(tested, block["errors"], strict=True))
        for trial, limit in ((35, 0.5), (100, 0.45)):
            if trial in errors and number > 1:
                row(f"block {number}: E({trial})", errors[trial], limit)
        for k, name in enumerate("AB"):
            # A peak of an event that rarely comes is too low to be timed well.
            if truth.probabilities[k] >= 0.5:
                row(
                    f"block {number}: peak timing error of {name} (ms)",
                    abs(block["timing"][k]),
                    40.0,
                )
        row(
            f"block {number}: smaller angle between what and when (degrees)",
            block["angles"][0],
            65.0,
            least=True,
        )
    return rows


def spikes(learner: Learner) -> ns.Spikes:
    """Return the spikes of the reservoir in one more cue-only trial with the weights learned."""
    # A run of its own: recording spikes of all training would fill memory.
    net = build(learner.settings, learner.seed)
    net.record(net.populations["reservoir"], "spikes")
    run = ns.prepare(net, backend=learner.backend)
    run.set("when", mean=learner.calibration.mean, w=learner.trainer.get("when", "w"))
    run_trial(run, learner.settings)
    return run.result()["reservoir"].spikes
