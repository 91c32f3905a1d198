"""The gallery: made from a directory of figures, complete, of one preset; or one figure anew."""

import json
import pathlib
import re

import figure_toys
import pytest

from experiments.command import main
from experiments.documentation import gallery
from experiments.figures import captions, registry
from experiments.files import seals

DOCS = pathlib.Path(__file__).parent.parent.parent / "docs"


@pytest.fixture
def made(monkeypatch, restore_precision, tmp_path):
    monkeypatch.setattr(registry, "figures", registry.figures)
    figure_toys.install()
    assert main.main(["figure", "all", "--out", str(tmp_path / "figures")]) == 0
    (tmp_path / "docs").mkdir()
    return tmp_path


def test_the_gallery_shows_every_figure_with_its_caption(made):
    gallery.write(made / "figures", docs=made / "docs")
    text = (made / "docs" / "gallery.md").read_text()
    for name in ("toy-mean", "toy-data"):
        content = json.loads((made / "figures" / f"{name}.json").read_text())
        assert f"## {name}\n\n![means](gallery/{name}.png)\n\n{content['caption']}" in text
        assert (made / "docs" / "gallery" / f"{name}.png").exists()
    assert "**the paper-scale panels are not run yet**" in text
    assert "1 × cpu" in text


def test_details_of_a_caption_are_folded():
    figure = registry.figures()["errata"]
    machine = {"devices": ["cpu"], "versions": {"jax": "1"}}
    content = {"caption": "In short.\n\n**Details.** (a) At length.", "environments": [machine]}
    text = gallery.entry(figure, content | {"seconds": 1.0})
    shown, folded = text.split("<details><summary>Details</summary>\n\n")
    assert shown.endswith("errata.png)\n\nIn short.\n\n")
    assert folded.startswith(f"(a) At length.\n\nSource: {figure.source}.")
    assert folded.endswith("\n\n</details>\n")


def test_what_is_shown_of_a_caption_is_short():
    for part in re.split(r"\n## ", (DOCS / "gallery.md").read_text())[1:]:
        shown = part.split("<details>")[0].split(".png)")[1]
        assert 0 < len(shown.split()) <= captions.MOST


def _of_another_preset(path):
    content = json.loads(path.read_text()) | {"preset": "paper"}
    del content["digest"]
    path.write_text(json.dumps(seals.sealed(content)))


def test_a_damaged_figure_is_refused(made):
    first = made / "figures" / "toy-mean.json"
    first.write_text(first.read_text().replace('"preset": "quick"', '"preset": "paper"'))
    with pytest.raises(ValueError, match=r"toy-mean\.json must be JSON of .*its digest"):
        gallery.write(made / "figures", docs=made / "docs")


def test_a_gallery_that_is_not_whole_is_refused(made):
    first = made / "figures" / "toy-mean.json"
    _of_another_preset(first)
    with pytest.raises(ValueError, match="of one preset, got paper, quick"):
        gallery.write(made / "figures", docs=made / "docs")
    first.unlink()
    with pytest.raises(ValueError, match="got none of toy-mean"):
        gallery.write(made / "figures", docs=made / "docs")
    assert not list((made / "docs").iterdir())


@pytest.fixture
def stale(made):
    """A gallery, with figures of which neither text nor picture is what is made now."""
    docs = made / "docs"
    gallery.write(made / "figures", docs=docs)
    text = (docs / "gallery.md").read_text()
    (docs / "gallery.md").write_text(text.replace("![means]", "![of old]"))
    for picture in (docs / "gallery").iterdir():
        picture.write_bytes(b"of old")
    return docs


def test_one_figure_is_made_anew_and_all_else_stays(stale):
    before = (stale / "gallery.md").read_text()
    assert before.count("![of old]") == 2
    gallery.remake(["toy-data"], stale)
    after = (stale / "gallery.md").read_text()
    kept, _, _ = before.partition("## toy-data")
    assert after.startswith(kept + "## toy-data\n\n![means](gallery/toy-data.png)\n\n")
    assert (stale / "gallery" / "toy-mean.png").read_bytes() == b"of old"
    assert (stale / "gallery" / "toy-data.png").read_bytes().startswith(b"\x89PNG")


def test_the_first_of_two_too(made, stale):
    """From where it has been made: what follows stays to the byte."""
    before = (stale / "gallery.md").read_text()
    gallery.write(made / "figures", ["toy-mean"], stale)
    after = (stale / "gallery.md").read_text()
    assert after != before
    assert after.partition("## toy-data")[2] == before.partition("## toy-data")[2]
    assert "## toy-mean\n\n![means]" in after
    assert (stale / "gallery" / "toy-data.png").read_bytes() == b"of old"
    gallery.write(made / "figures", ["toy-data"], stale)
    gallery.write(made / "figures", docs=made / "docs")
    assert (stale / "gallery.md").read_text() == after.replace("of old", "means")


@pytest.mark.parametrize("name", ["toy-mean", "toy-data"])
def test_a_new_figure_comes_where_it_is_listed(made, stale, name):
    whole = (stale / "gallery.md").read_text().replace("of old", "means")
    figures = list(registry.figures().values())
    contents = {
        figure.name: json.loads((made / "figures" / f"{figure.name}.json").read_text())
        for figure in figures
    }
    section = gallery.entry(registry.figures()[name], contents[name])
    without = whole.replace(f"\n{section}", "")
    assert f"## {name}" not in without
    assert gallery.updated(without, figures, {name: contents[name]}) == whole


def test_what_cannot_be_made_anew_is_refused(made, stale):
    before = (stale / "gallery.md").read_bytes()
    with pytest.raises(ValueError, match="NAME must be one of toy-data, toy-mean; got 'toy'"):
        gallery.remake(["toy"], stale)
    first = made / "figures" / "toy-mean.json"
    _of_another_preset(first)
    with pytest.raises(ValueError, match="toy-mean must be of the preset quick, as the gallery is"):
        gallery.write(made / "figures", ["toy-mean"], stale)
    first.unlink()
    with pytest.raises(
        ValueError, match=r"toy-mean must have been made in .*, got no toy-mean\.json"
    ):
        gallery.write(made / "figures", ["toy-mean"], stale)
    assert (stale / "gallery.md").read_bytes() == before
    (stale / "gallery.md").write_text("# Pictures\n")
    with pytest.raises(ValueError, match=r"gallery\.md must begin as a gallery does"):
        gallery.remake(["toy-mean"], stale)
    with pytest.raises(ValueError, match="NAME must be a figure, or --from DIR given"):
        gallery.main([])


def test_the_gallery_in_the_documentation_has_every_figure():
    text = (DOCS / "gallery.md").read_text()
    assert gallery.preset_of(text) == "quick"
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
        *registry.figures()
    ]
    for figure in registry.figures().values():
        assert f"![{figure.shows}](gallery/{figure.name}.png)" in text
        assert (DOCS / "gallery" / f"{figure.name}.png").exists()
