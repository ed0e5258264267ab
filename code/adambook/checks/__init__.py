"""Checkers for the exercises: they name the mistake, with the smallest input that shows it, and never the solution.

    from adambook import checks as check

    check.adam(my_adam)

Each takes a function of plain values, such as ``adam(theta, g, m, v, t, lr, beta1, beta2, eps)`` that returns
``theta, m, v``, and returns a `Verdict` that prints one sentence and is true where the rule is right. `agrees` compares
a single value.
"""

from adambook.checks.values import agrees
from adambook.checks.verdict import Verdict, checker

__all__ = ["Verdict", "adagrad", "adam", "adamw", "agrees", "amsgrad", "rmsprop"]

adagrad = checker("adagrad")
rmsprop = checker("rmsprop")
adam = checker("adam")
amsgrad = checker("amsgrad")
adamw = checker("adamw")
