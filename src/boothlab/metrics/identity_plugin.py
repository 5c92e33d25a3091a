"""Identity once more, by an encoder that a plug-in brings (ArcFace and its class)."""

from __future__ import annotations

from boothlab.features.identity_plugin import PLUGIN_IDENTITY
from boothlab.metrics.distances import over_photos
from boothlab.metrics.identity import similarities
from boothlab.metrics.metric import Metric

METRIC = Metric(
    name="identity_plugin",
    question="Is it the same person, to the face encoder of a plug-in?",
    better="higher",
    unit="similarity (1: same face; 0.5: the reader's limit)",
    bounds=(0.0, 1.0),
    needs=PLUGIN_IDENTITY,
    references=("held_out", "train"),
    values=over_photos(similarities),
    pairs=similarities,
    source="the plug-in's own; the scale is that of identity (boothlab 2026)",
    caution="Only over pictures with a face. The verdict looks at identity, not at this.",
    on=("context", "bare"),
    copies=1.0,
)
