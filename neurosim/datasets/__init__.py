"""Real data sets: read from a folder of the user's, or fetched into it once."""

from __future__ import annotations

from .catalogue import KNOWN, NAMES
from .fetch import fetch
from .read import load
from .samples import Images, Recordings, Sounds

__all__ = ["KNOWN", "NAMES", "Images", "Recordings", "Sounds", "fetch", "load"]
