"""The gallery in docs/, made from figures.

`python3 -m experiments.documentation.gallery NAME` makes a figure and remakes its picture and its
entry of docs/gallery.md; all else stays as it is. With `--from DIR`, figures are taken from where
`widetheory figure` made them, all of them if none is named.
"""

import argparse
import pathlib
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence

from PIL import Image

from experiments.figures import building, registry
from experiments.figures.captions import DETAILS
from experiments.figures.figure import Figure
from experiments.files import seals
from experiments.files.strict_json import Record
from experiments.machine import environment
from experiments.report.progress import with_progress
from experiments.results.contents import MADE
from theory._validation import check_choice
from theory.verification import canary

DOCS = pathlib.Path(__file__).parent.parent.parent / "docs"
INTRODUCTION = """# Gallery

Every figure that `widetheory figure` makes, by

```sh
widetheory figure all --preset {preset} --out figures
python3 -m experiments.documentation.gallery --from figures
```

and one of them anew by `python3 -m experiments.documentation.gallery NAME`. Lines are predicted, \
markers are measured. {scale}
"""
SCALES = {
    "quick": "This is the quick preset, shrunk to two CPU cores: **the paper-scale panels are not "
    "run yet**. `--preset paper` has the published settings; it is meant for a GPU, and none was "
    "at hand.",
    "paper": "This is the paper preset, with the published settings.",
}
PRECISION = "float32"  # that of `widetheory figure`


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
    entries = (entry(figure, contents[figure.name]) for figure in figures)
    return "\n".join([introduction(*presets), *entries])


def introduction(preset: str) -> str:
    """What stands above the figures."""
    return INTRODUCTION.format(preset=preset, scale=SCALES[preset])


def entry(figure: Figure, content: Record) -> str:
    """One figure of the gallery: its heading, picture, caption, and what can be unfolded."""
    caption, *details = content["caption"].split(f"\n\n{DETAILS}", 1)
    rest = f"{''.join(details)}\n\nSource: {figure.source}. {_machines(content)}".strip()
    return (
        f"## {figure.name}\n\n![{figure.shows}](gallery/{figure.name}.png)\n\n{caption}\n\n"
        f"<details><summary>Details</summary>\n\n{rest}\n\n</details>\n"
    )


def _machines(content: Record) -> str:
    """Where a figure was computed."""
    found = []
    for machine in content["environments"]:
        devices = f"{len(machine['devices'])} × {machine['devices'][0]}"
        found.append(f"{devices}, jax {machine['versions']['jax']}")
    return f"Computed on {'; '.join(dict.fromkeys(found))} in {content['seconds']:.0f} s."


def preset_of(text: str) -> str:
    """The preset that a gallery is of. ValueError for a text that is no gallery."""
    for preset in SCALES:
        if text.startswith(introduction(preset)):
            return preset
    raise ValueError("gallery.md must begin as a gallery does; make it anew by --from DIR")


def updated(text: str, figures: Sequence[Figure], contents: Mapping[str, Record]) -> str:
    """The gallery's text with the entries of some figures made anew.

    Args:
      text: of the gallery.
      figures: all of them, in their order.
      contents: name → what its NAME.json holds, of those to change. One that the gallery does not
        have comes before the first of those that follow it in the order.

    Raises:
      ValueError: for a text that is no gallery, or a figure of another preset than it.
    """
    preset = preset_of(text)
    head, *found = re.split(r"\n(?=## )", text)
    entries = {part.split("\n", 1)[0].removeprefix("## "): part for part in found}
    order = [figure.name for figure in figures]
    for figure in figures:
        content = contents.get(figure.name)
        if content is None:
            continue
        if content["preset"] != preset:
            raise ValueError(f"{figure.name} must be of the preset {preset}, as the gallery is")
        new = entry(figure, content)
        if figure.name in entries:
            entries[figure.name] = new
        else:
            following = set(order[order.index(figure.name) + 1 :])
            place = next((i for i, name in enumerate(entries) if name in following), len(entries))
            items = list(entries.items())
            entries = dict([*items[:place], (figure.name, new), *items[place:]])
    return "\n".join([head, *entries.values()])


def write(directory: pathlib.Path, names: Sequence[str] = (), docs: pathlib.Path = DOCS) -> None:
    """Writes gallery.md and gallery/NAME.png from figures that were made in a directory.

    Args:
      directory: with NAME.json and NAME.png of each.
      names: of the figures to change; none means all of them, and a text made anew.
      docs: where the gallery is.

    Raises:
      ValueError: as `page` and `updated`, or for a figure that is not in the directory.
    """
    figures = list(registry.figures().values())
    chosen = [figure.name for figure in figures if not names or figure.name in names]
    files = {name: directory / f"{name}.json" for name in chosen}
    contents = {name: seals.load(p, MADE, "figure") for name, p in files.items() if p.exists()}
    if names:
        for name in names:
            check_choice("NAME", name, registry.figures())
            if name not in contents:
                raise ValueError(f"{name} must have been made in {directory}, got no {name}.json")
        text = updated((docs / "gallery.md").read_text("utf-8"), figures, contents)
    else:
        text = page(figures, contents)
    (docs / "gallery").mkdir(exist_ok=True)
    for name in contents:
        with Image.open(directory / f"{name}.png") as picture:  # a third of the bytes
            picture.convert("RGB").quantize(256).save(docs / "gallery" / f"{name}.png")
    (docs / "gallery.md").write_text(text, encoding="utf-8")


def remake(names: Sequence[str], docs: pathlib.Path = DOCS) -> None:
    """Makes figures with the gallery's preset, and their pictures and entries of it.

    Raises:
      ValueError: for an unknown figure, one that cannot be made, or a text that is no gallery.
    """
    preset = preset_of((docs / "gallery.md").read_text("utf-8"))
    known = registry.figures()
    for name in names:
        check_choice("NAME", name, known)
    environment.configure(PRECISION)
    canary.check(PRECISION)
    with tempfile.TemporaryDirectory() as temporary:
        out = pathlib.Path(temporary)
        for planned in building.plan_figures(names, preset=preset).figures:
            place = building.begin(planned, out, resume=False)
            if building.make(planned, place, out, with_progress) is None:
                error = next(iter(place.failures().values()))["error"]
                raise ValueError(f"{planned.figure.name} cannot be made: {error}")
        write(out, names, docs)


def main(arguments: Sequence[str]) -> None:
    """The script."""
    parser = argparse.ArgumentParser(prog="python3 -m experiments.documentation.gallery")
    parser.add_argument("names", nargs="*", metavar="NAME", help="figures to make anew")
    parser.add_argument(
        "--from", dest="directory", type=pathlib.Path, metavar="DIR",
        help="take them from where they were made; without NAME all of them",
    )  # fmt: skip
    chosen = parser.parse_args(arguments)
    if chosen.directory is not None:
        write(chosen.directory, chosen.names)
    elif chosen.names:
        remake(chosen.names)
    else:
        raise ValueError("NAME must be a figure, or --from DIR given")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ValueError as error:
        sys.exit(f"gallery: {error}")
