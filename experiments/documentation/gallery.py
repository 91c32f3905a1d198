"""The gallery in docs/, made from the figures in a directory.

`python3 -m experiments.documentation.gallery DIR` rewrites docs/gallery.md and the pictures beside
it.
"""

import json
import pathlib
import sys
from collections.abc import Mapping, Sequence

from PIL import Image

from experiments.figures import registry
from experiments.figures.figure import Figure
from experiments.results.store import Record

DOCS = pathlib.Path(__file__).parent.parent.parent / "docs"
INTRODUCTION = """# Gallery

Every figure that `widetheory figure` makes, from one run of

```sh
widetheory figure all --preset {preset} --out figures
python3 -m experiments.documentation.gallery figures
```

in {minutes:.0f} minutes of computing. Lines are predicted, markers are measured. {scale}
"""
QUICK = (
    "This is the quick preset, shrunk to two CPU cores: **the paper-scale panels are not run "
    "yet**. `--preset paper` has the published settings; it is meant for a GPU, and none was at "
    "hand."
)
PAPER = "This is the paper preset, with the published settings."


def page(figures: Sequence[Figure], contents: Mapping[str, Record]) -> str:
    """The gallery's text.

    Args:
      figures: all of them.
      contents: name → what its NAME.json holds.

    Returns:
      Markdown, with pictures in the folder gallery/ beside it.

    Raises:
      ValueError: if a figure is missing, or they are not of one preset.
    """
    missing = [figure.name for figure in figures if figure.name not in contents]
    if missing:
        raise ValueError(f"the gallery must have every figure, got none of {', '.join(missing)}")
    presets = {content["preset"] for content in contents.values()}
    if len(presets) > 1:
        raise ValueError(f"the gallery must be of one preset, got {', '.join(sorted(presets))}")
    (preset,) = presets
    minutes = sum(content["seconds"] for content in contents.values()) / 60
    scale = {"quick": QUICK, "paper": PAPER}[preset]
    parts = [INTRODUCTION.format(preset=preset, minutes=minutes, scale=scale)]
    for figure in figures:
        content = contents[figure.name]
        parts.append(
            f"## {figure.name}\n\n![{figure.shows}](gallery/{figure.name}.png)\n\n"
            f"{content['caption']}\n\nSource: {figure.source}. {_machines(content)}\n"
        )
    return "\n".join(parts)


def _machines(content: Record) -> str:
    """Where a figure was computed."""
    found = []
    for environment in content["environments"]:
        devices = f"{len(environment['devices'])} × {environment['devices'][0]}"
        found.append(f"{devices}, jax {environment['versions']['jax']}")
    return f"Computed on {'; '.join(dict.fromkeys(found))} in {content['seconds']:.0f} s."


def write(directory: pathlib.Path, docs: pathlib.Path = DOCS) -> None:
    """Writes gallery.md and gallery/NAME.png.

    Raises:
      ValueError: as `page`.
    """
    figures = list(registry.figures().values())
    files = {figure.name: directory / f"{figure.name}.json" for figure in figures}
    contents = {name: json.loads(p.read_text("utf-8")) for name, p in files.items() if p.exists()}
    text = page(figures, contents)
    (docs / "gallery").mkdir(exist_ok=True)
    for figure in figures:
        with Image.open(directory / f"{figure.name}.png") as picture:  # a third of the bytes
            picture.convert("RGB").quantize(256).save(docs / "gallery" / f"{figure.name}.png")
    (docs / "gallery.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 -m experiments.documentation.gallery DIR")
    try:
        write(pathlib.Path(sys.argv[1]))
    except ValueError as error:
        sys.exit(f"gallery: {error}")
