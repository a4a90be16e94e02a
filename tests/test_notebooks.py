"""Rules for all notebooks: they agree with their sources, were run as they stand, and their exercises check themselves.

That the outputs still hold is nbval's part (``pytest --nbval notebooks``).
"""

import contextlib
import copy
import importlib.util
import io
import re
import statistics
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]

# conftest.py in the root loads it for nbval; here it is needed without that plugin too.
if "notebooks_build" not in sys.modules:
    spec = importlib.util.spec_from_file_location("notebooks_build", ROOT / "notebooks" / "build.py")
    sys.modules["notebooks_build"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["notebooks_build"])
build = sys.modules["notebooks_build"]

SOURCES = build.sources()
PAIRS = {
    target.relative_to(ROOT).as_posix(): (target, notebook)
    for source in SOURCES
    for target, notebook in build.pair(build.read_source(source)).items()
}
STUDENT = sorted((ROOT / "notebooks").glob("*.ipynb"))

by_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
by_notebook = pytest.mark.parametrize("name", PAIRS)
by_student = pytest.mark.parametrize("path", STUDENT, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    assert path.is_file(), f"{path.name} is missing: make notebooks writes it"
    return nbformat.read(path, as_version=4)


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def output_texts(notebook) -> list[str]:
    """Every text in the outputs, pictures cut out."""
    texts = []
    for cell in code_cells(notebook):
        for output in cell.outputs:
            texts += [output.text] if output.output_type == "stream" else list(output.get("data", {}).values())
    return [re.sub(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+", "", str(text)) for text in texts]


class Images(HTMLParser):
    """The ``alt`` of every image, None where there is none."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.alts: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.alts.append(dict(attrs).get("alt"))


def alts(notebook) -> list[str | None]:
    found = []
    for cell in code_cells(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            found += Images(data.get("text/html", "")).alts
            found += [None for kind in data if kind.startswith("image/")]  # front ends give it no alt
    return found


# -- the pair --


def test_there_are_notebooks_and_each_has_a_source():
    assert SOURCES
    assert {path.stem for path in STUDENT} == {path.stem for path in SOURCES}
    solutions = (ROOT / "notebooks" / "solutions").glob("*.ipynb")
    assert {path.stem for path in solutions} == {path.stem for path in SOURCES}


@by_notebook
def test_notebook_agrees_with_its_source(name):
    path, wanted = PAIRS[name]
    found = read(path)
    for one, other in zip(found.cells, wanted.cells, strict=True):
        assert one.source == other.source, f"{name} is not what its source says: make notebooks"
        assert (one.cell_type, one.id, one.metadata) == (other.cell_type, other.id, other.metadata)


@by_notebook
def test_outputs_belong_to_these_cells(name):
    path, wanted = PAIRS[name]
    assert build.is_fresh(path, wanted), f"the cells of {name}, or cards that it names, changed since it ran"


@by_notebook
def test_every_cell_was_run_once_and_in_order(name):
    notebook = read(PAIRS[name][0])
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert not [o for cell in code_cells(notebook) for o in cell.outputs if o.output_type == "error"]


@by_notebook
def test_file_holds_nothing_that_changes_from_run_to_run(name):
    notebook = read(PAIRS[name][0])
    assert set(notebook.metadata) == {*build.METADATA, "imtrans"}
    for key, value in build.METADATA.items():
        assert notebook.metadata[key] == value
    assert all("execution" not in cell.metadata for cell in notebook.cells)


# -- what they look like --


@by_notebook
def test_size(name):
    assert PAIRS[name][0].stat().st_size <= 600_000


@by_notebook
def test_no_machine_shows_in_the_outputs(name):
    for text in output_texts(read(PAIRS[name][0])):
        assert not re.search(r"/(home|root|tmp|work|Users|usr)/|[A-Z]:\\\\|site-packages", text), text[:200]
        assert "Traceback" not in text


@by_notebook
def test_every_picture_has_words_of_its_own(name):
    found = alts(read(PAIRS[name][0]))
    assert all(alt and alt.strip() for alt in found)
    assert len(found) == len(set(found)), "two pictures with the same words"


@by_student
def test_cells_are_short(path):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(read(path))]
    assert statistics.median(lengths) <= 6
    assert max(lengths) <= 25


@by_student
def test_install_happens_once_on_colab_alone(path):
    installs = [
        cell.source for cell in code_cells(read(path)) if re.search(r"\bpip\b|\bapt\b|^[!%]", cell.source, re.M)
    ]
    assert len(installs) == 1
    assert '"google.colab" in sys.modules' in installs[0]


@by_student
def test_outputs_are_compared(path):
    """Few cells are left out of the comparison, and those that show something."""
    cells = [cell for cell in code_cells(read(path)) if cell.outputs]
    ignored = [cell for cell in cells if "nbval-ignore-output" in build.tags(cell)]
    assert len(ignored) <= len(cells) / 3
    for cell in code_cells(read(path)):
        assert not build.tags(cell) & {"nbval-skip", "skip-execution", "raises-exception"}
        assert "NBVAL" not in cell.source


@by_student
def test_text_is_plain_markdown(path):
    """Colab shows the roles and directives of MyST as they are written."""
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"\{[a-z:-]+\}`|^```\{|^:::|^\$\$ *\(", cell.source, re.M), cell.source[:200]
            assert r"\tag" not in cell.source, "Sphinx wraps equations of several lines, and a tag in them fails"


@by_student
def test_title_and_address(path):
    first = read(path).cells[0].source
    assert re.match(r"# \d+ · ", first)
    assert ("colab.research.google.com" in first) == bool(build.repository()[0])


def test_address_comes_from_one_place(monkeypatch):
    monkeypatch.setattr(build, "repository", lambda: ("https://github.com/owner/name", "main"))
    for source in map(build.read_source, SOURCES):
        with_address = build.student_notebook(source)
        assert f"github/owner/name/blob/main/notebooks/{source.slug}.ipynb" in with_address.cells[0].source
        assert any('"git+https://github.com/owner/name@main"' in cell.source for cell in code_cells(with_address))
        monkeypatch.setattr(build, "repository", lambda: ("", "main"))
        assert build.fingerprint(with_address) == build.fingerprint(build.student_notebook(source))
        monkeypatch.setattr(build, "repository", lambda: ("https://github.com/owner/name", "main"))


# -- exercises --


@by_source
def test_there_are_exercises_and_solutions_are_not_given_away(source):
    parsed = build.read_source(source)
    assert len(parsed.exercises) >= 4
    student = "\n".join(cell.source for cell in build.student_notebook(parsed).cells)
    for exercise in parsed.exercises:
        assert "..." in exercise.stub.source
        assert re.search(r"\*Hint\.\*", exercise.text.source)
        assert exercise.stub.source in student
        assert exercise.solution.source not in student
        for wrong in exercise.wrong:
            assert wrong.source not in student


@pytest.fixture(scope="module", params=SOURCES, ids=lambda path: path.stem)
def exercises(request):
    """The exercises of a source, and the names that its ground cells define."""
    source = build.read_source(request.param)
    names: dict = {}
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setenv("IMTRANS_BUDGET", "quick")
        for cell in source.ground:
            exec(compile(cell.source, source.slug, "exec"), names)
    return source.exercises, names


def said(answer, check, names) -> str:
    """What the check says to an answer; both run on the ground cells alone."""
    heard = io.StringIO()
    names = copy.copy(names)
    with contextlib.redirect_stdout(heard):
        exec(compile(answer.source, "answer", "exec"), names)
        exec(compile(check.source, "check", "exec"), names)
    return heard.getvalue().strip()


def test_checks_know_stub_solution_and_wrong_answer(exercises):
    found, names = exercises
    for exercise in found:
        assert said(exercise.stub, exercise.check, names) == "not answered yet"
        assert said(exercise.solution, exercise.check, names).startswith("right")
        for wrong in exercise.wrong:
            assert re.match(r"wrong: \S+", said(wrong, exercise.check, names))


# -- the machinery --

TOY = """# %% [markdown]
# # 0 · A toy

# %% tags=["ground"]
from imtrans.exercises import check

# %% [markdown] tags=["exercise"]
# **Exercise 1.** *Hint.* Two.

# %% tags=["stub"]
two = ...

# %% tags=["solution"]
two = 2

# %% tags=["wrong"]
two = 3

# %% tags=["check"]
check(two, 2)
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A place with one small source, and how often something was executed there."""
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / "00-toy.py"
    path.write_text(TOY)
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(build, "ZOO", zoo)
    runs = []

    def execute(notebook, folder, environment=None):
        runs.append(folder)
        notebook.metadata["imtrans"] = {"hash": build.fingerprint(notebook)}
        for count, cell in enumerate(code_cells(notebook), start=1):
            cell.execution_count = count
        return 0.0

    monkeypatch.setattr(build, "execute", execute)
    return path, runs, zoo


def test_only_what_changed_is_run_again(toy):
    path, runs, zoo = toy
    assert not build.build(path)
    assert len(runs) == 2
    assert build.build(path)
    assert len(runs) == 2  # nothing changed
    path.write_text(path.read_text().replace("A toy", "Another toy"))
    assert not build.build(path, check=True)
    assert not build.build(path)
    assert len(runs) == 2  # only text changed: outputs are kept
    assert "Another toy" in (path.parents[1] / "00-toy.ipynb").read_text()
    path.write_text(path.read_text().replace("two = 2", "two = 1 + 1"))
    assert not build.build(path)
    assert len(runs) == 3  # the solutions alone
    path.write_text(path.read_text().replace("check(two, 2)", 'check(two, 2)\n"net-x2"'))
    build.build(path)
    assert len(runs) == 5
    (zoo / "net-x2.json").write_text("{}")  # a card that the notebook names
    assert not build.build(path)
    assert len(runs) == 7
    build.build(path, run_all=True)
    assert len(runs) == 9


def test_a_source_with_an_incomplete_exercise(toy):
    path, _, _ = toy
    path.write_text(TOY.replace('# %% tags=["wrong"]\ntwo = 3\n', ""))
    with pytest.raises(ValueError, match="exercise 1 has no wrong"):
        _ = build.read_source(path).exercises


def test_a_source_that_is_missing(toy):
    path, _, _ = toy
    with pytest.raises(FileNotFoundError, match=r"no notebook source 01-none\.py"):
        build.build(path.with_name("01-none.py"))


def test_kernels_get_the_same_ground(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTRANS_DATA", "elsewhere")
    monkeypatch.setenv("IMTRANS_WEIGHTS", "elsewhere")
    monkeypatch.setenv("IMTRANS_BUDGET", "full")
    environment = build.kernel_environment(tmp_path)
    assert {k for k in environment if k.startswith("IMTRANS_")} == {"IMTRANS_BUDGET"}
    assert environment["IMTRANS_BUDGET"] == "quick"
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    program = (
        "import urllib.request, imtrans.assets\n"
        "print(imtrans.assets.cache_dir())\n"
        "try: urllib.request.urlopen('https://example.org', timeout=5)\n"
        "except OSError as error: print('no network')"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    cache, network = done.stdout.splitlines()
    assert network == "no network"
    if sys.platform.startswith("linux"):
        assert Path(cache).is_relative_to(tmp_path)


@pytest.mark.parametrize("ground", build.GROUNDS)
def test_a_ground_is_in_force_in_a_kernel(ground, tmp_path):
    """What torch says of itself: its instruction set and threads, and whether a start is perturbed."""
    environment = build.kernel_environment(tmp_path, ground)
    program = (
        "import torch\n"
        "start = torch.nn.Parameter(torch.ones(1000))\n"
        "torch.optim.SGD([start], lr=1)\n"
        "print(torch.backends.cpu.get_cpu_capability(), torch.get_num_threads(), float((start - 1).abs().max()))"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    capability, threads, perturbation = done.stdout.split()
    assert {"avx2": "AVX2", "sse41": "DEFAULT"}.get(ground, capability) == capability
    assert int(threads) == {"1-thread": 1, "4-threads": 4}.get(ground, 2)
    assert (1e-6 < float(perturbation) < 1e-5) if ground == "perturbed" else float(perturbation) == 0


def test_a_ground_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no ground is called 'arm': there are native"):
        build.kernel_environment(tmp_path, "arm")


@pytest.mark.parametrize("place", ["ZOO/table.json", "RESULTS/table.csv", "RESULTS/table", "PUBLISHED/table.csv"])
def test_a_file_that_a_notebook_names_counts_for_its_fingerprint(place, tmp_path, monkeypatch):
    folder, name = place.split("/")
    monkeypatch.setattr(build, folder, tmp_path)
    notebook = build._notebook([nbformat.v4.new_code_cell('show("table")')])
    before = build.fingerprint(notebook)
    (tmp_path / name).write_text("1")
    with_file = build.fingerprint(notebook)
    (tmp_path / name).write_text("2")
    assert len({before, with_file, build.fingerprint(notebook)}) == 3


@by_source
def test_with_data_at_hand(source, data_root, request, tmp_path):
    """A notebook that meets the benchmarks runs to its end too. Outputs are not compared; once for each content."""
    from nbclient import NotebookClient

    notebook = build.student_notebook(build.read_source(source))
    key, digest = f"notebooks/with-data/{source.stem}", build.fingerprint(notebook)
    if request.config.cache.get(key, None) == digest:
        return  # the same cells and cards ran here before
    environment = build.kernel_environment(tmp_path) | {"IMTRANS_DATA": str(data_root)}
    resources = {"metadata": {"path": str(ROOT / "notebooks")}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute(env=environment)
    request.config.cache.set(key, digest)
