"""Inside either package rooms import each other in one direction, without a circle.

That `theory` imports nothing of `experiments` is tested in test_project.py.
"""

import ast
import graphlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent


def imports(package):
    """(importing module, imported name) of all imports, those inside functions included."""
    for path in (ROOT / package).rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield from ((module, f"{node.module}.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from ((module, alias.name) for alias in node.names)


def rooms(package, edges):
    """Room → rooms it imports; a room is theory.networks of theory.networks.descent."""
    graph = {}
    for module, name in edges:
        ours, theirs = (".".join(n.split(".")[:2]) for n in (module, name))
        if name.startswith(f"{package}.") and ours not in (theirs, f"{package}.__init__"):
            graph.setdefault(ours, set()).add(theirs)
    return graph


@pytest.mark.parametrize(
    ("package", "last"), [("theory", "statements"), ("experiments", "command")]
)
def test_rooms_import_each_other_without_a_circle(package, last):
    graph = rooms(package, imports(package))
    list(graphlib.TopologicalSorter(graph).static_order())  # a CycleError names the circle
    for room, others in graph.items():
        assert f"{package}.{last}" not in others, room
        for other in others:  # not what the package passes on from a room above
            place = ROOT.joinpath(*other.split("."))
            assert place.is_dir() or place.with_suffix(".py").exists(), (room, other)


def test_a_circle_is_found():
    edges = [
        ("theory.a.x", "theory.b.y.f"),
        ("theory.b.z", "theory.a.x"),
        ("theory.a.x", "numpy.f"),
    ]
    assert rooms("theory", edges) == {"theory.a": {"theory.b"}, "theory.b": {"theory.a"}}
    with pytest.raises(graphlib.CycleError):
        list(graphlib.TopologicalSorter(rooms("theory", edges)).static_order())
