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
from pretraining.sizes import SIZES, Size, in_batches

ORDER = ("draw", "captions", "autoencoder", "clip", "latents", "identity", "heads", "judge", "diffusion", "package")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m pretraining", description=__doc__)
    parser.add_argument("stage", choices=(*STAGES, "all"))
    parser.add_argument("--work", type=Path, required=True, help="folder of drawings, checkpoints and logs")
    parser.add_argument("--size", choices=sorted(SIZES), default="small", help="the one dial")
    parser.add_argument("--out", type=Path, help="folder (for `judge`: file) to write to instead of the work folder")
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
        "--seeds", type=int, default=len(phenomena.SEEDS), choices=range(1, len(phenomena.SEEDS) + 1),
        help="training seeds of `phenomena`; the same table with more of them goes on from what is there",
    )  # fmt: skip
    parser.add_argument(
        "--rank", help="i/n: this process is number i of n that share one training (start all n, each on its core)"
    )
    parser.add_argument(
        "--batch",
        type=int,
        help="`diffusion`: pictures in a step, 512 for a card; the number of steps follows",
    )
    parser.add_argument("--threads", type=int, default=1, help="torch threads of this process")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu",
        help="where `autoencoder`, `decoder`, `latents`, `judge` and `diffusion` compute",
    )  # fmt: skip
    return parser


def _worker(options: argparse.Namespace) -> tuple[int, int]:
    number, count = (int(part) for part in options.worker.split("/"))
    return number, count


def _shards(size: Size, options: argparse.Namespace) -> range:
    """The shards that fall to this process."""
    number, count = _worker(options)
    return range(number, options.shards or size.shards, count)


def _pictures(options: argparse.Namespace, limit: int | None = None) -> dataset.Pictures:
    return dataset.Pictures(options.work / "drawings", limit)


def _draw(size: Size, options: argparse.Namespace) -> None:
    for shard in _shards(size, options):
        dataset.write_shard(options.work / "drawings", shard, size.shard, size.picture)


def _caption(size: Size, options: argparse.Namespace) -> None:
    for shard in _shards(size, options):
        caption_tokens.write_shard(size, options.work, shard)


def _autoencoder(size: Size, options: argparse.Namespace) -> None:
    autoencoder.training(size, options.work, _pictures(options), options.device).run(options.until)


def _decoder(size: Size, options: argparse.Namespace) -> None:
    autoencoder.decoder_training(size, options.work, _pictures(options), options.device).run(options.until)


def _clip(size: Size, options: argparse.Namespace) -> None:
    clip.training(size, _pictures(options), options.work).run(options.until)


def _latents(size: Size, options: argparse.Namespace) -> None:
    pictures = _pictures(options, (options.shards or size.shards) * size.shard)
    autoencoder.cache_latents(size, options.work, pictures, _worker(options), options.device)


def _identity(size: Size, options: argparse.Namespace) -> None:
    identity.prepare(size, options.work)
    identity.training(size, options.work).run(options.until)


def _heads(size: Size, options: argparse.Namespace) -> None:
    heads.training(size, options.work, _pictures(options)).run(options.until)


def _judge(size: Size, options: argparse.Namespace) -> None:
    judge.training(size, options.work, _pictures(options), options.device).run(options.until)
    if options.stage == "judge" and options.out:
        judge.keep(size, options.work, options.out)


def _diffusion(size: Size, options: argparse.Namespace) -> None:
    training = diffusion.training(size, options.work, options.device)
    if options.cooldown:
        training.schedule = cooled(training.schedule, options.until or size.unet_steps, options.cooldown)
    training.run(options.until)


def _package(size: Size, options: argparse.Namespace) -> None:
    made = package.build(size, options.work, options.out or options.work / "package" / "toon", options.edition)
    print(f"{made.folder}: {made.size_bytes / 2**20:.1f} MiB")


def _gates(size: Size, options: argparse.Namespace) -> None:
    work = options.work
    folder = options.out or work / "package" / "toon"
    figures = gates.run(size, work, folder, options.each, options.only.split(","))
    card.note_curve(work, folder, figures)
    package.note_gates(work, folder)
    card.draw_sheets(work, folder, anew="class" in options.only.split(","))
    card.write(size, work, folder, figures)
    for name, one in figures.items():
        print(f"{'reached' if one.reached else 'missed ':7} {name}: {one.value:.3f} (bar {one.bar}, n {one.n})")


def _subjects(_: Size, options: argparse.Namespace) -> None:
    numbers = range(options.first, options.first + options.count)
    print(*subjects.write(options.out or options.work, options.kind, options.stream, numbers), sep="\n")


def _phenomena(_: Size, options: argparse.Namespace) -> None:
    tables = tuple(options.tables.split(","))
    folder = options.out or options.work
    print(*phenomena.write(folder, options.stream, options.count, tables, options.first, options.seeds), sep="\n")


def _samples(_: Size, options: argparse.Namespace) -> None:
    print(*samples.write(options.out or options.work / "samples"), sep="\n")


STAGES: dict[str, Callable[[Size, argparse.Namespace], None]] = {
    "draw": _draw,
    "captions": _caption,
    "autoencoder": _autoencoder,
    "decoder": _decoder,
    "clip": _clip,
    "latents": _latents,
    "identity": _identity,
    "heads": _heads,
    "judge": _judge,
    "diffusion": _diffusion,
    "package": _package,
    "gates": _gates,
    "subjects": _subjects,
    "phenomena": _phenomena,
    "samples": _samples,
}
"""Stage name -> what it does."""


def cooled(schedule: Schedule, until: int, steps: int) -> Schedule:
    """The same schedule ending at ``until``, its rate falling along a half cosine over the last ``steps``.

    For an edition: weights of a constant rate are noisy. The next edition starts over with a warm-up.
    """
    return replace(schedule, steps=until, decay=steps / until)


def main() -> None:
    """Parse, adopt an edition where asked, run."""
    parser = arguments()
    options = parser.parse_args()
    try:
        options.device = devices.chosen(options.device)
    except ValueError as error:
        parser.error(str(error))
    torch.set_num_threads(options.threads)
    if options.rank and options.device.type != "cpu":
        parser.error("--rank shares a training among processes on CPUs; a card trains alone")
    size = SIZES[options.size]
    if options.batch:
        size = in_batches(size, options.batch)
    if options.rank:
        loop.join(*(int(part) for part in options.rank.split("/")))
    if options.continue_from:
        package.adopt(size, options.continue_from, options.work)
    for name in ORDER if options.stage == "all" else (options.stage,):
        STAGES[name](size, options)


if __name__ == "__main__":
    main()
