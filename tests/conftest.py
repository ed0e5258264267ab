"""What every test runs under: one thread, no window, the same examples each time."""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy and torch are imported: workers share the cores
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("JAX_ENABLE_X64", "1")  # optax and Keras are compared in float64
os.environ.setdefault("ADAMBOOK_NO_PROGRESS", "1")

from hypothesis import settings

# A stranger's first run must not fail by chance; HYPOTHESIS_PROFILE=search looks for new examples.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
