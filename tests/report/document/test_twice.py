"""A directory that is named twice is not counted twice."""

import pathlib

import pytest

from experiments.command import main


@pytest.mark.usefixtures("restore_precision")
def test_a_directory_given_twice_is_refused(tmp_path, capsys):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "out")
    for twice in (
        [tmp_path / "out"] * 2,
        [tmp_path / "out", link],
        [tmp_path / "out", pathlib.Path(tmp_path, "a", "..", "out")],
    ):
        assert main.main(["report", *map(str, twice)]) == 2
        assert "DIR must be given once, got one of them twice" in capsys.readouterr().err
