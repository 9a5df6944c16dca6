"""Masks behind a URL: fetched into the user's cache folder with fsspec, and read from there."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

from shapeprof.errors import InputError
from shapeprof.progress import Progress

_URL = re.compile(r"[a-z][a-z0-9+.-]+(::[a-z][a-z0-9+.-]+)*://", re.IGNORECASE)
_ARCHIVES = {".zip": "zip", ".tar": "tar", ".tgz": "tar", ".gz": "tar"}
_VERSIONS = ("ETag", "etag", "CRC", "mtime", "LastModified", "last_modified", "updated", "created")


def is_url(place: str) -> bool:
    """Whether ``place`` is a URL, such as ``s3://bucket/masks`` or ``https://host/masks.zip``."""
    return _URL.match(place) is not None


def fetched(url: str, progress: Progress | None = None) -> Path:
    """The folder that holds a copy of all files below ``url``, which may be an archive (.zip, .tar, .tar.gz).

    Files that an earlier call has fetched, and whose size and version did not change since, are not fetched again;
    those that are gone are removed.

    Raises:
        InputError: fsspec, or what it needs for this URL, is not installed; nothing is there; it can't be read.
    """
    try:
        import fsspec
    except ImportError:
        raise InputError(
            f"{url}: reading from a URL needs fsspec; pip install 'shapeprof[remote]', or copy the masks here"
        ) from None
    from shapeprof.cache import cache_folder

    chained = url
    archive = _ARCHIVES.get(PurePosixPath(url.split("?")[0]).suffix.lower())
    if archive and "::" not in url:
        chained = f"{archive}://::{url}"
    try:
        system, base = fsspec.core.url_to_fs(chained)
        listed = system.find(base, detail=True)
    except ImportError as error:
        raise InputError(f"{url}: {error}; install what this kind of URL needs, or copy the masks here") from None
    except Exception as error:
        raise _unreachable(url, error) from error
    wanted = {_relative(url, path, base): (path, _version(info)) for path, info in sorted(listed.items())}
    if not wanted:
        raise InputError(f"{url}: there is no file; expected a folder or an archive of mask images. Check the URL")
    name = re.sub(r"[^\w.-]+", "_", PurePosixPath(base or url.split("?")[0]).name)[-60:] or "masks"
    place = cache_folder() / "remote" / hashlib.blake2b(url.encode(), digest_size=8).hexdigest() / name
    _bring(url, system, wanted, place, progress)
    return place


def _bring(url: str, system: Any, wanted: dict[str, tuple[str, str]], place: Path, progress: Progress | None) -> None:
    """Fetch ``wanted`` (relative path to (remote path, version)) into ``place``, and remove what is not wanted."""
    manifest = place.parent / "manifest.json"
    known = _kept(manifest)
    for gone in set(known) - set(wanted):
        (place / gone).unlink(missing_ok=True)
    here = {path: version for path, version in known.items() if path in wanted}
    try:
        for done, (path, (there, version)) in enumerate(wanted.items(), start=1):
            target = place / path
            if here.get(path) != version or not target.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_name(target.name[-100:] + ".part")
                with system.open(there, "rb") as source, part.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
                part.replace(target)
                here[path] = version
            if progress:
                progress(done, len(wanted))
    except Exception as error:
        raise _unreachable(url, error) from error
    finally:
        if place.parent.is_dir():
            part = manifest.with_name("manifest.json.part")
            part.write_text(json.dumps(here, sort_keys=True), encoding="utf-8")
            part.replace(manifest)


def _kept(manifest: Path) -> dict[str, str]:
    """The version of each file fetched so far; {} when the manifest can't be read."""
    try:
        kept = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _relative(url: str, path: str, base: str) -> str:
    """The path of a file relative to ``base``; raise InputError when it would lead out of it."""
    start, whole = base.strip("/"), path.strip("/")
    relative = whole.removeprefix(start).strip("/") if start else whole
    relative = relative or PurePosixPath(whole).name
    parts = relative.split("/")
    if ".." in parts or "\\" in relative or "\0" in relative or path.startswith("//"):
        raise InputError(f"{url}: it holds the path {path!r}, which leads out of its folder; nothing was fetched")
    return relative


def _version(info: dict[str, Any]) -> str:
    """A text that changes when the file does: its size, and its checksum or time if the file system has one."""
    return f"{info.get('size')} {next((str(info[key]) for key in _VERSIONS if info.get(key) is not None), '')}"


def _unreachable(url: str, error: Exception) -> InputError:
    text = str(error).split("\n")[0] or type(error).__name__
    return InputError(f"{url}: can't be read ({text}); check the URL and your access, or copy the masks here")
