"""How prompts name a subject: with the identifier as written, without it as people write."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from boothlab import subjects
from boothlab.subjects import Subject, called, fill, fill_described, fill_tuned


def named(identifier: str | None, noun: str, **more: bool) -> Subject:
    return Subject(name="ada", photos=Path("photos"), identifier=identifier, class_noun=noun, **more)


@pytest.mark.parametrize(
    ("template", "noun", "expected"),
    [
        ("a photo of {it}", "person", "a photo of a person"),
        ("a photo of {it} on a beach", "old man", "a photo of an old man on a beach"),
        ("{it} on a beach", "dog", "A dog on a beach"),
        ("portrait, {it}", "umbrella", "portrait, an umbrella"),
        ("a dog and {it}", "university", "a dog and a university"),
        ("a photo of {it}", "honest woman", "a photo of an honest woman"),
        ("a photo of {it}", "European lady", "a photo of a European lady"),
        # an article, or a word that may belong to one, stands there already
        ("a photo of the {it}", "person", "a photo of the person"),
        ("a photo of a {it}", "person", "a photo of a person"),
        ("a photo of a {it}", "old man", "a photo of an old man"),
        ("an {it}", "person", "a person"),
        ("a photo of my {it}", "dog", "a photo of my dog"),
        ("a photo of a smiling {it}", "person", "a photo of a smiling person"),
        ("a photo of {it}", "the president", "a photo of the president"),
        # plurals and what is not counted
        ("a photo of {it}", "glasses", "a photo of glasses"),
        ("a photo of {it}", "people", "a photo of people"),
        ("a photo of {it}", "long hair", "a photo of long hair"),
        ("a photo of {it}", "bus", "a photo of a bus"),
        ("a photo of {it}", "dress", "a photo of a dress"),
    ],
)
def test_the_base_model_is_asked_as_people_write(template: str, noun: str, expected: str) -> None:
    assert fill(template, noun) == expected


@pytest.mark.parametrize("noun", ["person", "old man", "umbrella", "glasses", "children", "unicorn", "hourglass"])
def test_the_class_prompt_is_what_the_base_model_is_asked(noun: str) -> None:
    assert fill("a photo of a CLASS", noun) == fill("a photo of {it}", noun)


def test_with_an_identifier_only_the_words_are_put_in() -> None:
    assert fill_tuned("a photo of {it}, {it}", named("rinn", "old man")) == "a photo of rinn old man, rinn old man"
    assert fill_tuned("a photo of a {it}", named("ohwx", "dog")) == "a photo of a ohwx dog"
    assert fill_tuned("{it} and a CLASS", named("rinn", "owl")) == "rinn owl and an owl"


def test_an_identifier_alone_leaves_the_noun_to_the_class() -> None:
    rinn = named("rinn", "owl", identifier_alone=True)
    assert called(rinn) == "rinn"
    assert fill_tuned("a photo of {it}, {it}", rinn) == "a photo of rinn, rinn"
    assert fill_tuned("{it} and a CLASS", rinn) == "rinn and an owl"


def test_who_has_no_identifier_is_called_by_the_class() -> None:
    for alone in (False, True):
        nobody = named(None, "owl", identifier_alone=alone)
        assert (called(nobody), fill_tuned("{it} at sea", nobody)) == ("owl", "An owl at sea")


@pytest.mark.parametrize("noun", ["\\d", "\\1", "\\g<0>", "a\\"])
def test_a_backslash_in_a_noun_is_a_backslash(noun: str) -> None:
    assert fill_tuned("{it} and the CLASS", named("rinn", noun)) == f"rinn {noun} and the {noun}"


def test_words_that_contain_the_template_words_are_left_alone() -> None:
    assert fill("a CLASSIC photo of CLASS", "person") == "a CLASSIC photo of person"


@pytest.mark.parametrize(
    ("template", "description", "prompt"),
    [
        ("a photo of {it} at sea", "a woman with red hair", "a photo of a woman with red hair at sea"),
        ("a portrait of a {it}", "a woman with red hair", "a portrait of a woman with red hair"),
        ("an oil painting of an {it}", "an old man", "an oil painting of an old man"),
        ("a photo of a {it}", "red-haired woman", "a photo of a red-haired woman"),
        ("a photo of {it} beside a CLASS", "the queen", "a photo of the queen beside an owl"),
    ],
)
def test_a_description_takes_the_place_of_the_article_too(template: str, description: str, prompt: str) -> None:
    assert fill_described(template, description, "owl") == prompt


def test_examples() -> None:
    assert doctest.testmod(subjects).failed == 0
    assert doctest.testmod(subjects).attempted == 8
