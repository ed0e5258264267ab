"""What holds for every explorer: checked parameters, links that need no kernel, a still picture."""

from __future__ import annotations

import math
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import ipywidgets as w
import numpy as np
import pytest
from adambook import explorers
from adambook.explorers import base
from adambook.explorers.base import Choice, Explorer, Hidden, Slider, Steps, Switch
from matplotlib.figure import Figure

ALL: list[type[Explorer]] = [getattr(explorers, name) for name in explorers.__all__]
every = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
PARAMETERS = [(kind, name, p) for kind in ALL for name, p in kind.parameters().items()]
every_parameter = pytest.mark.parametrize(
    ("kind", "name", "p"), PARAMETERS, ids=[f"{kind.__name__}.{name}" for kind, name, _ in PARAMETERS]
)


def other(p: base.Parameter, value: Any) -> Any:
    """A valid value that is not the given one."""
    if isinstance(p, Switch):
        return not value
    if isinstance(p, Choice):
        return next(o for o in p.options if o != value)
    return type(value)(p.low if value != p.low else p.high)


def test_there_are_explorers() -> None:
    assert len(ALL) >= 5
    assert len({kind.module for kind in ALL}) == len(ALL)


@every
def test_unknown_parameters_are_named(kind: type[Explorer]) -> None:
    with pytest.raises(TypeError, match=f"{kind.__name__} has no parameter 'learning_rate'"):
        kind(learning_rate=0.1)


@every_parameter
def test_bad_values_are_refused_by_name(kind: type[Explorer], name: str, p: base.Parameter) -> None:
    e = kind()
    before = getattr(e, name)
    bad: list[tuple[Any, Any]] = [(None, TypeError), ([1], (TypeError, ValueError))]
    if isinstance(p, Slider):
        bad += [("much", TypeError), (math.nan, (ValueError, TypeError)), (math.inf, (ValueError, TypeError))]
        bad += [(type(before)(p.low - 1), ValueError), (type(before)(p.high + 1), ValueError)]
    elif isinstance(p, Choice):
        bad = [("nothing of the kind", ValueError)]
    else:
        bad += [(1, TypeError)]
    for value, error in bad:
        with pytest.raises(error, match=name):
            kind(**{name: value})
        with pytest.raises(error, match=name):
            setattr(e, name, value)
    assert getattr(e, name) == before


@every_parameter
def test_values_reach_drawing_and_control_and_come_back(
    kind: type[Explorer], name: str, p: base.Parameter
) -> None:
    e = kind()
    value = other(p, getattr(e, name))
    setattr(e, name, value)
    assert getattr(e.canvas, name) == p.wire(value)
    assert e.canvas.defaults[name] != p.wire(value), "Reset returns to the values at construction"
    if not isinstance(p, Hidden):
        assert getattr(e.controls[name], p.link) == pytest.approx(p.wire(value))

    back = kind()
    setattr(back.canvas, name, p.wire(value))  # as the browser does after a drag
    assert (
        getattr(back, name) == pytest.approx(value) if isinstance(p, Slider) else getattr(back, name) == value
    )
    assert kind(**{name: value}).canvas.defaults[name] == p.wire(value)


@every
def test_controls_are_linked_in_the_browser(kind: type[Explorer]) -> None:
    from ipywidgets.embed import embed_data

    e = kind()
    state = embed_data(views=[e], drop_defaults=False)["manager_state"]["state"]
    links = [m["state"] for m in state.values() if m["model_name"] == "LinkModel"]
    targets = {(link["target"][0], link["target"][1]) for link in links}
    for name, p in kind.parameters().items():
        assert isinstance(p, Hidden) or (f"IPY_MODEL_{e.canvas.model_id}", name) in targets
    for link in links:  # a menu's value lives in Python only
        source = state[link["source"][0].removeprefix("IPY_MODEL_")]
        assert link["source"][1] == ("index" if "_options_labels" in source["state"] else "value")


@every
def test_every_control_has_a_name_and_holds_its_value(kind: type[Explorer]) -> None:
    e = kind()
    for name, control in e.controls.items():
        assert control.description, name
        if isinstance(control, (w.FloatSlider, w.FloatLogSlider)):
            at = math.log10(control.value) if isinstance(control, w.FloatLogSlider) else control.value
            place = (at - control.min) / control.step
            assert place == pytest.approx(round(place), abs=1e-6), (
                f"{name}: the browser would move the slider"
            )
            assert control.min - 1e-9 <= at <= control.max + 1e-9


def test_values_between_the_steps_are_kept() -> None:
    e = explorers.MGFExplorer(mu=0.123)
    slider = e.controls["mu"]
    assert (e.mu, slider.value) == (0.123, 0.123)
    assert ((slider.value - slider.min) / slider.step) % 1 == pytest.approx(0, abs=1e-6)
    assert slider.min >= -1.5 and slider.max <= 1.5 and slider.max - slider.min > 2.9
    e.mu = -0.777
    assert (e.mu, slider.value, e.canvas.mu) == (-0.777, -0.777, -0.777)


@every
def test_summary_answers_to_the_parameters(kind: type[Explorer]) -> None:
    e = kind()
    first = e.summary()
    assert first.endswith(".") and "nan" not in first and len(first) > 60
    for name, p in kind.parameters().items():
        if not isinstance(p, Hidden):
            assert kind(**{name: other(p, getattr(e, name))}).summary() != first, name


def test_colab_is_told_what_shows_the_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    e = explorers.MGFExplorer()
    output = SimpleNamespace(enable_custom_widget_manager=lambda: None)
    output._widgets = SimpleNamespace(_installed_url="the manager's address")
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    _, metadata = e._repr_mimebundle_()
    assert metadata == {
        base.WIDGET_VIEW: {"colab": {"custom_widget_manager": {"url": "the manager's address"}}}
    }
    assert e._ipython_display_ is None, "ipywidgets 7 would show the controls and leave out the rest"


@every
def test_the_still_picture(kind: type[Explorer]) -> None:
    e = kind()
    bundle, metadata = e._repr_mimebundle_()
    assert bundle[base.WIDGET_VIEW]["model_id"] == e.model_id and not metadata
    assert bundle["text/plain"] == e.summary()
    svg = bundle["image/svg+xml"]
    assert isinstance(e.figure(), Figure)
    assert "<svg" in svg and svg == kind().svg(), "the same state gives the same bytes"
    # Extremes draw too; but a million steps take half a minute in Python.
    ranges = {k: p for k, p in kind.parameters().items() if isinstance(p, Slider) and k != "horizon"}
    for end in ("low", "high"):
        kind(**{k: type(getattr(e, k))(getattr(p, end)) for k, p in ranges.items()}).figure()


def test_play_reaches_the_last_frame() -> None:
    with pytest.raises(ValueError, match="step = 3 must divide"):
        Steps(0, 0, 100, "step", step=3, play=True)


def test_two_explorers_do_not_share_values() -> None:
    one, two = explorers.MGFExplorer(mu=0.2), explorers.MGFExplorer()
    one.sigma = 0.3
    assert (two.mu, two.sigma) == (0.5, 0.8)
    assert repr(one) == "MGFExplorer(distribution='normal', mu=0.2, sigma=0.3)"


def test_a_missing_build_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(base, "STATIC", tmp_path)
    with pytest.raises(FileNotFoundError, match="npm run build"):
        base._static("mgf.js")


def test_numbers_round_as_in_the_browser() -> None:
    assert [base.fixed(v) for v in (0.125, -0.125, -0.001, 2.0)] == ["0.13", "−0.13", "0.00", "2.00"]
    assert [base.short(v) for v in (0.9996, 12.34, 1e-5, 0.0)] == ["1.00", "12.3", "1.00 × 10⁻⁵", "0"]
    assert [base.count(n, "step") for n in (1, 1234)] == ["1 step", "1,234 steps"]
    assert base.fixed(math.nan) == "undefined"


def test_explorers_import_no_torch() -> None:
    code = "import sys, adambook.explorers as e; e.MGFExplorer(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_mgf_is_the_integral_of_its_density() -> None:
    from adambook.explorers import mgf

    g = np.linspace(-20, 20, 40_001)
    for name in ("normal", "uniform", "Laplace", "exponential"):
        p = np.array([mgf.density(name, x, 0.3, 0.7) for x in g])
        for s in (-0.8, 0.0, 0.9):
            integral = np.trapezoid(p * np.exp(s * g), g)
            # a jump of the density costs half a grid cell, 5e-4 / sigma
            assert integral == pytest.approx(mgf.mgf(name, s, 0.3, 0.7), rel=2e-3), (name, s)
    assert mgf.mgf("Laplace", 2.1, 0, 0.7) == mgf.mgf("exponential", 1.43, 0, 0.7) == math.inf
