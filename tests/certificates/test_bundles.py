"""Certificates straight from a bundle: what it holds, and what is refused of a hostile one."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile

import pytest
from certificates.test_check import BLOCKED, ROOT, original, resealed

from experiments.certificates import bundles, exact, making
from experiments.command.main import main

PLACE = "results/0-found/"


def packed(path, files, sums=None, method=zipfile.ZIP_DEFLATED):
    """A bundle of some files, name → bytes, with the checksums of others if they are given."""
    lines = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in (sums or files).items()
    )
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in {**files, bundles.CHECKSUMS: lines.encode()}.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def files(tmp_path):
    """Two certificates, one of a kind that is about no statement, and a file that is none."""
    found = {"report.html": b"<p>"}
    for name in ("counts", "separator"):
        making.write(original(name), tmp_path / "one.json")
        found[f"{PLACE}{name}.json"] = (tmp_path / "one.json").read_bytes()
    return found


def told(capsys, *words):
    status = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return status, out, err


def test_every_certificate_is_checked_without_jax_and_without_unpacking(files, tmp_path):
    place = tmp_path / "alone"
    place.mkdir()
    packed(place / "all.zip", files)
    run = [sys.executable, "-c", BLOCKED, str(place / "all.zip")]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    first, *lines = done.stdout.splitlines()
    assert first.endswith("all.zip: all files are as checksums.sha256 says, 3")
    for name in ("counts", "separator"):
        assert any(f"all.zip: {PLACE}{name}.json: " in line for line in lines)
    assert [one.name for one in place.iterdir()] == ["all.zip"]


def test_a_false_one_is_told_and_the_others_are_checked(files, tmp_path, capsys):
    content = json.loads(files[f"{PLACE}counts.json"])
    content["failures"] += 1
    files[f"{PLACE}counts.json"] = json.dumps(resealed(content)).encode()
    status, out, err = told(capsys, "check", packed(tmp_path / "all.zip", files))
    assert status == 1
    assert f"{PLACE}counts.json: does not hold: " in err
    assert err.count("\n") == 1
    assert f"{PLACE}separator.json: " in out


def test_replay_of_all_and_of_a_bundle_without_any(files, tmp_path, capsys):
    status, out, err = told(capsys, "replay", packed(tmp_path / "all.zip", files))
    assert (status, err) == (0, "")
    assert f"{PLACE}separator.json: separates with a margin" in out
    none = packed(tmp_path / "none.zip", {"report.html": b"<p>"})
    assert told(capsys, "replay", none)[0] == 2
    status, out, _ = told(capsys, "check", none)
    assert (status, out.count("none of them a certificate")) == (0, 1)


def changed(files):
    name = f"{PLACE}counts.json"
    return {**files, name: files[name] + b" "}


DAMAGED = {
    "another file": (lambda files: (changed(files), files), "counts.json is not what checksums"),
    "one more": (lambda files: ({**files, "x\x1b[2J": b""}, files), r"does not name x\x1b[2J"),
    "one missing": (lambda files: (files, {**files, "gone": b""}), "gone is missing"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_what_the_checksums_do_not_say_is_refused(what, files, tmp_path, capsys):
    change, message = DAMAGED[what]
    path = packed(tmp_path / "all.zip", *change(files))
    for verb, status in (("check", 1), ("replay", 2)):
        assert (found := told(capsys, verb, path))[:2] == (status, "")
        assert message in found[2]
        assert found[2].count("\n") == 1
        assert found[2].strip().isprintable()


def encrypted(data):
    """With the flag of encryption in every entry of the directory."""
    parts = data.split(b"PK\x01\x02")
    return b"PK\x01\x02".join([parts[0], *(p[:4] + b"\x01\x00" + p[6:] for p in parts[1:])])


def bomb():
    """300 MB of zeros in 300 kB."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"{PLACE}a.json", "w") as member,
    ):
        for _ in range(300):
            member.write(bytes(10**6))
    return file.getvalue()


def test_hostile_archives_are_one_line(files, tmp_path, capsys):
    path = packed(tmp_path / "all.zip", files)
    good = path.read_bytes()
    bare = io.BytesIO()
    with zipfile.ZipFile(bare, "w") as archive:
        archive.writestr("a.json", "{}")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("report.html", b"<p>")
    hostile = {
        "is encrypted": encrypted(good),
        "far more than results would": bomb(),
        "holds no checksums.sha256": bare.getvalue(),
        "stands twice": path.read_bytes(),
        "BadZipFile": good[: len(good) // 2],
        "must be stored or deflated": packed(
            tmp_path / "lzma.zip", files, method=zipfile.ZIP_LZMA
        ).read_bytes(),
    }
    for message, data in hostile.items():
        path.write_bytes(data)
        for verb in ("check", "replay"):
            status, out, err = told(capsys, verb, path)
            assert (status, out, err.count("\n")) == (2, "", 1), message
            assert message in err


def test_what_is_too_long_for_a_certificate_is_none(tmp_path, monkeypatch):
    found = packed(tmp_path / "all.zip", {"long.json": bundles.MARK + bytes(99)})
    assert len(bundles.read(str(found)).certificates) == 1
    monkeypatch.setattr(bundles, "LARGEST", 99)
    assert not bundles.read(str(found)).certificates
    monkeypatch.setattr(bundles, "LARGEST", 2**26)
    monkeypatch.setattr(bundles, "MOST_KEPT", 99)
    with pytest.raises(ValueError, match="more than 99 bytes of certificates"):
        bundles.read(str(found))


def test_every_changed_byte_is_noticed_or_of_no_consequence(files, tmp_path):
    """Whatever is read of a changed bundle is what was written."""
    path = packed(tmp_path / "all.zip", files, method=zipfile.ZIP_STORED)
    good = path.read_bytes()
    right = bundles.read(str(path))
    lines = []
    for place in range(0, len(good), 7):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x41]) + good[place + 1 :])
        try:
            assert bundles.read(str(path)) == right
        except (ValueError, exact.Refused) as error:
            lines.append(str(error))
    assert len(lines) > len(good) // 14
    assert all(line.isprintable() for line in lines)


def test_names_in_capitals_are_certificates_too(files, tmp_path, capsys):
    """Else a false one would be passed over by calling it otherwise."""
    content = json.loads(files.pop(f"{PLACE}counts.json"))
    content["failures"] += 1
    files[f"{PLACE}counts.JSON"] = json.dumps(resealed(content)).encode()
    status, _, err = told(capsys, "check", packed(tmp_path / "all.zip", files))
    assert status == 1
    assert f"{PLACE}counts.JSON: does not hold: " in err


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_checksums_with_the_lines_of_windows_are_read(end, files, tmp_path, capsys):
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}{end}" for name, data in files.items()]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, data in {**files, bundles.CHECKSUMS: "".join(lines).encode()}.items():
            archive.writestr(name, data)
    assert told(capsys, "check", tmp_path / "all.zip")[::2] == (0, "")


@pytest.mark.parametrize("verb", ["check", "replay"])
def test_nobody_waits_for_a_pipe(verb, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.json")
    status, out, err = told(capsys, verb, tmp_path / "pipe.json")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "it is no regular file" in err


def test_a_pipe_is_no_bundle(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert not bundles.is_bundle(str(tmp_path / "pipe"))
    assert not bundles.is_bundle("a\0b")
