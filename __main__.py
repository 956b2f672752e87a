"""The command line: one verb per question. It parses, calls one function and prints; the work is done elsewhere."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from . import HotrowError, __version__
from .experiments.commands import caching, predicting, profiles, reporting, running, traces

app = typer.Typer(
    name="hotrow",
    help="Co-design and trace analysis for deep-learning recommendation models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(traces.convert)
app.command()(traces.describe)
app.command()(caching.cache)
app.command()(profiles.fit)
app.command()(profiles.compare)
app.command()(profiles.generate)
app.command()(running.profile)
app.command()(running.calibrate)
app.command()(predicting.predict)
app.command()(reporting.sweep)
app.command()(reporting.report)
_FLAGS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
app.command(context_settings=_FLAGS, add_help_option=False)(running.train)


def _version(value: bool) -> None:
    if value:
        print(f"hotrow {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 the user's mistake, 2 usage, 3 a fault of ours, 130 Ctrl-C."""
    try:
        app(prog_name="hotrow")
    except HotrowError as error:
        print(f"hotrow: {error}", file=sys.stderr)
        sys.exit(1)
    except MemoryError as error:
        print(f"hotrow: not enough memory ({error}); use fewer tables, samples or rows", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"hotrow: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        print("hotrow: this is a fault of hotrow, not of your input; please report the lines above", file=sys.stderr)
        sys.exit(3)
    except SystemExit as stop:
        if stop.code == 130:
            print("hotrow: stopped; nothing half-written is left", file=sys.stderr)
        raise


if __name__ == "__main__":
    main()
