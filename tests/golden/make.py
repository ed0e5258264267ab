"""Write the golden trajectories: python tests/golden/make.py

Each JSON file here holds runs of one optimizer of `adambook.numpy_optim` in float64. tests/test_golden.py
asserts that NumPy still takes these paths, the tests of code/web that TypeScript takes those of the rules it
has. Remake the files only when a rule is meant to change, and say why in the commit.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from adambook import objectives
from adambook.descent import Trajectory, descend
from adambook.numpy_optim import (
    SGD,
    AdaBound,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Adan,
    AMSGrad,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    RAdam,
    RMSprop,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    SophiaG,
    SophiaH,
    conventions,
    gauss_newton_bartlett,
)

HERE = Path(__file__).parent
STEPS = 50
Run = dict[str, Any]

# A name for each objective, as both languages can build it.
OBJECTIVES: dict[str, objectives.Objective] = {
    "quadratic": objectives.Quadratic((1.0, 100.0), 0.5),
    "rosenbrock": objectives.Rosenbrock(),
    "beale": objectives.Beale(),
    "himmelblau": objectives.Himmelblau(),
    "rastrigin": objectives.Rastrigin(),
    "saddle": objectives.Saddle(),
    "reddi": objectives.ReddiOnline(3.0, -1.0, 3),
}
SCHEDULES = {"constant": None, "1/sqrt(t)": lambda t: 1 / math.sqrt(t)}
CLASSES = {
    cls.__name__: cls
    for cls in (
        SGD, Momentum, Nesterov, Adagrad, RMSprop, Adam, AMSGrad, AdamW,
        conventions.AdamUncorrected, conventions.AMSGradPaper, conventions.AMSGradCorrectedMax,
        conventions.AMSGradHatOverMax, conventions.AdamWPaper,
        Adadelta, Adamax, NAdam, RAdam, AdaBound, Lion, SophiaG, SophiaH, Adan, ScheduleFreeAdamW, ScheduleFreeSGD,
    )
}  # fmt: skip
SMOOTH = ("quadratic", "rosenbrock", "beale", "himmelblau", "saddle")


def cases() -> list[Run]:
    """Return every run without its result: two sets of hyper-parameters, each on several objectives."""
    adaptive = [{"lr": 0.05}, {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-4, "weight_decay": 0.1}]
    hyper: dict[str, list[Run]] = {
        "SGD": [{"lr": 1e-3}, {"lr": 5e-4, "weight_decay": 0.1}],
        "Momentum": [{"lr": 5e-4}, {"lr": 1e-3, "momentum": 0.7, "dampening": 0.3, "weight_decay": 0.1}],
        "Nesterov": [{"lr": 5e-4}, {"lr": 3e-4, "momentum": 0.8, "weight_decay": 0.1}],
        "Adagrad": [
            {"lr": 0.1},
            {"lr": 0.3, "lr_decay": 0.01, "weight_decay": 0.1, "initial_accumulator_value": 0.1, "eps": 1e-6},
        ],
        "RMSprop": [{"lr": 0.01}, {"lr": 0.02, "alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1}],
        "Adadelta": [{}, {"lr": 0.5, "rho": 0.8, "eps": 1e-5, "weight_decay": 0.1}],
        "NAdam": [{"lr": 0.05}, {**adaptive[1], "momentum_decay": 0.05}],
        "RAdam": [{"lr": 1e-3}, {**adaptive[1], "lr": 5e-4}],
        "AdaBound": [{"lr": 0.05, "final_lr": 1e-3}, {**adaptive[1], "final_lr": 2e-3, "gamma": 0.05}],
        "Lion": [{"lr": 0.01}, {"lr": 0.02, "betas": [0.8, 0.95], "weight_decay": 0.1}],
        "SophiaG": [{"lr": 0.01}, {"lr": 0.02, "betas": [0.8, 0.95], "rho": 0.3, "weight_decay": 0.2}],
        "SophiaH": [{"lr": 0.01}, {"lr": 0.02, "betas": [0.8, 0.95], "rho": 0.3, "weight_decay": 0.2}],
        "Adan": [{"lr": 0.05}, {**adaptive[1], "betas": [0.9, 0.8, 0.95]}],
        "ScheduleFreeSGD": [{"lr": 1e-3}, {"lr": 5e-4, "momentum": 0.7, "weight_decay": 0.1}],
    }
    out = [
        {"optimizer": name, "objective": objective, "hyper": given, "schedule": "constant"}
        for name in CLASSES
        for given in hyper.get(name, adaptive)
        for objective in (*SMOOTH, *(["rastrigin"] if name in ("Adam", "AMSGrad", "SGD") else []))
    ]
    # The counterexample of chapter 4, projected onto [-1, 1], with the step falling as 1/sqrt(t).
    out += [
        {
            "optimizer": name,
            "objective": "reddi",
            "hyper": {"lr": 0.5, "betas": [0.0, 0.1]},
            "schedule": "1/sqrt(t)",
        }
        for name in CLASSES
        if name.startswith(("AMSGrad", "Adam")) and name != "Adamax"
    ]
    return out


class Informed:
    """Gives Sophia its Hessian: every tenth step, from the first on, the squared gradient at hand."""

    def update(self, grad: Any, state: Any, theta: Any) -> Any:
        if state.t % 10 == 0:
            state = self.with_hessian(state, gauss_newton_bartlett(grad, 1))  # type: ignore[attr-defined]
        return super().update(grad, state, theta)  # type: ignore[misc]


def run(case: Run) -> Trajectory:
    """Take the steps of one case in float64."""
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in case["hyper"].items()}
    cls = CLASSES[case["optimizer"]]
    optimizer = (type(cls.__name__, (Informed, cls), {}) if hasattr(cls, "with_hessian") else cls)(**given)
    return descend(
        optimizer, OBJECTIVES[case["objective"]], steps=STEPS, schedule=SCHEDULES[case["schedule"]]
    )


def result(trajectory: Trajectory) -> Run:
    """Return what a golden file keeps of a run: the path, the losses, and the state after the last step."""
    final = {name: np.asarray(value)[-1].tolist() for name, value in trajectory.state._asdict().items()}
    assert trajectory.theta is not None and trajectory.stopped is None
    return {"theta": trajectory.theta.tolist(), "loss": trajectory.loss.tolist(), "state": final}


def main() -> None:
    """Write one file an optimizer."""
    for name in CLASSES:
        runs = [case | result(run(case)) for case in cases() if case["optimizer"] == name]
        lines = ",\n".join(json.dumps(r, separators=(",", ":")) for r in runs)
        (HERE / f"{name}.json").write_text(
            f'{{"made_by":"python tests/golden/make.py","runs":[\n{lines}\n]}}\n'
        )


if __name__ == "__main__":
    main()
