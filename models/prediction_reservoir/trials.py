"""Trials of the reservoir on open runs: calibration, training with outcomes, and cue-only tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import neurosim as ns
from neurosim.backend.lowering import Backend
from neurosim.draws.streams import Stream

from .network import Settings, build, cue

TRAINING, TESTING, CALIBRATING = range(3)  # replicas: the same network with other noise


@dataclass(frozen=True)
class Truth:
    """The statistics of a block.

    Attributes
    ----------
    p : float
        Probability of event A; event B has the rest.
    latencies : (float, float), ms
        Of A and B.
    """

    p: float
    latencies: tuple[float, float] = (250.0, 500.0)

    @property
    def probabilities(self) -> np.ndarray:
        """Probabilities of A and B, (2,)."""
        return np.array([self.p, 1.0 - self.p])

    def bumps(self, settings: Settings) -> np.ndarray:
        """Return the (T, 2) targets of the timing readouts; row k is for the end of step k."""
        since = times(settings)[:, None] - np.array(self.latencies)
        return np.exp(-(since**2) / (2 * settings.width**2))


@dataclass(frozen=True)
class Scheme:
    """How readouts are taught, and whether a prediction has two factors.

    Attributes
    ----------
    attends_all : bool
        Both channels learn in every trial, not only that of the delivered event.
    outcome_height : bool
        The target of an event that is not delivered is flat.
    factorised : bool
        A prediction is the product of both readouts; otherwise it is the timing readout alone.
    """

    attends_all: bool = False
    outcome_height: bool = False
    factorised: bool = True


SPLIT = Scheme()


@dataclass(frozen=True, eq=False)
class Calibration:
    """Activity in three cue-only trials of the untrained network.

    Attributes
    ----------
    mean : (N,) 1/ms
    power : float, 1/ms**2
        Of the activity less its mean.
    rates : (N,) Hz
    """

    mean: np.ndarray
    power: float
    rates: np.ndarray


@dataclass(frozen=True, eq=False)
class Prediction:
    """Mean of the cue-only trials of a test.

    Attributes
    ----------
    over_time, when : (T, 2)
        Prediction and timing readout.
    what : (2,)
        Identity readout.
    """

    over_time: np.ndarray
    when: np.ndarray
    what: np.ndarray


def times(settings: Settings) -> np.ndarray:
    """Return the time since the cue at the end of each step, ms."""
    return np.arange(1, round(settings.trial) + 1, dtype=np.float64)


def outcomes(probabilities: np.ndarray, *, seed: int, name: str = "outcomes") -> np.ndarray:
    """Draw the delivered channel of each trial, (T,): 0 for A with its probability, else 1.

    Parameters
    ----------
    probabilities : (T,)
        Of A.
    seed : int
    name : str
        Of the stream of random numbers.
    """
    return np.where(
        Stream(seed, f"prediction_reservoir/{name}").uniform(np.arange(len(probabilities)))
        < probabilities,
        0,
        1,
    )


def run_trial(
    run: ns.Run, settings: Settings, *, latencies: tuple[float, float] = (0.0, 0.0)
) -> None:
    """Run one trial from the resting state and the onset of the cue.

    Parameters
    ----------
    run : Run
        Learning follows the rates and channels that are set there.
    settings : Settings
    latencies : (float, float), ms
        Of the targets.
    """
    begin_trial(run, settings, latencies=latencies)
    run.run(settings.trial, progress=False)
    run.emit("trial_end")


def begin_trial(
    run: ns.Run, settings: Settings, *, latencies: tuple[float, float] = (0.0, 0.0)
) -> None:
    """Reset neurons, traces and readouts, but no weights, and present the cue.

    Parameters
    ----------
    run, settings, latencies
        As of `run_trial`.
    """
    run.reset()
    run.set("reservoir", cue_on=cue(settings))
    run.set("channels", latency=latencies)


def calibrate(settings: Settings, *, seed: int, backend: str | Backend) -> Calibration:
    """Run three cue-only trials of the untrained network.

    Parameters
    ----------
    settings : Settings
    seed : int
    backend : str or Backend
    """
    # In a run of its own: no other trial has its noise.
    net = build(settings, seed)
    net.record(net.projections["when"], "r")
    net.record(net.populations["reservoir"], "spikes")
    run = ns.prepare(net, backend=backend, replica=CALIBRATING)
    for _ in range(3):
        run_trial(run, settings)
    recording = run.result()
    r = recording["when"].trace("r").values
    mean = r.mean(axis=0)
    # Without the response to the cue, which is far above the activity that follows.
    late = np.tile(times(settings) > 50.0, 3)
    return Calibration(
        mean,
        float(((r[late] - mean) ** 2).sum(axis=1).mean()),
        ns.measure.rates(recording["reservoir"].spikes),
    )


class Learner:
    """A reservoir that learns, with one run for training and one for tests.

    Parameters
    ----------
    backend : str or Backend
    settings : Settings
    seed : int
        Of the network and its noise.
    scheme : Scheme
    calibration : Calibration, optional
        Computed here unless given.
    """

    def __init__(
        self,
        backend: str | Backend,
        *,
        settings: Settings,
        seed: int,
        scheme: Scheme = SPLIT,
        calibration: Calibration | None = None,
    ) -> None:
        self.backend = backend
        self.settings = settings
        self.seed = seed
        self.scheme = scheme
        self.calibration = calibration or calibrate(settings, seed=seed, backend=backend)
        net = build(settings, seed)
        net.record(net.projections["when"], "z")
        # Two runs, so that no test changes the noise or the state of training.
        self.trainer = ns.prepare(net, backend=backend, replica=TRAINING)
        self.tester = ns.prepare(net, backend=backend, replica=TESTING)
        for run in (self.trainer, self.tester):
            run.set("when", mean=self.calibration.mean)
        # Relative to the power of the activity: the rate then means the same for any reservoir.
        self.trainer.set("when", eta=settings.rate_when / self.calibration.power)
        self.trainer.set("what", eta=settings.rate_what / float((self.calibration.mean**2).sum()))

    def train(self, truth: Truth, outcome: int) -> None:
        """Run one trial that delivers event ``outcome`` (0 or 1) at its latency; weights learn."""
        self.announce(outcome)
        run_trial(self.trainer, self.settings, latencies=truth.latencies)

    def announce(self, outcome: int) -> None:
        """Tell the channels which event the next trial delivers, and which of them learn."""
        delivered = np.eye(2)[outcome]
        self.trainer.set(
            "channels",
            delivered=delivered,
            attended=np.ones(2) if self.scheme.attends_all else delivered,
            height=delivered if self.scheme.outcome_height else np.ones(2),
        )

    def test(self) -> Prediction:
        """Run the cue-only trials of a test with fresh noise; the weights stay."""
        # The rates of the test run are 0, so that it learns nothing.
        for name in ("when", "what"):
            self.tester.set(name, w=self.trainer.get(name, "w"))
        what = []
        for _ in range(self.settings.tests):
            run_trial(self.tester, self.settings)
            what.append(np.clip(self.tester.get("what", "y"), 0.0, 1.0))
        z = self.tester.result()["when"].trace("z").values
        z = z.reshape(-1, round(self.settings.trial), 2)[-self.settings.tests :]
        factor = np.array(what)[:, None, :] if self.scheme.factorised else 1.0
        return Prediction((factor * z).mean(axis=0), z.mean(axis=0), np.mean(what, axis=0))

    def forget(self) -> None:
        """Reset all readout weights to 0; the noise continues."""
        for name in ("when", "what"):
            self.trainer.reset(name, "w")

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights of the identity and of the timing readouts, (2, N) each."""
        what, when = (self.trainer.get(name, "w").reshape(-1, 2).T for name in ("what", "when"))
        return what, when
