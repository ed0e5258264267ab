"""The atlas: each cell is a run of `descend`, whatever the chunks and the device; colours can be told apart."""

import math

import numpy as np
import pytest
from adambook import atlas as module
from adambook.atlas import DIVERGED, GREYS, NOWHERE, RAMPS, atlas, box_counts, starts
from adambook.descent import descend
from adambook.numpy_optim import (
    SGD,
    Adagrad,
    Adam,
    Lion,
    Momentum,
    Muon,
    Nesterov,
    RMSprop,
    ScheduleFreeAdamW,
)
from adambook.objectives import Himmelblau, Noisy, Quadratic, Rastrigin, ReddiOnline, Saddle

HIMMELBLAU = Himmelblau()
RULES = (
    SGD(lr=0.01),
    Momentum(lr=0.003),
    Nesterov(lr=0.003),
    Adagrad(lr=0.5),
    RMSprop(lr=0.05),
    Adam(lr=0.2),
    Lion(lr=0.05),
)


def name(rule):
    return type(rule).__name__


@pytest.mark.parametrize("rule", [*RULES, ScheduleFreeAdamW(lr=0.1)], ids=name)
def test_a_cell_is_a_run_of_descend(rule):
    steps, radius = 60, 0.2
    found = atlas(rule, HIMMELBLAU, 5, steps, radius=radius)
    grid = starts(HIMMELBLAU.window, 5)
    points = np.stack(  # Schedule-Free's average is known for the last step only, hence a descent for each number
        [grid, *(descend(rule, HIMMELBLAU, grid, t, record="last").final for t in range(1, steps + 1))]
    )
    for index in np.ndindex(5, 5):
        np.testing.assert_array_equal(
            points[(-1, *index)], descend(rule, HIMMELBLAU, grid[index], steps, record="last").final
        )
        near = np.linalg.norm(points[:, *index][:, None] - HIMMELBLAU.minima, axis=-1) < radius
        changes = np.flatnonzero((near[1:] != near[:-1]).any(axis=1))
        expected = near[-1].argmax() if near[-1].any() else NOWHERE
        assert found.minimum[index] == expected
        assert found.arrival[index] == (changes[-1] + 1 if len(changes) else 0)
    assert len(np.unique(found.minimum)) > 2  # the map shows something


def test_rows_go_up_and_columns_to_the_right():
    grid = starts(((0, 4), (10, 12)), 2)
    np.testing.assert_array_equal(grid[0, 1], [3, 10.5])
    found = atlas(SGD(lr=0.001), HIMMELBLAU, 2, 400)
    np.testing.assert_array_equal(found.minimum, [[2, 3], [1, 0]])  # each quarter of the plane keeps its own


def test_a_symmetric_objective_has_a_symmetric_map():
    found = atlas(Momentum(lr=0.05), Saddle(), 16, 300, window=((-2, 2), (-2, 2)))
    assert set(np.unique(found.minimum)) == {0, 1}
    np.testing.assert_array_equal(found.minimum[::-1], 1 - found.minimum)
    np.testing.assert_array_equal(found.arrival[::-1], found.arrival)
    np.testing.assert_array_equal(found.minimum[:, ::-1], found.minimum)
    assert found.share(0) == found.share(1) == 0.5


def test_chunks_leave_no_seam(monkeypatch):
    expected = atlas(Adam(lr=0.2), HIMMELBLAU, 12, 50)
    monkeypatch.setattr(module, "CHUNK", 7)
    found = atlas(Adam(lr=0.2), HIMMELBLAU, 12, 50)
    np.testing.assert_array_equal(found.minimum, expected.minimum)
    np.testing.assert_array_equal(found.arrival, expected.arrival)


def test_starts_that_arrive_nowhere():
    still = atlas(SGD(lr=0), HIMMELBLAU, 20, 5, radius=0.5)
    inside = np.linalg.norm(starts(HIMMELBLAU.window, 20)[..., None, :] - HIMMELBLAU.minima, axis=-1) < 0.5
    np.testing.assert_array_equal(still.minimum, np.where(inside.any(-1), inside.argmax(-1), NOWHERE))
    assert not still.arrival.any() and 0 < still.share(NOWHERE) < 1
    assert atlas(SGD(lr=1.0), HIMMELBLAU, 4, 50).share(DIVERGED) == 1


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_torch_draws_the_same_map(rule):
    """Runs on the two differ by rounding, some 1e-14 after 200 steps; no start of 576 lies so near a boundary."""
    ours, torchs = (atlas(rule, HIMMELBLAU, 24, 200, device=device) for device in (None, "cpu"))
    np.testing.assert_array_equal(torchs.minimum, ours.minimum)
    np.testing.assert_array_equal(torchs.arrival, ours.arrival)


def test_cuda_draws_the_same_map():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU")
    for rule in RULES:
        ours, cuda = (atlas(rule, HIMMELBLAU, 24, 200, device=device) for device in (None, "cuda"))
        np.testing.assert_array_equal(cuda.minimum, ours.minimum)
        np.testing.assert_array_equal(cuda.arrival, ours.arrival)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "size = 0"),
        ({"steps": -1}, "steps = -1"),
        ({"radius": 2.0}, r"radius = 2\.0"),  # the two nearest minima lie 3.9 apart
        ({"window": ((1, -1), (0, 1))}, "window = .*allowed"),
        ({"window": (0, 1)}, "window = .*allowed"),
        ({"objective": Noisy(HIMMELBLAU)}, "with noise; allowed"),
        ({"objective": ReddiOnline()}, "allowed: one without noise"),
        ({"objective": Quadratic((1, 2, 3))}, "two dimensions"),
        ({"optimizer": SGD(lr=np.array([[0.1], [0.2]]))}, r"shape \(2, 1\); allowed: single numbers"),
        ({"optimizer": ScheduleFreeAdamW(), "device": "cpu"}, "ScheduleFreeAdamW on a device; allowed"),
        ({"optimizer": Muon(), "device": "cpu"}, "Muon on a device; allowed"),
    ],
)
def test_bad_input(change, message):
    given = {"optimizer": SGD(), "objective": HIMMELBLAU, "size": 4, "steps": 2} | change
    with pytest.raises(ValueError, match=message):
        atlas(**given)


def test_the_boundary_lies_between_fates():
    found = atlas(SGD(lr=0.001), HIMMELBLAU, 2, 400)
    assert found.boundary().tolist() == [[True, True], [True, False]]


def test_boxes_that_hold_a_curve_and_a_square():
    line, square = np.eye(32, dtype=bool), np.ones((32, 32), bool)
    sides = np.array([1, 2, 4, 8])
    np.testing.assert_array_equal(box_counts(line, sides), 32 // sides)
    np.testing.assert_array_equal(box_counts(square, sides), (32 // sides) ** 2)
    for bad in (3, 0):
        with pytest.raises(ValueError, match=f"sides = {bad}"):
            box_counts(line, [bad])


# Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as seen without one kind of cone.
VISION = {
    "all": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def oklab(srgb, vision):
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(VISION[vision]), 0, 1)
    return np.cbrt(seen @ np.linalg.inv(module._TO_RGB)) @ np.linalg.inv(module._TO_LMS)


@pytest.mark.parametrize("vision", VISION)
def test_minima_have_colours_of_their_own(vision):
    """In OKLab, where 0.02 is just noticeable: equally late arrivals at two minima differ by four times that, all
    arrivals from the greys by twice."""
    ramps = np.array(
        [module._srgb(light + (dark - light) * np.linspace(0, 1, 9), c, h) for h, c, light, dark in RAMPS]
    )
    seen = oklab(ramps, vision)
    for k in range(len(RAMPS)):
        for other in range(k):
            assert np.linalg.norm(seen[k] - seen[other], axis=-1).min() > 0.08
        for grey in GREYS.values():
            assert np.linalg.norm(seen[k] - oklab(np.full(3, grey), vision), axis=-1).min() > 0.04
    assert np.all(np.diff(seen[..., 0], axis=1) < 0)  # later is darker


def test_the_image():
    found = atlas(Momentum(lr=0.012), HIMMELBLAU, 40, 200)
    image = found.image()
    assert image.shape == (40, 40, 3) and image.dtype == np.float32 and image.min() >= 0 and image.max() <= 1
    assert {*GREYS} & {*np.unique(found.minimum)}
    for fate in {*GREYS} & {*np.unique(found.minimum)}:
        np.testing.assert_array_equal(image[found.minimum == fate], np.float32(GREYS[fate]))
    first, second = (image[(found.minimum == 0) & (found.arrival == t)] for t in np.unique(found.arrival)[[0, -1]])
    np.testing.assert_array_less(second.sum(-1).max(initial=0), first.sum(-1).min(initial=3))
    early = found.image((1e6, 1e7))
    assert math.isclose(np.ptp(early[found.minimum == 1]), np.ptp(early[found.minimum == 1][0]), rel_tol=1e-6)


def test_more_minima_than_hues():
    many = Rastrigin()
    many.minima = np.arange(10.0).reshape(5, 2)
    with pytest.raises(ValueError, match="5 minima; allowed: 4"):
        atlas(SGD(), many, 3, 1).image()
