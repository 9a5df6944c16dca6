"""Every file below a folder: what it is called in the issues, and which names are images, masks or neither."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import blocks, codes, save

from shapeprof.errors import InputError, NothingMeasurable
from shapeprof.sources import ReadOptions, find_masks
from shapeprof.sources.class_files import NAME_FILES
from shapeprof.sources.listing.files import (
    Listing,
    extensions,
    list_files,
    may_be_image,
    may_be_raster_mask,
    other_issues,
    skipped_issues,
)
from shapeprof.sources.listing.images_among_masks import in_named_folders, without_images

NUMBERS = [f"{i:03}" for i in range(10)]


def test_a_listing_is_sorted_and_names_what_is_no_file(tmp_path: Path) -> None:
    for name in (
        "b/2.png",
        "a.png",
        ".hidden/x.png",
        "b/.DS_Store",
        "__MACOSX/y.png",
        "old.shapeprof/z.png",
        "Thumbs.db",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    found = list_files(tmp_path)
    assert found.files == ["a.png", "b/2.png"] and found.broken == ["gone.png"] and found.closed == []
    assert found.hidden == [".hidden/", "Thumbs.db", "__MACOSX/", "b/.DS_Store", "old.shapeprof/"]


def test_a_folder_that_two_links_lead_to_is_listed_once(tmp_path: Path) -> None:
    save(tmp_path / "set" / "real" / "1.png", blocks(0, 1))
    for name in ("again", "loop"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "set" / ("real" if name == "again" else ""))
    assert len(list_files(tmp_path / "set").files) == 1


@pytest.mark.parametrize(("name", "words"), [("gone", "no such folder"), ("a.png", "this is a file")])
def test_places_that_are_no_folder(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match=f"{name}: {words}; expected"):
        list_files(tmp_path / name)


def test_what_was_skipped_is_one_issue_of_each_kind() -> None:
    assert skipped_issues(Listing(["a.png"], [], [], [])) == []
    found = skipped_issues(Listing([], [".git/"], ["x", "y"], ["private (Permission denied)"]))
    assert [(issue.severity, issue.code) for issue in found] == [
        ("info", "hidden-files"),
        ("warning", "broken-links"),
        ("error", "folders-not-read"),
    ]
    assert found[1].message == "2 links lead nowhere: x, y. Restore their targets or remove them"
    assert "private (Permission denied). Check their permissions" in found[2].message


@pytest.mark.parametrize(
    ("path", "code"),
    [
        *((name, "names-files") for name in NAME_FILES),
        ("sub/Classes.TXT", "names-files"),
        ("readme", "side-files"),
        ("LICENSE", "side-files"),
        ("a.csv", "side-files"),
        ("notes.md", "side-files"),
        ("a.json", "annotations-not-read"),
        ("a.XML", "annotations-not-read"),
        ("a.txt", "annotations-not-read"),
        ("a.geojson", "annotations-not-read"),
        ("a.psd", "files-not-read"),
        ("a", "files-not-read"),
        ("features.npy", "files-not-read"),
    ],
)
def test_every_other_file_is_of_one_kind(path: str, code: str) -> None:
    kinds, issues = other_issues([path])
    assert kinds == {path: code} and codes(issues) == {code} and path in issues[0].message


def test_other_files_are_counted_by_suffix() -> None:
    assert extensions(["a.txt", "b.TXT", "c.json", "d"]) == "2 .txt, 1 .json, 1 no extension"
    assert extensions([f"{i}.{suffix}" for i, suffix in enumerate("abcdef")]).count(",") == 3
    assert other_issues([]) == ({}, [])


@pytest.mark.parametrize(
    ("path", "image", "mask"),
    [
        ("a.png", True, True),
        ("a.JPEG", True, True),
        ("a.tiff", True, True),
        ("a.pgm", True, True),
        ("a.ppm", True, False),
        ("a.jp2", True, False),
        ("a.npy", False, False),
        ("a.nii.gz", False, False),
        ("png", False, False),
    ],
)
def test_images_and_masks_by_suffix(path: str, image: bool, mask: bool) -> None:
    assert (may_be_image(path), may_be_raster_mask(path)) == (image, mask)


@pytest.mark.parametrize(
    ("mask", "image", "how"),
    [
        ("masks/{}.png", "images/{}.png", "they lie in folders named for images"),
        ("train/labels/{}.png", "train/imgs/{}.jpg", "they lie in folders named for images"),
        ("{}_mask.png", "{}_sat.jpg", "a word in their names marks the masks"),
        ("{}.png", "{}.jpg", "each JPEG has a mask of the same name beside it"),
        ("{}_seg_v2.png", "{}.jpg", "each JPEG has a mask of the same name plus '_seg_v2' beside it"),
        ("{}_seg_v3.png", "{}.png", "each has a mask of the same name plus '_seg_v3' beside it"),
    ],
)
def test_how_images_among_masks_are_recognised(mask: str, image: str, how: str) -> None:
    masks, images = [mask.format(n) for n in NUMBERS], [image.format(n) for n in NUMBERS]
    kept, left, issues = without_images(sorted(masks + images))
    assert (sorted(kept), sorted(left)) == (sorted(masks), sorted(images))
    [issue] = issues
    assert issue.code == "images-among-masks" and how in issue.message and "say --pattern GLOB" in issue.message


@pytest.mark.parametrize(
    "files",
    [
        [],
        [f"{n}.png" for n in NUMBERS],
        [f"{n}.jpg" for n in NUMBERS],
        [f"masks/{n}.png" for n in NUMBERS],
        [*(f"{n}.jpg" for n in NUMBERS), "other.png"],
        [*(f"{n}.png" for n in NUMBERS), "001_mask.png"],  # one pair says nothing about the others
    ],
)
def test_files_that_all_stay_masks(files: list[str]) -> None:
    assert without_images(files) == (files, [], [])


@given(
    st.lists(st.sampled_from(["masks/a.png", "images/a.png", "b.png", "x/c_mask.png", "c.jpg", "d.jpg"]), unique=True)
)
def test_every_file_is_a_mask_or_an_image(files: list[str]) -> None:
    masks, images, issues = without_images(files)
    assert sorted(masks + images) == sorted(files) and bool(images) == bool(issues)
    named, stray = in_named_folders(files)
    assert sorted(named + stray) == sorted(files)


def test_files_beside_named_folders_are_stray_only_while_they_are_few() -> None:
    named = [f"{folder}/{n}.png" for folder in ("masks", "images") for n in NUMBERS]
    assert in_named_folders([*named, "overview.png"]) == (named, ["overview.png"])
    many = [*named, *(f"{n}.png" for n in range(11))]
    assert in_named_folders(many) == (many, [])


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("*_ids.png", ("a_ids.png", "x/b_ids.png")),
        ("x/*", ("x/b.png", "x/b_ids.png")),
        ("[ab].png", ("a.png", "x/b.png")),
        ("*", ("a.png", "a_ids.png", "x/b.png", "x/b_ids.png")),
    ],
)
def test_a_pattern_for_names_or_whole_paths(tmp_path: Path, pattern: str, files: tuple[str, ...]) -> None:
    for name in ("a.png", "a_ids.png", "x/b.png", "x/b_ids.png"):
        save(tmp_path / name, blocks(0, 1))
    folder = find_masks(tmp_path, ReadOptions(pattern=pattern))
    assert folder.files == files and set(folder.why) <= {"not-in-pattern"}
    assert f"{len(files)} of 4 image files fit the pattern {pattern!r}" in folder.issues[0].message
    with pytest.raises(InputError, match=r"none of its 4 image files fits the pattern 'z'.*expected a glob such as"):
        find_masks(tmp_path, ReadOptions(pattern="z"))


def test_a_folder_of_other_files_says_what_it_found_and_expected(tmp_path: Path) -> None:
    with pytest.raises(NothingMeasurable, match="the folder is empty; expected mask images"):
        find_masks(tmp_path)
    for name in ("a.psd", "b.psd", "notes.md"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(
        NothingMeasurable, match=r"none of its 3 files is a mask image \(found: 2 \.psd, 1 \.md\); expected"
    ):
        find_masks(tmp_path)
