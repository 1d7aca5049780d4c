"""What pictures are measured with: encoders (picture or text -> vector), detectors (labels -> boxes), and boxes.

Importing this costs nothing: torch and transformers are imported by what loads a model.
"""

from mycanvas.metrics.boxes import Box
from mycanvas.metrics.detectors import Detection, Detector, load_detector
from mycanvas.metrics.encoders import Embeddings, Encoder, load_encoder

__all__ = ["Box", "Detection", "Detector", "Embeddings", "Encoder", "load_detector", "load_encoder"]
