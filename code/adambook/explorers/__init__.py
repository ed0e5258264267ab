"""Live figures: ipywidgets controls linked in the browser to one drawing each. They need no kernel."""

from .adagrad_squares import AdagradSquares
from .conditioning import ConditioningExplorer
from .convention_switch import ConventionSwitch
from .counterexample import Counterexample
from .decay_map import DecayMap
from .duel import Duel
from .effective_step import EffectiveStep
from .ewma import EWMAExplorer
from .mgf import MGFExplorer
from .microscope import Microscope
from .newton_schulz import NewtonSchulz
from .race import Race
from .schedule_free import ScheduleFree
from .schedules import Schedules
from .sophia_clip import SophiaClip

__all__ = [
    "AdagradSquares",
    "ConditioningExplorer",
    "ConventionSwitch",
    "Counterexample",
    "DecayMap",
    "Duel",
    "EWMAExplorer",
    "EffectiveStep",
    "MGFExplorer",
    "Microscope",
    "NewtonSchulz",
    "Race",
    "ScheduleFree",
    "Schedules",
    "SophiaClip",
]
