"""The command line: one file per command, errors as one message, results on stdout, progress on stderr."""

from __future__ import annotations

import io
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperCommand

from boothlab.cli import (
    check,
    demo,
    doctor,
    evaluate,
    export,
    fetch,
    forget,
    generate,
    prepare,
    rate,
    report,
    show,
    study,
    tokens,
    train,
)
from boothlab.errors import BoothlabError, NoAccess, NoMemory, PlanError, disk_errors, is_gpu_out_of_memory
from boothlab.home import home


class Command(TyperCommand):
    """A command whose usage line names what is required as RUN, not as {RUN}, which people took to be typed."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The parts of the line, without the braces that typer puts around required arguments."""
        return [piece.removeprefix("{").replace("}", "") for piece in super().collect_usage_pieces(ctx)]


app = typer.Typer(
    name="boothlab",
    help="Personalise text-to-image models on a few photos, and find out with numbers what works.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: the coloured kind takes as long to load as all the rest of the command.
    rich_markup_mode=None,
    epilog="First try: boothlab demo",
)

for module in (
    demo,
    prepare,
    train,
    generate,
    evaluate,
    report,
    study,
    rate,
    export,
    check,
    show,
    tokens,
    doctor,
    fetch,
    forget,
):
    name = module.__name__.rpartition(".")[2]
    app.command(name, cls=Command)(getattr(module, name))


@app.callback()
def _root() -> None:
    """Personalise text-to-image models on a few photos, and find out with numbers what works."""


STOPPED = 130
"""Exit code after Ctrl-C."""


def run() -> None:
    """The entry point of the ``boothlab`` command."""
    sys.exit(main())


def main() -> int:
    """Run the command line; returns the exit code (0, 1 failed, 2 usage or plan, 3 partial study, 130 stopped)."""
    _printable()
    try:
        _translated()
    except BoothlabError as error:
        print(f"boothlab: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _stopped()
    except SystemExit as leaving:
        if leaving.code == STOPPED:  # typer's own word for a Ctrl-C that nobody else heard
            return _stopped()
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BrokenPipeError:
        return 1
    except Exception:  # noqa: BLE001 - the outermost frame: whatever comes here is a bug, and is said to be one
        traceback.print_exc()
        print("boothlab: this is a bug in boothlab; the lines above say where.", file=sys.stderr)
        return 1
    return 0


def _stopped() -> int:
    print("boothlab: stopped. Give the same command again and it goes on.", file=sys.stderr)
    return STOPPED


def _printable() -> None:
    """Let what is said hold characters that the output's encoding lacks: they are shown as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _translated() -> None:
    """Run the command; the machine's complaints that no room translated become errors of the tree."""
    from pathlib import Path

    for word in sys.argv[1:]:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            shown = word.encode("utf-8", "backslashreplace").decode()
            raise PlanError(f"The argument {shown} is not UTF-8 text.", "Rename the file or folder.") from error
    try:
        home()
    except RuntimeError as error:
        raise PlanError(f"BOOTHLAB_HOME begins with the home folder of nobody here: {error}.") from error
    try:
        here = Path.cwd()
    except OSError as error:
        raise NoAccess(
            f"The folder that you are in is not there any more, or may not be read ({error.strerror}).",
            "Change to another folder and give the command again.",
        ) from error
    try:
        with disk_errors(here, "go on", outermost=True):
            app()
    except RuntimeError as error:
        if not is_gpu_out_of_memory(error):
            raise
        raise NoMemory(
            "The GPU ran out of memory.",
            "Close what else uses it, lower generation.batch_size, or use base.device=cpu; "
            "`boothlab check PLAN` lists what takes how much.",
        ) from error
    except MemoryError as error:
        raise NoMemory("The machine ran out of memory.", "Close other programs, or use a smaller model.") from error
