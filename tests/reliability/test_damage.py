"""Stored cells with flipped bits, cuts and holes: noticed in one line, or equal to what was stored.

The slow tests flip every bit of a cell, and change files 5,000 times.
"""

import io
import json
import random
import tracemalloc
import zipfile

import numpy as np
import pytest
import store_toys
from numpy.lib import format as npy
from one_line import line_of

from experiments.results import records, store
from experiments.results.store import Store, StoredCell

DRAWS = 500
LARGEST = 2**25  # bytes of memory that reading a file of 12 kB may take
NOTICED = (
    " is damaged: ",
    " belongs to another sweep or cell; move it elsewhere",
    "cannot be read: it has format ",
)


def changed(good: bytes, pick: random.Random) -> bytes:
    """A file with one change of the kinds that discs, cables and careless programs make."""
    at, kind = pick.randrange(len(good)), pick.randrange(12)
    end = at + 1 + pick.randrange(min(512, len(good) - at))
    if kind == 0:
        return good[:at]
    if kind == 1:
        return good[at:]
    if kind == 2:
        return good[:at] + good[end:]
    if kind == 3:
        return good[:at] + bytes(end - at) + good[end:]
    if kind == 4:
        return good[:at] + pick.randbytes(end - at) + good[end:]
    if kind == 5:
        return good + good[at:end]
    return flipped(good, 8 * at + pick.randrange(8))


def flipped(good: bytes, bit: int) -> bytes:
    content = bytearray(good)
    content[bit // 8] ^= 1 << bit % 8
    return bytes(content)


def equal(one: StoredCell, other: StoredCell) -> bool:
    return one.record == other.record and one.arrays.keys() == other.arrays.keys() and all(
        (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        for a, b in ((one.arrays[name], other.arrays[name]) for name in one.arrays)
    )  # fmt: skip


def noticed_in(read) -> str:
    """The line that says so, "" for none."""
    line = line_of(read)
    assert not line or any(words in line for words in NOTICED), line
    return line


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Store:
    """A store with a cell of 12 kB."""
    place = store_toys.begun(tmp_path_factory.mktemp("sweep"))
    draw = np.random.default_rng(0)
    arrays = {name: draw.normal(size=DRAWS) for name in store_toys.ARRAYS if "n/d" not in name}
    arrays["scales"] = np.arange(5.0)
    verdict = store_toys.VERDICT | {"draws": DRAWS}
    place.write_cell(store_toys.NAME, arrays, store_toys.RECORD | {"verdict": verdict})
    return place


def assert_noticed_or_equal(place: Store, contents) -> int:
    """How many changed contents of the cell were noticed."""
    path = place.directory / "cells" / f"{store_toys.NAME}.npz"
    good, stored = path.read_bytes(), place.read(store_toys.NAME)
    noticed = 0
    try:
        for content in contents(good):
            path.write_bytes(content)
            found = []
            line = noticed_in(lambda found=found: found.append(place.read(store_toys.NAME)))
            assert line.startswith(str(path)) if line else equal(found[0], stored)
            noticed += bool(line)
    finally:
        path.write_bytes(good)
    return noticed


@pytest.mark.parametrize(
    "count", [300, pytest.param(5000, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_a_changed_cell_is_noticed_or_equal(place, count):
    pick = random.Random(count)
    tracemalloc.start()
    noticed = assert_noticed_or_equal(
        place, lambda good: (changed(good, pick) for _ in range(count))
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert noticed > count // 2  # the others changed dates, paddings and the like
    assert peak < LARGEST


@pytest.mark.slow
def test_every_single_bit_is_noticed_or_means_nothing(tmp_path):
    place = store_toys.begun(tmp_path)
    place.write_cell(store_toys.NAME, store_toys.ARRAYS, store_toys.RECORD)
    size = (place.directory / "cells" / f"{store_toys.NAME}.npz").stat().st_size
    noticed = assert_noticed_or_equal(
        place, lambda good: (flipped(good, bit) for bit in range(8 * size))
    )
    assert noticed > 4 * size


@pytest.mark.parametrize(
    "count", [100, pytest.param(2000, marks=pytest.mark.slow)], ids=["few", "many"]
)
@pytest.mark.parametrize("part", ["sweep.json", "failed"])
def test_a_changed_manifest_or_failure_is_noticed_or_equal(tmp_path, part, count):
    place = store_toys.begun(tmp_path)
    place.write_failure("m=16,law=uniform", store_toys.FAILED)
    path = place.directory / part
    path = path if part == "sweep.json" else path / "m=16,law=uniform.json"
    good, pick, noticed = path.read_bytes(), random.Random(count), 0
    failures = place.failures()
    for _ in range(count):
        path.write_bytes(changed(good, pick))
        found = []

        def read(found=found):
            found.append(store.open_store(tmp_path))
            found.append(found[0].failures())

        line = noticed_in(read)
        assert line.startswith(str(path)) if line else found[1:] == [failures]
        assert line or found[0].manifest == place.manifest
        noticed += bool(line)
    assert noticed > count // 2


@pytest.mark.parametrize(
    "count", [50, pytest.param(1000, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_changed_verdicts_are_refused_or_are_the_same(tmp_path, count):
    path = tmp_path / "verdicts.json"
    good = json.dumps(store_toys.verified(store_toys.ENTRY)).encode()
    path.write_bytes(good)
    whole, noticed = records.read_verdicts(path), 0
    assert records.load_verdicts(path)[0].id == store_toys.VERDICT["id"]
    pick = random.Random(count)
    for _ in range(count):
        path.write_bytes(changed(good, pick))
        line = line_of(lambda: records.load_verdicts(path))
        if line:
            assert line.startswith((f"{path} must be JSON of `widetheory verify`: ", str(path)))
        else:
            assert records.read_verdicts(path) == whole
        noticed += bool(line)
    assert noticed > count // 2


def _record(change):
    def damage(contents: dict[str, np.ndarray]) -> None:
        record = json.loads(contents["record"].item())
        change(record)
        contents["record"] = np.array(json.dumps(record).encode())

    return damage


REWRITTEN = {
    "a value": lambda c: c.update({"conclusion.value": c["conclusion.value"] + 2.0**-40}),
    "a sign of zero": lambda c: c.update(scales=c["scales"] * -0.0),
    "a type": lambda c: c.update({"conclusion.value": c["conclusion.value"].view(np.int64)}),
    "the order of bytes": lambda c: c.update(allowed=c["allowed"].astype(">f8")),
    "a shape": lambda c: c.update(allowed=c["allowed"][:, None]),
    "a shape of as many": lambda c: c.update(scales=c["scales"].reshape(5, 1)),
    "one array less": lambda c: c.pop("allowed"),
    "one array more": lambda c: c.update(more=c["allowed"]),
    "another name": lambda c: c.update(constant=c.pop("allowed")),
    "two exchanged": lambda c: c.update(
        {"allowed": c["conclusion.value"], "conclusion.value": c["allowed"]}
    ),
    "no record": lambda c: c.pop("record"),
    "a number of the record": _record(lambda record: record.update(seconds=2.5)),
    "a digest of the record": _record(lambda record: record.update(digest="0" * 64)),
    "a shape in the record": _record(lambda r: r["arrays"]["allowed"].update(shape=[10**30])),
    "a later format": _record(lambda record: record.update(format=99)),
}


@pytest.mark.parametrize("name", list(REWRITTEN))
def test_what_another_program_has_changed_is_noticed(place, name):
    """Checksums of the archive are right; the cell's own digests are not."""
    path = place.directory / "cells" / f"{store_toys.NAME}.npz"
    good = path.read_bytes()
    with np.load(path) as archive:
        contents = {array: archive[array] for array in archive.files}
    REWRITTEN[name](contents)
    try:
        with path.open("wb") as file:
            np.savez(file, **contents)
        assert noticed_in(lambda: place.read(store_toys.NAME)).startswith(str(path))
    finally:
        path.write_bytes(good)


def test_memory_is_bounded_by_the_file_and_not_by_what_it_announces(place):
    """An array of 10³⁰ entries, with checksums that are right, by whoever means harm."""
    path = place.directory / "cells" / f"{store_toys.NAME}.npz"
    good, header = path.read_bytes(), io.BytesIO()
    announced = {"descr": "<f8", "fortran_order": False, "shape": (10**30,)}
    npy.write_array_header_1_0(header, announced)
    with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            lies = entry.filename == "allowed.npy"
            new.writestr(entry, header.getvalue() if lies else old.read(entry))
    tracemalloc.start()
    line = noticed_in(lambda: place.read(store_toys.NAME))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    path.write_bytes(good)
    assert "is damaged: not a readable NumPy archive (.npz): an array's header promises" in line
    assert peak < LARGEST
