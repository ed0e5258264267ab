"""Live figures: ipywidgets controls linked in the browser to one drawing each. They need no kernel."""

from .conditioning import ConditioningExplorer
from .ewma import EWMAExplorer
from .mgf import MGFExplorer
from .microscope import Microscope

__all__ = ["ConditioningExplorer", "EWMAExplorer", "MGFExplorer", "Microscope"]
