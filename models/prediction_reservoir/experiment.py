"""Experiments X1 to X4: one block, switches, a scan of probabilities, weight geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

import numpy as np

from .measures import (
    amplitude,
    correlation,
    relative_error,
    subspace_angles,
    timing_error,
    weight_geometry,
)
from .network import DEFAULTS, Settings
from .trials import SPLIT, Learner, Prediction, Scheme, Truth, outcomes

Result = dict[str, Any]
Train = Callable[[Truth, int], None]  # one trial: statistics, delivered event
Watch = Callable[[int, int, Prediction], None]  # block, trials learned in it, prediction then

TESTED = (1, 5, 10, 20, 35, 50, 75, 100)  # trials of a block after which a test is made
FIRST = Truth(0.8)
SWITCHES = (FIRST, Truth(0.8, (400.0, 650.0)), Truth(0.2, (400.0, 650.0)), Truth(0.5))
LEVELS = tuple(Truth(k / 10) for k in range(11))
CONDITIONS = tuple(Truth(p, (t, t + 250.0)) for p in (0.2, 0.5, 0.8) for t in (200.0, 300.0, 400.0))


def acquisition(backend: str, *, seed: int, settings: Settings = DEFAULTS) -> Result:
    """Run X1, one block.

    Parameters
    ----------
    backend : str
    seed : int
    settings : Settings

    Returns
    -------
    dict
        Errors by tested trial, timing errors at the end, activity of the untrained reservoir.
    """
    learner = Learner(backend, settings=settings, seed=seed)
    (block,) = blocks(learner, (FIRST,), train=learner.train)
    rates = learner.calibration.rates
    inhibitory = round(settings.inhibitory * settings.size)
    n_e = settings.size - inhibitory
    weights = b"".join(w.tobytes() for w in learner.weights())
    return block | {
        "tested": tested(settings),
        "excitatory": float(rates[:n_e].mean()),
        "inhibitory": float(rates[n_e:].mean()),
        "silent": float((rates == 0).mean()),
        "fastest": float(rates.max()),
        "power": learner.calibration.power,
        # Errors may be equal by rounding; the digest compares all weights to the last bit.
        "digest": blake2b(weights).hexdigest(),
    }


def switches(
    backend: str,
    *,
    seed: int,
    settings: Settings = DEFAULTS,
    scheme: Scheme = SPLIT,
    truths: tuple[Truth, ...] = SWITCHES,
) -> Result:
    """Run X2, blocks without reset in between.

    Parameters
    ----------
    backend : str
    seed : int
    settings : Settings
    scheme : Scheme
    truths : tuple of Truth
        Of the blocks.

    Returns
    -------
    dict
        Results by block, and whether the recurrent weights keep their signs and values.
    """
    learner = Learner(backend, settings=settings, seed=seed, scheme=scheme)
    before = recurrent(learner)
    by_block = list(blocks(learner, truths, train=learner.train))
    after = recurrent(learner)
    excitatory, inhibitory = after
    signs = (excitatory >= 0).all() and (inhibitory <= 0).all()
    # Weights of 0 have the right sign, too, but no effect.
    present = excitatory.any() and inhibitory.any()
    pairs = zip(before, after, strict=True)
    return {
        "blocks": by_block,
        "tested": tested(settings),
        "unchanged": bool(all((a == b).all() for a, b in pairs)),
        "dale": bool(signs and present),
    }


def blocks(
    learner: Learner,
    truths: tuple[Truth, ...],
    *,
    train: Train,
    watch: Watch | None = None,
) -> Iterator[Result]:
    """Train block after block, and yield errors, timing errors and subspace angles of each.

    Parameters
    ----------
    learner : Learner
    truths : tuple of Truth
        Of the blocks.
    train : function (truth, outcome)
        Runs one trial.
    watch : function (block, trial, prediction), optional
        Called after each test.
    """
    settings = learner.settings
    # Drawn for all blocks at once: an outcome depends on the seed and its number alone.
    p = np.repeat([truth.p for truth in truths], settings.trials)
    delivered = outcomes(p, seed=learner.seed).reshape(len(truths), -1)
    for number, truth in enumerate(truths):
        tests = {}
        for trial in range(settings.trials + 1):
            if trial:
                train(truth, delivered[number, trial - 1])
            # Also before the first trial: the error there shows how much of the block before
            # remains.
            if trial == 0 or trial in tested(settings):
                tests[trial] = learner.test()
                if watch:
                    watch(number, trial, tests[trial])
        errors = [relative_error(test, truth, settings) for test in tests.values()]
        last = tests[max(tests)]
        # The first test with an error of at most half of that of a silent model.
        by_trial = zip(tested(settings), errors[1:], strict=True)
        recovered = [trial for trial, error in by_trial if error <= 0.5]
        yield {
            "before": errors[0],
            "errors": errors[1:],
            "timing": timing_error(last, truth, settings),
            "what": last.what.tolist(),
            "recovered": recovered[0] if recovered else None,
            "angles": subspace_angles(*learner.weights()),
        }


def tested(settings: Settings) -> list[int]:
    """Return the trials of a block after which a test is made."""
    # The last trial in any case: the end of a block says what was learned in it.
    before_last = [t for t in TESTED if t < settings.trials]
    return [*before_last, settings.trials]


def recurrent(learner: Learner) -> tuple[np.ndarray, np.ndarray]:
    """Return the excitatory and the inhibitory weights of the reservoir in the training run."""
    # Copies, since they are compared with the weights after training.
    excitatory = learner.trainer.get("excitation", "w").copy()
    inhibitory = learner.trainer.get("inhibition", "w").copy()
    return excitatory, inhibitory


def probability_scan(
    backend: str,
    *,
    seed: int,
    settings: Settings = DEFAULTS,
    truths: tuple[Truth, ...] = LEVELS,
) -> Result:
    """Run X3, fresh training at each probability of A.

    Parameters
    ----------
    backend : str
    seed : int
    settings : Settings
    truths : tuple of Truth
        Of the levels.

    Returns
    -------
    dict
        Amplitudes and identity estimates by level, and their correlations with it.
    """
    learner = Learner(backend, settings=settings, seed=seed)
    amplitudes = []
    what = []
    for truth in truths:
        _fresh(learner, truth, name=f"outcomes/{truth.p:g}")
        prediction = learner.test()
        amplitudes.append(amplitude(prediction, truth, settings))
        what.append(prediction.what.tolist())
    a, b = np.transpose(amplitudes)
    _, what_of_b = np.transpose(what)
    levels = [truth.p for truth in truths]
    return {
        "levels": levels,
        "amplitudes": amplitudes,
        "what": what,
        "r_a": correlation(a, levels),
        "r_b": correlation(b, levels),
        "r_what_b": correlation(what_of_b, levels),
    }


def subspaces(
    backend: str,
    *,
    seed: int,
    settings: Settings = DEFAULTS,
    conditions: tuple[Truth, ...] = CONDITIONS,
) -> Result:
    """Run X4, fresh training in each condition.

    Parameters
    ----------
    backend : str
    seed : int
    settings : Settings
    conditions : tuple of Truth

    Returns
    -------
    dict
        Positions of the conditions in the space of readout weights, see `weight_geometry`.
    """
    learner = Learner(backend, settings=settings, seed=seed)
    weights = []
    for number, truth in enumerate(conditions):
        _fresh(learner, truth, name=f"outcomes/condition {number}")
        weights.append([w.ravel() for w in learner.weights()])
    what, when = (np.array(w) for w in zip(*weights, strict=True))
    return weight_geometry(
        what,
        when,
        p=np.array([t.p for t in conditions]),
        latency=np.array([t.latencies[0] for t in conditions]),
    )


def _fresh(learner: Learner, truth: Truth, *, name: str) -> None:
    """Train one block from weights of 0."""
    learner.forget()
    p = np.full(learner.settings.trials, truth.p)
    # Each level has a stream of its own name: adding one does not change the outcomes of others.
    for outcome in outcomes(p, seed=learner.seed, name=name):
        learner.train(truth, outcome)
