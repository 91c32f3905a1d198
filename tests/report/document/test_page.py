"""The page of HTML: whole, escaped, and with nothing from elsewhere."""

import html.parser
import json
import re

import figure_toys
import numpy as np
import pytest
import store_toys
from one_line import line_of
from report.document import stored

from experiments.command import main
from experiments.figures import registry
from experiments.report.document import charts, checklist, gathering, page
from experiments.results.draws import KeptMargin

VOID = {"meta", "input", "img", "link", "br", "hr", "wbr", "mspace", "rect", "path", "circle"}
ADDRESSES = {"src", "href", "action", "data", "poster", "srcset", "cite", "xlink:href"}


class Page(html.parser.HTMLParser):
    """What a page holds; AssertionError where its elements are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.addresses, self.scripts = [], [], [], []
        self.handlers, self.open, self.words, self.tags = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        assert len(found) == len(attrs)
        self.tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.addresses += [value for name, value in attrs if name in ADDRESSES]
        self.links += [found["href"]] if tag == "a" else []
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "script" in self.open:
            self.scripts.append(data)
        elif "style" not in self.open:
            self.words.append(data)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    place = tmp_path_factory.mktemp("results")
    directories = [stored.hostile(place / "verified"), stored.searched(place / "searched")]
    return page.html(gathering.gather([str(one) for one in directories], stored.HOSTILE))


def test_it_is_well_formed_and_loads_nothing(text):
    found = Page(text)
    assert len(set(found.ids)) == len(found.ids)
    assert {link[1:] for link in found.links} <= set(found.ids)
    assert all(address[0] == "#" for address in found.addresses)
    assert not found.handlers
    assert len(found.scripts) == 1
    assert "@import" not in text
    assert "url(" not in text
    assert "http" not in re.sub(r"<[^>]*content=\"[^\"]*\"[^>]*>", "", found.scripts[0])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert policy[1].startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy[1]


def test_what_people_wrote_is_shown_and_not_run(text):
    found = Page(text)
    said = "".join(found.words)
    assert found.tags.count("script") == 1
    assert said.count('<script>alert("x")</script>') > 10
    # LaTeX with an address in it is words.
    assert "\\href{http://a.b}{y}" in said


def test_every_statement_is_there_once_in_the_table_and_once_in_full(text):
    found = Page(text)
    assert found.tags.count("article") == 7
    rows = re.findall(r'<tr data-of="([^"]*)" data-verdict="([^"]*)"', text)
    rest = ["erratum", "refuted", "vacuous", "inconclusive"]
    assert [verdict for _, verdict in rows] == ["consistent"] * 3 + rest
    assert {place for place, _ in rows} <= set(found.ids)
    words = " ".join("".join(found.words).split())
    assert "7 statements checked over 58 draws: 3 consistent, 1 known erratum, 1 vacuous" in words
    assert "1 of them is refuted without being a known erratum" in words
    first = words.index("What to look at first")
    assert words.index("toy.false", first) < words.index("toy.few", first)
    assert "toy.lost" in words
    assert "docs/errata.md#an-anchor" in words


def test_the_command_that_repeats_it_is_one_that_a_shell_reads(text):
    words = "".join(Page(text).words)
    assert "widetheory verify 'my file.py' --seed 0 --draws 3" in words
    quoted = stored.HOSTILE.replace("'", "'\"'\"'")
    assert f"widetheory verify 'my file.py' '{quoted}'" in words


def test_margins_that_were_kept_are_drawn(text):
    words = "".join(Page(text).words)
    # Of 40 margins from -0.5 to 2 with error 0.05: known from the numbers themselves.
    values = stored.arrays()["hypothesis/wide/value"]
    counts = [(values > 0.05).sum(), (values < -0.05).sum(), (abs(values) <= 0.05).sum()]
    assert sum(counts) == 40
    said = "{} above 0, {} below, {} within the numerical error of 0".format(*counts)
    assert (
        f"wide: margins over 40 draws; smallest −0.5 σ, median 0.75 σ, largest 2 σ; {said}" in words
    )
    assert "0 above 0, 0 below, 40 within the numerical error of 0" in words  # errors unknown


def test_draws_that_are_not_the_ones_stored_are_told(tmp_path):
    place = stored.run(tmp_path, stored.entry())
    (kept,) = (place / "draws").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1] + b"!")
    (entry,) = gathering.gather([str(place)], "").entries
    assert entry.draws is None
    assert "is not the one" in dict(entry.remarks())["draws cannot be shown"]


def test_a_file_elsewhere_is_not_read(tmp_path):
    (tmp_path / "elsewhere.npz").touch()
    kept = {"file": "../elsewhere.npz", "sha256": "", "outcomes": []}
    place = tmp_path / "out"
    content = store_toys.verified(stored.entry(kept_draws=kept))
    place.mkdir()
    (place / "verdicts.json").write_text(json.dumps(content))
    (entry,) = gathering.gather([str(place)], "").entries
    assert "must be below" in entry.missing


def test_directories_without_results_and_damaged_ones(tmp_path):
    assert "there are none in" in line_of(lambda: gathering.gather([str(tmp_path)], ""))
    stored.run(tmp_path, stored.entry())
    path = tmp_path / "verdicts.json"
    path.write_text(path.read_text().replace('"draws": 40', '"draws": 41'))
    assert "digest" in line_of(lambda: gathering.gather([str(tmp_path)], ""))
    path.unlink()
    (tmp_path / "falsified.json").write_text("{}")
    assert "must be JSON of `widetheory falsify`" in line_of(
        lambda: gathering.gather([str(tmp_path)], "")
    )
    path = stored.searched(tmp_path / "searched") / "falsified.json"
    path.write_text(path.read_text().replace('"evaluations": 8', '"evaluations": 9'))
    assert "its digest is not that of its content" in line_of(
        lambda: gathering.gather([str(path.parent)], "")
    )


def test_a_sweep(tmp_path):
    place = store_toys.begun(tmp_path / "sweep")
    place.write_cell(store_toys.NAME, store_toys.ARRAYS, store_toys.RECORD)
    place.write_failure("m=16,law=uniform", store_toys.FAILED)
    (section,) = gathering.gather([str(tmp_path / "sweep")], "").sections
    assert dict(section.facts)["cells"] == "1 of 4 finished, 1 failed"
    table = section.table
    assert table is not None
    assert table.rows == [
        ("8", "normal", "consistent", "2 of 3", "0.333 [0.1, 0.9]", "≤ 0.5", "0.25 σ")
    ]
    assert section.command == (
        "widetheory sweep toy.x --grid m=8,16 --grid law=normal,uniform --draws 3 --seed 0 "
        f"--level 0.01 --set n=8 --set slope=0.5 --out {tmp_path / 'sweep'}"
    )
    assert "m=16,law=uniform failed: ValueError: no" in section.words
    text = page.html(gathering.gather([str(tmp_path / "sweep")], "A sweep"))
    assert "toy.x over m, law" in "".join(Page(text).words)


@pytest.mark.usefixtures("restore_precision")
def test_a_figure_is_there_with_its_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(registry, "figures", lambda: {"toy-mean": figure_toys.FIGURE})
    words = ("figure", "toy-mean", "--set", "counts=2", "--out", str(tmp_path))
    assert main.main([*words]) == 0
    capsys.readouterr()
    (section,) = gathering.gather([str(tmp_path)], "").sections
    assert section.picture == (tmp_path / "toy-mean.png").read_bytes()
    assert section.command == (
        f"widetheory figure toy-mean --preset quick --seed 0 --set counts=2 --out {tmp_path}"
    )
    found = Page(page.html(gathering.gather([str(tmp_path)], "A figure")))
    (picture,) = [address for address in found.addresses if address[0] != "#"]
    assert picture.startswith("data:image/png;base64,iVBOR")


def test_the_command_writes_one_file_and_replaces_none(tmp_path, capsys):
    stored.hostile(tmp_path / "out")
    place = str(tmp_path / "out")
    for format, name in (
        ("html", "report.html"),
        ("markdown", "report.md"),
        ("latex", "report.tex"),
    ):
        assert main.main(["report", place, "--format", format]) == 0
        assert capsys.readouterr().out == f"{tmp_path / 'out' / name}\n"
    assert main.main(["report", place]) == 2
    assert capsys.readouterr().err.endswith("--force replaces it\n")
    assert main.main(["report", place, "--force", "--out", str(tmp_path / "new.html")]) == 0
    before = (tmp_path / "new.html").read_bytes()
    assert before == (tmp_path / "out" / "report.html").read_bytes()
    assert main.main(["report", str(tmp_path / "nowhere")]) == 2


def test_the_checklist_says_how_often_hypotheses_hold(tmp_path):
    always = {name: one | {"met": 3} for name, one in stored.entry()["hypotheses"].items()}
    without = stored.entry("toy.none", hypotheses={})
    place = stored.run(tmp_path, without, stored.entry(), stored.entry(hypotheses=always))
    answers = dict(checklist.answers(gathering.gather([str(place)], "")))
    assert (
        "hypotheses: 2 of 3; whose hypotheses all hold in every draw: 1" in answers["Assumptions"]
    )
    assert "Clopper–Pearson" in answers["Error bars and what varies"]
    assert "46 draws took 4 seconds" in answers["Compute"]
    assert "Seed 0;" in answers["Reproducibility"]


def test_charts_of_numbers_that_are_none():
    nothing = np.full(5, np.nan)
    assert charts.margins(KeptMargin(nothing, nothing), "x", "1") is None
    assert charts.quantity(nothing, 0.5, "x") is None
    assert charts.outcomes({}) is None
    assert charts.interval(None, 0.1, 0.2, 0.3) == ""
    assert charts.scaling(np.array([1.0, 2.0]), np.array([[1.0, -2.0]]), "x") is None
    same = charts.margins(KeptMargin(np.zeros(3), np.zeros(3)), "x", "1")
    assert same is not None
    assert "nan" not in same.drawn
    wild = np.array([-np.inf, -1e300, 1.0, 1e300])
    drawn = charts.margins(KeptMargin(wild, np.zeros(4)), "x", "1")
    assert drawn is not None
    assert "nan" not in drawn.drawn


def test_the_bars_of_a_histogram_are_as_tall_as_their_counts():
    """Three draws below 0 and six above, each half at one place."""
    values = np.array([-1.0] * 3 + [1.0] * 6)
    drawn = charts.margins(KeptMargin(values, np.zeros(9)), "x", "1")
    assert drawn is not None
    bars = re.findall(r'<rect class="(\w+)" x="([^"]*)"[^>]*height="([^"]*)"', drawn.drawn)
    (fail, left, low), (holds, right, high) = bars
    assert (fail, holds) == ("fail", "pass")
    assert float(left) < 160 < float(right)
    assert float(high) == pytest.approx(2 * float(low))
