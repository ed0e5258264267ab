"""Live figures: ipywidgets controls linked in the browser to one drawing each. They need no kernel."""

from .mgf import MGFExplorer

__all__ = ["MGFExplorer"]
