"""The command line: ``imtrans COMMAND --help``.

Commands are plain functions; tyro reads their options from the signatures and the help from the docstrings. Errors
about bad input, which the package raises as ValueError or OSError, and a GPU's full memory become one line on stderr
and exit status 2, in `main` and nowhere else. Any other exception is a bug and keeps its traceback.
"""

import codecs
import os
import sys
import warnings
from collections.abc import Sequence

import tyro

from imtrans.cli import colorize, data, files, pictures, prior, scores, stylize, training, weights

COMMANDS = {
    "super-resolve": pictures.super_resolve,
    "denoise": pictures.denoise,
    "deblock": pictures.deblock,
    "prior": prior.restore,
    "stylize": stylize.stylize,
    "colorize": colorize.colorize,
    "evaluate": scores.evaluate,
    "compare": scores.compare,
    "train": training.train,
    "models": weights.models,
    "publish": weights.publish,
    "export": weights.export,
}
DATA_COMMANDS = {
    "list": data.list_sets,
    "fetch": data.fetch,
    "where": data.where,
    "pack": data.pack,
    "digest": data.digest,
}

# For terminals and files whose encoding lacks these letters.
SUBSTITUTES = {"σ": "sigma", "×": "x", "−": "-", "–": "-", "…": "...", "·": "-", "≥": ">=", "→": "->"}


def _substitute(error: UnicodeError) -> tuple[str, int]:
    """An error handler of `codecs`: write another spelling of what an encoding cannot hold."""
    letters = error.object[error.start : error.end]
    return "".join(SUBSTITUTES.get(letter, "?") for letter in letters), error.end


codecs.register_error("imtrans", _substitute)


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """Show a warning as one line on stderr, without the place in the code."""
    print(f"imtrans: warning: {' '.join(str(message).split())}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command.

    Args:
        arguments: Arguments in place of those of the process.
    """
    app, data_app = tyro.extras.SubcommandApp(), tyro.extras.SubcommandApp()
    for name, command in COMMANDS.items():
        app.command(command, name=name)
    for name, command in DATA_COMMANDS.items():
        data_app.command(command, name=name)
    app.command(data_app, name="data", help="Benchmark sets: list, fetch, where, pack, digest.")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="imtrans")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            app.cli(
                prog="imtrans",
                description="Image transformation: restore pictures, score networks, train them.",
                args=arguments,
                config=(tyro.conf.FlagCreatePairsOff,),
            )
        sys.stdout.flush()
    except BrokenPipeError:  # `imtrans models | head`: nobody reads the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except files.REFUSED as error:
        print(f"imtrans: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt as stop:  # its text says what is kept
        print(f"\nimtrans: stopped{stop}", file=sys.stderr)
        sys.exit(130)
