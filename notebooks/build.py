"""Turn ``notebooks/source/NN-slug.py`` into the notebooks that people open.

One source in py:percent format gives two files: ``NN-slug.ipynb``, with its outputs, and
``solutions/NN-slug.ipynb``, with the ground cells and the solved exercises. Only what changed is run again:
the hash of all that the outputs depend on is stored by an execution and by nothing else.

Tags of the cells in a source:

=============  =========  ===================================================================
tag            student's  what it is
=============  =========  ===================================================================
``ground``     yes        imports, settings and whatever the exercises need; also in the solutions
``exercise``   yes        markdown that asks; starts an exercise; also in the solutions
``stub``       yes        the code to complete, with ``...``
``solution``   no         takes the stub's place in the solutions (code, or markdown that explains)
``wrong``      no         a plausible wrong answer, for ``tests/test_notebooks.py`` alone
``check``      yes        calls ``exercises.check``; also in the solutions
=============  =========  ===================================================================

Usage::

    python notebooks/build.py [--all] [--check] [NN-slug ...]
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
import yaml

NOTEBOOKS = Path(__file__).resolve().parent
ROOT = NOTEBOOKS.parent
ZOO = ROOT / "src" / "imtrans" / "zoo"
PUBLISHED = ROOT / "src" / "imtrans" / "published"
RESULTS = ROOT / "results"

# Environment variables that let a kernel compute as other machines do: what ``make test-machines`` runs under.
GROUNDS: dict[str, dict[str, str]] = {
    "native": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "sse41": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "1-thread": {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    "4-threads": {"OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "4", "MKL_DYNAMIC": "FALSE"},  # else no more than cores
    # Python imports the file sitecustomize.py that it finds here: it perturbs what every optimiser starts from.
    "perturbed": {"PYTHONPATH": str(NOTEBOOKS / "perturbed")},
}

METADATA = {
    "accelerator": "GPU",
    "colab": {"gpuType": "T4", "provenance": []},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
HIDDEN_FROM_STUDENTS = {"solution", "wrong"}
KEPT_IN_SOLUTIONS = {"ground", "exercise", "solution", "check"}


def kernel_environment(scratch: str | os.PathLike, ground: str = "native") -> dict[str, str]:
    """The same ground for every notebook kernel: quick, the CPU, two threads, no network, no data.

    The stored outputs come from here and ``pytest --nbval`` runs here (root ``conftest.py``), so they agree
    on every machine.

    Args:
        scratch: An empty folder in place of the user's cache, which might hold a benchmark or a checkpoint.
        ground: The machine to compute like: one of ``GROUNDS``.

    Returns:
        The complete environment of a kernel.

    Raises:
        ValueError: If there is no such ground.
    """
    if ground not in GROUNDS:
        raise ValueError(f"no ground is called {ground!r}: there are {', '.join(GROUNDS)}")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IMTRANS_") and k.lower() != "no_proxy"}
    environment |= {
        "IMTRANS_BUDGET": "quick",
        "XDG_CACHE_HOME": str(scratch),
        "MPLCONFIGDIR": str(Path(scratch) / "matplotlib"),  # nobody's matplotlibrc
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "2",
        "MKL_NUM_THREADS": "2",
        "OMP_WAIT_POLICY": "passive",  # threads that wait by spinning starve one another where kernels share cores
        "PYTHONHASHSEED": "0",
        "PYTHONWARNINGS": "default",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    # No network: every client that honours a proxy finds a closed door at once (port 9 is "discard").
    closed = "http://127.0.0.1:9"
    environment |= dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), closed)
    environment |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), closed)
    # matplotlib lists the fonts once; better here than with a notice in the middle of a notebook.
    subprocess.run([sys.executable, "-c", "import matplotlib.font_manager"], env=environment, check=True)
    own = environment.get("PYTHONPATH")
    environment |= GROUNDS[ground]
    if own and environment["PYTHONPATH"] != own:
        environment["PYTHONPATH"] += os.pathsep + own
    return environment


def repository() -> tuple[str, str]:
    """Address and branch of the repository, from ``_config.yml``: ("", "main") until they are set there."""
    path = ROOT / "_config.yml"
    config = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    place = config.get("repository") or {}
    return (place.get("url") or "").rstrip("/"), place.get("branch") or "main"


# -- from the source to two notebooks --


def tags(cell) -> set[str]:
    """The tags of a cell."""
    return set(cell.metadata.get("tags", []))


@dataclasses.dataclass
class Exercise:
    """The cells of one exercise, in the order of the source."""

    text: nbformat.NotebookNode
    stub: nbformat.NotebookNode | None = None
    solution: nbformat.NotebookNode | None = None
    wrong: list[nbformat.NotebookNode] = dataclasses.field(default_factory=list)
    check: nbformat.NotebookNode | None = None


@dataclasses.dataclass(frozen=True)
class Source:
    """One file of ``notebooks/source``.

    Attributes:
        slug: The name without suffix, for instance ``01-srcnn``.
        cells: All its cells.
    """

    slug: str
    cells: list

    @property
    def exercises(self) -> list[Exercise]:
        """The exercises; a ValueError tells which one is incomplete."""
        found: list[Exercise] = []
        for cell in self.cells:
            kinds = tags(cell)
            if "exercise" in kinds:
                found.append(Exercise(cell))
            elif cell.cell_type == "code" and kinds & {"stub", "solution", "wrong", "check"}:
                if not found:
                    raise ValueError(f"{self.slug}: a cell tagged {sorted(kinds)} before the first exercise")
                if "wrong" in kinds:
                    found[-1].wrong.append(cell)
                else:
                    setattr(found[-1], (kinds & {"stub", "solution", "check"}).pop(), cell)
        for number, exercise in enumerate(found, start=1):
            missing = [kind for kind in ("stub", "solution", "wrong", "check") if not getattr(exercise, kind)]
            if missing:
                raise ValueError(f"{self.slug}: exercise {number} has no {', '.join(missing)}")
        return found

    @property
    def ground(self) -> list:
        """The code cells that exercises stand on."""
        return [cell for cell in self.cells if "ground" in tags(cell) and cell.cell_type == "code"]


def read_source(path: Path) -> Source:
    """Read a py:percent file.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no notebook source {path.name} in {path.parent}")
    cells = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells
    for cell in cells:  # jupytext leaves nothing else that we want to keep
        cell.metadata = nbformat.NotebookNode({k: v for k, v in cell.metadata.items() if k in {"tags", "mystnb"}})
    return Source(path.stem, cells)


def sources() -> list[Path]:
    """All sources, in the order of the lectures."""
    return sorted((NOTEBOOKS / "source").glob("*.py"))


def student_notebook(source: Source) -> nbformat.NotebookNode:
    """The notebook that students open, without outputs."""
    cells = [copy.deepcopy(cell) for cell in source.cells if not tags(cell) & HIDDEN_FROM_STUDENTS]
    url, branch = repository()
    if url:
        owner_and_name = url.removeprefix("https://github.com/")
        colab = f"https://colab.research.google.com/github/{owner_and_name}/blob/{branch}/notebooks/{source.slug}.ipynb"
        title, _, rest = cells[0].source.partition("\n")
        cells[0].source = f"{title}\n\n[Open this notebook in Colab]({colab})\n{rest}"
    return _notebook(cells)


def solutions_notebook(source: Source) -> nbformat.NotebookNode:
    """The ground cells and the exercises with their solutions, without outputs."""
    title = source.cells[0].source.splitlines()[0].lstrip("# ")
    heading = nbformat.v4.new_markdown_cell(
        f"# Solutions: {title}\n\nThe exercises of [the notebook](../{source.slug}.ipynb), solved. "
        "Try each one yourself before you look."
    )
    kept = [copy.deepcopy(cell) for cell in source.cells[1:] if tags(cell) & KEPT_IN_SOLUTIONS]
    for cell in kept:
        if "solution" in tags(cell):
            cell.metadata["tags"].append("hide-cell")  # the book shows it behind a fold
    return _notebook([heading, *kept])


def _notebook(cells: list) -> nbformat.NotebookNode:
    """Number the cells, fill in the repository, attach the metadata."""
    url, branch = repository()
    package = f"git+{url}@{branch}" if url else ""
    seen: dict[str, int] = {}
    for cell in cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:8]  # before the address comes in
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        cell.source = cell.source.replace('REPOSITORY = ""', f'REPOSITORY = "{package}"')
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata = nbformat.from_dict(copy.deepcopy(METADATA))
    return notebook


# -- what is fresh --


def fingerprint(notebook: nbformat.NotebookNode) -> str:
    """Hash of the code, and of the cards, results and published tables that the code names.

    The package's own code does not count: nbval compares the outputs. Nor does the address of the repository.
    """
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    code = [re.sub(r'REPOSITORY = ".*"', 'REPOSITORY = ""', text) for text in code]
    named = set(re.findall(r"[\"']([\w.-]+)[\"']", "\n".join(code)))
    places = [
        place
        for name in named
        for place in (ZOO / f"{name}.json", RESULTS / f"{name}.csv", RESULTS / name, PUBLISHED / f"{name}.csv")
    ]
    files = {f"{place.parent.name}/{place.name}": place for place in places if place.is_file()}
    content = {
        "code": code,
        "files": {name: hashlib.sha256(files[name].read_bytes()).hexdigest() for name in sorted(files)},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def pair(source: Source) -> dict[Path, nbformat.NotebookNode]:
    """The two notebooks of a source, without outputs, by the path where they belong."""
    name = f"{source.slug}.ipynb"
    return {
        NOTEBOOKS / name: student_notebook(source),
        NOTEBOOKS / "solutions" / name: solutions_notebook(source),
    }


def stored(path: Path) -> nbformat.NotebookNode | None:
    """The notebook at ``path``, or None where there is none."""
    return nbformat.read(path, as_version=4) if path.is_file() else None


def is_fresh(path: Path, notebook: nbformat.NotebookNode) -> bool:
    """Whether the outputs stored at ``path`` belong to ``notebook``."""
    old = stored(path)
    return old is not None and old.metadata.get("imtrans", {}).get("hash") == fingerprint(notebook)


def with_outputs_of(notebook: nbformat.NotebookNode, old: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """``notebook`` with the outputs stored in ``old``, whose code is the same: only the text changed."""
    code = [cell for cell in old.cells if cell.cell_type == "code"]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            done = code.pop(0)
            cell.outputs, cell.execution_count = done.outputs, done.execution_count
    notebook.metadata["imtrans"] = old.metadata["imtrans"]
    return notebook


# -- running --


def execute(notebook: nbformat.NotebookNode, folder: Path, environment: dict[str, str] | None = None) -> float:
    """Run a notebook in a fresh kernel, in place.

    Args:
        notebook: The notebook; gets its outputs and, in the metadata, the hash of what was run.
        folder: Where the kernel starts: the folder in which the notebook lies.
        environment: The kernel's environment; by default that of :func:`kernel_environment`.

    Returns:
        Seconds from the start of the kernel to its end.
    """
    from nbclient import NotebookClient

    started = time.monotonic()
    digest = fingerprint(notebook)  # before the run: cards may change while it goes on
    with tempfile.TemporaryDirectory() as scratch:
        client = NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        # Errors come through the protocol; what the kernel itself writes on stderr are notices.
        client.execute(env=environment or kernel_environment(scratch), stderr=subprocess.DEVNULL)
    notebook.metadata = nbformat.from_dict({**copy.deepcopy(METADATA), "imtrans": {"hash": digest}})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.pop("transient", None)
            if output.output_type in {"display_data", "execute_result"}:
                output.metadata = nbformat.NotebookNode()
    return time.monotonic() - started


def write(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Write a notebook, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".ipynb.part")
    nbformat.write(notebook, aside)
    os.replace(aside, path)


def build(path: Path, *, run_all: bool = False, check: bool = False) -> bool:
    """Bring both notebooks of one source up to date.

    Args:
        path: The source.
        run_all: Execute even what did not change.
        check: Write nothing, only look.

    Returns:
        Whether both were up to date before.
    """
    up_to_date = True
    for target, notebook in pair(read_source(path)).items():
        name = target.relative_to(ROOT).as_posix()
        old = stored(target)
        fresh = is_fresh(target, notebook)
        if fresh and not run_all:
            notebook = with_outputs_of(notebook, old)
            if notebook == old:
                print(f"{name}: up to date")
                continue
        up_to_date = False
        if check:
            print(f"{name}: {'text changed' if fresh else 'has to be executed'}")
        elif fresh and not run_all:
            write(target, notebook)
            print(f"{name}: text changed, outputs kept")
        else:
            print(f"{name}: running ...", flush=True)
            seconds = execute(notebook, target.parent)
            write(target, notebook)
            print(f"{name}: {seconds:.0f} s, {target.stat().st_size / 1000:.0f} kB")
    return up_to_date


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("slugs", nargs="*", metavar="NN-slug", help="which sources (all by default)")
    parser.add_argument("--all", action="store_true", help="execute even what did not change")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    arguments = parser.parse_args()
    paths = [NOTEBOOKS / "source" / f"{slug}.py" for slug in arguments.slugs] or sources()
    try:
        up_to_date = [build(path, run_all=arguments.all, check=arguments.check) for path in paths]
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return int(arguments.check and not all(up_to_date))


if __name__ == "__main__":
    sys.exit(main())
