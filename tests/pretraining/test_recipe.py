"""The whole recipe at size `tiny`: drawings to a packaged folder that stock libraries load, and exact resumes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file

from boothlab.assets import asset
from boothlab.features import toon_clip, toon_heads, toon_identity
from pretraining import __main__ as recipe
from pretraining import autoencoder, clip, dataset, diffusion, gates, judge, package
from pretraining.loop import Schedule, Training, ema_weights
from pretraining.sizes import SMALL, TINY, in_batches

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["pretraining", *words, "--size", "tiny"])
    recipe.main()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    with pytest.MonkeyPatch.context() as patch:
        run(patch, "all", "--work", str(folder))
    return folder


@pytest.fixture(scope="module")
def packaged(work: Path) -> Path:
    return work / "package" / "toon"


def test_stock_diffusers_loads_and_draws(packaged: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(packaged / "sd")
    assert pipeline.safety_checker is None
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline("a photo of a person", num_inference_steps=2, output_type="np").images[0]
    assert picture.shape == (64, 64, 3)
    assert np.isfinite(picture).all()


def test_it_has_stable_diffusion_ones_layout(packaged: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(packaged / "sd")
    assert [type(block).__name__ for block in pipeline.unet.down_blocks] == ["CrossAttnDownBlock2D"] * 3 + [
        "DownBlock2D"
    ]
    assert len(pipeline.unet.down_blocks[0].resnets) == 2
    assert pipeline.unet.config.cross_attention_dim == pipeline.text_encoder.config.hidden_size
    assert pipeline.vae.config.latent_channels == 4
    assert pipeline.scheduler.config.prediction_type == "epsilon"
    assert pipeline.scheduler.config.beta_schedule == "scaled_linear"
    assert len(pipeline.tokenizer) == pipeline.text_encoder.config.vocab_size == 49408


def test_only_half_precision_safetensors_ship(packaged: Path) -> None:
    kinds = {path.suffix for path in packaged.rglob("*") if path.is_file()}
    assert kinds <= {".safetensors", ".json", ".txt", ".md", ".jpg"}
    for path in packaged.rglob("*.safetensors"):
        assert not any(value.dtype == torch.float32 for value in load_file(path).values()), path


def test_the_text_tower_is_stored_once_and_composed(packaged: Path, work: Path) -> None:
    assert not any(name.startswith("text_model.") for name in load_file(packaged / "clip" / "model.safetensors"))
    ids = torch.tensor([[49406, 320, 2533, 49407]])
    composed, source = toon_clip.load(packaged), clip.load(TINY, work)
    assert torch.allclose(composed.text_model(ids)[0], source.text_model(ids)[0], atol=2e-2)


def test_the_small_networks_load(packaged: Path) -> None:
    picture = np.full((90, 70, 3), 127, np.uint8)
    embedded = toon_identity.load(packaged / "identity.safetensors").embed([picture] * 2, [(5, 5, 50, 60)] * 2)
    assert embedded.shape == (2, 128)
    assert np.allclose(np.linalg.norm(embedded, axis=1), 1, atol=1e-5)
    detector = toon_heads.load(packaged / "heads.safetensors")
    for head in detector.detect(picture, threshold=0.0)[:3]:
        assert len(head.points) == 5


def test_latents_are_scaled_to_unit_deviation(work: Path) -> None:
    latents = diffusion.Latents(work / "latents")
    assert len(latents) == TINY.shard * TINY.shards
    drawn = latents.at(np.arange(TINY.shard), torch.Generator().manual_seed(0))
    assert float(drawn.std()) == pytest.approx(1.0, abs=0.15)
    assert autoencoder.load(TINY, work).config.scaling_factor == pytest.approx(latents.factor)


def test_a_refined_decoder_leaves_the_latents_alone(work: Path, tmp_path: Path) -> None:
    pictures = dataset.Pictures(work / "drawings")
    training = autoencoder.decoder_training(TINY, work, pictures)
    before = training.weights()
    before = {name: value.clone() for name, value in before.items()}
    training.folder = tmp_path
    training.run()
    moved = {name.split("/")[1].split(".")[0] for name, value in training.weights().items()
             if not torch.equal(value, before[name])}  # fmt: skip
    assert moved == {"decoder", "post_quant_conv"}


def trained(work: Path, folder: Path, stops: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Train the tiny diffusion stage in one or several sittings; the weights at the end."""
    for until in stops:
        training = diffusion.training(TINY, work)
        training.folder, training.sample = folder, None
        training.run(until)
    return package_weights(training)


def package_weights(training: Training) -> dict[str, torch.Tensor]:
    return training.weights() | {f"ema/{name}": value for name, value in training.ema.items()}


def test_a_resumed_training_equals_an_unbroken_one(work: Path, tmp_path: Path) -> None:
    unbroken = trained(work, tmp_path / "whole", (4,))
    resumed = trained(work, tmp_path / "parts", (2, 4))
    assert all(torch.equal(unbroken[name], resumed[name]) for name in unbroken)


def test_a_packaged_edition_is_gone_on_from(packaged: Path, work: Path, tmp_path: Path) -> None:
    package.adopt(TINY, packaged, tmp_path)
    for folder in ("latents", "captions"):
        shutil.copytree(work / folder, tmp_path / folder, dirs_exist_ok=True)
    training = diffusion.training(TINY, tmp_path)
    assert training.restore()
    assert training.step == TINY.unet_steps
    assert training.warm_from == training.step
    shipped = load_file(packaged / "sd" / "unet" / "diffusion_pytorch_model.safetensors")
    for name, value in training.weights().items():
        assert torch.allclose(value, shipped[name.removeprefix("unet/")].float())
    assert training.schedule.rate(training.step, training.warm_from) < training.schedule.lr / 100


def test_adopting_never_overwrites_a_running_stage(packaged: Path, work: Path) -> None:
    before = (work / "diffusion" / "checkpoint.pt").read_bytes()
    package.adopt(TINY, packaged, work)
    assert (work / "diffusion" / "checkpoint.pt").read_bytes() == before


def test_the_version_file_tells_what_was_seen(packaged: Path) -> None:
    facts = json.loads((packaged / "version.json").read_text("utf-8"))
    assert facts["version"] == "toon-1"
    assert facts["pictures_seen"]["diffusion"] == TINY.unet_steps * TINY.unet_batch


def test_a_non_finite_gradient_stops_before_any_weight_is_written(tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 2)
    before = module.weight.detach().clone()

    def loss_at(step: int) -> dict[str, torch.Tensor]:
        return {"loss": module(torch.ones(1, 2)).sum() * float("nan")}

    training = Training(tmp_path, {"m": module}, loss_at, Schedule(2, 1e-3), batch=1)
    with pytest.raises(FloatingPointError, match="step 0"):
        training.run()
    assert torch.equal(module.weight, before)


def test_gates_measure_the_packaged_folder_and_write_its_card(
    packaged: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, "gates", "--work", str(work), "--each", "3", "--only", "judge,heads,text")
    saved = json.loads((work / "gates.json").read_text("utf-8"))
    assert saved["unet_pictures"] == TINY.unet_steps * TINY.unet_batch
    assert {name.split("/")[0] for name in saved["figures"]} == {"judge", "heads", "text"}
    text = (packaged / "card.md").read_text("utf-8")
    assert "| text/background |" in text
    assert "CC BY 4.0" in text
    assert diffusion.sampling() in text
    for name, rows in (("sheet", 2), ("class", 8)):
        with Image.open(packaged / f"{name}.jpg") as sheet:
            assert sheet.size == (8 * TINY.picture, rows * TINY.picture)
    assert json.loads((packaged / "version.json").read_text("utf-8"))["gates"] == saved
    run(monkeypatch, "gates", "--work", str(work), "--each", "3", "--only", "judge")
    assert json.loads((work / "gates.json").read_text("utf-8"))["figures"].keys() == saved["figures"].keys()
    found = gates.fingerprints(packaged, judge.load(TINY, work))
    monkeypatch.setattr(gates, "fingerprints", lambda *_: found | {"unet": "another"})
    run(monkeypatch, "gates", "--work", str(work), "--each", "3", "--only", "judge")
    kept = json.loads((work / "gates.json").read_text("utf-8"))["figures"]
    assert {name.split("/")[0] for name in kept} == {"judge", "heads"}


def test_on_a_card_a_non_finite_gradient_is_found_before_a_checkpoint_is_written(tmp_path: Path) -> None:
    """There it is asked late, so as not to wait; the tensors of this test stay on the CPU."""
    module = torch.nn.Linear(9, 9)
    bad = iter([1.0, float("nan"), 1.0, 1.0])
    schedule = Schedule(4, 1e-3)
    training = Training(
        tmp_path, {"m": module}, lambda step: {"loss": module(torch.ones(1, 9)).sum() * next(bad)}, schedule, batch=1
    )
    training.device = torch.device("cuda")
    with pytest.raises(FloatingPointError, match="by step 4"):
        training.run()
    assert not (tmp_path / "checkpoint.pt").exists()


def test_a_step_may_change_its_size_between_two_sittings(work: Path, tmp_path: Path) -> None:
    first = diffusion.training(in_batches(TINY, 4), work)
    first.folder, first.sample = tmp_path, None
    first.run(3)
    then = diffusion.training(TINY, work)
    then.folder = tmp_path
    assert then.restore()
    assert then.step * TINY.unet_batch == 3 * 4
    assert in_batches(TINY, 4).unet_steps * 4 == TINY.unet_steps * TINY.unet_batch


def test_what_an_older_recipe_left_is_refused(work: Path, tmp_path: Path) -> None:
    saved = torch.load(work / "diffusion" / "checkpoint.pt", weights_only=True)
    del saved["batch"]
    torch.save(saved, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="older recipe"):
        ema_weights(tmp_path, "unet")
    truth = tmp_path / "shard-0000.jsonl"
    line = (work / "drawings" / truth.name).read_text("utf-8").splitlines()[0]
    truth.write_text(line.replace('"format": 2', '"format": 1') + "\n", "utf-8")
    with pytest.raises(ValueError, match="words differ"):
        dataset.records_of(truth)


def test_the_shipped_edition_leaves_the_finished_stages_finished(tmp_path: Path) -> None:
    package.adopt(SMALL, asset("toon"), tmp_path)
    ends = {"autoencoder": SMALL.ae_steps, "clip": SMALL.clip_steps, "identity": SMALL.identity_steps,
            "heads": SMALL.heads_steps}  # fmt: skip
    for stage, steps in ends.items():
        saved = torch.load(tmp_path / stage / "checkpoint.pt", weights_only=True)
        assert saved["step"] == steps, stage
    saved = torch.load(tmp_path / "diffusion" / "checkpoint.pt", weights_only=True)
    assert saved["step"] < SMALL.unet_steps


def test_a_judge_is_kept_where_one_says(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "judge", "--work", str(work), "--out", str(tmp_path / "judge.safetensors"))
    kept, trained = load_file(tmp_path / "judge.safetensors"), judge.load(TINY, work).state_dict()
    assert kept.keys() == trained.keys()
    assert all(torch.equal(value, trained[name].to(value.dtype)) for name, value in kept.items())


def test_a_card_that_is_not_there_and_a_shared_card_are_usage_errors(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for there, more, said in ((False, [], "no CUDA card"), (True, ["--rank", "0/2"], "a card trains alone")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        with pytest.raises(SystemExit) as ended:
            run(monkeypatch, "diffusion", "--work", str(work), "--device", "cuda", *more)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
