"""`python -m pretraining STAGE --work DIR`: the recipe's stages one by one, or `all` in order.

Every stage goes on from what is in DIR; kill it at any moment and give the same command again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from pretraining import (
    autoencoder,
    caption_tokens,
    card,
    clip,
    dataset,
    devices,
    diffusion,
    gates,
    heads,
    identity,
    judge,
    loop,
    package,
    phenomena,
    samples,
    subjects,
)
from pretraining.loop import Schedule
from pretraining.sizes import SIZES, Size

ORDER = ("draw", "captions", "autoencoder", "clip", "latents", "identity", "heads", "judge", "diffusion", "package")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m pretraining", description=__doc__)
    parser.add_argument("stage", choices=(*ORDER, "all", "decoder", "gates", "samples", "subjects", "phenomena"))
    parser.add_argument("--work", type=Path, required=True, help="folder of drawings, checkpoints and logs")
    parser.add_argument("--size", choices=sorted(SIZES), default="small", help="the one dial")
    parser.add_argument("--out", type=Path, help="where `package` or `samples` write (default: in the work folder)")
    parser.add_argument("--edition", type=int, default=1, help="number of the packaged edition")
    parser.add_argument("--continue-from", type=Path, help="packaged folder whose weights are gone on from")
    parser.add_argument("--worker", default="0/1", help="i/n: this process draws or encodes every n-th shard from i")
    parser.add_argument("--shards", type=int, help="draw and encode only so many shards (default: the size's)")
    parser.add_argument("--until", type=int, help="stop a training stage at this step (default: the size's)")
    parser.add_argument("--cooldown", type=int, default=0, help="`diffusion`: the rate falls over these last steps")
    parser.add_argument("--each", type=int, default=100, help="pictures per attribute in `gates`")
    parser.add_argument("--only", default=",".join(gates.GROUPS), help="groups of `gates`, with commas")
    parser.add_argument("--kind", default="person", choices=("person", "monster", "plant"), help="for `subjects`")
    parser.add_argument(
        "--stream", default="develop", choices=("develop", "test", "demo"), help="`subjects`, `phenomena`"
    )
    parser.add_argument("--first", type=int, default=0, help="number of the first of them")
    parser.add_argument("--count", type=int, default=8, help="how many `subjects`; of each kind for `phenomena`")
    parser.add_argument("--tables", default=",".join(phenomena.TABLES), help="which `phenomena`, with commas")
    parser.add_argument(
        "--rank", help="i/n: this process is number i of n that share one training (start all n, each on its core)"
    )
    parser.add_argument("--threads", type=int, default=1, help="torch threads of this process")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu",
        help="where `autoencoder`, `decoder`, `latents`, `judge` and `diffusion` compute",
    )  # fmt: skip
    return parser


def stages(size: Size, options: argparse.Namespace) -> dict[str, Callable[[], None]]:
    """Stage name -> what it does."""
    work: Path = options.work
    device = devices.chosen(options.device)
    number, count = (int(part) for part in options.worker.split("/"))

    shards = options.shards or size.shards

    def pictures(limit: int | None = None) -> dataset.Pictures:
        return dataset.Pictures(work / "drawings", limit)

    def draw_all() -> None:
        for shard in range(number, shards, count):
            dataset.write_shard(work / "drawings", shard, size.shard, size.picture)

    def caption_all() -> None:
        for shard in range(number, shards, count):
            caption_tokens.write_shard(size, work, shard)

    def train_identity() -> None:
        identity.prepare(size, work)
        identity.training(size, work).run(options.until)

    def train_diffusion() -> None:
        training = diffusion.training(size, work, device)
        if options.cooldown:
            training.schedule = cooled(training.schedule, options.until or size.unet_steps, options.cooldown)
        training.run(options.until)

    def make_package() -> None:
        made = package.build(size, work, options.out or work / "package" / "toon", options.edition)
        print(f"{made.folder}: {made.size_bytes / 2**20:.1f} MiB")

    def measure() -> None:
        folder = options.out or work / "package" / "toon"
        figures = gates.run(size, work, folder, options.each, options.only.split(","))
        card.note_curve(work, package.pictures_seen(folder, "diffusion"), figures)
        package.note_gates(work, folder)
        diffusion.write_sheet(gates.load_pipeline(folder), diffusion.SHEET_PROMPTS, work / "sheets" / "card.png")
        package.sheet_jpeg(work / "sheets" / "card.png", folder / "sheet.jpg")
        card.write(size, work, folder, figures)
        for name, one in figures.items():
            print(f"{'reached' if one.reached else 'missed ':7} {name}: {one.value:.3f} (bar {one.bar}, n {one.n})")

    return {
        "draw": draw_all,
        "captions": caption_all,
        "autoencoder": lambda: autoencoder.training(size, work, pictures(), device).run(options.until),
        "decoder": lambda: autoencoder.decoder_training(size, work, pictures(), device).run(options.until),
        "clip": lambda: clip.training(size, pictures(), work).run(options.until),
        "latents": lambda: autoencoder.cache_latents(
            size, work, pictures(shards * size.shard), (number, count), device
        ),
        "identity": train_identity,
        "heads": lambda: heads.training(size, work, pictures()).run(options.until),
        "judge": lambda: judge.training(size, work, pictures(), device).run(options.until),
        "diffusion": train_diffusion,
        "package": make_package,
        "gates": measure,
        "subjects": lambda: print(
            *subjects.write(
                options.out or work, options.kind, options.stream, range(options.first, options.first + options.count)
            ),
            sep="\n",
        ),
        "phenomena": lambda: print(
            *phenomena.write(
                options.out or work, options.stream, options.count, tuple(options.tables.split(",")), options.first
            ),
            sep="\n",
        ),
        "samples": lambda: print(*samples.write(options.out or work / "samples"), sep="\n"),
    }


def cooled(schedule: Schedule, until: int, steps: int) -> Schedule:
    """The same schedule ending at ``until``, its rate falling along a half cosine over the last ``steps``.

    For an edition: weights of a constant rate are noisy. The next edition starts over with a warm-up.
    """
    return replace(schedule, steps=until, decay=steps / until)


def main() -> None:
    """Parse, adopt an edition where asked, run."""
    options = arguments().parse_args()
    torch.set_num_threads(options.threads)
    size = SIZES[options.size]
    if options.rank:
        loop.join(*(int(part) for part in options.rank.split("/")))
    if options.continue_from:
        package.adopt(size, options.continue_from, options.work)
    known = stages(size, options)
    for name in ORDER if options.stage == "all" else (options.stage,):
        known[name]()


if __name__ == "__main__":
    main()
