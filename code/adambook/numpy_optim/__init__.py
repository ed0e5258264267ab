"""The optimizers in NumPy, each readable next to its equation."""

from adambook.numpy_optim.adagrad import Adagrad
from adambook.numpy_optim.adam import Adam
from adambook.numpy_optim.adamw import AdamW
from adambook.numpy_optim.amsgrad import AMSGrad
from adambook.numpy_optim.base import Optimizer
from adambook.numpy_optim.layers import layer_diff
from adambook.numpy_optim.rmsprop import RMSprop
from adambook.numpy_optim.sgd import SGD, Momentum, Nesterov

__all__ = [
    "SGD",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "layer_diff",
]
