"""Reproducible noise: number k of a seed is a function of both, the same as in the page (lib/random.ts)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from adambook._check import Array


def uniform(seed: int, k: npt.ArrayLike) -> Array:
    """Return uniform numbers on [0, 1): mulberry32, read at the places ``k``."""
    k = np.asarray(k, np.uint32)
    with np.errstate(over="ignore"):
        a = np.uint32(seed) + (k + np.uint32(1)) * np.uint32(0x6D2B79F5)
        t = (a ^ (a >> np.uint32(15))) * (np.uint32(1) | a)
        t = (t + (t ^ (t >> np.uint32(7))) * (np.uint32(61) | t)) ^ t
    return np.asarray((t ^ (t >> np.uint32(14))) / 4294967296)


def normals(seed: int, n: int) -> Array:
    """Return the first ``n`` standard normals of a seed (Box and Muller)."""
    k = np.arange(n)
    return np.asarray(
        np.sqrt(-2 * np.log(1 - uniform(seed, 2 * k))) * np.cos(2 * np.pi * uniform(seed, 2 * k + 1))
    )
