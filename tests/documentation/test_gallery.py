"""The gallery: made from a directory of figures, complete, of one preset."""

import json
import pathlib

import figure_toys
import pytest

from experiments.command import main
from experiments.documentation import gallery
from experiments.figures import registry

DOCS = pathlib.Path(__file__).parent.parent.parent / "docs"


@pytest.fixture
def made(monkeypatch, restore_precision, tmp_path):
    monkeypatch.setattr(registry, "figures", registry.figures)
    figure_toys.install()
    assert main.main(["figure", "all", "--out", str(tmp_path / "figures")]) == 0
    (tmp_path / "docs").mkdir()
    return tmp_path


def test_the_gallery_shows_every_figure_with_its_caption(made):
    gallery.write(made / "figures", made / "docs")
    text = (made / "docs" / "gallery.md").read_text()
    for name in ("toy-mean", "toy-data"):
        content = json.loads((made / "figures" / f"{name}.json").read_text())
        assert f"## {name}\n\n![means](gallery/{name}.png)\n\n{content['caption']}" in text
        assert (made / "docs" / "gallery" / f"{name}.png").exists()
    assert "**the paper-scale panels are not run yet**" in text
    assert "1 × cpu" in text


def test_a_gallery_that_is_not_whole_is_refused(made):
    first = made / "figures" / "toy-mean.json"
    content = json.loads(first.read_text())
    first.write_text(json.dumps(content | {"preset": "paper"}))
    with pytest.raises(ValueError, match="of one preset, got paper, quick"):
        gallery.write(made / "figures", made / "docs")
    first.unlink()
    with pytest.raises(ValueError, match="got none of toy-mean"):
        gallery.write(made / "figures", made / "docs")
    assert not list((made / "docs").iterdir())


def test_the_gallery_in_the_documentation_has_every_figure():
    text = (DOCS / "gallery.md").read_text()
    for figure in registry.figures().values():
        assert f"## {figure.name}\n" in text
        assert (DOCS / "gallery" / f"{figure.name}.png").exists()
