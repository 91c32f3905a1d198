"""What `verify --out` leaves in a directory, and what it does not touch."""

import json

import pytest

from experiments.command import main
from experiments.results.code_version import code_version, modules_of
from experiments.results.records import load_verdicts
from theory import REGISTRY

pytestmark = pytest.mark.usefixtures("restore_precision")
ID = "orthogonal.multiplier-range"


def verify(capsys, place, *options) -> tuple[int, str, str]:
    status = main.main(["verify", ID, "--draws", "8", "--out", str(place), *options])
    out, err = capsys.readouterr()
    return status, out, err


def test_verdicts_are_not_overwritten_unasked(capsys, tmp_path):
    place = tmp_path / "out"
    assert verify(capsys, place, "--keep-draws")[0] == 0
    before = {path.name: path.read_bytes() for path in place.rglob("*.*")}
    assert len(before) == 2
    (place / "draws" / "07-of-an-earlier-run.npz").touch()
    (place / "draws" / "notes.npz").touch()
    status, out, err = verify(capsys, place)
    assert (status, out) == (2, "")
    assert err == (
        f"widetheory: --out holds verdicts already, {place / 'verdicts.json'}; "
        "--force replaces them\n"
    )
    assert (place / "verdicts.json").read_bytes() == before["verdicts.json"]
    assert verify(capsys, place, "--force", "--seed", "1")[0] == 0
    (verdict,) = json.loads((place / "verdicts.json").read_text())["statements"]
    assert (verdict["seed"], verdict["kept_draws"]) == (1, None)
    assert [path.name for path in (place / "draws").iterdir()] == ["notes.npz"]
    (place / "verdicts.json").unlink()
    assert "holds verdicts already" in verify(capsys, place)[2]


def test_what_is_stored_says_how_it_came_about(capsys, tmp_path):
    assert verify(capsys, tmp_path, "--seed", "4", "--set", "n=6")[0] == 0
    content = json.loads((tmp_path / "verdicts.json").read_text())
    (entry,) = content["statements"]
    assert content["argv"][:4] == ["verify", ID, "--draws", "8"]
    asked = {"preset": "quick", "draws": 8, "until": None, "seed": 4, "settings": ["n=6"]}
    assert content["asked"].items() >= asked.items()
    code = code_version(["theory.verification.verify", *modules_of(REGISTRY[ID])])
    assert entry["code"] == code["sha256"]
    assert entry["says"] == REGISTRY[ID].says
    assert entry["parameters"].keys() == entry["config"].keys()


def test_explain_notices_that_a_digit_was_changed(capsys, tmp_path):
    assert verify(capsys, tmp_path)[0] == 0
    path = tmp_path / "verdicts.json"
    assert load_verdicts(path)[0].draws == 8
    path.write_text(path.read_text().replace('"draws": 8', '"draws": 9'))
    assert main.main(["explain", ID, "--out", str(tmp_path)]) == 2
    assert "its digest is not that of its content" in capsys.readouterr().err
