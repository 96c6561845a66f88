"""Run a library without its progress bars and version warnings, but never without its errors."""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from fer_convert.export.log import ConverterLog
from fer_convert.export.refusal import reason_in_one_line
from fer_train.contract.errors import ConversionFailed, FerError
from fer_train.contract.files import cannot_write

#: A converter that dies with less than this left on the disk died of it: coremltools' native
#: writers turn a full disk into errors that do not say so.
_FULL_DISK_BYTES = 4 << 20


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence Python warnings, coremltools' log below ERROR, and everything Python prints."""
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    # tqdm draws on the sys.stderr of the moment, so redirecting it is enough.
    sink = io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def converting(what: str, *, workspace: Path, log: ConverterLog) -> Iterator[None]:
    """Run one conversion, with its temporary files in ``workspace`` and its words in ``log``.

    Args:
        what: the artefact, for the message.
        workspace: a folder on the disk the artefact goes to. Temporary files go there so that a
            full disk is noticed where it matters and Ctrl-C leaves nothing behind.

    Raises:
        ConversionFailed: the converter refused; the hint is its reason in one line.
        CannotWrite: the disk is full.
    """
    former = tempfile.tempdir
    tempfile.tempdir = str(workspace)
    try:
        with log.step(what):
            yield
    except FerError:
        raise
    except Exception as error:
        if _disk_is_full(error, workspace):
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise cannot_write(Path(what), full) from error
        raise ConversionFailed(
            f"{what}: the converter refused this network.",
            hint=reason_in_one_line(error, log.latest),
        ) from error
    finally:
        tempfile.tempdir = former


def _disk_is_full(error: Exception, workspace: Path) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return shutil.disk_usage(workspace).free < _FULL_DISK_BYTES
