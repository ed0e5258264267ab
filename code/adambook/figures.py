"""The one matplotlib style of the book, and the plots that recur."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np

from adambook._check import Array, choice
from adambook.numpy_optim.layers import PROSE_NAMES
from adambook.objectives import Objective

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#333333"
MUTED = "#7a7a7a"
RULE = "#d9d9d9"

STYLE: Any = {
    "figure.figsize": (7.0, 3.4),
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "image.cmap": "cividis",
    "svg.hashsalt": "adambook",  # the same figure gives the same file
}


@cache
def palette() -> dict[str, dict[str, str]]:
    """Return the book's palette, ``{optimizer: {"light": colour, "dark": colour}}``; the explorers read the
    same file."""
    loaded: dict[str, dict[str, str]] = json.loads((files("adambook") / "palette.json").read_text("utf8"))
    return loaded


def color(optimizer: str) -> str:
    """Return the colour of an optimizer, the same everywhere; raises ValueError that lists the known
    names."""
    return palette()[choice("optimizer", optimizer, tuple(palette()))]["light"]


def use_style() -> None:
    """Set the book's style for every figure that follows; in a notebook figures become sharp at any zoom."""
    mpl.rcParams.update(STYLE)
    if mpl.get_backend().endswith("inline"):  # matplotlib's backend inside a notebook
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg")  # type: ignore[no-untyped-call]


def contour(ax: Axes, objective: Objective, levels: int = 12, points: int = 201) -> None:
    """Draw the level sets of a two-dimensional objective, evenly spaced in log height, with stars at its
    minima."""
    (left, right), (bottom, top) = objective.window
    x, y = np.linspace(left, right, points), np.linspace(bottom, top, points)
    height = objective.value(np.stack(np.meshgrid(x, y), axis=-1))
    floor = height.min() if not len(objective.minima) else objective.value(objective.minima).min()
    log_height = np.log10(np.maximum(height - floor, 1e-12))
    low, high = np.quantile(log_height, [0.01, 1.0])
    ax.contour(
        x,
        y,
        log_height,
        levels=np.linspace(low, high, levels),
        colors=MUTED,
        linewidths=0.7,
        linestyles="solid",
        alpha=0.55,
    )
    ax.plot(*objective.minima.T, "*", color=INK, markersize=9, linestyle="none")
    ax.grid(visible=False)
    ax.set(xlim=(left, right), ylim=(bottom, top), xlabel=r"$\theta_1$", ylabel=r"$\theta_2$")


def path(ax: Axes, theta: Array, optimizer: str, label: str | None = None, marks: bool = False) -> None:
    """Draw a path ``(steps + 1, 2)`` in its optimizer's colour, a dot at its end, its name beside the dot."""
    ax.plot(*theta.T, color=color(optimizer), marker="." if marks else None, markersize=4, linewidth=1.6)
    ax.plot(*theta[-1], "o", color=color(optimizer), markersize=6, markeredgecolor="white")
    text = optimizer if label is None else label
    if text:
        ax.annotate(text, theta[-1], (6, 5), textcoords="offset points", color=color(optimizer), fontsize=9.5)


def label_lines(ax: Axes, pad: float = 6, gap: float = 12.5) -> None:
    """Write each labelled line's label at its right end, in its colour, moved apart where labels would touch.

    ``pad`` and ``gap`` are in points. Call it last, when the axes' limits are set.
    """
    figure = ax.get_figure()
    if figure is None:
        raise ValueError("ax belongs to no figure")
    figure.canvas.draw()
    to_points = 72 / figure.dpi
    low, high = np.array(ax.bbox.intervaly) * to_points
    ends: list[tuple[float, tuple[float, float], Any]] = []
    for line in ax.get_lines():
        points = np.asarray(line.get_xydata(), float)
        points = points[np.isfinite(points).all(axis=1)]
        if not str(line.get_label()).startswith("_") and len(points):
            height = ax.transData.transform(points[-1])[1] * to_points
            ends.append((float(np.clip(height, low, high)), tuple(points[-1]), line))
    ends.sort(key=lambda end: end[0])
    heights = spread([height for height, _, _ in ends], gap)
    for (height, point, line), target in zip(ends, heights, strict=True):
        pixel = ax.transData.transform(point)[0], height / to_points
        ax.annotate(
            str(line.get_label()),
            tuple(ax.transData.inverted().transform(pixel)),
            (pad, target - height),
            textcoords="offset points",
            color=line.get_color(),
            va="center",
            fontsize=9.5,
            annotation_clip=False,
        )


def spread(heights: list[float], gap: float) -> list[float]:
    """Return sorted ``heights`` moved as little as it takes to lie at least ``gap`` apart."""
    groups: list[list[float]] = []  # each: [sum of wanted first heights, members]
    for i, height in enumerate(heights):
        groups.append([height - i * gap, 1.0])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            total, count = groups.pop()
            groups[-1][0] += total
            groups[-1][1] += count
    placed = [total / count for total, count in groups for _ in range(int(count))]
    return [base + i * gap for i, base in enumerate(placed)]


def learning_rate_rows(ax: Axes, results: dict[str, Any], ylabel: str = "final training loss") -> None:
    """Draw every method's whole learning-rate row, mean and spread over seeds, with a ring at its best.

    ``results`` maps an optimizer's name to what `tasks.tune` returned. The whole row is shown, never the
    winner alone. A band is one standard deviation to each side, and ends below at the best seed.
    """
    for name, result in results.items():
        mean, spread_ = np.asarray(result.mean, float), np.asarray(result.std, float)
        ax.plot(result.lrs, mean, marker="o", markersize=3.5, color=color(name), label=PROSE_NAMES.get(name, name))
        # On a log axis a band below the best seed would reach down to nothing.
        low = np.maximum(mean - spread_, np.min(result.scores, axis=1))
        ax.fill_between(result.lrs, low, mean + spread_, color=color(name), alpha=0.15, linewidth=0)
        best = int(np.nanargmin(mean))
        ax.plot(result.lrs[best], mean[best], "o", mfc="none", mec=color(name), markersize=10, mew=1.4)
    ax.set(xscale="log", yscale="log", xlabel=r"learning rate $\alpha$", ylabel=ylabel)
    label_lines(ax)


# In the prose's spelling: year, the colour's name, parents, place in the picture.
FAMILY: dict[str, tuple[int, str, tuple[str, ...], tuple[float, float]]] = {
    "SGD": (1951, "SGD", (), (0, 0)),
    "Momentum": (1964, "Momentum", ("SGD",), (1, 0.6)),
    "Nesterov": (1983, "Nesterov", ("Momentum",), (2, 1.1)),
    "AdaGrad": (2011, "Adagrad", ("SGD",), (1, -0.6)),
    "RMSProp": (2012, "RMSprop", ("AdaGrad",), (2, -0.6)),
    "Adam": (2014, "Adam", ("RMSProp", "Momentum"), (3, 0)),
    "AdamW": (2017, "AdamW", ("Adam",), (4, 0.6)),
    "AMSGrad": (2018, "AMSGrad", ("Adam",), (4, -0.6)),
}


def family_tree(ax: Axes) -> None:
    """Draw who grew out of whom, with years, from left to right."""
    for name, (year, hue, parents, (x, y)) in FAMILY.items():
        for parent in parents:
            px, py = FAMILY[parent][3]
            arrow = {"arrowstyle": "-|>", "color": MUTED, "lw": 1.1, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", (x - 0.38, y), (px + 0.38, py), arrowprops=arrow)
        ax.text(x, y + 0.02, name, color=color(hue), ha="center", va="bottom", fontsize=11.5, weight="bold")
        ax.text(x, y - 0.05, str(year), color=MUTED, ha="center", va="top", fontsize=9)
    ax.set(xlim=(-0.5, 4.5), ylim=(-0.95, 1.45))
    ax.axis("off")
