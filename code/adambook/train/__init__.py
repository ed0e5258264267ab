"""Trains a network of the book with any of its optimizers: ``python -m adambook.train --help``.

`settings` reads the command line; `tasks` holds the models and their data; `processes` spreads a model over
torchrun's processes; `checkpoint` and `log` keep what a run has reached; `loop` trains.
"""
