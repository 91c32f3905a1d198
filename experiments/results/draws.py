"""What was measured in each draw of a statement, as a file beside its verdict.

`verify --keep-draws` writes DIR/draws/NN-ID.npz for result NN: arrays of NumPy, over the draws but
for `scales`, without pickles.

    hypothesis/NAME/value, …/error, …/ratio    margins of the conditions that are needed
    measured/NAME/value, …                     of those that are reported beside them
    conclusion/value, …                        of what is claimed of each draw
    outcome                                    what each draw shows: a place in `contents.OUTCOMES`
    allowed                                    the failure probability that each draw allows
    quantity, quantity_error, scales           what is claimed as a whole, its numerical error, and
                                               the sizes at which it was measured
    cdf                                        the claimed distribution function of the quantity
    constant                                   the largest constant with which hypotheses hold

Ratios are left out where no draw has one, everything else where the statement has no such thing.
"""

import dataclasses
import hashlib
import io
import os
import pathlib
import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from experiments.files import archives, reading, writing
from experiments.files.reading import Malformed
from experiments.files.strict_json import Record
from experiments.results.contents import OUTCOMES
from experiments.results.names import margins_by_name
from theory import Statement
from theory.margins import Margin
from theory.verification.kinds import Law, Scaled
from theory.verification.outcomes import outcome
from theory.verification.verdict import Evidence

FOLDER = "draws"
OURS = re.compile(r"\d{2,}-[A-Za-z0-9._-]*\.npz")  # names of `file_name`
LONGEST_NAME = 120  # characters of an identifier and a case, in the name of a file
WHOLE = ("outcome", "allowed", "quantity", "quantity_error", "constant", "scales", "cdf")


@dataclasses.dataclass(frozen=True)
class KeptMargin:
    """Margins of one condition over the draws, (draws,) each; `ratio` is None without any."""

    value: np.ndarray
    error: np.ndarray
    ratio: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Draws:
    """What was measured in each draw of a statement, see the module; None where there is none.

    Attributes:
      count: how many draws there are.
      hypotheses, measured: name → `KeptMargin`.
      conclusion: of what is claimed of each draw.
      outcome: (draws,) places in `contents.OUTCOMES`.
      allowed, constant: (draws,).
      quantity, quantity_error: (draws, …).
      scales: (scales,).
      cdf: (draws, …) F of the quantity, of a claimed law.
    """

    count: int
    hypotheses: Mapping[str, KeptMargin]
    measured: Mapping[str, KeptMargin]
    conclusion: KeptMargin | None = None
    outcome: np.ndarray | None = None
    allowed: np.ndarray | None = None
    quantity: np.ndarray | None = None
    quantity_error: np.ndarray | None = None
    constant: np.ndarray | None = None
    scales: np.ndarray | None = None
    cdf: np.ndarray | None = None


def arrays_of(statement: Statement, config: Any, evidence: Evidence) -> dict[str, np.ndarray]:
    """Name → array, as they are stored, of what `theory.verification.evaluate` found."""
    margins = margins_by_name(evidence, "/")
    found: dict[str, Any] = {}
    if evidence.conclusion is not None:
        found["outcome"] = outcome(evidence.hypotheses.values(), evidence.conclusion)
    for name in ("allowed", "quantity", "constant"):
        found[name] = getattr(evidence, name)
    if evidence.quantity is not None and evidence.quantity_error is not None:
        shape = np.shape(evidence.quantity)
        found["quantity_error"] = np.broadcast_to(evidence.quantity_error, shape)
    if isinstance(statement.claim, Scaled):
        found["scales"] = np.asarray(statement.claim.scales(config), float)
    if isinstance(statement.claim, Law) and evidence.quantity is not None:
        found["cdf"] = statement.claim.at(np.asarray(evidence.quantity), config)
    arrays = {name: np.asarray(array) for name, array in found.items() if array is not None}
    given = [margin.value for margin in margins.values()]
    given += [array for name, array in arrays.items() if name != "scales"]
    count = max(len(array) for array in map(np.atleast_1d, given))
    for name in ("outcome", "allowed", "constant"):
        if name in arrays:
            arrays[name] = np.broadcast_to(arrays[name], count)
    parts = {_text(name): _parts(margin, count) for name, margin in margins.items()}
    return {f"{n}/{p}": array for n, part in parts.items() for p, array in part.items()} | arrays


def _parts(margin: Margin, count: int) -> dict[str, np.ndarray]:
    names = ("value", "error") if np.isnan(margin.ratio).all() else ("value", "error", "ratio")
    return {name: np.broadcast_to(getattr(margin, name), count) for name in names}


def _text(name: str) -> str:
    """A condition's name as an archive takes it: it may hold what is no text."""
    return name.encode(errors="backslashreplace").decode().replace("\0", r"\x00")


def file_name(number: int, total: int, id: str, case: str) -> str:
    """The name of the file of a result, of so many, in the directory of the verdicts."""
    words = re.sub(r"[^A-Za-z0-9._]+", "-", f"{id}-{case}").strip("-.")[:LONGEST_NAME]
    return f"{FOLDER}/{number:0{max(2, len(str(total - 1)))}d}-{words}.npz"


def write(directory: pathlib.Path, name: str, arrays: Mapping[str, np.ndarray]) -> Record:
    """Writes the file of a result; OSError if it cannot be written.

    Returns:
      What verdicts.json says of it: its name, its SHA-256, and what the codes in `outcome` mean.
    """
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **dict(arrays))
    (directory / name).parent.mkdir(exist_ok=True)
    writing.replace(directory / name, lambda file: file.write(content.getbuffer()))
    sha256 = hashlib.sha256(content.getbuffer()).hexdigest()
    return {
        "file": name,
        "sha256": sha256,
        "outcomes": list(OUTCOMES) if "outcome" in arrays else [],
    }


def remove_others(directory: pathlib.Path, names: Collection[str]) -> None:
    """Removes files of this kind that no verdict names, which an earlier run may have left."""
    for path in (directory / FOLDER).glob("*.npz"):
        if OURS.fullmatch(path.name) and f"{FOLDER}/{path.name}" not in names:
            path.unlink(missing_ok=True)


def load_draws(path: str | os.PathLike[str], sha256: str | None = None) -> Draws:
    """What `widetheory verify --keep-draws` has stored of a result.

    Args:
      path: the file.
      sha256: the digest that verdicts.json states for it; None looks at its checksums alone.

    Raises:
      Unreadable: for a file that the system does not give.
      ValueError: for one that is no such file, is damaged, or is not the one of this digest.
    """
    try:
        if sha256 is not None and _digest(path) != sha256:
            raise Malformed("it is not the one that verdicts.json was written with")
        with archives.opened(path, packed=True) as archive:
            return kept({name: archive.read(name) for name in archive.entries})
    except Malformed as error:
        raise ValueError(f"{path} must hold draws of `widetheory verify`: {error}") from error


def _digest(path: str | os.PathLike[str]) -> str:
    digest = hashlib.sha256()
    with reading.opened(path) as stream:
        while chunk := stream.read(archives.CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def kept(arrays: Mapping[str, np.ndarray]) -> Draws:
    """The arrays by what they are; Malformed for others."""
    margins: dict[str, dict[str, dict[str, np.ndarray]]] = {"hypothesis": {}, "measured": {}}
    conclusion: dict[str, np.ndarray] = {}
    whole: dict[str, np.ndarray] = {}
    for entry, array in arrays.items():
        role, _, rest = entry.partition("/")
        name, _, part = rest.rpartition("/")
        if entry in WHOLE:
            whole[entry] = array
        elif role == "conclusion":
            conclusion[rest] = array
        elif role in margins:
            margins[role].setdefault(name, {})[part] = array
        else:
            raise Malformed(f"the array {entry!r} is none that is known")
    counts = {array.shape[:1] for name, array in arrays.items() if name != "scales"}
    if len(counts) != 1 or counts == {()}:
        raise Malformed("its arrays must be over the same draws")
    kept = [{name: _margin(parts) for name, parts in group.items()} for group in margins.values()]
    of_conclusion = _margin(conclusion) if conclusion else None
    return Draws(counts.pop()[0], kept[0], kept[1], of_conclusion, **whole)


def _margin(parts: Mapping[str, np.ndarray]) -> KeptMargin:
    if not {"value", "error"} <= parts.keys() <= {"value", "error", "ratio"}:
        raise Malformed(f"a margin must have value and error, has {', '.join(sorted(parts))}")
    if any(array.ndim != 1 for array in parts.values()):
        raise Malformed("a margin must be one number for each draw")
    return KeptMargin(**parts)
