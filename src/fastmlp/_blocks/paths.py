"""The files that are meant by names, patterns and folders."""

import glob
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TypeAlias

Paths: TypeAlias = str | PathLike[str] | Sequence[str | PathLike[str]]


def find_files(argument: str, paths: Paths, suffix: str) -> list[str]:
    """Return the files that are meant, those of a pattern or a folder sorted by their names.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    given = [paths] if isinstance(paths, str | PathLike) else list(paths)
    files: list[str] = []
    for path in [fspath(path) for path in given]:
        if Path(path).is_dir():
            found = sorted(str(file) for file in Path(path).rglob(f"*{suffix}"))
        else:
            found = [path] if Path(path).is_file() else sorted(glob.glob(path, recursive=True))
        if not found:
            raise FileNotFoundError(f"{argument}: there is no file {path!r}.")
        files += found
    if not files:
        raise FileNotFoundError(f"{argument}: no file is given.")
    return files
