"""Every way boothlab can fail, as one tree.

::

    BoothlabError                 exit  what it blames
    ├── PlanError                   2   your plan or command line
    ├── PhotoError                  2   your photos
    ├── MachineError                1   the machine
    │   ├── NoSpace                     the disk is full
    │   ├── NoAccess                    a file or folder may not be read or written
    │   ├── NoMemory                    main or GPU memory ran out
    │   └── NoWeights                   a model or its weights are not here
    ├── TrainingError               1   the training
    │   └── NotFinite                   the loss or its gradient is not a number any more
    ├── RunError                    1   a run folder
    │   ├── RunBusy                     another process works on it
    │   └── RunDamaged                  what is in it does not fit together
    ├── PartialStudy                3   some runs of a study failed
    └── Cancelled                 130   you (Ctrl-C)

Messages say what is wrong, the value, the limit, and how to fix it. Anything else that escapes is a bug of
boothlab and is shown as one.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class BoothlabError(Exception):
    """Root of the tree. ``message`` says what is wrong; ``hint`` says what to do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class PlanError(BoothlabError):
    """A plan, an override or a command line that cannot be followed."""

    exit_code = 2


class PhotoError(BoothlabError):
    """Photos that cannot be used."""

    exit_code = 2


class MachineError(BoothlabError):
    """The machine lacks something: space, rights, memory, weights, a device."""


class NoSpace(MachineError):
    """The disk is full. What was there before is intact."""


class NoAccess(MachineError):
    """A file or folder may not be read or written."""


class NoMemory(MachineError):
    """Main or GPU memory ran out."""


def is_gpu_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` is torch's word that a GPU's memory ran out.

    On CUDA that is a class of its own. On Apple's GPUs it is a RuntimeError like any other, which only says so.
    """
    if type(error).__name__ == "OutOfMemoryError":  # not asked for by class, because torch is not imported here
        return True
    return isinstance(error, RuntimeError) and "MPS backend out of memory" in str(error)


class NoWeights(MachineError):
    """A model or its weights are not on this machine, or are in a form that is refused."""


class TrainingError(BoothlabError):
    """The training went wrong."""


class NotFinite(TrainingError):
    """The loss or the gradient norm is NaN or infinite. No weight was written."""


class RunError(BoothlabError):
    """A run folder that cannot be used."""


class RunBusy(RunError):
    """Another process holds the run folder."""


class RunDamaged(RunError):
    """Files of a run folder are missing, unreadable or do not fit together."""


class PartialStudy(BoothlabError):
    """Some runs of a study failed; the others are complete."""

    exit_code = 3


class Cancelled(BoothlabError):
    """The user stopped the work; it can be taken up again."""

    exit_code = 130


@contextmanager
def disk_errors(path: Path, doing: str, outermost: bool = False) -> Iterator[None]:
    """Translate the operating system's complaints about ``path`` into :class:`NoSpace` or :class:`NoAccess`.

    ``doing`` completes the sentence "cannot …", e.g. ``"write a checkpoint"``. The ``outermost`` frame knows neither
    what was done nor to which file: there the name that the complaint itself has, if any, stands for ``path``.
    """
    try:
        yield
    except RuntimeError as error:
        # Python before 3.13 says so of what `Path.resolve` meets; the system itself would say ELOOP.
        if not str(error).startswith("Symlink loop"):
            raise
        raise _loop(doing, str(error).partition("'")[2].rstrip("'") or path) from error
    except OSError as error:
        if outermost and isinstance(error.filename, str):
            path = Path(error.filename)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(
                f"Cannot {doing}: the disk that holds {path} is full.",
                "Free some space and give the same command again; nothing that was saved before is lost.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise NoAccess(
                f"Cannot {doing}: {path} may not be read or written ({error.strerror}).",
                "Choose another folder, or change its permissions.",
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
            raise NoAccess(
                f"Cannot {doing}: a file is where a folder should be, or the other way round ({error.filename}).",
                "Move it away, or choose another folder.",
            ) from error
        if error.errno == errno.ELOOP:
            raise _loop(doing, error.filename or path) from error
        if error.errno == errno.ENAMETOOLONG:
            raise NoAccess(
                f"Cannot {doing}: a name in {path} is too long for this disk.", "Use shorter names."
            ) from error
        raise


def _loop(doing: str, place: object) -> NoAccess:
    return NoAccess(
        f"Cannot {doing}: {place} is a link that leads back to itself.", "Remove the link, or choose another folder."
    )
