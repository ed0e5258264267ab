"""Whole grids of training runs at once: hyper-parameters times seeds, stacked, resumable, on one machine or many.

`task` says what is trained; `stack` holds the models, `rules` steps them, `chunk` trains; `run` spreads the chunks;
`result` is the table.
"""

from adambook.sweep.result import Sweep
from adambook.sweep.run import sweep
from adambook.sweep.task import Task, classification, named

__all__ = ["Sweep", "Task", "classification", "named", "sweep"]
