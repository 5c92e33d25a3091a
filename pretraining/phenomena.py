"""Command `phenomena`: the studies that show what DreamBooth does on the built-in model, with their photos.

One study per table of docs/toon-phenomena.md, written as a plan that `boothlab study` runs; predictions stand in
docs/decisions/030. Settings were chosen on subjects of the stream `develop`; the tables are about `test`. Separate
from the studies that ship because these need drawings of many reserved subjects.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from boothlab.api.demonstration import TOON
from boothlab.config.show import to_toml
from pretraining import atomic, subjects

STEPS = 300
"""Optimizer steps of the default plan, as many as the demo's."""
AVERAGED = 400
"""Steps of the trainings whose weights are averaged."""
TRAINED_ON = 5
SEEDS = (0, 1, 2)
SETS = {"photos": "plain", "turned": "turned", "glued": "glued", "far": "far"}
"""Set of a subject -> beginning of its photos' names in the one folder that a study selects from."""


@dataclass(frozen=True)
class Table:
    """One study: what it asks, what it varies, what differs from the default plan, and who is learned.

    ``photos`` says which photos a subject trains on, ``number`` how many of them (None: all). Paths of ``axes`` and
    ``changes`` are dotted.
    """

    asks: str
    axes: Mapping[str, list[Any]] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    photos: str = "plain_*"
    kinds: tuple[str, ...] = ("person",)
    number: int | None = TRAINED_ON
    seeds: tuple[int, ...] = SEEDS
    rivals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Name → settings that are no candidates, trained on every subject too."""
    means: tuple[Mapping[str, Any], ...] = ()
    """Means of weights beside what is trained, as a study's ``[[means]]``."""


TEXT_ENCODER: dict[str, Any] = {
    "kind": "dreambooth",
    "learning_rate": 5e-4,
    "text_encoder": True,
    "text_encoder_learning_rate": 1e-3,
}
"""The whole text encoder trained too, as before docs/decisions/042: for the source study's settings, for identifiers
of several tokens and for adapters, which have no word vector to learn."""


SOURCE_STUDY: dict[str, dict[str, Any]] = {
    "zl635_008": {"strategy": TEXT_ENCODER, "training.steps_per_photo": 20, "photos.framing": "head"},
    "CYR_003": {"strategy": {**TEXT_ENCODER, "learning_rate": 5e-3}, "training.steps_per_photo": 4},
}
"""The source study's two best settings, scaled as in docs/studies (steps by 1/25, rate by 250), without captions."""

RIVALS = {
    name: {**one, "photos.captions": "ignore", "objective.class_contexts": []} for name, one in SOURCE_STUDY.items()
}
"""These as a table's rivals: what the demo adds is taken away."""


TABLES = {
    "default": Table("What the default plan reaches on people that nobody looked at."),
    "demo": Table(
        "What the demo reaches, one training with its snapshots, and whether what it recommends is worth its price "
        "beside the best settings of the source study.",
        {"training.steps": [*TOON["training"]["snapshots"], TOON["training"]["steps"]]},
        number=None,
        seeds=(0,),
        rivals=RIVALS,
    ),
    "small": Table(
        "What a small study recommends, of both ways to learn the words and six lengths, and whether that is worth "
        "its price beside the best settings of the source study.",
        {
            "strategy": [TOON["strategy"], TEXT_ENCODER],
            "training.steps": [*TOON["training"]["snapshots"], TOON["training"]["steps"], 400, 500],
        },
        number=None,
        seeds=(0,),
        rivals=RIVALS,
    ),
    "means": Table(
        "What a small study recommends that trains both ways to learn the words with two seeds, and averages their "
        "weights, and whether that is worth its price beside the best settings of the source study.",
        {"strategy": [TOON["strategy"], TEXT_ENCODER], "training.steps": [240, STEPS, AVERAGED]},
        number=None,
        seeds=(0, 1),
        rivals=RIVALS,
        means=(
            {"name": "both recipes", "over": ["strategy", "seeds"], "at": {"training.steps": [AVERAGED]}},
            {"name": "two seeds", "over": ["seeds"], "at": {"training.steps": [AVERAGED]}},
        ),
    ),
    "prior": Table(
        "What prior preservation does: its weight, 0 for none.", {"objective.prior_weight": [0.0, 0.5, 1.0, 2.0]}
    ),
    "class-images": Table("What the number of class images does.", {"objective.class_images": [8, 32, 128]}),
    "rate-steps": Table(
        "Learning rate and steps: where the best lies, and what LPIPS and Fréchet distances would have taken.",
        {"strategy.learning_rate": [2.5e-4, 5e-4, 1e-3, 2e-3], "training.steps": [60, 120, 200, STEPS, 480]},
    ),
    "wide": Table(
        "Learning rate and steps, farther: rates of the UNet and the identifier's vector together, to what breaks.",
        {
            "strategy": [
                {**TOON["strategy"], "learning_rate": 1e-3 * factor, "identifier_learning_rate": 1e-2 * factor}
                for factor in (0.125, 0.5, 2.0, 8.0)
            ],
            "training.steps": [30, 70, 160, 360, 800],
        },
    ),
    "photos": Table("What the number of photos does at equal steps.", {"photos.number": [3, 5, 8, 13]}),
    "framing": Table(
        "What the crop does where heads are small.", {"photos.framing": ["head", "smart", "letterbox"]}, {}, "far_*"
    ),
    "sets": Table(
        "What a third of turned heads and a common wall do, where no caption says where a photo was taken.",
        {"photos.include": [[f"{start}_IMG_000[1-6].*"] for start in ("plain", "turned", "glued")]},
        {"photos.captions": "ignore"},
        number=None,  # the same six takes in each arm: a number of photos is drawn by their content
    ),
    "captions": Table(
        "What captions do that say where each photo was taken.", {"photos.captions": ["ignore", "use"]}
    ),
    "class-captions": Table(
        "What class images do that follow the captions.", {"objective.class_captions": [False, True]}
    ),
    "identifier": Table(
        "Which identifier: a rare word, one of four tokens, a real word, a word with a hidden meaning (a mohawk).",
        {"subjects.0.identifier": ["nlwx", "zl635", "window", "drwho"]},
        {"strategy": TEXT_ENCODER},
    ),
    "meaning": Table(
        "Whether an identifier's hidden meaning (a mohawk) shows in the first snapshots.",
        {"subjects.0.identifier": ["nlwx", "drwho"], "training.steps": [20, 60, 120]},
        {"strategy": TEXT_ENCODER},
    ),
    "noun": Table(
        "The class noun: right, and wrong.",
        {"subjects.0.class_noun": ["person", "plant"], "training.steps": [120, STEPS]},
    ),
    "no-noun": Table(
        "The class noun after the identifier, or the identifier alone; class images say it in both.",
        {"subjects.0.identifier_alone": [False, True], "training.steps": [120, STEPS]},
    ),
    "kinds": Table(
        "Whether people need more steps than monsters and plants.",
        {"training.steps": [60, 120, STEPS]},
        {},
        "plain_*",
        ("person", "monster", "plant"),
    ),
    "nothing": Table(
        "Whether differences are found where there are none: the base model as it is, at other initial noises.",
        {"evaluation.seed": [0, 1]},
        {
            "strategy": {"kind": "dreambooth", "learning_rate": 1e-12},
            "training.steps": 1,
            "training.rate": {},
            "objective.prior_weight": 0.0,
        },
        seeds=(0,),
    ),
    "strategy": Table(
        "The identifier's vector alone, the whole text encoder, or LoRA in both, over learning rates.",
        {
            "strategy": [
                TOON["strategy"],
                *({**TEXT_ENCODER, "learning_rate": rate} for rate in (2.5e-4, 5e-4)),
                *({**TEXT_ENCODER, "kind": "lora", "rank": 8, "learning_rate": rate} for rate in (1e-3, 4e-3)),
            ]
        },
    ),
}


def write(
    out: Path,
    stream: str,
    count: int,
    names: tuple[str, ...] = tuple(TABLES),
    first: int = 0,
    seeds: int = len(SEEDS),
) -> list[Path]:
    """Draw ``count`` subjects of each kind that is needed, and write ``<out>/<table>.toml``; returns these.

    Subjects are numbered from ``first``, so that a later table can be about people whom nobody has looked at. Of the
    training seeds the first ``seeds`` are taken; the table with more of them goes on in the same study's folder.
    """
    kinds = dict.fromkeys(kind for name in names for kind in TABLES[name].kinds)
    places = {
        kind: [_one_folder(out, kind, stream, number) for number in range(first, first + count)] for kind in kinds
    }
    made = []
    for name in names:
        table = replace(TABLES[name], seeds=TABLES[name].seeds[:seeds])
        folders = [place for kind in table.kinds for place in places[kind]]
        text = (
            f"# {table.asks}\n# {count} subjects of the stream `{stream}`, from {first} on, per kind.\n\n"
            + to_toml(
                tree(
                    name,
                    f"{stream}-{first}",
                    table,
                    [(place, json.loads((place / "subject.json").read_text("utf-8"))) for place in folders],
                )
            )
        )
        atomic.write(out / f"{name}.toml", lambda path, text=text: path.write_text(text, "utf-8"))
        made.append(out / f"{name}.toml")
    return made


def tree(name: str, called: str, table: Table, people: list[tuple[Path, dict[str, str]]]) -> dict[str, Any]:
    """The study as a tree, ``called`` by its subjects; paths are relative to the folder that holds it and them."""
    nodes = [
        [
            {
                "name": place.name,
                "photos": f"{place.name}/all",
                "class_noun": facts["class_noun"],
                "description": facts["description"],
            }
        ]
        for place, facts in people
    ]
    axes: dict[str, Any] = {"subjects": nodes, **table.axes}
    if table.number is not None and "photos.number" not in axes:
        axes["photos.number"] = [table.number]
    runs = [
        {"name": rival, "each_subject": True, "rival": True, "settings": dict(settings)}
        for rival, settings in table.rivals.items()
    ]
    return {
        "name": f"phenomena-{name}-{called}",
        "seeds": list(table.seeds),
        "notes": [table.asks],
        "held_out": {place.name: f"{place.name}/more" for place, _ in people},
        "axes": axes,
        **({"runs": runs} if runs else {}),
        **({"means": list(table.means)} if table.means else {}),
        "plan": plan(table, nodes[0]),
    }


def plan(table: Table, first: list[dict[str, str]]) -> dict[str, Any]:
    """The default plan with the table's changes."""
    training = {key: value for key, value in TOON["training"].items() if key not in ("snapshots", "validation")}
    found: dict[str, Any] = {
        "base": {"model": "toon"},
        "subjects": first,
        "photos": {"domain": "drawings", "include": [table.photos], "screen": {"enabled": False}},
        "strategy": dict(TOON["strategy"]),
        "objective": dict(TOON["objective"]),
        "training": {**training, "steps": STEPS, "threads": 1, "checkpoint_every": STEPS, "keep_checkpoints": 0},
        "generation": dict(TOON["generation"]),
        "evaluation": {"references_at_random": True},
    }
    for path, value in table.changes.items():
        *tables, last = path.split(".")
        node = found
        for key in tables:
            node = node[key]
        node[last] = value
    return found


def _one_folder(out: Path, kind: str, stream: str, number: int) -> Path:
    """The subject's folder, its sets once more in one folder ``all``, so that a study can select among them."""
    (place,) = subjects.write(out, kind, stream, range(number, number + 1))
    (place / "all").mkdir(exist_ok=True)
    told = ["file,caption"]
    for name, start in SETS.items():
        for photo in sorted((place / name).glob("*.jpg")) if (place / name).is_dir() else ():
            shutil.copyfile(photo, place / "all" / f"{start}_{photo.name}")
        if (place / name).is_dir():
            told += [
                f"{start}_{line}" for line in (place / name / "captions.csv").read_text("utf-8").splitlines()[1:]
            ]
    atomic.write_text(place / "all" / "captions.csv", "\n".join(told) + "\n")
    return place
