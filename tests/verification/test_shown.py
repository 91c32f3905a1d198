"""What notebooks show: escaped, with all that a verdict says, and a repr of one short line."""

from xml.etree import ElementTree

import jax
import pytest

from theory import REGISTRY, Probabilistic, Statement, exceeds, verify
from theory.statements.registry import Registry

BAD = Statement(
    id="mine.<b>&|*",
    title="a < b & $5 | *c*",
    source="<script>alert(1)</script>",
    sample=lambda key, config: jax.random.normal(key),
    hypotheses={"x < <i>2</i>": lambda x, c: exceeds(2.0, x, error=0.0)},
    claim=Probabilistic(
        lambda x, c: exceeds(1.0, x, error=0.0), failure_probability=lambda x, c: 0.2 + 0 * x
    ),
)


@pytest.fixture(scope="module")
def verdict():
    return verify(BAD, key=jax.random.key(0), draws=60)


def cells(page: str) -> list[str]:
    """The texts of all cells; ParseError for HTML that is not well formed."""
    root = ElementTree.fromstring(page.replace("<br>", " "))
    assert {element.tag for element in root.iter()} <= {
        "table", "caption", "b", "tbody", "tr", "th", "td",
    }  # fmt: skip
    return ["".join(element.itertext()) for element in root.iter() if element.tag in ("th", "td")]


def test_html_shows_a_users_words_as_they_are(verdict):
    found = cells(BAD._repr_html_())
    assert "<script>alert(1)</script>" in found
    assert "a < b & $5 | *c*" in found
    assert "hypothesis x < <i>2</i>" in found
    found = cells(verdict._repr_html_())
    assert verdict.reason in found
    assert f"holds in {verdict.hypotheses['x < <i>2</i>'].met}, fails in" in " ".join(found)
    rate = verdict.failure_rate
    assert any(f"[{rate.low:.3g}, {rate.high:.3g}], allowed at most 0.2" in text for text in found)


def test_markdown_has_a_row_for_each_and_no_mark_of_the_users(verdict):
    for one in (BAD, verdict, REGISTRY):
        lines = one._repr_markdown_().split("\n")
        for line in lines:
            bare = line.replace("\\|", "")
            assert (bare.startswith("|"), bare.count("|")) == (True, 3), line
    assert "a \\< b & \\$5 \\| \\*c\\*" in BAD._repr_markdown_()


def test_reprs_are_one_short_line(verdict):
    assert repr(verdict) == f"<Verdict mine.<b>&|*: {verdict.verdict}, 60 draws>"
    assert repr(BAD) == "<Statement mine.<b>&|*: probabilistic>"
    assert repr(REGISTRY) == f"<Registry of {len(REGISTRY)} statements>"


def test_the_registry_is_a_mapping_that_shows_every_statement():
    assert list(REGISTRY) == list(REGISTRY.keys())
    found = cells(REGISTRY._repr_html_())
    assert [*REGISTRY] == found[::2]
    with pytest.raises(TypeError):
        REGISTRY["mine"] = BAD  # pyright: ignore[reportIndexIssue]
    own = {"mine.a": BAD}
    made = Registry(own)
    own.clear()
    assert dict(made) == {"mine.a": BAD}
