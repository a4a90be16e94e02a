"""Gives every notebook kernel under ``pytest --nbval`` the ground that the stored outputs were made on.

Notebook kernels alone: unit tests see the environment as it is, data included. ``--ground NAME`` computes as another
kind of machine does, ``--claims FILE`` collects the numbers behind `imtrans.exercises.claim`; `notebooks/machines.py`
uses both.
"""

import functools
import importlib.util
import sys
import tempfile
from pathlib import Path


def _notebooks_build():
    """The module ``notebooks/build.py``, which is a script beside its notebooks and no package."""
    name = "notebooks_build"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "notebooks" / "build.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def pytest_addoption(parser):
    """The two options that choose and watch the ground of notebook kernels."""
    parser.addoption("--ground", default="native", help="the machine that notebook kernels compute like")
    parser.addoption("--claims", help="a file that collects the values behind the notebooks' claims")


def pytest_configure(config):
    """Hand the environment to the function that starts nbval's kernels: nbval has no option for it."""
    if not config.pluginmanager.hasplugin("nbval"):
        return
    import nbval.kernel

    scratch = tempfile.TemporaryDirectory(prefix="notebooks-")
    config.add_cleanup(scratch.cleanup)
    environment = _notebooks_build().kernel_environment(scratch.name, config.getoption("ground"))
    if claims := config.getoption("claims"):
        environment["IMTRANS_CLAIMS"] = str(Path(claims).absolute())
    plain = nbval.kernel.start_new_kernel
    nbval.kernel.start_new_kernel = functools.partial(plain, env=environment)
    config.add_cleanup(lambda: setattr(nbval.kernel, "start_new_kernel", plain))
