"""The package behind the textbook "Adam, Layer by Layer".

``numpy_optim`` is the mathematics made executable, ``torch_optim`` what one trains with, ``explorers`` the
live figures. Importing ``adambook`` loads none of them, and never torch: import what is needed by name.
"""

__version__ = "0.1.0"
