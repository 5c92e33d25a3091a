"""The DiceBear styles that are drawn: their variants in words, colour slots and face geometry.

Separate because everything that is specific to one style is here as data; drawing code is style-blind.
Geometry is in hundredths of the style's square canvas, measured on its bald, front-most variant.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from dicebear import Style

Options = dict[str, object]


@dataclass(frozen=True)
class Face:
    """Where a style draws its face: head box, five points (left is the picture's left), yaw as drawn."""

    box: tuple[float, float, float, float]
    points: tuple[tuple[float, float], ...]
    yaw: float
    """Degrees; positive = the face looks to the picture's right."""
    moving: tuple[str, ...]
    """Components that shift when the head turns."""


@dataclass(frozen=True)
class StyleSheet:
    """One portrait style: caption word, colour slots, and a word for each variant set that is drawn."""

    name: str
    word: str
    face: Face
    slots: dict[str, str]
    """role (skin, hair, clothes, beard) -> the style's colour name."""
    hair: dict[str, tuple[Options, ...]]
    """kind in words -> option sets, one of which is drawn."""
    beards: dict[str, tuple[Options, ...]]
    glasses: dict[str, tuple[Options, ...]]
    clothes: dict[str, tuple[Options, ...]]
    expressions: dict[str, tuple[Options, ...]]
    shaven: Options
    fixed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Other variant options that belong to an identity and have no word."""
    constant: Options = field(default_factory=dict)
    colorless: tuple[str, ...] = ()
    """Kinds of hair whose drawing does not show the hair's colour: no caption may name it."""
    looks_bald: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Kind of hair -> skins on which it cannot be told from a bald head."""


def _each(option: str, **words: str) -> dict[str, tuple[Options, ...]]:
    """``kind_in_words="variantA variantB"`` -> kind -> one option set per variant."""
    return {
        word.replace("_", " ").replace("tshirt", "t-shirt"): tuple({option: v} for v in names.split())
        for word, names in words.items()
    }


MICAH = StyleSheet(
    name="micah",
    word="sketch",
    face=Face(
        (26, 12.5, 73.5, 74),
        ((44, 41), (62, 38.5), (53.5, 46), (45.5, 58), (65, 57)),
        13.0,
        ("mouth", "facialHair", "eyebrows", "eyes", "nose"),
    ),
    slots={"skin": "base", "hair": "hair", "clothes": "shirt", "beard": "facialHair"},
    hair=_each(
        "hairVariant",
        swept_hair="dannyPhantom",
        thin_hair="dougFunny",
        quiff="fonze",
        long_hair="full",
        bald="mrClean",
        mohawk="mrT",
        pixie_cut="pixie",
        turban="turban",
    ),
    beards=_each("facialHairVariant", beard="beard", stubble="scruff"),
    glasses={"glasses": tuple({"glassesProbability": 100, "glassesVariant": v} for v in ("round", "square"))},
    clothes=_each("clothesVariant", shirt="collared", sweater="crew", tshirt="open"),
    expressions=_each(
        "mouthVariant",
        smiling="smile smirk",
        laughing="laughing",
        sad="frown sad",
        surprised="surprised",
        nervous="nervous",
    ),
    shaven={"facialHairProbability": 0, "glassesProbability": 0, "earringsProbability": 0},
    fixed={
        "eyesVariant": ("eyes", "round", "smiling"),
        "eyebrowsVariant": ("up", "down", "eyelashesUp"),
        "noseVariant": ("curve", "pointed", "tound"),
        "earsVariant": ("attached", "detached"),
    },
    constant={
        "glassesColor": "#2b2b33",
        "facialHairProbability": 0,
        "glassesProbability": 0,
        "earringsProbability": 0,
        "hairProbability": 100,
    },
    colorless=("bald", "thin hair"),
)

PERSONAS = StyleSheet(
    name="personas",
    word="flat",
    face=Face(
        (28.5, 20, 72, 73.5),
        ((40.5, 44.5), (59.5, 44.5), (50, 54), (43.5, 64), (56.5, 64)),
        0.0,
        ("eyes", "mouth", "nose", "facialHair"),
    ),
    slots={"skin": "skin", "hair": "hair", "clothes": "clothing", "beard": "facialHair"},
    hair=_each(
        "hairVariant",
        bald="bald",
        balding="balding",
        beanie="beanie",
        bob="bobBangs bobCut",
        buzz_cut="buzzcut",
        cap="cap",
        curly_hair="curly",
        curly_bun="curlyBun",
        high_top="curlyHighTop",
        long_hair="extraLong long",
        mohawk="mohawk",
        pigtails="pigtails",
        combover="shortCombover",
        side_shave="sideShave",
        bun="straightBun",
    ),
    beards=_each("facialHairVariant", beard="beardMustache", goatee="goatee", moustache="walrus"),
    glasses=_each("eyesVariant", glasses="glasses", sunglasses="sunglasses"),
    clothes=_each("clothesVariant", tshirt="rounded squared", top="small", wrap="checkered"),
    expressions=_each("mouthVariant", smiling="smile smirk", laughing="bigSmile", sad="frown", surprised="surprise"),
    shaven={"facialHairProbability": 0},
    fixed={"eyesVariant": ("happy", "open", "open"), "noseVariant": ("mediumRound", "smallRound")},
    constant={"facialHairProbability": 0},
    colorless=("bald", "beanie", "buzz cut", "cap"),
    looks_bald={"buzz cut": ("brown", "dark")},
)

TOON_HEAD = StyleSheet(
    name="toon-head",
    word="comic",
    face=Face(
        (27.5, 18, 72.5, 77),
        ((40, 53.5), (60, 53.5), (50, 60), (44.5, 67), (55.5, 67)),
        0.0,
        ("mouth", "beard", "eyes", "eyebrows"),
    ),
    slots={"skin": "skin", "hair": "hair", "clothes": "clothes"},
    hair={
        "spiky hair": ({"hairVariant": "spiky"},),
        "undercut": ({"hairVariant": "undercut"},),
        "bun": ({"hairVariant": "bun"},),
        "side parting": ({"hairVariant": "sideComed"},),
        "long hair": tuple(
            {"hairVariant": "sideComed", "rearHairProbability": 100, "rearHairVariant": v}
            for v in ("longStraight", "longWavy")
        ),
        "shoulder length hair": (
            {"hairVariant": "sideComed", "rearHairProbability": 100, "rearHairVariant": "shoulderHigh"},
        ),
    },
    beards=_each("beardVariant", beard="fullBeard longBeard", goatee="chin", moustache="moustacheTwirl"),
    glasses={},
    clothes=_each(
        "clothesVariant", dress="dress", jacket="openJacket", shirt="shirt", tshirt="tShirt", turtleneck="turtleNeck"
    ),
    expressions=_each("mouthVariant", smiling="smile", laughing="laugh", sad="sad", surprised="agape", angry="angry"),
    shaven={"beardProbability": 0},
    fixed={"eyesVariant": ("wide", "happy", "humble", "bow"), "eyebrowsVariant": ("happy", "neutral", "raised")},
    constant={"beardProbability": 0, "rearHairProbability": 0, "hairProbability": 100},
)

PORTRAITS = {sheet.name: sheet for sheet in (MICAH, PERSONAS, TOON_HEAD)}
"""Three portrait styles, all CC BY 4.0."""

MONSTER_TOPS = {
    "horns": ("horns", "hornsIn", "hornsSmall"),
    "spikes": ("spikes", "spike"),
    "antennae": ("antennae", "antenna"),
    "ears": ("earsRound", "earsPointy", "earsDroop"),
    "crown": ("crown",),
}
MONSTER_EYES = {
    "one eye": ("mono", "monoSleepy"),
    "two eyes": ("round", "bigPupils", "wide", "uneven"),
    "three eyes": ("trio", "threeRow"),
}
MONSTER_SHAPES = ("dome", "block", "tower", "squat", "blob", "round", "lean", "peak", "bell", "wedge")
MOUTHS = {"smiling": ("smile", "grin"), "sad": ("frown",), "surprised": ("ooh", "open")}
PLANTS = {
    "cactus": ("cactus",),
    "bush": ("bush", "ball"),
    "flower": ("flower",),
    "tulip": ("tulip",),
    "palm": ("palm",),
    "grass": ("grass",),
    "sprout": ("sprout", "seedling"),
    "succulent": ("succulent",),
}
PLANT_POTS = ("taper", "cylinder", "bowl", "tub", "round", "rim")
PLANT_EYES = ("round", "dots", "bigPupils", "wide", "happy")
CLASS_NOUNS = ("person", "monster", "plant")
STYLE_NAMES = (*PORTRAITS, "critters", "sprouts")


@cache
def load_style(name: str) -> Style:
    """The style's DiceBear definition, parsed once."""
    return Style(json.loads(files("dicebear_styles").joinpath(f"{name}.json").read_text("utf-8")))


@cache
def licences() -> dict[str, str]:
    """Style -> the attribution its own metadata asks for."""
    texts = {}
    for name in STYLE_NAMES:
        meta = json.loads(files("dicebear_styles").joinpath(f"{name}.json").read_text("utf-8"))["meta"]
        texts[name] = meta["license"]["text"]
    return texts
