"""Runs a student's rule beside the right one, and says in one sentence where they part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adambook._check import Array
from adambook.checks.rules import EXERCISES, Exercise, Rule

# A rule may order its operations otherwise: some ten roundings of 1e-16 a step, five steps, quotients of like numbers.
RTOL = 1e-9
NUMBERS = {"lr": 1.0, "eps": 1e-8, "beta": 0.9, "beta1": 0.5, "beta2": 0.9, "weight_decay": 0.1}


def written(values: Sequence[float] | Array) -> str:
    """Return numbers as they stand in a sentence: one without brackets, several as a list."""
    texts = [f"{value:.4g}" for value in values]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


@dataclass(frozen=True)
class Probe:
    """Gradients for a few steps, from ``theta``. ``hypers`` are those that are not `NUMBERS`."""

    theta: tuple[float, ...]
    gradients: tuple[tuple[float, ...], ...]
    hypers: tuple[tuple[str, float], ...] = ()

    def numbers(self, exercise: Exercise) -> dict[str, float]:
        given = NUMBERS | dict(self.hypers)
        return {name: given[name] for name in exercise.hypers}

    def told(self, exercise: Exercise, steps: int) -> str:
        """Return the input as it stands in a sentence, up to that many steps."""
        gradients = [written(row) for row in self.gradients[:steps]]
        g = f"g = {gradients[0]}" if steps == 1 else f"gradients {', '.join(gradients)}"
        numbers = ", ".join(f"{name} = {value:g}" for name, value in self.numbers(exercise).items())
        return f"theta = {written(self.theta)}, {g}, {numbers}"


PLAIN = (("eps", 0.0),)
PROBES = (  # the smallest input that shows a mistake is told: short and simple ones come first
    Probe((0.0,), ((2.0,),), PLAIN),
    Probe((1.0,), ((2.0,),), PLAIN),
    Probe((0.0,), ((1e-8,),)),
    Probe((0.0,), ((-2.0,),), PLAIN),
    Probe((1.0,), ((2.0,),), (*PLAIN, ("lr", 0.1))),
    Probe((0.0,), ((2.0,), (1.0,)), PLAIN),
    Probe((0.0,), ((1.0,), (2.0,)), PLAIN),
    Probe((0.0,), ((4.0,), (2.0,), (1.0,)), PLAIN),
    Probe((0.0, 0.0), ((2.0, -1.0),), PLAIN),
    Probe(
        (0.5, -1.0, 2.0),
        ((3.0, 0.1, -1.0), (-2.0, 0.2, 0.5), (0.3, -0.4, 0.0), (1.0, 5.0, -2.0), (0.7, 0.2, 0.1)),
        (("lr", 0.03), ("eps", 0.01), ("beta", 0.7), ("beta1", 0.8), ("beta2", 0.95), ("weight_decay", 0.3)),
    ),
)


@dataclass(frozen=True)
class Verdict:
    """What a check found: ``right``, and the ``sentence`` that is shown."""

    right: bool
    sentence: str

    def __repr__(self) -> str:
        return self.sentence

    def __bool__(self) -> bool:
        return self.right


class _Wrong(Exception):
    """A mistake that is seen without comparing numbers; its text is the verdict."""


class _Unanswered(Exception):
    """Nothing was written yet."""


def check(exercise: Exercise, student: Any) -> Verdict:
    """Compare the student's rule with the right one on every probe; return the verdict, within a second."""
    if not callable(student):
        return Verdict(
            False, f"hand over the function itself, without a call: check.{exercise.name}(my_{exercise.name})"
        )
    try:
        for probe in PROBES:
            mine, again, right = (run(exercise, rule, probe) for rule in (student, student, exercise.right))
            if not _same_run(mine, again):
                raise _Wrong("the same input gives another answer the second time: keep no state outside the function")
            for step in range(len(right)):
                if part := _first_difference(mine[step], right[step], probe, exercise):
                    return Verdict(False, _told(exercise, student, probe, step, part, mine[step][part]))
    except _Unanswered:
        return Verdict(False, "not answered yet")
    except _Wrong as wrong:
        return Verdict(False, str(wrong))
    return Verdict(True, "right")


Results = list[dict[str, Array]]  # after each step: theta and the state, by name


def run(exercise: Exercise, rule: Rule, probe: Probe) -> Results:
    """Return what the rule makes of the probe, step by step, fed with its own results."""
    names = ("theta", *exercise.state)
    kept = {name: np.zeros(len(probe.theta)) for name in names} | {"theta": np.array(probe.theta)}
    results: Results = []
    for t, row in enumerate(probe.gradients, 1):
        given = [kept["theta"], np.array(row), *(kept[name] for name in exercise.state)]
        before = [value.copy() for value in given]
        where = f"With {probe.told(exercise, t)}, "
        try:
            with np.errstate(all="ignore"):
                returned = rule(*given, *([t] * exercise.counts), **probe.numbers(exercise))
        except NotImplementedError:
            raise _Unanswered from None
        except Exception as error:
            raise _Wrong(
                f"{where}your function stops with {type(error).__name__}: {error}{_hint(exercise, error)}"
            ) from None
        if returned is None or returned is Ellipsis:
            raise _Unanswered
        for name, now, then in zip(("theta", "g", *exercise.state), given, before, strict=True):
            if not np.array_equal(now, then, equal_nan=True):
                raise _Wrong(
                    f"{where}your function changes the {name} that it is given; compute a new array instead"
                )
        kept = _named(names, returned, kept, where)
        results.append(kept)
    return results


def _named(names: tuple[str, ...], returned: Any, kept: dict[str, Array], where: str) -> dict[str, Array]:
    """Return what a rule returned, by name, if it has the right number of arrays of the right shape."""
    if not isinstance(returned, (tuple, list)) or len(returned) != len(names):
        count = f"{len(returned)} values" if isinstance(returned, (tuple, list)) else "one value"
        raise _Wrong(f"your function returns {count}; it is to return {', '.join(names)}")
    arrays = {}
    for name, value in zip(names, returned, strict=True):
        try:
            arrays[name] = np.array(value, float)
        except (TypeError, ValueError):
            raise _Wrong(f"{where}your {name} is {value!r:.60}, which is no array of numbers") from None
        if arrays[name].shape != kept[name].shape:
            raise _Wrong(
                f"{where}your {name} has shape {arrays[name].shape}; theta has {kept['theta'].shape}"
            )
    return arrays


def _hint(exercise: Exercise, error: Exception) -> str:
    if isinstance(error, TypeError) and "argument" in str(error):
        return f". It is called as {exercise.call}, with what follows g and the state given by name"
    return ". Use np.sqrt, which takes arrays" if "scalar" in str(error) else ""


def _first_difference(
    mine: dict[str, Array], right: dict[str, Array], probe: Probe, exercise: Exercise
) -> str | None:
    """Return the first of the state and theta that is not right, if any: a wrong state explains a wrong theta."""
    g = float(np.max(np.abs(probe.gradients)))
    sizes = {
        "theta": 1.0,
        "m": g,
    }  # what an exact zero is small against; a second moment is of the size of g^2
    for name in (*exercise.state, "theta"):
        zero = 1e-12 * sizes.get(name, g * g)
        if not np.allclose(mine[name], right[name], rtol=RTOL, atol=zero, equal_nan=True):
            return name
    return None


def _same_run(first: Results, second: Results) -> bool:
    return all(
        np.array_equal(a[name], b[name], equal_nan=True)
        for a, b in zip(first, second, strict=True)
        for name in a
    )


def _told(exercise: Exercise, student: Rule, probe: Probe, step: int, part: str, value: Array) -> str:
    """Name the mistake that explains all that the student's rule does; else what is wrong first."""
    after = f" after step {step + 1}" if step else ""
    start = f"With {probe.told(exercise, step + 1)}, your {part}{after} is {written(value)}"
    for said, wrong in exercise.wrong.items():
        if all(
            _first_difference(mine, other, each, exercise) is None
            for each in PROBES
            for mine, other in zip(run(exercise, student, each), run(exercise, wrong, each), strict=True)
        ):
            return f"{start}: {said}."
    order = (*exercise.state, "theta")
    fine = order[: order.index(part)]
    right = f" {' and '.join(fine)} {'is' if len(fine) == 1 else 'are'} right so far." if fine else ""
    return f"{start}, which is not right.{right} Compute this case by hand, and compare line by line."


def checker(name: str) -> Callable[[Any], Verdict]:
    """Return the checker of one exercise."""
    exercise = EXERCISES[name]

    def answer(student: Any) -> Verdict:
        return check(exercise, student)

    answer.__name__ = name
    answer.__doc__ = (
        f"Say whether a function, called as ``{exercise.call}``, returns the right {exercise.returns}; if not, why."
    )
    return answer
