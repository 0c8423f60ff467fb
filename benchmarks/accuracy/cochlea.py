"""Sounds as spikes of 70 channels: a mel filter bank, compressed, and a neuron for each filter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurosim.datasets import Sounds

CHANNELS = 70
LOWEST, HIGHEST = 60.0, 3800.0  # Hz, of the filters
WINDOW = 256  # values, 32 ms at 8 kHz
SMALLEST = 1e-4  # of the largest energy: below it a channel is silent
SPIKES_PER_STEP = 0.25  # of a channel at the largest energy


def spikes_of(sounds: Sounds, *, step: float, steps: int) -> NDArray[np.uint8]:
    """Return the spikes of all sounds, (T, B, 70), at most one per channel and step.

    Parameters
    ----------
    sounds : Sounds
    step : float, ms
        Of the sound, for each step of the network.
    steps : int
        T; what comes later is dropped.
    """
    hop = round(step * sounds.rate / 1000)
    filters = _filters(sounds.rate)
    spikes = np.zeros((steps, len(sounds), CHANNELS), np.uint8)
    for b in range(len(sounds)):
        values = sounds.values[sounds.offsets[b] : sounds.offsets[b + 1]] / 32768
        energy = _spectrum(values, hop)[:steps] @ filters.T
        # Loudness grows as the logarithm of energy, from 0 at the smallest that counts.
        relative = energy / max(float(energy.max()), 1e-12)
        loudness = 1 + np.log10(np.maximum(relative, SMALLEST)) / -np.log10(SMALLEST)
        charge = np.cumsum(SPIKES_PER_STEP * loudness, axis=0)
        whole = np.floor(charge)
        spikes[: len(whole), b] = np.diff(whole, axis=0, prepend=0) > 0
    return spikes


def _spectrum(values: NDArray[np.float64], hop: int) -> NDArray[np.float64]:
    """Return the energy by window and frequency, (T, WINDOW / 2 + 1)."""
    padded = np.pad(values, (0, WINDOW))
    starts = np.arange(0, max(len(values), 1), hop)
    windows = padded[starts[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW)
    return np.abs(np.fft.rfft(windows, axis=1)) ** 2


def _filters(rate: float) -> NDArray[np.float64]:
    """Return triangles of equal width on the mel scale, (70, WINDOW / 2 + 1).

    Source: Stevens, Volkmann & Newman 1937, in the form of O'Shaughnessy 1987.
    """
    ends = 2595 * np.log10(1 + np.array([LOWEST, HIGHEST]) / 700)
    corners = 700 * (10 ** (np.linspace(*ends, CHANNELS + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(WINDOW, 1 / rate)
    low, middle, high = (corners[k : k + CHANNELS, None] for k in range(3))
    # Filters narrower than the spacing of frequencies take the nearest one.
    width = np.maximum(np.minimum(middle - low, high - middle), rate / WINDOW)
    return np.maximum(0.0, 1 - np.abs(frequencies - middle) / width)
