"""The optimizers in NumPy, each readable next to its equation."""

from adambook.numpy_optim.adabound import AdaBound
from adambook.numpy_optim.adadelta import Adadelta
from adambook.numpy_optim.adafactor import Adafactor
from adambook.numpy_optim.adagrad import Adagrad
from adambook.numpy_optim.adam import Adam
from adambook.numpy_optim.adamax import Adamax
from adambook.numpy_optim.adamw import AdamW
from adambook.numpy_optim.adan import Adan
from adambook.numpy_optim.amsgrad import AMSGrad
from adambook.numpy_optim.base import Optimizer
from adambook.numpy_optim.hessian import gauss_newton_bartlett, hutchinson
from adambook.numpy_optim.lamb import LAMB
from adambook.numpy_optim.layers import RELATIVES, layer_diff
from adambook.numpy_optim.lion import Lion
from adambook.numpy_optim.muon import Muon, newton_schulz, orthogonal_factor
from adambook.numpy_optim.nadam import NAdam
from adambook.numpy_optim.radam import RAdam
from adambook.numpy_optim.rmsprop import RMSprop
from adambook.numpy_optim.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from adambook.numpy_optim.sgd import SGD, Momentum, Nesterov
from adambook.numpy_optim.sophia import SophiaG, SophiaH

__all__ = [
    "LAMB",
    "RELATIVES",
    "SGD",
    "AMSGrad",
    "AdaBound",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Adan",
    "Lion",
    "Momentum",
    "Muon",
    "NAdam",
    "Nesterov",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "SophiaG",
    "SophiaH",
    "gauss_newton_bartlett",
    "hutchinson",
    "layer_diff",
    "newton_schulz",
    "orthogonal_factor",
]
