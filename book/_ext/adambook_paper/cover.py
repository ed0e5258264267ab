"""The cover: six optimizers of the book on their way down one valley, computed and drawn like every figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from adambook import figures
from adambook.descent import descend
from adambook.numpy_optim import Adagrad, Adam, AdamW, AMSGrad, Momentum, RMSprop
from adambook.objectives import Rosenbrock
from matplotlib.figure import Figure

LAYERS = {
    "Momentum": Momentum(lr=0.0002),
    "Adagrad": Adagrad(lr=0.3),
    "RMSprop": RMSprop(lr=0.01),
    "Adam": Adam(lr=0.04),
    "AMSGrad": AMSGrad(lr=0.04),
    "AdamW": AdamW(lr=0.04),
}
PAPER, INK = "#fffefb", "#24241f"


def draw(path: Path, title: str = "", author: str = "") -> None:
    """Draw the valley and the paths; with a title as a whole page, the title above and the author below."""
    top = 4.4 if title else 2.6
    figure = Figure(figsize=(6.25, 6.25 * (top + 1.7) / 3.8), facecolor=PAPER)
    ax = figure.add_axes((0, 0, 1, 1))
    x, y = np.linspace(-1.9, 1.9, 500), np.linspace(-1.7, top, 700)
    valley = Rosenbrock()
    height = np.log10(valley.value(np.stack(np.meshgrid(x, y), axis=-1)) + 0.01)
    ax.contour(x, y, height, levels=24, colors=INK, linewidths=0.5, linestyles="solid", alpha=0.22)
    for row, (name, rule) in enumerate(LAYERS.items()):
        starts = np.stack([np.linspace(-1.75, 1.75, 12), np.full(12, 1.9 - 0.55 * row)], axis=-1)
        paths = np.asarray(descend(rule, valley, start=starts, steps=700).theta)
        ax.plot(paths[..., 0], paths[..., 1], color=figures.color(name), linewidth=1.1, alpha=0.75)
        ax.plot(*starts.T, "o", color=figures.color(name), markersize=3.5)
    ax.plot(1, 1, "*", color=INK, markersize=15, markeredgecolor=PAPER)
    ax.set(xlim=(-1.9, 1.9), ylim=(-1.7, top))
    ax.axis("off")
    for y_text, text, size in ((0.945, title.replace(", ", ",\n"), 50), (0.06, author, 15)):
        figure.text(0.09, y_text, text, size=size, va="top", linespacing=1.05, family="STIXGeneral", color=INK)
    figure.savefig(path, dpi=256)
