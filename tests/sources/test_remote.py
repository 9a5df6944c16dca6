"""Masks behind a URL."""

from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from written import blocks, look, save

from shapeprof.errors import InputError
from shapeprof.sources import find_masks
from shapeprof.sources.listing.remote import fetched, is_url

fsspec = pytest.importorskip("fsspec")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHAPEPROF_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def memory() -> Iterator[object]:
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def put(system: object, path: str, file: Path) -> None:
    system.pipe_file(path, file.read_bytes())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("place", "yes"),
    [
        ("s3://bucket/masks", True),
        ("https://host/a.zip", True),
        ("zip://::memory://a.zip", True),
        ("masks", False),
        ("/a/b://c", False),
        ("C:\\masks", False),
    ],
)
def test_what_is_a_url(place: str, yes: bool) -> None:
    assert is_url(place) is yes


def test_masks_are_fetched_and_read_from_a_copy(tmp_path: Path, memory: object) -> None:
    for name in ("a/1.png", "b/2.png"):
        put(memory, f"/set/{name}", save(tmp_path / "m.png", blocks(0, 1)))
    seen: list[tuple[int, int]] = []
    place = fetched("memory://set", lambda done, total: seen.append((done, total)))
    folder, encoding = look(place)
    assert place.is_relative_to(tmp_path / "cache")
    assert folder.files == ("a/1.png", "b/2.png")
    assert encoding.kind == "binary"
    assert seen == [(1, 2), (2, 2)]


def test_only_what_changed_is_fetched_again(tmp_path: Path, memory: object) -> None:
    for name in ("1.png", "2.png", "3.png"):
        put(memory, f"/set/{name}", save(tmp_path / "m.png", blocks(0, 1)))
    place = fetched("memory://set")
    before = {path.name: path.stat().st_mtime_ns for path in place.iterdir()}
    put(memory, "/set/1.png", save(tmp_path / "m.png", blocks(0, 1, 2)))
    memory.rm("/set/3.png")  # type: ignore[attr-defined]
    assert fetched("memory://set") == place
    assert find_masks(place).files == ("1.png", "2.png")
    assert (place / "1.png").read_bytes() == (tmp_path / "m.png").read_bytes()
    assert (place / "2.png").stat().st_mtime_ns == before["2.png"]


def test_a_fetch_that_was_cut_short_is_done_again(tmp_path: Path, memory: object) -> None:
    for name in ("1.png", "2.png"):
        put(memory, f"/set/{name}", save(tmp_path / "m.png", blocks(0, 1)))
    place = fetched("memory://set")
    (place.parent / "manifest.json").write_text('{"1.png"')
    (place / "1.png").write_bytes(b"half")
    fetched("memory://set")
    assert (place / "1.png").read_bytes() == (tmp_path / "m.png").read_bytes()


def test_an_archive_is_unpacked(tmp_path: Path, memory: object) -> None:
    save(tmp_path / "in/masks/1.png", blocks(0, 1))
    save(tmp_path / "in/masks/2.png", blocks(0, 1))
    archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "in"))
    put(memory, "/set.zip", archive)
    assert find_masks(fetched("memory://set.zip")).files == ("masks/1.png", "masks/2.png")
    assert find_masks(fetched(f"file://{archive}")).files == ("masks/1.png", "masks/2.png")


def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("a/../../../evil.png", b"x")
        archive.writestr("b.png", b"x")
    with pytest.raises(InputError, match="leads out of its folder"):
        fetched(f"file://{tmp_path}/evil.zip")
    assert not list(tmp_path.rglob("evil.png"))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://nothing", "there is no file"),
        ("nonsense://host/masks", "can't be read"),
        ("file:///no/such/folder", "there is no file"),
    ],
)
def test_urls_that_lead_nowhere(memory: object, url: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fetched(url)


def test_without_fsspec_the_message_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(InputError, match=r"pip install 'shapeprof\[remote\]'"):
        fetched("memory://set")


def test_a_file_that_ends_early_leaves_the_others_fetched(
    tmp_path: Path, memory: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1.png", "2.png"):
        put(memory, f"/set/{name}", save(tmp_path / "m.png", blocks(0, 1)))
    opened: list[str] = []
    whole = type(memory).open

    def cut(system: object, path: str, *arguments: object, **options: object) -> object:
        opened.append(path.rpartition("/")[2])
        if opened == ["1.png", "2.png"]:
            raise TimeoutError("the connection ended\nand more lines")
        return whole(system, path, *arguments, **options)  # type: ignore[attr-defined]

    monkeypatch.setattr(type(memory), "open", cut)
    with pytest.raises(InputError, match=r"memory://set: can't be read \(the connection ended\); check the URL"):
        fetched("memory://set")
    assert find_masks(fetched("memory://set")).files == ("1.png", "2.png")
    assert opened == ["1.png", "2.png", "2.png"]  # the first was kept


def test_what_a_url_needs_and_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(InputError, match=r"s3://b/masks: Install s3fs to access S3; install what this kind of URL"):
        fetched("s3://b/masks")
