"""The metrics that exist: one line each, in alphabetical order."""

# ruff: noqa: F401 - an imported metric is listed by that alone (config.base.members).
from boothlab.config.base import members
from boothlab.metrics.background_asked import METRIC as BACKGROUND_ASKED
from boothlab.metrics.clip_i import METRIC as CLIP_I
from boothlab.metrics.clip_t import METRIC as CLIP_T
from boothlab.metrics.cmmd import METRIC as CMMD
from boothlab.metrics.context_glue import METRIC as CONTEXT_GLUE
from boothlab.metrics.coverage import METRIC as COVERAGE
from boothlab.metrics.density import METRIC as DENSITY
from boothlab.metrics.dino import METRIC as DINO
from boothlab.metrics.drift_lpips import METRIC as DRIFT_LPIPS
from boothlab.metrics.face_found import METRIC as FACE_FOUND
from boothlab.metrics.face_pres import METRIC as FACE_PRES
from boothlab.metrics.fid import METRIC as FID
from boothlab.metrics.frechet_alexnet import METRIC as FRECHET_ALEXNET
from boothlab.metrics.frechet_toon_clip import METRIC as FRECHET_TOON_CLIP
from boothlab.metrics.identity import METRIC as IDENTITY
from boothlab.metrics.identity_plugin import METRIC as IDENTITY_PLUGIN
from boothlab.metrics.kid import METRIC as KID
from boothlab.metrics.lpips_cross import METRIC as LPIPS_CROSS
from boothlab.metrics.lpips_debiased import METRIC as LPIPS_DEBIASED
from boothlab.metrics.lpips_intra import METRIC as LPIPS_INTRA
from boothlab.metrics.lpips_nearest import METRIC as LPIPS_NEAREST
from boothlab.metrics.lpips_vgg_cross import METRIC as LPIPS_VGG_CROSS
from boothlab.metrics.match import METRIC as MATCH
from boothlab.metrics.metric import AnyMetric, Metric, SetMetric
from boothlab.metrics.mmd_alexnet import METRIC as MMD_ALEXNET
from boothlab.metrics.mmd_toon_clip import METRIC as MMD_TOON_CLIP
from boothlab.metrics.precision import METRIC as PRECISION
from boothlab.metrics.pres import METRIC as PRES
from boothlab.metrics.pres_dino import METRIC as PRES_DINO
from boothlab.metrics.prompt_following import METRIC as PROMPT_FOLLOWING
from boothlab.metrics.recall import METRIC as RECALL
from boothlab.metrics.vendi import METRIC as VENDI

METRICS: tuple[AnyMetric, ...] = members(globals(), Metric) + members(globals(), SetMetric)

__all__ = ["METRICS", "AnyMetric", "Metric", "SetMetric"]
