"""The style's small geometry, and the palette that Python and the explorers share."""

import itertools

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from adambook import figures
from adambook.numpy_optim import RELATIVES, SGD
from adambook.objectives import Beale
from hypothesis import given
from hypothesis import strategies as st


def test_every_optimizer_has_a_colour_of_its_own():
    names = [cls.__name__ for cls in (SGD, *RELATIVES)]
    assert set(figures.palette()) == set(names)
    for mode in ("light", "dark"):
        assert len({figures.palette()[name][mode] for name in names}) == len(names)
    with pytest.raises(ValueError, match=r"optimizer = 'Adamm'.*'Adam'"):
        figures.color("Adamm")


def luminance(colour):
    """Relative luminance of a colour, as WCAG defines it."""
    part = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize(("mode", "page"), [("light", "#ffffff"), ("dark", "#1f2226")])
def test_every_colour_stands_out_from_the_page(mode, page):
    for name, colours in figures.palette().items():
        low, high = sorted((luminance(colours[mode]), luminance(page)))
        assert (high + 0.05) / (low + 0.05) >= 3, f"{name}: WCAG asks 3:1 of lines"


@given(st.lists(st.floats(0, 300), max_size=8).map(sorted), st.floats(1, 30))
def test_labels_are_spread_in_order_and_moved_only_where_they_touch(heights, gap):
    placed = figures.spread(heights, gap)
    assert len(placed) == len(heights)
    assert all(b - a >= gap - 1e-9 for a, b in itertools.pairwise(placed))
    if all(b - a >= gap for a, b in itertools.pairwise(heights)):
        np.testing.assert_allclose(placed, heights, atol=1e-9)


def test_spread_keeps_the_middle():
    np.testing.assert_allclose(figures.spread([10.0, 10.0], 4), [8, 12])


def test_every_labelled_line_gets_its_label_once_in_its_colour():
    figures.use_style()
    fig, ax = plt.subplots()
    ax.plot([0, 1], [0, 1], color=figures.color("Adam"), label="Adam")
    ax.plot([0, 1], [0, 1.01], color=figures.color("SGD"), label="SGD")
    ax.plot([0, 1], [0, 2], color="k")
    figures.label_lines(ax)
    texts = {text.get_text(): text for text in ax.texts}
    assert set(texts) == {"Adam", "SGD"}
    assert texts["Adam"].get_color() == figures.color("Adam")
    fig.canvas.draw()
    boxes = [text.get_window_extent() for text in texts.values()]
    assert not boxes[0].overlaps(boxes[1])
    plt.close(fig)


def test_contour_draws_levels_and_minima():
    fig, ax = plt.subplots()
    figures.contour(ax, Beale())
    assert ax.get_xlim() == (-1, 4)
    np.testing.assert_array_equal(ax.get_lines()[0].get_xydata(), Beale().minima)
    plt.close(fig)
