"""An atlas of descent: which minimum each start of a map reaches, and after how many steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from adambook import figures
from adambook._check import Array, floats, real, whole
from adambook.numpy_optim.base import Optimizer
from adambook.objectives import Noisy, Objective, Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Ints = npt.NDArray[np.int64]

NOWHERE, DIVERGED = -1, -2  # in `Atlas.minimum`, where a start reaches none
CHUNK = 16_384  # starts at a time: the dozen arrays of one step then stay in the processor's cache

# One ramp a minimum in OKLCH: hue, chroma, lightness of the fastest and of the slowest start. Chosen so that equal
# speed gives different colours also to readers who see two of the three primaries; tests/test_atlas.py says how far.
RAMPS = ((255, 0.153, 0.76, 0.32), (72, 0.141, 0.87, 0.56), (188, 0.118, 0.85, 0.42), (356, 0.18, 0.75, 0.28))
GREYS = {NOWHERE: 0.98, DIVERGED: 0.92}


@dataclass(frozen=True, eq=False)
class Atlas:
    """What became of every start of a map.

    ``minimum`` (size, size) is the row of ``objective.minima`` within whose ``radius`` the run ends, `NOWHERE` or
    `DIVERGED`; ``arrival`` (size, size) is the step from which on it stays there (0: it started there). Both are
    integers; the first axis goes up, the second to the right, as in `starts`.
    """

    minimum: Ints
    arrival: Ints
    objective: Objective
    window: Window
    steps: int

    def share(self, minimum: int) -> float:
        """Return the share of starts that reach this minimum (or `NOWHERE`, or are `DIVERGED`)."""
        return float(np.mean(self.minimum == minimum))

    def limits(self) -> tuple[float, float]:
        """Return the arrivals between which the middle 96 % of those that arrive lie."""
        arrived = self.arrival[self.minimum >= 0]
        low, high = np.quantile(arrived, (0.02, 0.98)) if arrived.size else (0, self.steps)
        return float(low), float(high)

    def boundary(self) -> npt.NDArray[np.bool_]:
        """Return the cells (size, size) whose neighbour above or to the right has another fate."""
        edge = np.zeros(self.minimum.shape, bool)
        edge[:-1] |= self.minimum[:-1] != self.minimum[1:]
        edge[:, :-1] |= self.minimum[:, :-1] != self.minimum[:, 1:]
        return edge

    def image(self, limits: tuple[float, float] | None = None) -> Array:
        """Return the map as colours (size, size, 3) between 0 and 1, float32.

        The hue says which minimum, the lightness how soon: light up to the first of ``limits`` steps, dark from
        the second on, evenly in the logarithm between. None takes `limits`. The two greys are for starts that
        reach none. Raises ValueError for more minima than there are hues.
        """
        if len(self.objective.minima) > len(RAMPS):
            raise ValueError(
                f"{self.objective.name} has {len(self.objective.minima)} minima; allowed: {len(RAMPS)}, a hue for each"
            )
        low, high = np.log1p(self.limits() if limits is None else limits)
        late = np.clip((np.log1p(self.arrival) - low) / max(high - low, 1e-9), 0, 1)
        colours = np.empty((*self.minimum.shape, 3), np.float32)
        for fate, grey in GREYS.items():
            colours[self.minimum == fate] = grey
        for k, (hue, chroma, light, dark) in enumerate(RAMPS):
            here = self.minimum == k
            colours[here] = _srgb(light + (dark - light) * late[here], chroma, hue)
        return colours

    def draw(self, ax: Axes, limits: tuple[float, float] | None = None, *, levels: int = 12) -> None:
        """Draw the map with faint level sets of the objective, and the minima as dots with their numbers from 1."""
        (left, right), (bottom, top) = self.window
        ax.imshow(self.image(limits), origin="lower", extent=(left, right, bottom, top), interpolation="nearest")
        points = starts(self.window, 80)
        height = np.log10(self.objective.value(points) + 1)
        ax.contour(*np.moveaxis(points, -1, 0), height, levels, colors="white", linewidths=0.4, alpha=0.3)
        for k, (x, y) in enumerate(self.objective.minima):
            if left < x < right and bottom < y < top:
                ax.plot(x, y, "o", color="white", markersize=4, markeredgecolor=figures.INK, mew=0.8)
                ax.annotate(
                    str(k + 1), (x, y), (5, 3), textcoords="offset points", color="white", fontsize=8, weight="bold"
                )
        ax.set(xlim=(left, right), ylim=(bottom, top))
        ax.axis("off")


def atlas(
    optimizer: Optimizer,
    objective: Objective,
    size: int = 512,
    steps: int = 400,
    *,
    window: Window | None = None,
    radius: float = 0.2,
    device: str | None = None,
) -> Atlas:
    """Descend from each of ``size`` x ``size`` starts and return the `Atlas`.

    ``window`` is ((left, right), (bottom, top)), None the objective's own; a start lies at the middle of its cell.
    A run belongs to a minimum once it stays within ``radius`` of it until the last step. Every run is the one
    that `descend` makes, in float64; they are taken some thousand at a time, so that memory stays small.

    With a ``device`` such as "cuda" torch takes the steps there, by the class of `torch_optim` that has the same
    rule; the results differ by rounding, which matters where a boundary is fractal. Raises ValueError or TypeError
    for what makes no map: an objective that is noisy, not two-dimensional or without minima, hyper-parameters
    that are arrays, and on a device an optimizer or an objective that cannot be run there.
    """
    size, steps, window = whole("size", size, 1), whole("steps", steps), objective.window if window is None else window
    if isinstance(objective, Noisy) or objective.dim != 2 or not len(objective.minima):
        raise ValueError(
            f"objective = {objective.name}; allowed: one without noise, in two dimensions, with known minima, "
            "such as Himmelblau()"
        )
    gaps = [float(np.linalg.norm(a - b)) for a, b in combinations(objective.minima, 2)]
    radius = real("radius", radius, 0, min(gaps, default=np.inf) / 2, open_high=True)
    if optimizer.hyper_shape:
        raise ValueError(f"hyper-parameters of shape {optimizer.hyper_shape}; allowed: single numbers, a map each")
    points = starts(window, size).reshape(-1, 2)
    walk = _walk if device is None else partial(_torch_walk, device=device)
    chunk = CHUNK if device is None else 256 * CHUNK
    fates = [
        _fates(walk(optimizer, objective, points[i : i + chunk], steps), objective.minima, radius)
        for i in range(0, len(points), chunk)
    ]
    minimum, arrival = (np.concatenate(part).reshape(size, size) for part in zip(*fates, strict=True))
    return Atlas(minimum, arrival, objective, window, steps)


def starts(window: Window, size: int) -> Array:
    """Return the middles of ``size`` x ``size`` cells of the window, (size, size, 2): y first, then x.

    Raises ValueError for a window that is empty.
    """
    sides = floats("window", window)
    if sides.shape != (2, 2) or not np.all(np.isfinite(sides)) or not np.all(sides[:, 0] < sides[:, 1]):
        raise ValueError(f"window = {window}; allowed: ((left, right), (bottom, top)) with left < right, bottom < top")
    at = (np.arange(size) + 0.5) / size
    x, y = (low + (high - low) * at for low, high in sides)
    return np.stack(np.meshgrid(x, y), axis=-1)


def box_counts(cells: npt.ArrayLike, sides: Sequence[int]) -> Ints:
    """Return how many boxes of side s cells hold one that is True, for each s of ``sides``.

    ``cells`` has shape (size, size); each side must divide it, or ValueError is raised. Where the cells are a curve
    the counts fall like 1/s; where they fill the plane, like 1/s^2: the slope is the box-counting dimension.
    """
    marked = np.asarray(cells, bool)
    size, counts = len(marked), []
    for side in (whole("sides", side, 1) for side in sides):
        if marked.shape != (size, size) or size % side:
            raise ValueError(f"sides = {side} with cells of shape {marked.shape}; allowed: a divisor, of a square map")
        boxes = marked.reshape(size // side, side, size // side, side)
        counts.append(int(boxes.any(axis=(1, 3)).sum()))
    return np.array(counts)


def _walk(optimizer: Optimizer, objective: Objective, start: Array, steps: int) -> Iterator[Array]:
    """Yield the points (n, 2) before the first step and after each."""
    theta = start.T.copy().T  # each coordinate in one piece of memory: half the time
    state, kept = optimizer.init(theta), getattr(optimizer, "eval_point", lambda state, theta: theta)
    yield theta
    for t in range(1, steps + 1):
        delta, state = optimizer.update(objective._grad(theta, t), state, theta)
        theta = theta + delta
        yield kept(state, theta)


def _torch_walk(optimizer: Optimizer, objective: Objective, start: Array, steps: int, device: str) -> Iterator[Any]:
    """Yield the same as float64 tensors on ``device``."""
    import torch

    theta: Any = torch.nn.Parameter(torch.tensor(start, device=device))
    rule = _torch_rule(optimizer, theta)
    yield theta.detach()
    for t in range(1, steps + 1):
        theta.grad = objective._grad(theta.detach(), t)
        rule.step()
        yield theta.detach()


def _torch_rule(optimizer: Optimizer, theta: Any) -> Any:
    """Return the class of `torch_optim` with the same rule, over the one parameter ``theta``."""
    from adambook import torch_optim

    name, options = type(optimizer).__name__, {f.name: getattr(optimizer, f.name) for f in fields(optimizer)}
    if name in ("Momentum", "Nesterov"):
        name, options = "SGD", options | {"nesterov": name == "Nesterov"}
    if name not in torch_optim.__all__ or not optimizer.elementwise or hasattr(optimizer, "eval_point"):
        raise ValueError(
            f"optimizer = {type(optimizer).__name__} on a device; allowed: an elementwise rule that both packages have"
        )
    return getattr(torch_optim, name)([theta], **options)


def _fates(walk: Iterator[Any], minima: Array, radius: float) -> tuple[Ints, Ints]:
    """Return which minimum each of the runs ends at, and the step from which on it stays there; each (n,)."""
    theta = next(walk)
    x, y = (theta.new_tensor(c) if hasattr(theta, "new_tensor") else c for c in minima.T[..., None])

    def near(theta: Any) -> Any:
        return (theta[:, 0] - x) ** 2 + (theta[:, 1] - y) ** 2 < radius**2  # (minima, n)

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        now = near(theta)
        arrival = 0 * now.sum(0)
        for t, theta in enumerate(walk, 1):
            before, now = now, near(theta)
            arrival[(now != before).any(0)] = t
    now, arrival, theta = (a.cpu().numpy() if hasattr(a, "cpu") else a for a in (now, arrival, theta))
    minimum = np.where(now.any(0), now.argmax(0), NOWHERE)
    return np.where(np.isfinite(theta).all(-1), minimum, DIVERGED), arrival


def _srgb(lightness: Array, chroma: float, hue: float) -> Array:
    """Return sRGB colours (..., 3) for OKLCH, the chroma lowered where no screen has so much.

    Source: Ottosson (2020), "A perceptual color space for image processing".
    """
    chromas = chroma * np.linspace(1, 0, 24)
    angle = np.deg2rad(hue)
    lab = np.stack(np.broadcast_arrays(lightness[..., None], chromas * np.cos(angle), chromas * np.sin(angle)), -1)
    linear = (lab @ _TO_LMS) ** 3 @ _TO_RGB
    fits = ((linear > -1e-3) & (linear < 1 + 1e-3)).all(-1)
    fits[..., -1] = True
    first = fits.argmax(-1)[..., None, None]
    linear = np.clip(np.take_along_axis(linear, first, -2)[..., 0, :], 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


_TO_LMS = np.array(
    [
        [1, 1, 1],
        [0.3963377774, -0.1055613458, -0.0894841775],
        [0.2158037573, -0.0638541728, -1.2914855480],
    ]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -1.2684380046, -0.0041960863],
        [-3.3077115913, 2.6097574011, -0.7034186147],
        [0.2309699292, -0.3413193965, 1.7076147010],
    ]
)
