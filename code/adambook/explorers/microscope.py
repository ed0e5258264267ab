"""One step of Adam under a lens: the gradient, both moments, their corrections and the step, with the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adambook._check import Array
from adambook.explorers._noise import normals
from adambook.explorers.base import Choice, Explorer, Slider, Steps, Switch, count, fixed, short
from adambook.figures import MUTED, color
from adambook.numpy_optim import Adam
from adambook.numpy_optim.conventions import AdamUncorrected

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = 60
SEQUENCES = ("constant", "noisy", "alternating", "one spike", "decaying")


def gradients(sequence: str) -> Array:
    """The gradients g_1 ... g_60 of a sequence."""
    t = np.arange(1, STEPS + 1)
    if sequence == "constant":
        return np.ones(STEPS)
    if sequence == "noisy":
        return np.asarray(0.5 + normals(1, STEPS))
    if sequence == "alternating":
        return np.where(t % 2, 1.0, -1.0)
    if sequence == "one spike":
        return np.where(t == 20, 10.0, 0.5)
    return np.asarray(0.9 ** (t - 1.0))


class Record(NamedTuple):
    """What Adam computes on the way; entry t - 1 belongs to step t."""

    g: Array
    m: Array
    v: Array
    m_hat: Array
    v_hat: Array
    delta: Array


class Microscope(Explorer):
    """Adam's single step with its arithmetic written out, forwards and backwards in t."""

    module = "microscope"
    height = 6.0

    sequence = Choice("constant", SEQUENCES, "gradients")
    lr = Slider(0.001, 1e-4, 1.0, 0.1, "step size α", format=".2g", log=True)
    beta1 = Slider(0.9, 0.0, 0.99, 0.01, "decay β₁")
    beta2 = Slider(0.999, 0.9, 0.9995, 0.0005, "decay β₂", format=".4f")
    correction = Switch(True, "bias correction")
    t = Steps(12, 1, STEPS, "step t", play=True, interval=250)

    def trajectory(self) -> Record:
        """The gradient, the moments, their corrected forms and the step, for every t."""
        optimizer = (Adam if self.correction else AdamUncorrected)(lr=self.lr, betas=(self.beta1, self.beta2))
        state, here = optimizer.init(np.zeros(1)), np.zeros(1)
        g = gradients(self.sequence)
        m, v, delta = (np.empty(STEPS) for _ in range(3))
        for i in range(STEPS):
            step, state = optimizer.update(g[i : i + 1], state, here)
            m[i], v[i], delta[i] = state.m[0], state.v[0], step[0]
        t = np.arange(1, STEPS + 1)
        return Record(g, m, v, m / (1 - self.beta1**t), v / (1 - self.beta2**t), delta)

    def summary(self) -> str:
        r, i = self.trajectory(), self.t - 1
        size, peak = largest(r.delta)
        corrected = (
            f"corrected, m̂ is {short(r.m_hat[i])} and √v̂ is {short(np.sqrt(r.v_hat[i]))}; "
            if self.correction
            else "nothing is corrected; "
        )
        return (
            f"Step {self.t} of {STEPS}: the gradient is {short(r.g[i])}, m is {short(r.m[i])} and √v is "
            f"{short(np.sqrt(r.v[i]))}; {corrected}"
            f"θ moves by {short(r.delta[i])}, which is {fixed(r.delta[i] / self.lr)} α. "
            f"The largest of the {count(STEPS, 'step')} is {fixed(size / self.lr)} α, at t = {peak}."
        )

    def draw(self, figure: Figure) -> None:
        r, t = self.trajectory(), np.arange(1, STEPS + 1)
        g, m, v, step = figure.subplots(4, 1, sharex=True, height_ratios=(2, 2, 2, 3))
        g.vlines(t, 0, r.g, color=MUTED, linewidth=1)
        used = 0 if self.correction else 1
        pairs = (m, "Momentum", (r.m_hat, r.m)), (v, "RMSprop", (np.sqrt(r.v_hat), np.sqrt(r.v)))
        for ax, name, pair in pairs:
            ax.plot(t, pair[used], color=color(name))
            ax.plot(t, pair[1 - used], "--", color=color(name), alpha=0.6)
        step.plot(t, r.delta / self.lr, color=color("AdamW"), linewidth=2.5)
        for level in (-1, 1):
            step.axhline(level, color=MUTED, linestyle="--", linewidth=0.8)
        size, peak = largest(r.delta)
        if size > 1.2 * self.lr:
            value = r.delta[peak - 1] / self.lr
            step.plot(peak, value, "o", color=color("AdamW"))
            step.annotate(
                f"{fixed(value)} α at t = {peak}",
                (peak, value),
                (8, -4),
                textcoords="offset points",
                color=color("AdamW"),
                va="top",
            )
            step.margins(y=0.25)
        used_text = "corrected (dashed: not)" if self.correction else "not corrected (dashed: corrected)"
        g.set_title("gradient g")
        m.set_title(f"first moment m, {used_text}")
        v.set_title(f"root of the second moment v, {used_text}")
        step.set_title("step, in units of α")
        for ax in (g, m, v, step):
            ax.axvline(self.t, color=MUTED, linewidth=0.8)
        step.set(xlabel="step t", xlim=(0, STEPS))


def largest(delta: Array) -> tuple[float, int]:
    """The largest step and its t; of several within a rounding, the first."""
    sizes = np.abs(delta)
    return float(sizes.max()), int(np.argmax(sizes >= sizes.max() * (1 - 1e-9))) + 1
