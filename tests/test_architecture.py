"""One arrow, experiments → theory, and inside either from room to room without a circle."""

import ast
import graphlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent


def imports(package):
    """(importing module, imported name) of our own imports, those inside functions included."""
    for path in (ROOT / package).rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield from ((module, f"{node.module}.{alias.name}") for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from ((module, alias.name) for alias in node.names)


def room(name):
    """The first two parts: theory.networks of theory.networks.descent."""
    return ".".join(name.split(".")[:2])


def test_theory_imports_nothing_of_experiments():
    found = [edge for edge in imports("theory") if edge[1].startswith("experiments")]
    assert found == []


@pytest.mark.parametrize("package", ["theory", "experiments"])
def test_rooms_import_each_other_without_a_circle(package):
    graph = {}
    for module, name in imports(package):
        if name.startswith(f"{package}.") and module != f"{package}.__init__":
            graph.setdefault(room(module), set()).add(room(name))
    rooms = {room: others - {room} for room, others in graph.items()}
    order = list(graphlib.TopologicalSorter(rooms).static_order())  # CycleError names the circle
    assert order
    last = {"theory": "theory.statements", "experiments": "experiments.command"}[package]
    assert not [room for room, others in rooms.items() if last in others]


def test_a_circle_would_be_found():
    with pytest.raises(graphlib.CycleError):
        list(graphlib.TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())
