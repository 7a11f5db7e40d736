"""Weights from the web: downloaded once, kept in a folder, loaded like any other file."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import uuid
from typing import Any
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import mlx

__all__ = ["download_url_to_file", "get_dir", "load_state_dict_from_url", "set_dir"]

_CHUNK = 1 << 20
_HASH = re.compile(r"-([a-f0-9]{8,})\.")  # resnet18-5c106cde.pth
_dir: str | None = None


def get_dir() -> str:
    """The folder of what is downloaded: what `set_dir` named, else $MLX_HOME/hub, else ~/.cache/mlx/hub.

    >>> import mlx
    >>> mlx.hub.get_dir().endswith("hub")
    True
    """
    if _dir is not None:
        return _dir
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.path.join(os.path.expanduser(os.environ.get("MLX_HOME", os.path.join(cache, "mlx"))), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Keep what is downloaded in another folder."""
    global _dir
    _dir = os.path.expanduser(d)


def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Store what a URL holds. The file appears when it is complete and its SHA-256 begins with `hash_prefix`.

    Args:
        progress: whether to say on stderr what is downloaded.

    Raises:
        RuntimeError: when the hash is another. OSError: when the download fails.
    """
    dst = os.path.expanduser(dst)
    if progress:
        print(f'Downloading: "{url}" to {dst}', file=sys.stderr)
    digest = hashlib.sha256()
    partial = f"{dst}.{uuid.uuid4().hex}.partial"
    try:
        with urlopen(Request(url, headers={"User-Agent": "mlx.hub"})) as source, open(partial, "wb") as file:
            while chunk := source.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
        got = digest.hexdigest()
        if hash_prefix is not None and not got.startswith(hash_prefix):
            raise RuntimeError(
                f'invalid hash value (expected "{hash_prefix}", got "{got[: len(hash_prefix)]}")'
            )
        os.replace(partial, dst)
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> Any:
    """`mlx.load` of a file from the web, which is downloaded unless it was before.

    Args:
        model_dir: where the file is kept, `checkpoints` in `get_dir()` when None.
        check_hash: whether the name holds the first digits of the file's SHA-256, as in `net-0123abcd.pth`.
        file_name: the name to keep it under, that of the URL when None.
        map_location, weights_only: as `mlx.load` takes them.
    """
    folder = os.path.join(get_dir(), "checkpoints") if model_dir is None else model_dir
    os.makedirs(folder, exist_ok=True)
    name = file_name or os.path.basename(urlparse(url).path)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        found = _HASH.search(name) if check_hash else None
        download_url_to_file(url, path, found.group(1) if found else None, progress)
    return mlx.load(path, map_location=map_location)
