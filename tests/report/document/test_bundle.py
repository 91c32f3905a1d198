"""The archive for others: complete, described as an RO-Crate, and of use where it is opened."""

import datetime
import hashlib
import io
import json
import os
import urllib.parse
import zipfile

import pytest
import store_toys
from report.document import stored

from experiments.command import main
from experiments.report.document import bundle, gathering
from experiments.results.records import load_verdicts

pytestmark = pytest.mark.usefixtures("restore_precision")
DAY = datetime.date(2026, 1, 2)


@pytest.fixture
def directories(tmp_path):
    place = store_toys.begun(tmp_path / "sweep")
    place.write_cell(store_toys.NAME, store_toys.ARRAYS, store_toys.RECORD)
    with place.claim(store_toys.NAME):
        pass
    made = [stored.hostile(tmp_path / "verified"), stored.searched(tmp_path / "searched")]
    (made[0] / "link").symlink_to("/etc/passwd")
    (made[0] / ".hidden").touch()
    os.mkfifo(made[0] / "pipe")
    return [str(one) for one in (*made, tmp_path / "sweep")]


def written(directories):
    file = io.BytesIO()
    bundle.write(file, gathering.gather(directories, "Some results"), directories, DAY)
    return file.getvalue()


def test_every_file_is_there_with_its_checksum(directories):
    data = written(directories)
    assert data == written(directories)
    archive = zipfile.ZipFile(io.BytesIO(data))
    names = archive.namelist()
    assert len(set(names)) == len(names)
    assert {name.rsplit("/", 1)[-1] for name in names} == {
        "report.html", "commands.txt", "verdicts.json", "00-x.npz", "falsified.json", "sweep.json",
        f"{store_toys.NAME}.npz", "ro-crate-metadata.json", "checksums.sha256",
    }  # fmt: skip
    lines = archive.read("checksums.sha256").decode().splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    assert sums.keys() == set(names) - {"checksums.sha256"}
    for name, digest in sums.items():
        assert hashlib.sha256(archive.read(name)).hexdigest() == digest
    assert archive.testzip() is None


def test_what_rocrate_1_1_asks_for(directories):
    archive = zipfile.ZipFile(io.BytesIO(written(directories)))
    crate = json.loads(archive.read("ro-crate-metadata.json"))
    assert crate["@context"] == "https://w3id.org/ro/crate/1.1/context"
    graph = {one["@id"]: one for one in crate["@graph"]}
    assert len(graph) == len(crate["@graph"])
    assert graph["ro-crate-metadata.json"]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert graph["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    root = graph["./"]
    assert (root["@type"], root["name"], root["datePublished"]) == (
        "Dataset", "Some results", "2026-01-02"
    )  # fmt: skip
    parts = {urllib.parse.unquote(one["@id"]) for one in root["hasPart"]}
    assert parts == set(archive.namelist()) - {"ro-crate-metadata.json"}
    for one in graph.values():  # whatever is referred to is described
        for value in one.values():
            for link in value if isinstance(value, list) else [value]:
                if isinstance(link, dict) and link["@id"] != "https://w3id.org/ro/crate/1.1":
                    assert link["@id"] in graph
    actions = [one for one in graph.values() if one["@type"] == "CreateAction"]
    assert len(actions) == 3
    assert all(action["result"] for action in actions)
    commands = archive.read("commands.txt").decode().splitlines()
    assert [action["description"] for action in actions] == commands


FALSE = """
import jax
from theory import Deterministic, Reals, Statement, exceeds

false = Statement(
    id="mine.false",
    sample=lambda key, config: jax.random.normal(key, ()),
    domain={"": Reals(-1.0, 1.0)},
    claim=Deterministic(conclusion=lambda x, config: exceeds(0.25, x)),
)
"""


def test_a_counterexample_is_checked_and_replayed_from_the_archive(tmp_path, capsys):
    mine = tmp_path / "mine.py"
    mine.write_text(FALSE)
    found, verified = str(tmp_path / "found"), str(tmp_path / "verified")
    assert main.main(["falsify", f"{mine}:false", "--evaluations", "8", "--out", found]) == 1
    words = ["verify", f"{mine}:false", "--draws", "8", "--out", verified, "--jobs", "1"]
    assert main.main(words) == 1
    archive = tmp_path / "all.zip"
    assert main.main(["report", found, verified, "--bundle", str(archive)]) == 0
    assert main.main(["report", found, "--bundle", str(archive)]) == 2
    capsys.readouterr()
    assert main.main(["check", str(archive)]) == 0
    held = capsys.readouterr().out.splitlines()
    assert "all files are as checksums.sha256 says" in held[0]
    assert "that this is mine.false is for" in held[-1]
    assert main.main(["replay", str(archive)]) == 2  # whose code is run is said by who asks
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "statement must be named" in told.err
    assert main.main(["replay", str(archive), f"{mine}:false"]) == 0
    assert "program: the same" in capsys.readouterr().out
    assert main.main(["replay", str(archive), "tails.chi-square"]) == 2
    place = tmp_path / "elsewhere"
    zipfile.ZipFile(archive).extractall(place)
    (certificate,) = place.rglob("*.counterexample.json")
    assert main.main(["check", str(certificate)]) == 0
    assert main.main(["replay", str(certificate), f"{mine}:false"]) == 0
    (verdict,) = load_verdicts(place / "results" / "1-verified" / "verdicts.json")
    assert (verdict.id, verdict.verdict) == ("mine.false", "refuted")
    # A report of what the archive holds is that of what it was made of.
    report = gathering.gather([str(place / "results" / "1-verified")], "")
    assert [entry.name for entry in report.entries] == ["mine.false"]


def test_directories_twice_and_reports_of_another_kind(directories, tmp_path, capsys):
    archive = str(tmp_path / "new.zip")
    for words in ([directories[0], f"{directories[0]}/"], [directories[0], "--format", "latex"]):
        assert main.main(["report", *words, "--bundle", archive]) == 2
        assert capsys.readouterr().err.count("\n") == 1
