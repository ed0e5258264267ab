"""What every explorer is made of: parameters that are controls, linked in the browser to one drawing.

An explorer declares its parameters as class attributes. Each becomes a control, a synchronized trait of
the drawing, and a trait of the explorer. Controls and drawing are linked with ``jslink``, so the page needs
no kernel; where one is present, what the reader sets comes back as a Python value.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from math import floor, inf, isfinite, isnan, log10
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import ipywidgets as w
import traitlets as t
from matplotlib import rc_context

from adambook import _check
from adambook.figures import STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATIC = Path(__file__).parent / "static"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class Slider(t.TraitType):  # type: ignore[type-arg]  # Colab's traitlets take no type arguments
    """A real number in [low, high] with a slider; ``log`` spaces the slider in powers of ten."""

    link = "value"
    wire_type: ClassVar[type[t.TraitType[Any, Any]]] = t.Float

    def __init__(
        self,
        default: float,
        low: float,
        high: float,
        step: float,
        label: str,
        *,
        format: str = ".2f",
        log: bool = False,
    ) -> None:
        self.low, self.high, self.step, self.label, self.format, self.log = (
            low,
            high,
            step,
            label,
            format,
            log,
        )
        super().__init__(default)

    def validate(self, obj: Any, value: Any) -> float:
        return _check.real(str(self.name), value, self.low, self.high)

    def wire(self, value: Any) -> float:
        return float(value)

    def unwire(self, value: Any) -> Any:
        """Sliders count in binary and compute 10**x: undo the last digits, which may leave the range."""
        return min(max(float(f"{value:.12g}"), self.low), self.high)

    def state(self, value: float) -> dict[str, float]:
        """The control's value and ends.

        A slider steps from its lower end. The ends make the value one of its steps, since the browser would
        otherwise move it to the nearest one.
        """
        low, high, at = (log10(v) if self.log else v for v in (self.low, self.high, value))
        start = at - self.step * floor((at - low) / self.step + 1e-9)
        end = start + self.step * floor((high - start) / self.step + 1e-9)
        return {"min": start, "max": end, "value": value}

    def control(self, value: float, width: str) -> w.Widget:
        kind = w.FloatLogSlider if self.log else w.FloatSlider
        options = {**self.state(value), "step": self.step, "readout_format": self.format}
        return kind(description=self.label, **options, **_row(width))


class Steps(Slider):
    """A whole number in [low, high] with a slider.

    ``play`` adds a Play button; its step must divide the span.
    """

    wire_type = t.Int

    def __init__(
        self,
        default: int,
        low: int,
        high: int,
        label: str,
        *,
        step: int = 1,
        play: bool = False,
        interval: int = 40,
    ) -> None:
        if play and (high - low) % step:
            raise ValueError(
                f"step = {step} must divide {high} - {low}, or Play never reaches the last frame"
            )
        self.play, self.interval = play, interval
        super().__init__(default, low, high, step, label, format="d")

    def validate(self, obj: Any, value: Any) -> int:
        return _check.whole(str(self.name), value, int(self.low), self.high)

    def wire(self, value: Any) -> int:
        return int(value)

    def unwire(self, value: Any) -> int:
        return int(super().unwire(value))

    def control(self, value: float, width: str) -> w.Widget:
        return w.IntSlider(
            value=value, min=self.low, max=self.high, step=self.step, description=self.label, **_row(width)
        )

    def state(self, value: float) -> dict[str, float]:
        return {"value": value}


class Choice(t.TraitType):  # type: ignore[type-arg]
    """One of a few names. The drawing receives its index: a menu's ``value`` exists in Python only."""

    link = "index"
    wire_type: ClassVar[type[t.TraitType[Any, Any]]] = t.Int

    def __init__(self, default: str, options: tuple[str, ...], label: str, *, buttons: bool = False) -> None:
        self.options, self.label, self.buttons = options, label, buttons
        super().__init__(default)

    def validate(self, obj: Any, value: Any) -> str:
        return _check.choice(str(self.name), value, self.options)

    def wire(self, value: Any) -> int:
        return self.options.index(value)

    def unwire(self, value: Any) -> str:
        return self.options[value]

    def state(self, value: str) -> dict[str, int]:
        return {"index": self.wire(value)}

    def control(self, value: str, width: str) -> w.Widget:
        kind = w.ToggleButtons if self.buttons else w.Dropdown
        return kind(options=self.options, value=value, description=self.label, **_row(width))


class Switch(t.TraitType):  # type: ignore[type-arg]
    """Yes or no, with a box to tick."""

    link = "value"
    wire_type: ClassVar[type[t.TraitType[Any, Any]]] = t.Bool

    def __init__(self, default: bool, label: str) -> None:
        self.label = label
        super().__init__(default)

    def validate(self, obj: Any, value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError(f"{self.name} = {value!r} is neither True nor False")
        return value

    def wire(self, value: Any) -> bool:
        return bool(value)

    unwire = wire

    def state(self, value: bool) -> dict[str, bool]:
        return {"value": value}

    def control(self, value: bool, width: str) -> w.Widget:
        return w.Checkbox(value=value, description=self.label, **_row(width))


class Hidden(Slider):
    """A number in [low, high] that is set on the drawing itself, such as a point that can be dragged."""

    def __init__(self, default: float, low: float, high: float, *, whole: bool = False) -> None:
        self.whole = whole
        super().__init__(default, low, high, 0, "")

    def validate(self, obj: Any, value: Any) -> float:
        if self.whole:
            return _check.whole(str(self.name), value, int(self.low), self.high)
        return super().validate(obj, value)

    def unwire(self, value: Any) -> Any:
        return round(super().unwire(value)) if self.whole else super().unwire(value)


Parameter = Slider | Choice | Switch


def _row(label_width: str) -> dict[str, Any]:
    return {"style": {"description_width": label_width}, "layout": w.Layout(width="auto")}


class Explorer(w.VBox):
    """Base of the explorers. A subclass names its JavaScript ``module`` and declares its parameters.

    Parameters are keyword arguments and traits: ``e = Sub(lr=0.1); e.lr = 0.2``. A value out of range
    raises ValueError, one of the wrong kind or an unknown parameter TypeError. ``summary()`` says in words
    what is drawn, ``figure()`` draws it without a browser.
    """

    module: ClassVar[str]
    label_width: ClassVar[str] = "7.5em"
    height: ClassVar[float] = 3.2

    def __init__(self, **parameters: Any) -> None:
        declared = self.parameters()
        for name in parameters:
            if name not in declared:
                raise TypeError(
                    f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(declared) or 'none'}"
                )
        super().__init__(**parameters)
        state = {name: p.wire(getattr(self, name)) for name, p in declared.items()}
        self.canvas = _canvas_class(type(self))(  # type: ignore[arg-type]
            defaults=state, **state
        )
        self.controls: dict[str, w.Widget] = {}
        rows = []
        for name, p in declared.items():
            if isinstance(p, Hidden):
                continue
            control = self.controls[name] = p.control(getattr(self, name), self.label_width)
            w.jslink((control, p.link), (self.canvas, name))
            rows.append(_with_play(control, p) if isinstance(p, Steps) and p.play else control)
        controls = w.VBox(rows)
        controls.add_class("ab-controls")
        self.add_class("ab-explorer")
        self.children = (controls, self.canvas)
        self._from_browser = False
        self.observe(self._push, list(declared))
        self.canvas.observe(self._pull, list(declared))

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """The declared parameters by name, in order."""
        return {
            name: p
            for base in reversed(cls.__mro__)
            for name, p in vars(base).items()
            if isinstance(p, Parameter)
        }

    def values(self) -> dict[str, Any]:
        """The present value of every parameter."""
        return {name: getattr(self, name) for name in self.parameters()}

    def summary(self) -> str:
        """What the drawing shows now, in full sentences: the same ones as in the page."""
        raise NotImplementedError

    def draw(self, figure: Figure) -> None:
        """Draw the present state on a matplotlib figure."""
        raise NotImplementedError

    def figure(self) -> Figure:
        """The present state as a static matplotlib figure."""
        from matplotlib.figure import Figure

        with rc_context(STYLE):
            made = Figure(figsize=(7.6, self.height))
            self.draw(made)
        return made

    def svg(self) -> str:
        """The static figure as SVG text, the same bytes for the same state."""
        out = io.StringIO()
        with rc_context(STYLE):
            self.figure().savefig(out, format="svg", transparent=True, metadata={"Date": None})
        return out.getvalue()

    def _push(self, change: Any) -> None:
        """A value set in Python goes to the drawing and to the control."""
        name, wired = change.name, self.parameters()[change.name].wire(change.new)
        if getattr(self.canvas, name) != wired:
            setattr(self.canvas, name, wired)
        if not self._from_browser and name in self.controls:  # echoing to the control would make it jitter
            control = self.controls[name]
            with control.hold_sync():
                for key, value in self.parameters()[name].state(change.new).items():
                    setattr(control, key, value)

    def _pull(self, change: Any) -> None:
        """A value set in the browser becomes the explorer's."""
        with self._browser_speaks():
            setattr(self, change.name, self.parameters()[change.name].unwire(change.new))

    @contextmanager
    def _browser_speaks(self) -> Iterator[None]:
        before, self._from_browser = self._from_browser, True
        try:
            yield
        finally:
            self._from_browser = before

    _ipython_display_ = None  # ipywidgets 7, which Colab has, would leave the picture and the words out

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live explorer; its picture and its words for those who show no widgets."""
        # The metadata make Colab load what shows the drawing.
        data, metadata = self.canvas._repr_mimebundle_()  # type: ignore[misc]  # None without a view
        data[WIDGET_VIEW]["model_id"] = self.model_id
        return {**data, "image/svg+xml": self.svg(), "text/plain": self.summary()}, metadata

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.values().items())})"


def _with_play(slider: w.Widget, p: Steps) -> w.Widget:
    play = w.Play(
        value=slider.value,
        min=p.low,
        max=p.high,
        step=p.step,
        interval=p.interval,
        show_repeat=False,
        layout=w.Layout(width="auto", flex="0 0 auto"),
    )
    w.jslink((play, "value"), (slider, "value"))
    slider.layout.flex = "1 1 0"
    row = w.HBox([slider, play])
    row.add_class("ab-play")
    return row


@cache
def _canvas_class(explorer: type[Explorer]) -> type[anywidget.AnyWidget]:
    """The drawing of an explorer: its JavaScript and one synchronized trait a parameter."""
    traits = {name: p.wire_type().tag(sync=True) for name, p in explorer.parameters().items()}
    members = {
        "_esm": _static(f"{explorer.module}.js"),
        "_css": _static("explorer.css"),
        "defaults": t.Dict().tag(sync=True),
        **traits,
    }
    return type(f"{explorer.__name__}Canvas", (anywidget.AnyWidget,), members)


def _static(name: str) -> str:
    try:
        return (STATIC / name).read_text("utf8")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{STATIC / name} is missing: in a clone, `npm ci && npm run build` in code/web makes it"
        ) from None


# The same numbers and words as in lib/format.ts, so that a summary reads alike on both sides.


def fixed(value: float, digits: int = 2) -> str:
    """A decimal with a true minus sign; halves round away from zero, as they do in the browser."""
    if not isfinite(value):
        return "undefined" if isnan(value) else "∞" if value == inf else "−∞"
    text = str(abs(Decimal(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
    return f"−{text}" if value < 0 and float(text) else text


def short(value: float, digits: int = 3) -> str:
    """Three significant digits; very small and very large numbers as 1.23 × 10⁻⁵."""
    size = abs(value)
    if size == 0 or not isfinite(size):
        return fixed(value, 0)
    exponent = int(f"{size:.{digits - 1}e}".split("e")[1])  # of the rounded number: 0.9999 is 1.00
    if -3 <= exponent < 5:
        return fixed(value, max(0, digits - 1 - exponent))
    mantissa, power = f"{value:.{digits - 1}e}".replace("-", "−", 1 if value < 0 else 0).split("e")
    return f"{mantissa} × 10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def count(n: int, noun: str) -> str:
    """ "1 step", "2 steps", "1,234 steps"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
