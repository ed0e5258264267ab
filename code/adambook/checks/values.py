"""Whether a student's value is the right one."""

from __future__ import annotations

from typing import Any

import numpy as np


def agrees(value: Any, right: Any, rtol: float = 1e-9, atol: float = 0.0) -> bool:
    """Say whether ``value`` is a number, or an array, of the shape of ``right`` and as close to it as asked.

    ``np.allclose`` would broadcast: to it an empty array is close to everything. Text, None, complex numbers, NaN and
    infinity never agree with a finite number.
    """
    try:
        mine, target = np.asarray(value), np.asarray(right)
    except ValueError:  # a ragged list
        return False
    if mine.dtype.kind not in "fiub" or mine.shape != target.shape:
        return False
    return bool(np.allclose(mine.astype(float), target, rtol=rtol, atol=atol))
