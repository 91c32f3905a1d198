"""Every option of every subcommand with wrong values: one line that names the option, status 2."""

import argparse

import pytest

from experiments.bench import jobs
from experiments.command import explain, falsify, frontier, main, verbs
from experiments.figures import building
from experiments.learning import cost, pairs
from experiments.machine import devices
from experiments.plots import drawing
from experiments.report.document import gathering
from experiments.sweep import planning
from experiments.verify import running
from theory.verification import canary

pytestmark = pytest.mark.usefixtures("restore_precision")

SMALL = ["--n", "5", "--d", "3", "--queries", "2"]
BASE = {
    "verify": ["lazy.movement"],
    "sweep": ["lazy.movement", "--grid", "m=8", "--out", "sweep"],
    "explain": ["lazy.movement"],
    "falsify": ["lazy.movement"],
    "frontier": ["lazy.movement", "--in", "m"],
    "figure": ["lazy-cosine", "--out", "sweep"],
    "plot": ["lazy.movement", "--out", "sweep"],
    "bench": ["width"],
    "report": ["results"],
    "predict": SMALL,
    "train": SMALL,
}
VALUES = ("0", "-1", "nan", "inf", "1e30", "1" + 30 * "0", "many", "", "0.5")
WORK = [
    (explain, "explain"),
    (falsify, "falsify"),
    (frontier, "frontier"),
    (pairs, "steps"),
    (running, "execute"),
    (planning, "run"),
    (building, "make"),
    (gathering, "gather"),
    (drawing, "drawn"),
    (jobs, "execute"),
    (devices, "_initialize"),
]


class Accepted(KeyboardInterrupt):  # all else the command tells in a line
    """The work would begin now."""


def options() -> list[tuple[str, str]]:
    """Every subcommand with each of its options that takes a value."""
    (subs,) = (a for a in verbs.parser()._actions if isinstance(a, argparse._SubParsersAction))
    return [
        (command, action.option_strings[-1])
        for command, sub in subs.choices.items()
        for action in sub._actions
        if action.option_strings and action.nargs != 0
    ]


def test_every_command_with_options_is_tried():
    assert {command for command, _ in options()} == set(BASE)


@pytest.mark.parametrize(("command", "option"), options(), ids=" ".join)
def test_wrong_values_name_the_option(capsys, monkeypatch, tmp_path, command, option):
    """A value is refused in words that name its option, or the work begins."""

    def accept(*_, **__):
        raise Accepted

    for module, name in WORK:
        monkeypatch.setattr(module, name, accept)
    monkeypatch.setattr(canary, "check", lambda _: None)
    monkeypatch.setattr(cost, "_needed", lambda *_: 0)  # compiles
    monkeypatch.chdir(tmp_path)
    refused = 0
    for number, value in enumerate(VALUES):
        given = [part if part != "sweep" else f"sweep{number}" for part in BASE[command]]
        try:
            status = main.main([command, *given, f"{option}={value}"])
        except SystemExit as stop:  # argparse
            status = stop.code
        except Accepted:
            status = None
        out, err = capsys.readouterr()
        if status is not None:
            refused += 1
            assert (status, out) == (2, ""), (value, err)
            assert len(err.splitlines()) == 1, (value, err)
            assert option in err, (value, err)
    assert refused
