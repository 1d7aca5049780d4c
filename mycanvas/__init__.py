"""MyCanvas: scenes composed of many concepts, to learn them together.

Importing this package makes `datasets.load_dataset("mycanvas")` work, in whichever order the two are imported.
"""

from mycanvas.registration import register_when_imported
from mycanvas.schema import SPLITS

__all__ = ["SPLITS", "__version__"]

__version__ = "0.4.0"

register_when_imported()
