"""The house: who may import whom, what `import imtrans` costs, and that everything public is described."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "imtrans"

FLOORS = {
    0: ("assets", "hardware"),
    1: ("images", "color", "resize"),
    2: ("degrade", "models", "html", "video"),
    3: ("losses", "metrics", "muon", "data"),
    4: ("training", "protocols", "judgements"),
    5: ("recipes",),
    6: ("zoo",),
    7: ("restore", "stylize", "colorize", "prior", "published", "experiments"),
    8: ("evaluation", "figures", "widgets", "exercises", "export"),
    9: ("suite",),
    10: ("runs",),
    11: ("cli",),
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
HEAVY = (
    "tyro",
    "pooch",
    "lpips",
    "matplotlib",
    "skimage",
    "sklearn",
    "accelerate",
    "torchvision",
    "PIL",
    "safetensors",
    "av",
    "onnx",
)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> set[str]:
    """The rooms of the package that a module imports, at its top or inside its functions."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            if node.module == "imtrans":
                names |= {alias.name for alias in node.names}
            elif node.module.startswith("imtrans."):
                names.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("imtrans.")}
    return names


def test_every_module_has_a_floor():
    assert {room_of(path) for path in FILES} == set(FLOOR)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_from_lower_floors_alone(path):
    room = room_of(path)
    for other in imports(ast.parse(path.read_text())) - {room, "__version__"}:
        assert FLOOR[other] < FLOOR[room], f"{room} (floor {FLOOR[room]}) imports {other} (floor {FLOOR[other]})"


def test_the_check_sees_imports():
    source = "import imtrans.zoo\ndef f():\n    from imtrans import cli\n    from imtrans.data.pairs import x"
    assert imports(ast.parse(source)) == {"zoo", "cli", "data"}


def loaded(statement: str) -> set[str]:
    """What a fresh interpreter has loaded after a statement."""
    program = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_imtrans_is_light():
    assert not loaded("import imtrans") & set(HEAVY)


def test_modules_that_people_import_are_light():
    """Heavier packages are imported inside the functions that use them."""
    rooms = [r for r in FLOOR if r not in ("cli", "published")]
    found = loaded("\n".join(f"import imtrans.{room}" for room in rooms)) & set(HEAVY)
    assert not found


def public(tree: ast.Module) -> list[tuple[str, ast.AST]]:
    """Public functions and classes of a module, and the public methods of its public classes."""
    found = []
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            found.append((node.name, node))
            if isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, kinds) and (not method.name.startswith("_") or method.name == "__init__"):
                        found.append((f"{node.name}.{method.name}", method))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_everything_public_is_described_and_annotated(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module has no docstring"
    for name, node in public(tree):
        if not name.endswith(".__init__"):  # described in the docstring of its class
            assert ast.get_docstring(node), f"{name} has no docstring"
        if isinstance(node, ast.ClassDef):
            continue
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        arguments += [a for a in (node.args.vararg, node.args.kwarg) if a]
        bare = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
        assert not bare, f"{name}: no annotation of {', '.join(bare)}"
        assert node.returns is not None, f"{name}: no annotation of what it returns"


# --- what is written about the floors --------------------------------------------------------------------


def test_the_table_of_floors_in_contributing_is_this_one():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([^|]*) \|", text, flags=re.MULTILINE)
    assert {int(floor): tuple(re.findall(r"`(\w+)/?`", rooms)) for floor, rooms in rows} == FLOORS


def test_the_docstring_of_the_package_has_these_floors():
    text = ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text())).split("ground up:")[1]
    floors = [tuple(re.findall(r"``(\w+)``", part)) for part in text.split("·")]
    assert dict(enumerate(floors)) == FLOORS


def test_the_reference_lists_every_module_by_floors():
    text = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\.\. autoapimodule:: imtrans\.(\S+)$", text, flags=re.MULTILINE)
    modules = [".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__") for path in FILES]
    with_content = [name for name, path in zip(modules, FILES, strict=True) if public(ast.parse(path.read_text()))]
    assert sorted(listed) == sorted(with_content)
    floors = [FLOOR[name.split(".")[0]] for name in listed]
    assert floors == sorted(floors)
