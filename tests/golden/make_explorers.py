"""Write explorers.json: python tests/golden/make_explorers.py

What Python computes and says for some settings of every explorer: its summary, and the numbers that are
drawn. tests/explorers/test_golden.py asserts that Python still gives them, the tests of code/web that
TypeScript does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from adambook import explorers as ex
from adambook.explorers import adagrad_squares, base, conditioning, effective_step, mgf
from adambook.numpy_optim import SGD, Adagrad

TARGET = Path(__file__).parent / "explorers.json"
S = (-1.5, -0.3, 0.0, 0.4, 1.1)

SETTINGS: dict[type[base.Explorer], list[dict[str, Any]]] = {
    ex.MGFExplorer: [
        {},
        {"mu": -1.5, "sigma": 0.05},
        *({"distribution": name, "mu": 0.25, "sigma": 0.5} for name in mgf.PHRASES),
        {"distribution": "Laplace", "mu": -0.5, "sigma": 1.5},
        {"distribution": "exponential", "mu": 0.0, "sigma": 1.5},
    ],
    ex.EWMAExplorer: [
        {},
        {"beta": 0.0, "t": 1},
        {"beta": 0.99, "t": 100, "sigma": 0.1, "seed": 7},
        {"beta": 0.5, "t": 3, "sigma": 2.0, "seed": 999},
    ],
    ex.ConditioningExplorer: [
        {},
        {"kappa": 1.0, "lr": 1.0},
        {"kappa": 1000.0, "lr": 3.5, "momentum": 0.9, "step": 37},
        {"kappa": 50.0, "lr": 4.0, "step": 3, "x0": 1.0, "y0": -0.5},
    ],
    ex.AdagradSquares: [
        {},
        {"angle": 0},
        {"angle": 45, "step": 100},
        {"angle": 90, "lr": 0.02, "step": 0},
        {"angle": 7, "lr": 10.0, "step": 1},
    ],
    ex.EffectiveStep: [
        {},
        {"factor": 0.01, "change": 900, "alpha": 0.999},
        {"factor": 100.0, "change": 10, "alpha": 0.5},
        {"factor": 1.0},
        {"factor": 0.4, "change": 300, "alpha": 0.9},
        {"factor": 3.0, "alpha": 0.95},
    ],
    ex.Microscope: [
        {},
        {"correction": False, "t": 12},
        {"sequence": "noisy", "t": 33, "beta1": 0.5, "beta2": 0.95},
        {"sequence": "alternating", "t": 1, "lr": 1.0},
        {"sequence": "one spike", "t": 21, "correction": False, "beta1": 0.0},
        {"sequence": "decaying", "t": 60, "beta2": 0.9},
    ],
    ex.Race: [
        {},
        {"objective": "Beale's plateau", "beta1": 0.5, "shown": 200},
        {"objective": "Himmelblau's four minima", "noise": 0.3, "seed": 3, "shown": 50},
        {"objective": "saddle", "lr": 0.05, "beta2": 0.99},
        {"objective": "ill-conditioned quadratic", "x0": -1.0, "y0": 0.5, "shown": 100},
        {"objective": "Rastrigin's dents", "who": "AdaGrad"},
        {"lr": 10.0},
    ],
    ex.Duel: [
        {},
        {"first": "RAdam", "second": "AdaDelta", "objective": "Beale's plateau", "shown": 40},
        {
            "first": "NAdam",
            "second": "Adan",
            "objective": "Himmelblau's four minima",
            "noise": 0.3,
            "seed": 3,
        },
        {"first": "AdaBound", "second": "AdaMax", "objective": "ill-conditioned quadratic", "scale": 0.1},
        {"first": "AdaGrad", "second": "AdamW", "objective": "saddle", "x0": -0.5, "y0": 0.25},
        {"first": "SGD", "second": "Lion", "scale": 100.0, "shown": 500},
    ],
    ex.ConventionSwitch: [
        {},
        {"convention": "Adam: no correction", "objective": "Rosenbrock's valley", "lr": 0.1, "shown": 100},
        {"convention": "Adam: ε-hat (Keras)", "eps": 1e-8},
        {"convention": "AMSGrad: of web pages", "eps": 1e-8},
        {"convention": "AMSGrad: maximum of v̂ (Optax)", "objective": "saddle", "shown": 40},
        {"convention": "AMSGrad: as printed", "objective": "Beale's plateau"},
        {"convention": "AdamW: decay not times α (paper)"},
        {"convention": "NAdam: fast schedule (Keras)", "shown": 0},
        {"convention": "RMSProp: ε inside (Optax)", "eps": 0.01, "shown": 200},
        {"convention": "AdaGrad: ε inside, from 0.1 (Optax)", "lr": 1.0, "x0": 0.5, "y0": 0.5},
    ],
    ex.Counterexample: [
        {},
        {"losses": "at random", "C": 101.0, "period": 100, "beta1": 0.9, "beta2": 0.99, "lr": 2.0, "seed": 5},
        {"rival": "AMSGrad as printed", "C": 4.0, "beta2": 0.05},
        {"rival": "AMSGrad with max v̂", "beta1": 0.5, "horizon": 300.0},
        {"rival": "AMSGrad of the web", "beta2": 0.999, "horizon": 100.0},
        {"rival": "SGD", "C": 1.0, "period": 9},
    ],
    ex.NewtonSchulz: [
        {},
        {"steps": 0, "sigma1": 10.0, "sigma2": 0.001},
        {"coefficients": "cubic", "steps": 10, "sigma2": 0.001},
        {"coefficients": "exact (SVD)", "steps": 1},
        {"steps": 10, "sigma1": 0.5, "sigma2": 0.5},
        {"steps": 1, "sigma1": 0.002, "sigma2": 7.0},
    ],
    ex.ScheduleFree: [
        {},
        {"beta": 0.0, "noise": 0.0, "shown": 100},
        {"objective": "Himmelblau's four minima", "beta": 0.5, "noise": 0.3, "seed": 3},
        {"objective": "saddle", "lr": 0.05, "shown": 40},
        {"objective": "Beale's plateau", "beta": 0.99, "x0": 0.0, "y0": 0.5, "shown": 60},
    ],
    ex.Schedules: [
        {},
        {"warmup": 0, "noise": 0.0},
        {"optimizer": "SGD", "peak": 0.003, "bold": "one-cycle"},
        {"optimizer": "SGD", "peak": 0.01, "objective": "Himmelblau's four minima", "warmup": 1, "steps": 200},
        {"objective": "saddle", "peak": 0.3, "warmup": 100, "steps": 500, "decay": 0.5, "noise": 0.5, "bold": "WSD"},
        {"objective": "Beale's plateau", "peak": 0.1, "decay": 0.02},
    ],
    ex.SophiaClip: [
        {},
        {"objective": "ill-conditioned quadratic", "lr": 0.01, "shown": 200},
        {"objective": "saddle", "rho": 1.0, "shown": 40},
        {"objective": "Himmelblau's four minima", "rho": 0.2, "x0": 0.5, "y0": -0.5},
        {"objective": "Beale's plateau", "lr": 0.02, "shown": 100},
        {"objective": "Rastrigin's dents", "lr": 0.02},
    ],
    ex.DecayMap: [
        {},
        {"steps": 30.0, "noise": 0.0, "ratio": 100.0},
        {"steps": 10.0, "noise": 2.0, "seed": 4, "lr": 0.1, "weight_decay": 10.0},
        {"steps": 300.0, "ratio": 1.0, "seed": 2, "weight_decay": 0.001},
    ],
}


def _mgf(e: ex.MGFExplorer) -> dict[str, Any]:
    return {
        "mgf": [mgf.mgf(e.distribution, s, e.mu, e.sigma) for s in S],
        "bounds": mgf.bounds(e.distribution, e.sigma),
        "density": [mgf.density(e.distribution, g, e.mu, e.sigma) for g in S],
    }


def _ewma(e: ex.EWMAExplorer) -> dict[str, Any]:
    g, m, corrected = e.trajectory()
    return {"g": g, "m": m, "corrected": corrected, "simulated": e.simulated()[:20]}


def _conditioning(e: ex.ConditioningExplorer) -> dict[str, Any]:
    run = e.trajectory()
    rate = conditioning.rate(e.kappa, e.lr, e.momentum)
    return {"loss": run.loss[:60], "rate": rate, "best": conditioning.best_rates(e.kappa)}


def _squares(e: ex.AdagradSquares) -> dict[str, Any]:
    rules = {"adagrad": Adagrad(lr=e.lr), "gd": SGD(lr=adagrad_squares.BEST_GD)}
    needed = {name: adagrad_squares.needed(rule, e.angle)[0] for name, rule in rules.items()}
    return {"theta": e.trajectory().theta[:60], "sums": e.sums(), **needed}


def _effective(e: ex.EffectiveStep) -> dict[str, Any]:
    recovery = [
        effective_step.recovery_adagrad(e.factor, e.change),
        effective_step.recovery_rmsprop(e.factor, e.change, e.alpha),
    ]
    return {"recovery": recovery, **{name: steps[::50] for name, steps in e.trajectory().items()}}


def _race(e: ex.Race) -> dict[str, Any]:
    # Late steps of a run at its largest usable rate are chaotic; the first thirty are not.
    loss = np.concatenate([run.loss[:30] for run in e.trajectory().values()])
    return {"rates": list(e.learning_rates().values()), "loss": loss}


def _duel(e: ex.Duel) -> dict[str, Any]:
    loss = np.concatenate([run.loss[:30] for run in e.trajectories()])
    return {"rates": e.learning_rates(), "loss": loss}


def _switch(e: ex.ConventionSwitch) -> dict[str, Any]:
    return {"loss": np.concatenate([run.loss[:30] for run in e.trajectories()])}


def _counterexample(e: ex.Counterexample) -> dict[str, Any]:
    objective, runs = e.objective(), e.trajectory().values()
    regrets = [objective.average_regret(run.theta)[9::10] for run in runs]
    return {"x": [run.theta[10::10, 0] for run in runs], "regret": regrets}


def _newton_schulz(e: ex.NewtonSchulz) -> dict[str, Any]:
    return {"values": [e.singular_values(steps) for steps in range(11)]}


def _schedule_free(e: ex.ScheduleFree) -> dict[str, Any]:
    return {"points": [points[:30] for points in e.points().values()]}


def _schedules(e: ex.Schedules) -> dict[str, Any]:
    steps = range(1, e.steps + 11)
    factors = [[schedule(t) for t in steps] for schedule in e.schedules().values()]
    return {"factors": factors, "gap": [gap[:30] for gap in e.gaps().values()]}


def _sophia_clip(e: ex.SophiaClip) -> dict[str, Any]:
    run = e.trajectory()
    return {"theta": np.asarray(run.theta)[:60], "ratio": e.ratio(run)[:60]}


def _decay_map(e: ex.DecayMap) -> dict[str, Any]:
    return {
        "maps": [error.ravel() for error in e.maps().values()],
        "shrunk": [p[-1] for p in e.shrunk().values()],
    }


NUMBERS: dict[type[base.Explorer], Callable[[Any], dict[str, Any]]] = {
    ex.MGFExplorer: _mgf,
    ex.EWMAExplorer: _ewma,
    ex.ConditioningExplorer: _conditioning,
    ex.AdagradSquares: _squares,
    ex.EffectiveStep: _effective,
    ex.Microscope: lambda e: e.trajectory()._asdict(),
    ex.Race: _race,
    ex.Duel: _duel,
    ex.ConventionSwitch: _switch,
    ex.Counterexample: _counterexample,
    ex.NewtonSchulz: _newton_schulz,
    ex.ScheduleFree: _schedule_free,
    ex.Schedules: _schedules,
    ex.SophiaClip: _sophia_clip,
    ex.DecayMap: _decay_map,
}

VALUES = (
    0.0,
    -0.0,
    0.004,
    0.125,
    -0.125,
    0.9996,
    1.0,
    -2.5,
    12.3456,
    999.7,
    9999.6,
    12345.6,
    1e-5,
    -3.21e-7,
    1.5e9,
    inf,
)


def _plain(value: Any) -> Any:
    """JSON knows neither arrays nor infinities."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v) for v in value]
    number = float(f"{value:.12g}")  # compared to 1e-9
    return int(number) if number.is_integer() else number if np.isfinite(number) else str(number)


def make() -> dict[str, Any]:
    """Return the file's content."""
    out: dict[str, Any] = {
        "formats": [{"value": _plain(v), "fixed": base.fixed(v), "short": base.short(v)} for v in VALUES]
    }
    for kind, settings in SETTINGS.items():
        explorers = [kind(**given) for given in settings]
        out[kind.__name__] = [
            {"values": e.canvas.defaults, "summary": e.summary(), "numbers": _plain(NUMBERS[kind](e))}
            for e in explorers
        ]
    return out


if __name__ == "__main__":
    lines = {  # one setting a line: short, and a change shows where it happened
        name: ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) for name, rows in make().items()
    }
    text = ",\n".join(f"{json.dumps(name)}: [\n{rows}\n]" for name, rows in lines.items())
    TARGET.write_text("{\n" + text + "\n}\n", "utf8")
    print(f"wrote {TARGET}")
