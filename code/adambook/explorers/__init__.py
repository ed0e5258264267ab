"""Live figures: ipywidgets controls linked in the browser to one drawing each. They need no kernel."""

from .ewma import EWMAExplorer
from .mgf import MGFExplorer

__all__ = ["EWMAExplorer", "MGFExplorer"]
