"""Draws that are kept: the same numbers as are judged, in files in which damage is noticed."""

import json
import pickle
import re
import textwrap
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from one_line import line_of
from untyped import known

import theory.keys
from experiments.command import main
from experiments.results import draws
from experiments.results.contents import OUTCOMES
from experiments.verify import planning, running
from theory import Claim, Probabilistic, Rate, Statement, at_least, exceeds, margin
from theory.verification.evaluation import evaluate

pytestmark = pytest.mark.usefixtures("restore_precision")

WIDE = "wide / of\0an odd \ud800 name"
HALF = Statement(
    id="toy.half",
    sample=lambda key, config: jax.random.uniform(key, (2,)),
    hypotheses={WIDE: lambda x, config: at_least(x[0], 0.25)},
    measured={"no ratio": lambda x, config: margin(x[1] - 0.5, 0.0)},
    claim=Probabilistic(
        conclusion=lambda x, config: exceeds(0.5, x[0]),
        failure_probability=lambda x, config: 0.9,
    ),
)
GROWS = Statement(
    id="toy.grows",
    sample=lambda key, config: jax.random.uniform(key, ()),
    claim=Rate(
        quantity=lambda x, config: (1 + x) * jnp.array([1.0, 2.0, 4.0, 8.0, 16.0]),
        scales=lambda config: (1.0, 2.0, 4.0, 8.0, 16.0),
        claims=lambda config: Claim(1.0, 0.1),
    ),
)


class Here:
    """An engine whose calls run in this process, and of which only pickles come back."""

    sharing, elsewhere = 1, False

    def results(self, work, calls):
        function = work.begin()
        self.sent = [pickle.dumps(function(*call)) for call in calls]
        yield from enumerate(map(pickle.loads, self.sent))


def kept(statement, place, count=40):
    """A statement's draws, written and read again."""
    run = planning.Run(statement, statement.config, count)
    (result,) = running.execute([run], seed=0, level=0.01, keep=True)
    assert isinstance(result, running.Result)
    said = draws.write(place, "draws/00.npz", known(result.arrays))
    return result.verdict, draws.load_draws(place / said["file"], said["sha256"]), said


def test_margins_and_outcomes_are_those_of_the_draws(tmp_path):
    """Against the instances, drawn here once more from their keys."""
    verdict, found, said = kept(HALF, tmp_path)
    key = running.run_key(HALF, 0)
    with jax.enable_x64(True):
        drawn = np.array([jax.random.uniform(jax.random.fold_in(key, i), (2,)) for i in range(40)])
    (wide,) = found.hypotheses.values()
    np.testing.assert_allclose(wide.value, drawn[:, 0] - 0.25, rtol=0, atol=1e-15)
    np.testing.assert_allclose(known(wide.ratio), drawn[:, 0] / 0.25, rtol=1e-14)
    np.testing.assert_allclose(known(found.conclusion).value, 0.5 - drawn[:, 0], rtol=0, atol=1e-15)
    assert found.measured["no ratio"].ratio is None
    np.testing.assert_array_equal(known(found.allowed), np.full(40, 0.9))
    words = [said["outcomes"][code] for code in known(found.outcome)]
    assert words == [
        ("confirmed" if x < 0.5 else "miss") if x > 0.25 else "beyond" for x in drawn[:, 0]
    ]
    assert {name: words.count(name) for name in OUTCOMES} == verdict.outcomes
    assert (found.count, found.quantity, found.scales) == (40, None, None)


def test_quantities_come_with_their_scales(tmp_path):
    _, found, said = kept(GROWS, tmp_path)
    quantity, error = known(found.quantity), known(found.quantity_error)
    assert quantity.shape == error.shape == (40, 5)
    np.testing.assert_array_equal(quantity[:, 1], 2 * quantity[:, 0])
    np.testing.assert_array_equal(known(found.scales), [1, 2, 4, 8, 16])
    assert (found.conclusion, found.outcome, said["outcomes"]) == (None, None, [])


def test_any_damage_is_told_in_a_line(tmp_path):
    _, _, said = kept(HALF, tmp_path, 5)
    path = tmp_path / said["file"]
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        assert "it is not the one" in line_of(lambda: draws.load_draws(path, said["sha256"]))
        line_of(lambda: draws.load_draws(path))  # perhaps read, never by another error
    for arrays in ({"who/is/it": [1.0]}, {"outcome": [1], "allowed": [1.0, 2.0]}, {"allowed": 1.0}):
        draws.write(tmp_path, said["file"], {n: np.array(a) for n, a in arrays.items()})
        assert "must hold draws" in line_of(lambda: draws.load_draws(path))


def test_file_names_are_plain_and_in_order():
    names = [draws.file_name(k, 101, f"../a b.{k}" * 40, "d = 3, ∞") for k in (0, 9, 100)]
    assert names == sorted(names)
    for name in names:
        assert re.fullmatch(r"draws/\d{3}-[A-Za-z0-9._-]{1,120}\.npz", name)
    assert draws.file_name(3, 64, "lazy.movement", "") == "draws/03-lazy.movement.npz"


MINE = """
    import jax
    from theory import Probabilistic, Statement, exceeds

    both = [
        Statement(
            id=f"mine.{k}",
            sample=lambda key, config: jax.random.uniform(key, ()),
            claim=Probabilistic(
                conclusion=lambda x, config: exceeds(0.9, x),
                failure_probability=lambda x, config: 0.3,
            ),
        )
        for k in (1, 2)
    ]
"""


def test_draws_come_back_from_an_engine_only_where_they_are_asked_for(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(textwrap.dedent(MINE))
    run, _ = planning.plan_runs([f"{mine}:both"], draws=300).runs
    engine, sizes, found = Here(), [], []
    for keep in (False, True):
        (result,) = running.execute([run], seed=0, level=0.01, engine=engine, keep=keep)
        sizes.append(len(engine.sent[0]))
        assert isinstance(result, running.Result)
        found.append(result.arrays)
    assert found[0] is None
    assert sizes[1] - sizes[0] > 300 * 3 * 8  # value, error and ratio of the conclusion
    evidence = evaluate(run.statement, running.run_key(run.statement, 0), 300)
    np.testing.assert_array_equal(found[1]["conclusion/value"], known(evidence.conclusion).value)


def verified(place, tmp_path, *options):
    mine = tmp_path / "mine.py"
    mine.write_text(textwrap.dedent(MINE))
    out = str(tmp_path / place)
    names = [f"{mine}:both"]
    assert main.main(["verify", *names, "--draws", "50", "--out", out, *options]) == 0
    return tmp_path / place


def test_verify_writes_them_beside_the_verdicts(capsys, tmp_path):
    place = verified("out", tmp_path, "--keep-draws", "--jobs", "1")
    entries = json.loads((place / "verdicts.json").read_text())["statements"]
    assert [e["kept_draws"]["file"] for e in entries] == [
        "draws/00-mine.1.npz", "draws/01-mine.2.npz"
    ]  # fmt: skip
    for entry in entries:
        said = entry["kept_draws"]
        found = draws.load_draws(place / said["file"], said["sha256"])
        assert (found.outcome == 0).sum() == entry["outcomes"]["confirmed"]
    plain = verified("plain", tmp_path, "--jobs", "1")
    assert [path.name for path in plain.iterdir()] == ["verdicts.json"]
    capsys.readouterr()
    assert main.main(["verify", "lazy.movement", "--keep-draws"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_processes_keep_the_same_bytes(tmp_path):
    files = [
        {path.name: path.read_bytes() for path in (place / "draws").iterdir()}
        for place in (
            verified(jobs, tmp_path, "--keep-draws", "--jobs", jobs) for jobs in ("1", "2")
        )
    ]
    assert len(files[0]) == 2
    assert files[0] == files[1]


def test_keys_are_those_that_the_json_describes():
    """The expressions, run as they stand, give the key of every draw."""
    names = {"jax": jax, "theory": theory, "zlib": zlib, "seed": 5, "id": HALF.id}
    statement = eval(running.KEYS["statement"], names)
    draw = eval(running.KEYS["draw"], {**names, "statement": statement, "i": 3})
    with jax.enable_x64(True):
        x = jax.random.uniform(draw, (2,))
    found = evaluate(HALF, running.run_key(HALF, 5), 4)
    np.testing.assert_allclose(found.hypotheses[WIDE].value[3], x[0] - 0.25, rtol=0, atol=1e-15)
