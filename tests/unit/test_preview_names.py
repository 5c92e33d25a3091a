"""What previews are called, and of whom they are."""

from __future__ import annotations

from boothlab.api.previewing import orders_of
from boothlab.plan import plan_from


def test_subjects_whose_names_are_one_as_file_names_have_previews_of_their_own() -> None:
    """Those of "ada b" were taken for those of "ada-b", which were then never drawn."""
    tree = {
        "subjects": [{"name": name, "photos": "x"} for name in ("ada b", "ada-b", "bob", "Ada-b")],
        "training": {"validation": {"preview": {"every": 1, "prompts": ["a photo of {it}"], "seeds": 1}}},
    }
    names = [order.name for order in orders_of(plan_from(tree, "test"))]
    assert names == ["ada-b+1-00-00", "ada-b+2-00-00", "bob-00-00", "Ada-b+4-00-00"]


def test_previews_ask_for_the_subject_as_trainings_do() -> None:
    tree = {
        "subjects": [
            {"name": "ada", "photos": "x", "identifier": "rinn"},
            {"name": "bob", "photos": "x", "identifier": "kilt", "identifier_alone": True},
        ],
        "training": {"validation": {"preview": {"every": 1, "prompts": ["{it} at sea"], "seeds": 1}}},
    }
    asked = [order.prompt for order in orders_of(plan_from(tree, "test"))]
    assert asked == ["rinn person at sea", "kilt at sea"]
