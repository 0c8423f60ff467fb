"""Dimensions of activity: how many directions hold a share of its variance, and angles between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NetworkError


def principal_directions(rows: NDArray[np.floating], *, share: float) -> NDArray[np.float64]:
    """Return the fewest orthonormal directions that hold a share of the second moment of rows.

    Parameters
    ----------
    rows : (R, N)
        Activity; its mean is not taken away, since a mean direction must be protected as well.
    share : float (1)
        Above 0, at most 1.

    Returns
    -------
    (M, N)

    Raises
    ------
    NetworkError
        If the share is no number above 0 and at most 1.

    Notes
    -----
    Source: Saha, Garg and Roy 2021, ICLR (gradient projection memory), eq. 5.
    """
    if not 0 < share <= 1:
        raise NetworkError(
            f"principal directions, share: found {share}, expected a number above 0 and at most "
            "1. Correct it."
        )
    # Eigenvectors of the moment, (N, N): cheaper than the decomposition of many rows.
    activity = rows.astype(np.float64)
    moment = activity.T @ activity
    variances, vectors = np.linalg.eigh(moment)
    order = np.argsort(variances)[::-1]
    # Rounding may leave variances a little below 0.
    variances = np.maximum(variances[order], 0.0)
    total = variances.sum()
    if not total > 0:
        return np.zeros((0, rows.shape[1]))
    held = np.cumsum(variances) / total
    # A sum may stay a rounding below 1.
    least = share * (1 - 1e-12)
    count = int(np.searchsorted(held, least)) + 1
    directions = vectors[:, order[:count]]
    return directions.T


def needed_rows(
    rows: NDArray[np.floating], *, share: float, old: NDArray[np.floating] | None = None
) -> int:
    """Return the smallest number of new rows with which old and new ones hold a share of variance.

    Parameters
    ----------
    rows : (R, N)
        Activity in the new task.
    share : float (1)
    old : (M, N), optional
        Orthonormal rows of earlier tasks.
    """
    activity = rows.astype(np.float64)
    if old is None or not old.shape[0]:
        return len(principal_directions(activity, share=share))
    in_old = (activity @ old.T) @ old
    rest = activity - in_old
    total = float((activity**2).sum())
    outside = float((rest**2).sum())
    # Old rows hold a part of the activity already: new ones are needed for what it lacks.
    held = total - outside
    missing = share * total - held
    if not missing > 0:
        return 0
    # Rounding may leave a little more missing than there is.
    share_of_rest = min(missing / outside, 1.0)
    return len(principal_directions(rest, share=share_of_rest))


def principal_angles(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray:
    """Return the principal angles between two subspaces, ascending, in degrees.

    Parameters
    ----------
    first, second : (M, N), (K, N)
        Rows that span them, in any basis.

    Returns
    -------
    (min(M, K),) float64
    """
    basis_of_first, _ = np.linalg.qr(np.asarray(first, np.float64).T)
    basis_of_second, _ = np.linalg.qr(np.asarray(second, np.float64).T)
    cosines = np.linalg.svd(basis_of_first.T @ basis_of_second, compute_uv=False)
    # Rounding may leave a cosine a little above 1, which has no angle.
    cosines = np.clip(cosines, -1.0, 1.0)
    return np.degrees(np.arccos(cosines))
