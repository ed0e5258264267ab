"""The book's optimizers for torch: torch.optim's names, arguments, defaults and checkpoints, code that reads.

A module an optimizer; what all share stands in `base`.
"""

from adambook.torch_optim.adabound import AdaBound
from adambook.torch_optim.adadelta import Adadelta
from adambook.torch_optim.adafactor import Adafactor
from adambook.torch_optim.adagrad import Adagrad
from adambook.torch_optim.adam import Adam
from adambook.torch_optim.adamax import Adamax
from adambook.torch_optim.adamw import AdamW
from adambook.torch_optim.adan import Adan
from adambook.torch_optim.amsgrad import AMSGrad
from adambook.torch_optim.base import Optimizer
from adambook.torch_optim.lamb import LAMB
from adambook.torch_optim.lion import Lion
from adambook.torch_optim.muon import Muon, muon_and_adamw
from adambook.torch_optim.nadam import NAdam
from adambook.torch_optim.radam import RAdam
from adambook.torch_optim.rmsprop import RMSprop
from adambook.torch_optim.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from adambook.torch_optim.sgd import SGD
from adambook.torch_optim.sophia import SophiaG, SophiaH

__all__ = [
    "LAMB",
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
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "SophiaG",
    "SophiaH",
    "muon_and_adamw",
]
