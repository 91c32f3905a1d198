"""What `verify --out DIR --keep-draws` has stored, as pictures need it."""

import pathlib
from collections.abc import Iterator

import numpy as np

from experiments.files.strict_json import Record
from experiments.plots.subjects import Drawn, settings_words
from experiments.results import draws
from experiments.results.draws import Draws, KeptMargin
from experiments.results.names import margins_by_name
from experiments.results.records import read_verdicts, verdict_of

STORED = "verdicts.json"


def is_verified(directory: str) -> bool:
    """Whether a directory holds verdicts of `verify`."""
    return (pathlib.Path(directory) / STORED).exists()


def drawn(directory: str) -> Iterator[Drawn]:
    """All statements of a directory, one after the other.

    Raises:
      ValueError: at once, where the draws of one were not kept, or are not those of its verdict.
    """
    content = read_verdicts(pathlib.Path(directory) / STORED)
    entries = content["statements"]
    without = [entry["id"] for entry in entries if entry["kept_draws"] is None]
    if without or not entries:
        what = f"those of {without[0]}" if without else "any"
        raise ValueError(
            f"{directory} must hold the draws behind its verdicts, and does not hold {what}: they "
            "are kept by verify --keep-draws"
        )
    precision = content["environment"]["precision"]
    for entry in entries:  # looked at, and not all held at once
        _opened(directory, entry)
    return (_drawn(directory, entry, precision) for entry in entries)


def _opened(directory: str, entry: Record) -> Draws:
    kept = entry["kept_draws"]
    return draws.load_draws(pathlib.Path(directory) / kept["file"], kept["sha256"])


def _drawn(directory: str, entry: Record, precision: str) -> Drawn:
    found = _opened(directory, entry)
    title = f"{entry['id']} ({entry['case']})" if entry["case"] else entry["id"]
    settings = settings_words(entry["config"] or {}, entry["seed"], precision)
    verdict = verdict_of({"verdict": entry})
    return Drawn(title, entry["title"], settings, verdict, arrays_of(found))


def arrays_of(found: Draws) -> dict[str, np.ndarray]:
    """Name → array over draws, as a sweep's cell has them."""
    margins = margins_by_name(found)
    arrays = {f"{n}.{part}": a for n, m in margins.items() for part, a in _parts(m).items()}
    names = ("allowed", "quantity", "constant", "scales", "cdf")
    whole = {name: getattr(found, name) for name in names}
    return arrays | {name: array for name, array in whole.items() if array is not None}


def _parts(margin: KeptMargin) -> dict[str, np.ndarray]:
    ratio = np.full_like(margin.value, np.nan) if margin.ratio is None else margin.ratio
    return {"value": margin.value, "error": margin.error, "ratio": ratio}
