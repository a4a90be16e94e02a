"""pyproject.toml, book/requirements.txt, environment.yml, constraints.txt agree; Colab can live with them."""

import ast
import platform
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DEPENDENCIES = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = {name: [Requirement(line) for line in lines] for name, lines in PROJECT["optional-dependencies"].items()}
CONDA_NAMES = {"pytorch": "torch"}

# What Colab's GPU image holds, from the package lists that Colab publishes (googlecolab/backend-info at
# 2026-08-19). Packages of ours that those lists lack are installed there: they are in no conflict.
COLAB_PYTHON = ("3.11", "3.12", "3.13")
COLAB = {
    "torch": "2.11.0",
    "torchvision": "0.26.0",
    "numpy": "2.1.3",
    "matplotlib": "3.10.0",
    "scikit-image": "0.25.2",
    "pillow": "11.3.0",
    "tqdm": "4.67.3",
    "ipywidgets": "7.7.1",
    "ipykernel": "6.17.1",
}
# The oldest runtime that Colab still offers (2026.01), and what README promises: torch 2.9 works.
COLAB_OLDEST = {"torch": "2.9.0", "torchvision": "0.24.0", "ipywidgets": "7.7.1"}


def read_constraints() -> dict[str, str]:
    """Pinned version by canonical name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def same(left: list[Requirement], right: list[Requirement]) -> bool:
    """Whether two lists ask for the same, order and spelling of names aside."""
    return {(canonicalize_name(r.name), r.specifier) for r in left} == {
        (canonicalize_name(r.name), r.specifier) for r in right
    }


def test_constraints_are_plain_pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wrong = [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)]
    assert not wrong, "only name==version lines: no addresses, no local versions such as +cpu"
    assert len(read_constraints()) == len(lines), "a package is pinned twice"


@pytest.mark.parametrize("group", ["dependencies", *EXTRAS])
def test_every_requirement_is_pinned_within_its_range(group):
    pinned = read_constraints()
    for requirement in DEPENDENCIES if group == "dependencies" else EXTRAS[group]:
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"constraints.txt lacks {name}"
        assert pinned[name] in requirement.specifier, f"{requirement} against the pin {pinned[name]}"


def test_book_requirements_are_the_extra_book():
    lines = (ROOT / "book" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    listed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert same(listed, EXTRAS["book"])


def test_book_needs_no_torch():
    assert not {"torch", "torchvision", "imtrans"} & {canonicalize_name(r.name) for r in EXTRAS["book"]}


def test_environment_yml_repeats_the_dependencies():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    conda = [Requirement(line) for line in environment["dependencies"] if isinstance(line, str)]
    for requirement in conda:
        requirement.name = CONDA_NAMES.get(requirement.name, requirement.name)
    python = next(r for r in conda if r.name == "python")
    assert str(python.specifier) == PROJECT["requires-python"]
    assert same([r for r in conda if r.name not in ("python", "pip")], DEPENDENCIES)


@pytest.mark.parametrize("image", [COLAB, COLAB_OLDEST], ids=["current", "oldest"])
def test_installing_on_colab_leaves_its_versions_alone(image):
    for requirement in DEPENDENCIES + [r for r in EXTRAS["test"] if r.name == "ipykernel"]:
        if requirement.name in image:
            assert image[requirement.name] in requirement.specifier, f"Colab would replace {requirement.name}"


def test_the_package_sets_no_upper_bound():
    for requirement in DEPENDENCIES:
        assert {clause.operator for clause in requirement.specifier} == {">="}, f"{requirement}"


def test_python_of_colab_is_supported():
    specifier = Requirement(f"python{PROJECT['requires-python']}").specifier
    assert all(version in specifier for version in COLAB_PYTHON)
    assert "3.10" not in specifier


def test_pins_of_torch_and_torchvision_belong_together():
    pinned = read_constraints()
    torch, torchvision = Version(pinned["torch"]), Version(pinned["torchvision"])
    assert torchvision.minor == torch.minor + 15, "torchvision 0.(n+15) is built for torch 2.n"


def test_this_environment_satisfies_the_ranges():
    specifier = Requirement(f"python{PROJECT['requires-python']}").specifier
    assert specifier.contains(platform.python_version(), prereleases=True)
    for requirement in DEPENDENCIES:
        assert requirement.specifier.contains(version(requirement.name), prereleases=True), f"{requirement}"


def test_everything_that_the_package_imports_is_declared():
    nodes = [node for path in (ROOT / "src").rglob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    imported = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"imtrans"}
    declared = {canonicalize_name(r.name) for r in [*DEPENDENCIES, *EXTRAS["video"], *EXTRAS["export"]]}
    declared |= {"ipython", "cycler"}  # parts of ipywidgets and matplotlib
    found = packages_distributions()
    assert not {name for name in imported if declared.isdisjoint(map(canonicalize_name, found.get(name, [name])))}
