"""Write files so that a reader sees the old content or the new content, never half of either."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fer_train.contract.errors import CannotWrite, OutputExists

_CHUNK = 1 << 20


@contextlib.contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; on success fsync and rename it to ``path``.

    On any exception (a full disk, Ctrl-C) the temporary file is removed and ``path`` keeps its
    former content.

    Raises:
        CannotWrite: the folder cannot be made or written (no space, no permission).
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _flush_to_disk(temporary)
        # mkstemp makes the file private; give it the mode any other new file would have.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_directory(path: Path | str, *, marker: str) -> Iterator[Path]:
    """Yield an empty sibling directory; on success it takes the place of ``path``.

    An existing ``path`` is replaced only if it is empty or holds a file named ``marker``, the sign
    that we wrote it. On any exception the new directory is removed and ``path`` is untouched.

    Raises:
        OutputExists: ``path`` exists and does not hold ``marker``.
        CannotWrite: no space, no permission.
    """
    target = Path(path)
    refuse_foreign_output(target, marker=marker)
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(
            tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
        )
        partial.chmod(0o777 & ~_umask())
        yield partial
        _swap(partial, target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def refuse_foreign_output(target: Path, *, marker: str) -> None:
    """Refuse a folder to write that was not written by us, or could not be.

    Raises:
        OutputExists: ``target`` exists and does not hold ``marker``.
        CannotWrite: as `require_utf8`.
    """
    require_utf8(target)
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputExists(f"{target} exists and is not a folder.", hint="Choose another --out.")
    if any(target.iterdir()) and not (target / marker).is_file():
        raise OutputExists(
            f"{target} is not empty and holds no {marker}, so it was not written by this command.",
            hint="Choose another --out, or empty the folder yourself.",
        )


def require_utf8(target: Path) -> None:
    """Raise `CannotWrite` for a name that TensorBoard's, ONNX's and Core ML's libraries refuse."""
    try:
        str(target).encode()
    except UnicodeEncodeError:
        raise CannotWrite(
            f"Cannot write {target}: its name is not UTF-8.",
            hint="The libraries that write models and curves take no other; choose another name.",
        ) from None


def write_bytes(path: Path | str, content: bytes) -> None:
    """Atomically write ``content``."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path | str, content: str) -> None:
    """Atomically write ``content`` as UTF-8 with ``\\n`` line ends on every system.

    A lone surrogate, as Python holds a byte of a file name that is not UTF-8, becomes ``\\udcff``:
    readable in a page, and in JSON an escape that gives back the same name.
    """
    write_bytes(path, content.encode("utf-8", "backslashreplace"))


def write_json(path: Path | str, value: Any) -> None:
    """Atomically write indented JSON; NaN is refused because JSON has none."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sha256_file(path: Path | str) -> str:
    """Return the hexadecimal SHA-256 of one file."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def tree_files(path: Path | str) -> list[Path]:
    """Return the files under ``path`` (or the file itself), sorted by POSIX relative path."""
    root = Path(path)
    if root.is_file():
        return [root]
    found = [entry for entry in root.rglob("*") if entry.is_file()]
    return sorted(
        found, key=lambda entry: entry.relative_to(root).as_posix().encode(errors="surrogatepass")
    )


def sha256_tree(path: Path | str) -> str:
    """Return the SHA-256 of a file, or of a folder's sorted ``"<sha256>  <path>\\n"`` lines."""
    root = Path(path)
    if root.is_file():
        return sha256_file(root)
    lines = (f"{sha256_file(f)}  {f.relative_to(root).as_posix()}\n" for f in tree_files(root))
    return hashlib.sha256("".join(lines).encode(errors="surrogatepass")).hexdigest()


def size_bytes(path: Path | str) -> int:
    """Return the bytes of a file, or of all files under a folder."""
    return sum(entry.stat().st_size for entry in tree_files(path))


def cannot_write(target: Path, error: OSError) -> CannotWrite:
    """Translate an operating-system error into one that says what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CannotWrite(
            f"No space left while writing {target}.",
            hint="Nothing was left half-written. Free some space, or choose another --out.",
        )
    return CannotWrite(f"Cannot write {target}: {error.strerror or error}.")


def _swap(partial: Path, target: Path) -> None:
    # A directory cannot be renamed over a non-empty one: move the old one aside first, so that the
    # moment without ``target`` is one rename long and nothing is lost if we die in it.
    retired: Path | None = None
    if target.exists():
        retired = Path(
            tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent)
        )
        target.replace(retired)
    partial.replace(target)
    if retired is not None:
        shutil.rmtree(retired, ignore_errors=True)


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
