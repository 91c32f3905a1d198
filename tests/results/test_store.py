"""The directory of a sweep: what is written is read again, whole and unmixed, or refused."""

import argparse
import errno
import importlib.util
import json
import os
import pathlib

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from store_toys import ARRAYS, CELL, FAILED, MANIFEST, NAME, RECORD, VERDICT, begun

from experiments.command import sweep
from experiments.files import reading, seals
from experiments.results import dataset, store, tables


@pytest.fixture
def place(tmp_path):
    return begun(tmp_path / "new" / "sweep")


def files(directory: pathlib.Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*.npz")}


values = npst.arrays(
    st.sampled_from([np.float64, np.float32]), npst.array_shapes(min_dims=1, max_dims=3, max_side=4)
)


@settings(max_examples=20)  # each is flushed to the disk
@given(
    arrays=st.dictionaries(st.text("aσ/. ≥,'", min_size=1, max_size=8), values, max_size=3),
    words=st.text(max_size=20),
    number=st.floats(allow_nan=False, allow_infinity=False),
)
def test_what_is_stored_is_read_again(tmp_path_factory, arrays, words, number):
    figure = {"figure": "toy", "cells": [CELL], "seed": 0, "code": {}}  # with arrays of any kind
    place = store.begin(tmp_path_factory.mktemp("figure"), figure, resume=False)
    record = RECORD | {"words": words, "number": number, "nothing": None}
    place.write_cell(NAME, {f"measured.{name}": a for name, a in arrays.items()}, record)
    found = store.open_store(place.directory).read(NAME)
    assert {key: found.record[key] for key in record} == record
    assert found.arrays.keys() == {f"measured.{name}" for name in arrays}
    for name, array in arrays.items():
        assert found.arrays[f"measured.{name}"].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[f"measured.{name}"], array)


def test_a_cell_appears_whole_or_not_at_all(place, monkeypatch):
    place.write_cell(NAME, ARRAYS, RECORD)
    before = files(place.directory)

    def full(file, **arrays):
        assert not place.is_finished("m=16,law=normal")  # as a kill would find it
        file.write(b"PK half of a file")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    message = r"cannot be written \(No space left on device\); the finished cells, 1, are safe: .*"
    with pytest.raises(store.StorageError, match=message + "go on with --resume"):
        place.write_cell("m=16,law=normal", ARRAYS, RECORD)
    assert files(place.directory) == before
    assert place.finished() == {NAME}
    assert not list((place.directory / "cells").glob(".*"))  # nor is the half left behind


def test_a_failure_is_recorded_until_the_cell_is_finished(place):
    place.write_failure(NAME, {"cell": CELL, "error": "ValueError: no"})
    assert place.failures().keys() == {NAME}
    assert place.failures()[NAME].items() >= {"cell": CELL, "error": "ValueError: no"}.items()
    assert place.failure(NAME) == place.failures()[NAME]
    assert place.finished() == set()
    place.write_cell(NAME, ARRAYS, RECORD)
    assert place.failures() == {}
    assert place.failure(NAME) is None


def test_a_cell_is_claimed_once_and_free_again_afterwards(place):
    other = store.open_store(place.directory)
    with place.claim(NAME) as mine:
        assert mine
        with other.claim(NAME) as theirs:
            assert not theirs
        with other.claim("m=16,law=normal") as another:
            assert another
    with other.claim(NAME) as theirs:
        assert theirs


# --- nothing is mixed in --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"draws": 4}, "draws: 3 → 4"),
        ({"seed": 1, "level": 0.1}, "seed: 0 → 1; level: 0.01 → 0.1"),
        ({"config": {"n": 8, "slope": 0.25}}, "config.slope: 0.5 → 0.25"),
        ({"config": {"n": 8}}, "config.slope: 0.5 → none"),
        ({"code": {"sha256": "bb", "jax": "0.10.2"}}, "code.sha256: aa → bb"),
        ({"code": {"sha256": "aa", "jax": "0.11.0"}}, "code.jax: 0.10.2 → 0.11.0"),
        (
            {"grid": MANIFEST["grid"] | {"m": MANIFEST["grid"]["m"] | {"values": [8, 16, 32]}}},
            r"grid.m.values: \[8, 16\] → \[8, 16, 32\]",
        ),
        ({"grid": {"m": MANIFEST["grid"]["m"]}}, "grid.law: .* → none"),
        (
            {"draws": 4, "seed": 4, "level": 0.5, "precision": "float32", "kind": "x"},
            "; .*; .*; .*; 1 more$",
        ),
    ],
)
def test_another_sweep_is_refused_with_what_differs(place, changes, message):
    with pytest.raises(ValueError, match=f"holds another sweep, use another --out; .*{message}"):
        store.begin(place.directory, MANIFEST | changes, resume=True)


def test_a_sweep_is_gone_on_with_only_by_resume(place):
    with pytest.raises(ValueError, match="holds a sweep already; go on with it by --resume"):
        store.begin(place.directory, MANIFEST, resume=False)
    assert store.begin(place.directory, MANIFEST, resume=True).manifest == place.manifest


def test_a_directory_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("…")
    with pytest.raises(ValueError, match="--out must be an empty directory or that of a sweep"):
        begun(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ValueError, match=r"holds no sweep: there is no sweep\.json"):
        dataset.open_sweep(tmp_path)
    with pytest.raises(store.StorageError, match=r"--out /dev/null/x cannot be written \(Not a di"):
        begun(pathlib.Path("/dev/null/x"))


def truncated(path):
    path.write_bytes(path.read_bytes()[:-40])


def flipped(path):
    content = bytearray(path.read_bytes())
    at = content.index(np.float64(-0.5).tobytes())  # in the middle of the conclusion
    content[at] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "damage",
    [
        truncated,
        flipped,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("no archive"),
        lambda path: np.savez(path, x=np.ones(3)),
        lambda path: np.savez(path, record=np.array("{")),
        lambda path: path.write_bytes(b"\x93NUMPY"),
    ],
    ids=["truncated", "flipped", "empty", "text", "other archive", "no JSON", "other array"],
)
def test_a_damaged_cell_is_named(place, damage):
    place.write_cell(NAME, ARRAYS, RECORD)
    damage(place.directory / "cells" / f"{NAME}.npz")
    message = f"{NAME}.npz is damaged: .*; remove it to have the cell computed again with --resume"
    with pytest.raises(ValueError, match=message):
        place.read(NAME)
    with pytest.raises(ValueError, match=message):
        dataset.open_sweep(place.directory)


def test_cells_of_other_sweeps_and_places_are_named(place, tmp_path):
    other = begun(tmp_path / "other", seed=1)
    other.write_cell(NAME, ARRAYS, RECORD)
    (source,) = (other.directory / "cells").glob("*.npz")
    cells = place.directory / "cells"
    (cells / f"{NAME}.npz").write_bytes(source.read_bytes())
    with pytest.raises(ValueError, match="belongs to another sweep or cell; move it elsewhere"):
        place.read(NAME)
    place.write_cell(NAME, ARRAYS, RECORD)
    (cells / "m=16,law=normal.npz").write_bytes((cells / f"{NAME}.npz").read_bytes())
    with pytest.raises(ValueError, match="belongs to another sweep or cell; move it elsewhere"):
        place.read("m=16,law=normal")
    (cells / "m=99,law=normal.npz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"m=99,law=normal.npz is no cell of this sweep; move"):
        place.finished()


def test_a_damaged_or_future_manifest_is_named(place):
    path = place.directory / "sweep.json"
    good = path.read_text()
    future = seals.sealed(json.loads(good)) | {"format": seals.FORMAT + 1}
    path.write_text(json.dumps(future))
    with pytest.raises(reading.Unreadable, match=r"sweep.json cannot be read: it has format 3"):
        store.open_store(place.directory)
    path.write_text(good[:50])
    with pytest.raises(ValueError, match=r"sweep.json is damaged: it is no JSON: .*; remove it"):
        store.open_store(place.directory)


def test_a_manifest_that_was_removed_is_written_anew(place):
    place.write_cell(NAME, ARRAYS, RECORD)
    tables.write(place)
    (place.directory / "sweep.json").unlink()
    again = begun(place.directory)
    assert store.open_store(place.directory).manifest == again.manifest == place.manifest
    assert again.read(NAME).record["verdict"] == VERDICT


# --- results --------------------------------------------------------------------------------------


def test_results_are_labelled_with_holes_where_nothing_is(place):
    place.write_cell(NAME, ARRAYS, RECORD)
    place.write_failure("m=16,law=uniform", FAILED)
    data = dataset.open_sweep(place.directory)
    assert (data.m.attrs["units"], data.m.attrs["long_name"]) == ("neurons", "width")
    assert data.m.values.tolist() == [8, 16]
    done, failed, open_ = (
        data.sel(m=8, law="normal"), data.sel(m=16, law="uniform"), data.sel(m=8, law="uniform"),
    )  # fmt: skip
    assert [str(cell.status.item()) for cell in (done, failed, open_)] == ["finished", "failed", ""]
    assert failed.error.item() == "ValueError: no"
    assert (done.verdict.item(), failed.verdict.item()) == ("consistent", "")
    assert done.outcomes.sel(outcome="miss") == 1
    assert done.failure_rate == 1 / 3
    assert np.isnan(open_.failure_rate)
    assert data.conclusion_value.dims == ("m", "law", "draw")
    assert data.conclusion_value.attrs["units"] == "σ"
    np.testing.assert_array_equal(done.conclusion_value, ARRAYS["conclusion.value"])
    assert np.isnan(failed.conclusion_value).all()
    condition = done.sel(hypothesis="n/d ≥ 1.5")
    assert (condition.hypothesis_unit, condition.hypothesis_met) == ("1", 3)
    np.testing.assert_array_equal(done.sel(hypothesis="wide").hypothesis_value, [4.0, 5.0, 6.0])
    np.testing.assert_array_equal(condition.hypothesis_value, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(condition.hypothesis_error, [0.1, 0.1, np.nan])
    assert json.loads(data.attrs["manifest"]) == place.manifest
    few = dataset.open_sweep(place.directory, draws=False)
    assert "draw" not in few.dims
    xr.testing.assert_identical(few.verdict, data.verdict)


def test_a_sweep_with_nothing_finished_opens_too(place):
    data = dataset.open_sweep(place.directory)
    assert (data.status == "").all()
    assert data.sizes == {"m": 2, "law": 2}


def test_the_table_has_a_row_per_finished_cell(place):
    place.write_cell(NAME, ARRAYS, RECORD)
    assert tables.write(place)
    wanted = CELL | {
        "verdict": "consistent", "miss": 1, "failure_rate_high": 0.9, "tightest_margin": 0.25,
        "met n/d ≥ 1.5": 3, "seconds": 1.5, "memory_bytes": 1024,
    }  # fmt: skip
    for read in (pd.read_parquet, pd.read_csv):
        kind = "csv" if read is pd.read_csv else "parquet"
        (row,) = read(place.directory / f"cells.{kind}").to_dict("records")
        assert {name: row[name] for name in wanted} == wanted


def test_the_table_says_all_that_a_reader_with_pandas_alone_needs(place):
    verdict = json.loads(json.dumps(VERDICT))
    verdict["hypotheses"]["n/d ≥ 1.5"]["ratio"] = [1.5, 2.5, 3.5]
    described = {"n": {"unit": "points", "says": "how many"}}
    place.write_cell(
        NAME,
        ARRAYS,
        RECORD
        | {"verdict": verdict, "parameters": described}
        | {"environment": {"versions": {"jax": "9.9", "widetheory": "0.1"}}},
    )
    place.write_failure("m=16,law=uniform", FAILED)
    tables.write(place)
    about = json.loads((place.directory / "cells.json").read_text())
    assert about["sweep"] == place.manifest
    columns = about["columns"]
    assert columns["n"] == {"says": "how many", "kind": "integer", "unit": "points"}
    assert columns["m"]["unit"] == "neurons"
    assert columns["margin wide"]["unit"] == "σ"
    schema = pyarrow.parquet.read_schema(place.directory / "cells.parquet")
    assert schema.field("n").metadata == {b"says": b"how many", b"unit": b"points"}
    assert json.loads(schema.metadata[b"widetheory"]) == about
    for read in (pd.read_parquet, pd.read_csv):
        kind = "csv" if read is pd.read_csv else "parquet"
        table = read(place.directory / f"cells.{kind}")
        assert list(table) == list(columns)  # every column is described
        done, lost = table.to_dict("records")
        assert (done["status"], lost["status"]) == ("finished", "failed")
        assert lost["error"] == "ValueError: no"
        for row in (done, lost):
            assert (row["statement"], row["seed"], row["n"], row["slope"]) == ("toy.x", 0, 8, 0.5)
        assert (lost["m"], lost["law"]) == (16, "uniform")
        assert (done["level"], done["version jax"]) == (0.01, "9.9" if kind == "parquet" else 9.9)
        names = [f"ratio {end} n/d ≥ 1.5" for end in ("smallest", "median", "largest")]
        assert [done[name] for name in names] == [1.5, 2.5, 3.5]


def test_tables_of_several_sweeps_have_the_same_types_whatever_they_hold(tmp_path):
    """A column in which one sweep has nothing is no reason for another type."""
    first, second = begun(tmp_path / "first"), begun(tmp_path / "second", seed=1)
    bare = VERDICT | {"failure_rate": None, "tightest_margin": None}
    first.write_cell(NAME, ARRAYS, RECORD | {"verdict": bare, "memory": None})
    second.write_cell(NAME, ARRAYS, RECORD | {"verdict": VERDICT | {"tightness": 2.5}})
    for one in (first, second):
        tables.write(one)
    schemas = [
        pyarrow.parquet.read_schema(one.directory / "cells.parquet") for one in (first, second)
    ]
    assert dict(zip(schemas[0].names, schemas[0].types, strict=True)) == dict(
        zip(schemas[1].names, schemas[1].types, strict=True)
    )
    assert not any(pyarrow.types.is_null(kind) for kind in schemas[0].types)
    both = pd.concat([pd.read_parquet(one.directory / "cells.parquet") for one in (first, second)])
    assert both["failure_rate_observed"].dtype == both["tightness"].dtype == np.float64
    assert both["seed"].tolist() == [0, 1]


def test_a_parameter_named_like_a_column_hides_nothing(tmp_path):
    grid = {"level": {"values": [3, 4], "unit": "m", "says": "of the sea"}}
    one = begun(tmp_path / "named", grid=grid)
    record = RECORD | {"cell": {"level": 3}}
    one.write_cell("level=3", ARRAYS, record)
    table = tables.columns(one)
    assert (table["level"], table["parameter level"]) == ([0.01], [3])


def test_without_pyarrow_a_line_stands_for_the_second_table(place, capsys, monkeypatch):
    place.write_cell(NAME, ARRAYS, RECORD)
    place.write_table(tables.PARQUET, lambda file: file.write(b"of fewer cells"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    export = argparse.Namespace(json=True, command="sweep", argv=["sweep", "--export"])
    assert sweep._reported(place, export) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)["cells"]) == 1
    assert err == (
        "widetheory: cells.parquet is left out: PyArrow (extra parquet) is not installed\n"
    )
    assert {p.name for p in place.directory.glob("cells.*")} == {"cells.csv", "cells.json"}
