r"""Learning-rate schedules: functions of the step t that return the factor :math:`\eta_t` on the peak.

t counts from 1, so a schedule goes straight into ``descend(..., schedule=cosine(500, warmup=50))``. torch's LambdaLR
counts from 0: ``LambdaLR(optimizer, lambda done: schedule(done + 1))``.

All begin with the same linear warm-up of W steps (one_cycle has its own), reach 1 at step W + 1, and end before they
reach 0: what would come after the last step T is 0. A bad length raises ValueError or TypeError when the schedule is
made, a t that is no whole number from 1 on when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sqrt

from adambook._check import real, whole

Schedule = Callable[[int], float]


def constant(warmup: int = 0) -> Schedule:
    r"""Return the schedule that rises for ``warmup`` steps and stays.

    .. math:: \eta_t = \min\big(1,\; t / (W + 1)\big)

    Source: Goyal et al. (2017), section 2.2, whose warm-up starts at the learning rate of one worker instead of 0.
    """
    return _warmed(whole("warmup", warmup), lambda t: 1.0)


def cosine(steps: int, warmup: int = 0) -> Schedule:
    r"""Return the schedule that falls along half a cosine after its warm-up.

    .. math:: \eta_t = \tfrac12 \Big(1 + \cos \pi \frac{t - 1 - W}{T - W}\Big), \qquad t > W

    Source: Loshchilov and Hutter (2017), equation 5, with one period and a least rate of 0.
    """
    steps, warmup = _lengths(steps, warmup)
    return _warmed(warmup, lambda t: _half_cosine(1, 0, (t - 1 - warmup) / (steps - warmup)))


def one_cycle(steps: int, warmup: int = 0, first: float = 1 / 25, last: float = 4e-6) -> Schedule:
    r"""Return half a cosine up from ``first`` to 1, which it reaches at step W, and another down to ``last`` at step T.

    .. math:: \eta_t = \eta_1 + (1 - \eta_1)\, \tfrac12 \Big(1 - \cos \pi \frac{t - 1}{W - 1}\Big), \quad t < W; \qquad
              \eta_t = \eta_T + (1 - \eta_T)\, \tfrac12 \Big(1 + \cos \pi \frac{t - W}{T - W}\Big), \quad t \ge W

    This is the factor of torch's OneCycleLR with ``pct_start = W / T``, which moves the momentum too. Smith and Topin
    (2017) rise and fall along straight lines.
    """
    steps, warmup = _lengths(steps, warmup)
    first, last = real("first", first, 0, 1), real("last", last, 0, 1)

    def eta(t: int) -> float:
        if _counted(t) < warmup:
            return _half_cosine(first, 1, (t - 1) / (warmup - 1))
        return _half_cosine(1, last, (t - warmup) / (steps - warmup))

    return eta


def inverse_root(warmup: int = 0) -> Schedule:
    r"""Return the schedule that falls with the root of t after its warm-up; it needs no last step.

    .. math:: \eta_t = \min\Big(\frac{t}{W + 1},\; \sqrt{\frac{W + 1}{t}}\Big)

    Source: Vaswani et al. (2017), equation 3, divided by its peak; their ``warmup_steps`` is W + 1.
    """
    warmup = whole("warmup", warmup)
    return _warmed(warmup, lambda t: sqrt((warmup + 1) / t))


def warmup_stable_decay(steps: int, warmup: int = 0, decay: int = 0) -> Schedule:
    r"""Return the schedule that stays at 1 until its last ``decay`` steps D, in which it falls along a straight line.

    .. math:: \eta_t = \min\Big(1,\; \frac{T + 1 - t}{D}\Big), \qquad t > W

    With ``decay = steps`` it is linear decay. Source: Hu et al. (2024), section 4, who leave the way down open.
    """
    steps, warmup = _lengths(steps, warmup)
    decay = whole("decay", decay, 0, steps - warmup)
    return _warmed(warmup, lambda t: min(1.0, max(0, steps + 1 - t) / decay) if decay else 1.0)


def _warmed(warmup: int, after: Schedule) -> Schedule:
    return lambda t: t / (warmup + 1) if _counted(t) <= warmup else after(t)


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1 + cos(pi * min(share, 1.0)))


def _lengths(steps: int, warmup: int) -> tuple[int, int]:
    return (steps := whole("steps", steps, 1)), whole("warmup", warmup, 0, steps - 1)


def _counted(t: int) -> int:
    if t == 0:
        raise ValueError("t = 0, but steps count from 1; for LambdaLR write lambda done: schedule(done + 1)")
    return whole("t", t, 1)
