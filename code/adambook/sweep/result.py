"""What a sweep found, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from adambook import figures
from adambook._check import choice
from adambook.numpy_optim.layers import PROSE_NAMES

try:
    import pandas as pd
except ImportError as error:
    raise ImportError("adambook.sweep needs pandas; install it with: pip install 'adambook[sweep]'") from error

if TYPE_CHECKING:
    from matplotlib.axes import Axes



class Sweep(pd.DataFrame):
    """A pandas DataFrame with one row a member: hyper-parameters, seed, diverged_at, loss, and the metrics.

    ``diverged_at`` is the step at which the loss or a parameter stopped being finite, <NA> where none did; a member
    that diverged has no metrics (NaN). ``loss`` is the mean of the last mini-batches' losses: those since the last
    mark of ``every``, else of the last tenth of the steps. ``curves`` is the same table with a row for each mark,
    and a column step. ``axes_`` names the grid's axes, ``metrics`` the metrics, the score first.
    """

    _metadata = ["axes_", "metrics", "curves", "title"]  # noqa: RUF012  (pandas reads it so)
    axes_: tuple[str, ...]
    metrics: tuple[str, ...]
    curves: pd.DataFrame
    title: str

    @property
    def swept(self) -> tuple[str, ...]:
        """The axes that have more than one value."""
        return tuple(axis for axis in self.axes_ if len(_values(self, axis)) > 1)

    def table(self, metric: str | None = None) -> pd.DataFrame:
        """Return mean and std of a metric over the seeds, and how many diverged, a row for each point of the grid.

        The mean is infinite where a seed diverged: such a point is no choice. Raises ValueError for an unknown
        metric.
        """
        metric = self._metric(metric)
        groups = pd.DataFrame(self).groupby([self[axis].map(_key) for axis in self.axes_], sort=False)
        found = groups.agg(
            **{axis: (axis, "first") for axis in self.axes_},
            mean=(metric, "mean"),
            std=(metric, "std"),
            diverged=("diverged_at", "count"),
        ).reset_index(drop=True)
        found.loc[found["diverged"] > 0, ["mean", "std"]] = np.inf, np.nan
        return found

    def best(self, metric: str | None = None) -> dict[str, Any]:
        """Return the hyper-parameters with the least mean; ValueError if every point lost a seed."""
        table = self.table(metric)
        if not np.isfinite(table["mean"]).any():
            raise ValueError(f"{self.title}: at every point of the grid a seed diverged; try a smaller lr")
        return dict(table.loc[table["mean"].idxmin(), list(self.axes_)])

    def plot(self, metric: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the whole row over the first axis, mean and spread over the seeds, with a ring at the best.

        Further axes give a line for each of their values; two axes of numbers, of at least three values each, a
        map. Points where a seed diverged are left out, and hatched in a map. Returns the axes; call plt.show().
        """
        import matplotlib.pyplot as plt

        metric = self._metric(metric)
        ax = plt.subplots()[1] if ax is None else ax
        swept = self.swept or self.axes_[:1]
        numbers = all(pd.api.types.is_numeric_dtype(self[axis]) for axis in swept)
        if len(swept) == 2 and numbers and min(len(_values(self, axis)) for axis in swept) > 2:
            self._map(ax, metric, *swept)
        else:
            self._rows(ax, metric, swept[0], swept[1:])
        ax.set_title(self.title)
        return ax

    def _rows(self, ax: Axes, metric: str, axis: str, others: Sequence[str]) -> None:
        table = self.table(metric)
        table = table[np.isfinite(table["mean"])]
        best = table["mean"].idxmin() if len(table) else None
        name = self.title.split(",")[0]
        hues = [figures.color(name)] if name in figures.palette() and not others else _HUES
        keys = [table[other].map(_key) for other in others]
        groups = list(table.groupby(keys, sort=False)) if others else [((), table)]
        for i, (_, group) in enumerate(groups):
            hue = hues[i % len(hues)]
            x, mean, std = (np.asarray(group[column]) for column in (axis, "mean", "std"))
            first = group.iloc[0]
            label = ", ".join(f"{other} = {first[other]}" for other in others) or PROSE_NAMES.get(name, name)
            x = x if np.issubdtype(x.dtype, np.number) else np.array([str(value) for value in x])
            ax.plot(x, mean, marker="o", markersize=3.5, color=hue, label=label)
            ax.fill_between(x, mean - np.nan_to_num(std), mean + np.nan_to_num(std), color=hue, alpha=0.15, lw=0)
            if best in group.index:
                at = list(group.index).index(best)
                ax.plot(x[at], mean[at], "o", mfc="none", mec=hue, markersize=10, mew=1.4)
        if _rises_by_factors(_values(self, axis)):
            ax.set_xscale("log")
        ax.set(xlabel=axis, ylabel=metric.replace("_", " "))
        figures.label_lines(ax)

    def _map(self, ax: Axes, metric: str, down: str, across: str) -> None:
        table = self.table(metric).pivot(index=down, columns=across, values="mean")
        mean = np.where(np.isfinite(table), table, np.nan)
        finite = np.isfinite(mean).any()
        image = ax.pcolormesh(np.ma.masked_invalid(mean), edgecolors="white", linewidth=0.5)
        ax.patch.set(hatch="///", edgecolor=figures.RULE)
        if finite:
            row, column = np.unravel_index(np.nanargmin(mean), mean.shape)
            ax.plot(column + 0.5, row + 0.5, "o", mfc="none", mec="white", markersize=12, mew=1.6)
            bar = ax.figure.colorbar(image, ax=ax)
            bar.set_label(metric.replace("_", " "))
        for set_ticks, index in ((ax.set_xticks, table.columns), (ax.set_yticks, table.index)):
            set_ticks(np.arange(len(index)) + 0.5, [f"{value:.3g}" for value in index])
        ax.set(xlabel=across, ylabel=down)
        ax.grid(visible=False)

    def _metric(self, metric: str | None) -> str:
        return self.metrics[0] if metric is None else choice("metric", metric, (*self.metrics, "loss"))


_HUES = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777")


def frame(
    rows: Sequence[Mapping[str, Any]],
    points: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
    metrics: Sequence[str],
    title: str,
) -> Sweep:
    """Return the result of the rows of `chunk.train`, in the order of the grid."""
    axes = tuple(points[0])
    table = pd.DataFrame(list(rows))
    order = table["seed"].map({seed: i for i, seed in enumerate(seeds)})
    table = table.assign(order=order).sort_values(["point", "order", "step"]).reset_index(drop=True)
    for axis in reversed(axes):
        table.insert(0, axis, [points[point][axis] for point in table["point"]])
    table["diverged_at"] = table["diverged_at"].astype("Int64").replace(0, pd.NA)
    table = table.reindex(columns=[*axes, "seed", "step", "diverged_at", "loss", *metrics])
    last = table[table["step"] == table["step"].max()]
    result = Sweep(last.drop(columns="step").reset_index(drop=True))
    result.axes_, result.metrics, result.title = axes, tuple(metrics), title
    result.curves = table
    return result


def _values(table: pd.DataFrame, axis: str) -> dict[Any, Any]:
    return {_key(value): value for value in table[axis]}


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _rises_by_factors(values: Mapping[Any, Any]) -> bool:
    numbers = sorted(x for x in values if isinstance(x, int | float) and not isinstance(x, bool))
    return len(numbers) == len(values) > 1 and numbers[0] > 0 and numbers[-1] / numbers[0] >= 10
