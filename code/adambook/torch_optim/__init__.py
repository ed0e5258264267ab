"""The book's optimizers for torch: torch.optim's names, arguments, defaults and checkpoints, code that reads.

A module an optimizer; what all share stands in `base`.
"""

from adambook.torch_optim.adagrad import Adagrad
from adambook.torch_optim.adam import Adam
from adambook.torch_optim.adamw import AdamW
from adambook.torch_optim.amsgrad import AMSGrad
from adambook.torch_optim.base import Optimizer
from adambook.torch_optim.rmsprop import RMSprop
from adambook.torch_optim.sgd import SGD

__all__ = ["SGD", "AMSGrad", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop"]
