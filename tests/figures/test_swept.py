"""The common figure of a statement over one parameter, of a file of the user's."""

import json

import numpy as np
import pandas as pd
import pytest
from loose_parts import made_of
from PIL import Image

from experiments.command import main
from experiments.figures import building, swept
from experiments.figures.figure import Figure
from theory import REGISTRY, Claim, Hypothesis, Parameters, fields, margin, measured, parameter
from theory.keys import make_key

FILE = '''
"""How often a normal number exceeds a bound."""

import jax
import jax.numpy as jnp
from experiments.figures.figure import Figure
from widetheory import Hypothesis, Parameters, Probabilistic, Statement, exceeds, parameter


class Setting(Parameters):
    s: float = parameter(1.0, "the bound", unit="σ", low=0)
    shift: float = parameter(0.0, "mean of the number")


TAIL = Statement(
    id="mine.tail",
    title="a normal number is below s",
    config=Setting(),
    stages={
        "data": lambda key, earlier, config: jax.random.uniform(key),
        "number": lambda key, earlier, config: config.shift + jax.random.normal(key),
    },
    hypotheses={
        "U < s": Hypothesis(lambda i, c: exceeds(c.s, i.data), stage="data"),
        "U > 0.1": Hypothesis(lambda i, c: exceeds(i.data, 0.1), stage="data"),
    },
    claim=Probabilistic(
        lambda i, c: exceeds(c.s, i.number),
        failure_probability=lambda i, c: jax.scipy.stats.norm.sf(c.s - c.shift),
    ),
)
OVER_S = Figure.of(TAIL, "s", (0.05, 0.25, 1.0, 2.0), draws={"quick": 200})
'''


@pytest.mark.usefixtures("restore_precision")
def test_a_figure_of_a_users_statement_is_made_stored_and_resumed(tmp_path, capsys):
    path, out = tmp_path / "mine.py", tmp_path / "out"
    path.write_text(FILE)
    command = ["figure", f"{path}:OVER_S", "--out", str(out)]
    assert main.main(command) == 0
    content = json.loads((out / "mine-tail-s.json").read_text())
    assert content["manifest"]["settings"] == {"shift": 0, "s": [0.05, 0.25, 1, 2], "draws": 200}
    rows = pd.DataFrame(content["rows"])
    names = ["U < s", "U > 0.1", swept.ALL, swept.GIVEN, "conclusion"]
    assert set(rows["series"]) == set(names)
    at = rows.set_index(["series", "value"])
    for value in (0.05, 0.25, 1, 2):
        low, high = at.loc[("U < s", value), ["low", "high"]]
        assert low - 0.1 < min(value, 1) < high + 0.1  # a limit at 95 %, and as much again
        assert at.loc[("conclusion", value), "draws"] == 200
    assert (swept.GIVEN, 0.05) not in at.index  # no draw satisfies both: nothing to count
    assert not at.loc[("conclusion", 0.05), "held"]
    assert at.loc[("conclusion", 2), "held"]
    law = at.loc[(swept.GIVEN, 2), "predicted"]
    assert law == pytest.approx(0.97725, abs=1e-4)
    assert at.loc[(swept.GIVEN, 2), "draws"] == 200 * at.loc[(swept.ALL, 2), "mean"]
    assert "shrunk" not in content["caption"]
    with Image.open(out / "mine-tail-s.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    edges = (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:])
    assert all((edge == 255).all() for edge in edges)  # nothing is cut off
    before = (out / "mine-tail-s.csv").read_bytes()
    assert main.main([*command, "--resume"]) == 0
    assert (out / "mine-tail-s.csv").read_bytes() == before
    path.write_text(FILE.replace("config.shift +", "config.shift + 0.5 +"))
    capsys.readouterr()
    assert main.main([*command, "--resume"]) == 2  # other code: nothing of it is gone on with
    assert "code" in capsys.readouterr().err


@pytest.mark.usefixtures("restore_precision")
def test_its_settings_are_those_of_the_statement(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    (planned,), _ = building.plan_figures(
        [f"{path}:OVER_S"], settings={"s": "1:4:x2", "shift": "-1", "draws": "3"}
    )
    cells = planned.figure.cells(planned.settings)
    assert cells == [{"value": 1.0}, {"value": 2.0}, {"value": 4.0}]
    assert swept.configuration(planned.settings, 4.0).shift == -1.0
    with pytest.raises(ValueError, match=r"s\[1\] must be a finite number in \[0, inf\), got -1"):
        building.plan_figures([f"{path}:OVER_S"], settings={"s": "1,-1"})


class Setting(Parameters):
    m: int = fields.width(4)
    law: str = parameter("a", "words", choices=("a", "b"))


def table(statement, axis, values, draws=100):
    figure = Figure.of(statement, axis, values, draws={"quick": draws})
    settings = figure.quick
    found = [(c, figure.compute(settings, c, make_key(0))) for c in figure.cells(settings)]
    rows = figure.table(settings, found)
    assert figure.draw(settings, rows).axes
    assert statement.id in figure.caption(settings, rows)
    return rows


def normals(key, config):
    import jax

    return jax.random.normal(key, (5,)) / config.m**0.5


def test_means_with_their_claims():
    statement = made_of(
        "moment",
        id="toy.mean",
        sample=normals,
        config=Setting(),
        quantity=lambda x, c: measured(x[0] ** 2, 0.0),
        claims=lambda c: Claim(1 / c.m, 0.2, name="E x²", tolerance=0.01),
    )
    rows = table(statement, "m", (1, 4, 16), draws=400)
    assert rows["predicted"].tolist() == [1, 1 / 4, 1 / 16]
    low, high = rows["low"] - 0.05, rows["high"] + 0.05
    assert rows["predicted"].between(low, high).all()
    assert np.all(rows["high"] - rows["low"] < rows["predicted"])


def test_exponents_with_their_claims_over_words():
    scales = 2.0 ** np.arange(5)
    statement = made_of(
        "rate",
        id="toy.rate",
        sample=normals,
        config=Setting(),
        quantity=lambda x, c: measured(scales * np.e ** (x / 9), 0.0),
        claims=lambda c: Claim(1.0, 0.1, name="one"),
        scales=lambda c: scales,
    )
    rows = table(statement, "law", ("a", "b"))
    assert rows["series"].tolist() == ["one", "one"]
    assert (np.abs(rows["mean"] - 1) < 0.05).all()


def test_where_a_hypothesis_looks_at_the_solution_misses_are_what_is_bounded():
    """P(H and not C) ≤ δ says nothing of the share given H."""
    statement = made_of(
        "probabilistic",
        id="toy.later",
        sample=normals,
        config=Setting(),
        hypotheses={"x₀ > 0": Hypothesis(lambda x, c: margin(x[0]))},
        conclusion=lambda x, c: margin(x[1]),
        failure_probability=lambda x, c: 0.25,
    )
    rows = table(statement, "m", (1, 2), draws=400).set_index(["series", "value"])
    assert set(rows.index.get_level_values(0)) == {"x₀ > 0", swept.NO_MISS, "conclusion"}
    assert rows.loc[(swept.NO_MISS, 1), "predicted"] == 0.75
    assert rows.loc[(swept.NO_MISS, 1), "mean"] == pytest.approx(0.75, abs=0.1)
    assert np.isnan(rows.loc[("conclusion", 1), "predicted"])


@pytest.mark.parametrize(
    ("axis", "values", "message"),
    [
        ("width", (1, 2), "axis must be one of law, m; got 'width'"),
        ("m", (), "default must be a tuple of values of one type"),
        ("m", 4, "its values be a tuple, got 4"),
        ("m", (4, 0), r"m\[1\] must be an integer ≥ 1, got 0"),
        ("m", (4, 4), "m must name a value once, got 4 twice"),
        ("law", ("a", "c"), r"law\[1\] must be one of a, b; got 'c'"),
    ],
)
def test_axes_that_make_no_sense_are_refused(axis, values, message):
    statement = made_of(
        id="toy.x", sample=normals, config=Setting(), conclusion=lambda x, c: margin(x[0])
    )
    with pytest.raises(ValueError, match=message):
        Figure.of(statement, axis, values)


@pytest.mark.parametrize("id", list(REGISTRY))
def test_every_registered_statement_can_be_swept(id):
    """Its settings, and its cells, over the first of its numbers."""
    config = REGISTRY[id].config
    axis = next(n for n, f in swept.parameters(config).items() if f.metadata["type"] is not str)
    figure = Figure.of(REGISTRY[id], axis, (getattr(config, axis),))
    assert figure.cells(figure.quick) == [{"value": getattr(config, axis)}]
    assert swept.configuration(figure.paper, getattr(config, axis)) == config
