"""The metrics that exist: one line each, in alphabetical order."""

from boothlab.config.base import members
from boothlab.metrics.lpips_cross import METRIC as LPIPS_CROSS
from boothlab.metrics.lpips_intra import METRIC as LPIPS_INTRA
from boothlab.metrics.lpips_nearest import METRIC as LPIPS_NEAREST
from boothlab.metrics.metric import AnyMetric, Metric, SetMetric

METRICS: tuple[AnyMetric, ...] = members(globals(), Metric) + members(globals(), SetMetric)

__all__ = ["LPIPS_CROSS", "LPIPS_INTRA", "LPIPS_NEAREST", "METRICS", "AnyMetric", "Metric", "SetMetric"]
