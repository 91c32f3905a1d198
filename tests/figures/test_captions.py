"""Captions: 80 words at most, no sentence cut, nothing lost."""

import pathlib
import re

import pytest

from experiments.figures.captions import DETAILS, MOST, shortened

GALLERY = pathlib.Path(__file__).parent.parent.parent / "docs" / "gallery.md"
LONG = "A word " + "and one more " * 12 + "ends here (see eq. 8, Kumano et al. 2024). "


def test_whole_sentences_are_moved_and_none_is_lost():
    text = LONG * 4
    head, _, rest = shortened(f"{text.strip()}\n\nPreset quick.").partition("\n\n")
    assert len(head.split()) <= MOST < len(head.split()) + len(LONG.split())
    assert head.endswith("2024).")
    assert rest.startswith(f"{DETAILS}A word and")
    assert rest.endswith("\n\nPreset quick.")
    assert f"{head} {rest.removeprefix(DETAILS)}" == f"{text.strip()}\n\nPreset quick."


@pytest.mark.parametrize("text", [LONG.strip(), "word " * 200, "a. b. c."])
def test_what_is_short_or_one_sentence_stays(text):
    assert shortened(text) == text


def test_every_caption_of_the_gallery_is_short():
    entries = re.split(r"(?m)^## ", GALLERY.read_text())[1:]
    assert len(entries) >= 16
    for entry in entries:
        name, _, caption, *_ = entry.split("\n\n")
        assert len(caption.split()) <= MOST, name
