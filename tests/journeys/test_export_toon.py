"""A run of the built-in model as other programs load it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from boothlab import api
from boothlab.plan import plan_from
from photos_made import photo_folder


@pytest.mark.timeout(300)
def test_a_training_of_the_built_in_model_is_exported_whole_and_draws_in_stock_diffusers(tmp_path: Path) -> None:
    """Its scheduler has an infinity among its settings, which JSON cannot say."""
    from diffusers import StableDiffusionPipeline

    tree = {
        "name": "ada",
        "subjects": [{"name": "ada", "photos": str(photo_folder(tmp_path / "photos", 2)), "identifier": "nlwx"}],
        "base": {"model": "toon"},
        "photos": {"screen": {"enabled": False}},
        "objective": {"prior_preservation": False},
        "training": {"steps": 1, "threads": 1},
    }
    run = api.train(plan_from(tree, "test"), tmp_path / "runs")
    api.export(run.path, tmp_path / "out")
    told = [path for path in (tmp_path / "out").rglob("*.json") if "_name_or_path" in path.read_text()]
    assert told == [], "where the base model lies is nobody's business"
    pipeline = StableDiffusionPipeline.from_pretrained(tmp_path / "out")
    pipeline.set_progress_bar_config(disable=True)
    drawn = pipeline("a photo of nlwx person", num_inference_steps=2, output_type="np").images[0]
    assert drawn.shape == (128, 128, 3)
    assert np.isfinite(drawn).all()
