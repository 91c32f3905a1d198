"""Making figures: cells computed through the store, then table, picture and caption as files."""

import dataclasses
import functools
import json
import pathlib
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import pandas as pd

from experiments.datasets import sources
from experiments.engines.work import Engine, Work
from experiments.figures import captions, memory, registry, saving
from experiments.figures.figure import Cell, Figure
from experiments.files import seals, writing
from experiments.files.strict_json import Json, Record
from experiments.machine import environment
from experiments.results import code_version, store
from experiments.results.cells import (
    Attempt,
    Computed,
    Step,
    attempt,
    collect_missing,
    compute_missing,
)
from experiments.results.records import plain
from experiments.settings.text import configured, written
from theory import Dataset
from theory._validation import check_choice
from theory.keys import make_key
from theory.verification import canary

KINDS = ("csv", "json", "md", *saving.PICTURES)  # of files that are made of a figure


@dataclasses.dataclass(frozen=True)
class Planned:
    """A figure with the settings, data and seed it is to be made with.

    `source` is the data in place of the figure's own: a `Dataset`, or training and test images.
    `reference` is the file or module that holds the figure, "" for one of the registry.
    """

    figure: Figure
    preset: str
    settings: Any
    seed: int
    changed: tuple[str, ...] = ()
    source: Any = None
    reference: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """For other processes, which find the figure by its name, and images by theirs."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        if self.source is not None and not isinstance(self.source, Dataset | str):
            fields["source"] = sources.load_images, self.settings.data
        return _found_again, (fields.pop("figure").name, fields)

    @property
    def key(self) -> jax.Array:
        """The random key: the figure's own for each seed, whatever its settings."""
        return jax.random.fold_in(make_key(self.seed), zlib.crc32(self.figure.name.encode()))

    def manifest(self) -> Record:
        """All that the results depend on, as plain JSON."""
        settings = plain(self.settings)
        own = {self.figure.compute.__module__}
        if self.figure.statement is not None:
            own |= code_version.modules_of(self.figure.statement)
        manifest = {
            "figure": self.figure.name,
            "settings": settings,
            "cells": self.figure.cells(self.settings),
            "seed": self.seed,
            "precision": environment.precision(),
            "generator": environment.generator(),
            "code": code_version.code_version(own),
        }
        if self.source is not None and not isinstance(self.source, str):
            manifest["data"] = {"sha256": sources.digest(self.source)}
        return manifest


def _found_again(name: str, fields: dict[str, Any]) -> Planned:
    if isinstance(source := fields["source"], tuple):
        fields |= {"source": source[0](source[1])}
    return Planned(registry.held(fields["reference"], name), **fields)


class Plan(NamedTuple):
    """What to make, and name → why of figures that cannot be made of the data asked for."""

    figures: list[Planned]
    left_out: dict[str, str]


def plan_figures(
    names: Sequence[str],
    *,
    preset: str = "quick",
    data_name: str | None = None,
    settings: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Plan:
    """The figures that a command asks for.

    Args:
      names: of figures, or "all" alone.
      preset: "quick" or "paper".
      data_name: data in place of each figure's own; of several figures those that cannot be made
        of it are left out.
      settings: NAME → VALUE in text; a figure takes those it has.
      seed: random seed.

    Raises:
      ValueError: for unknown names or data, a setting that none of the figures has or whose value
        is wrong, or data of which none of them can be made.
    """
    settings = dict(settings or {})
    chosen, places = registry.select(names), registry.references_of(names)
    fields = {f.name: {g.name for g in dataclasses.fields(f.settings(preset))} for f in chosen}
    known = set().union(*fields.values()) - {"data"}
    for name in settings:
        if name == "data":
            raise ValueError("data is chosen by --data NAME, not by --set data=…")
        check_choice("--set NAME", name, known)
    planned, left_out = [], {}
    for figure in chosen:
        base = figure.settings(preset)
        changed = tuple(name for name in settings if name in fields[figure.name])
        base = configured(base, None, {name: settings[name] for name in changed})
        source = None
        if data_name is not None:
            try:
                base, source = _with_data(base, data_name)
            except ValueError as error:
                if len(chosen) == 1:
                    raise ValueError(f"{figure.name} on --data {data_name}: {error}") from error
                left_out[figure.name] = str(error)
                continue
            changed = (*changed, "data")
        figure.cells(base)  # settings that do not fit together fail here, before any work
        place = places.get(figure.name, "")
        planned.append(Planned(figure, preset, base, seed, changed, source, place))
    if not planned:
        name, why = next(iter(left_out.items()))
        raise ValueError(f"no figure asked for can be made of {data_name}; {name}: {why}")
    return Plan(planned, left_out)


def _with_data(settings: Any, name: str) -> tuple[Any, Any]:
    """Settings on other data, and these: a law's name, a `Dataset`, or two sets of images."""
    fields = {field.name: field for field in dataclasses.fields(settings)}
    if "data" not in fields:
        raise ValueError("it draws points of its own")
    if Dataset in fields["data"].metadata["accepts"]:
        source = sources.load(name)
        return configured(settings, source, {}), source
    images = sources.load_images(name)
    return dataclasses.replace(settings, data=name), images


def begin(planned: Planned, out: pathlib.Path, *, resume: bool) -> store.Store:
    """The store of a figure's cells, OUT/NAME.cells; see `store.begin`."""
    return store.begin(out / f"{planned.figure.name}.cells", planned.manifest(), resume=resume)


def compute(planned: Planned, place: store.Store, engine: Engine | None = None) -> Iterator[Step]:
    """Computes the cells that are not finished, as `cells.compute_missing` does.

    With an engine as `cells.collect_missing` does.
    """
    figure, settings = planned.figure, planned.settings
    sizes = {place.name(values): figure.cost(settings, values) for values in place.cells()}
    if engine is None:
        return compute_missing(place, lambda cell: _computed(planned, cell), sizes)
    if registry.held(planned.reference, figure.name) is not figure:
        raise ValueError(f"the figure {figure.name} cannot be found by other processes")
    make = functools.partial(_maker, planned, place.manifest)
    results = functools.partial(engine.results, Work.of(make, [planned.reference]))
    return collect_missing(place, results, sizes)


def check_memory(planned: Planned) -> None:
    """ValueError, before anything is written, if there is no memory for some cell on its own."""
    figure, settings = planned.figure, planned.settings
    memory.check_cells(figure, settings, figure.cells(settings), environment.known_memory())


def _computed(planned: Planned, cell: Cell) -> Computed:
    # Here too: in another process or machine, or of cells of another machine gone on with.
    limit = environment.known_memory()
    memory.check_cells(planned.figure, planned.settings, [cell], limit)
    return Computed(planned.figure.compute(planned.settings, cell, planned.key), {})


def _maker(planned: Planned, manifest: Mapping[str, Json]) -> Callable[[Cell], Attempt]:
    """What computes cells in a process of an engine, if it would store the same manifest."""
    canary.check(environment.precision())
    store.check_same(manifest, plain(planned.manifest()))

    def function(cell: Cell) -> Attempt:
        with environment.bounded_memory():
            return attempt(lambda values: _computed(planned, values), cell)

    return function


def make(
    planned: Planned,
    place: store.Store,
    out: pathlib.Path,
    shown: Callable[[Iterator[Step], int, str], Iterator[Step]],
    engine: Engine | None = None,
) -> Record | None:
    """Computes what is missing and writes the files.

    Args:
      planned: the figure.
      place: its store.
      out: the directory.
      shown: from the steps, the number of all cells and the figure's name to the same steps; it may
        show how far they are (`report.progress.with_progress`).
      engine: what computes the cells, None for this process.

    Returns:
      What NAME.json holds; None if cells failed, and then no file is written.
    """
    total = sum(1 for _ in place.cells())
    for _ in shown(compute(planned, place, engine), total, planned.figure.name):
        pass
    jax.clear_caches()
    return None if place.failures() else finish(planned, place, out)


def finish(planned: Planned, place: store.Store, out: pathlib.Path) -> Record:
    """Writes NAME.csv, .json, .md (the caption) and the pictures NAME.png, .svg, .pdf.

    Args:
      planned: the figure.
      place: its store, all cells finished.
      out: the directory.

    Returns:
      What NAME.json holds, but for its digest: figure, settings, seed, environment of the drawing
      process and of the cells, caption, seconds of all cells, and the table's rows.
    """
    figure = planned.figure
    cells = [(cell, place.read(place.name(cell))) for cell in place.cells()]
    table = figure.table(planned.settings, [(cell, stored.arrays) for cell, stored in cells])
    caption = _caption(planned, table)
    machines = {json.dumps(stored.record["environment"]): None for _, stored in cells}
    content = {
        "figure": figure.name,
        "source": figure.source,
        "preset": planned.preset,
        "changed": list(planned.changed),
        "caption": caption,
        "manifest": dict(place.manifest),
        "seconds": sum(stored.record["seconds"] for _, stored in cells),
        "environments": [json.loads(machine) for machine in machines],
        "rows": [plain(row) for row in table.to_dict(orient="records")],
    }
    writing.replace_json(out / f"{figure.name}.json", seals.sealed(content), indent=1)
    csv = table.to_csv(index=False)
    writing.replace(out / f"{figure.name}.csv", lambda file: file.write(csv.encode()))
    page = f"# {figure.name}\n\n{caption}\n"
    writing.replace(out / f"{figure.name}.md", lambda file: file.write(page.encode()))
    saving.save(lambda: figure.draw(planned.settings, table), out, figure.name)
    return content


def _caption(planned: Planned, table: pd.DataFrame) -> str:
    """The figure's own caption, and which settings it was made with."""
    own = captions.shortened(planned.figure.caption(planned.settings, table).strip())
    words = [f"Preset {planned.preset}"]
    if planned.preset == "quick" and planned.figure.statement is None:
        words[0] += ": shrunk from the published settings to run in under two minutes"
    if planned.changed:
        values = {name: getattr(planned.settings, name) for name in planned.changed}
        changes = [f"{name} = {_short(value)}" for name, value in values.items()]
        words.append(f"changed: {', '.join(changes)}")
    return f"{own}\n\n{'; '.join(words)}. Seed {planned.seed}, {environment.precision()}."


def _short(value: object) -> str:
    return value.name if isinstance(value, Dataset) else written(value)
