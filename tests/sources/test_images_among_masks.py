"""Images that lie among the masks, by their names alone."""

from __future__ import annotations

import pytest

from shapeprof.sources.listing.images_among_masks import in_named_folders, without_images

N = range(10)


@pytest.mark.parametrize(
    ("mask", "image", "how"),
    [
        ("masks/{}.png", "images/{}.png", "they lie in folders named for images"),
        ("x/labelsTr/{}.png", "x/imagesTr/{}.png", "they lie in folders named for images"),
        ("{}_mask.png", "{}_sat.jpg", "a word in their names"),
        ("{}.png", "{}.jpg", "each JPEG has a mask of the same name beside it"),
        ("{}_gtFine.png", "{}.png", "plus '_gtFine' beside it"),
    ],
)
def test_images_are_set_aside(mask: str, image: str, how: str) -> None:
    masks, images = [mask.format(i) for i in N], [image.format(i) for i in N]
    found, aside, issues = without_images(sorted(masks + images))
    assert (found, aside) == (masks, images)
    assert [issue.code for issue in issues] == ["images-among-masks"]
    assert how in issues[0].message and "10 of 20 image files" in issues[0].message


@pytest.mark.parametrize(
    "files",
    [
        [f"{i}.png" for i in N],
        [f"{i}.jpg" for i in N],
        [*(f"{i}.png" for i in N), "a.jpg", "b.jpg"],  # JPEGs of other names
        [*(f"masks/{i}.png" for i in N), "other/1.png"],
        [*(f"{i}.png" for i in N), "1_mask.png"],  # one mask explains no images
    ],
)
def test_without_images_every_file_is_a_mask(files: list[str]) -> None:
    assert without_images(files) == (files, [], [])


def test_files_beside_folders_of_masks_and_images_are_stray() -> None:
    files = [f"{folder}/{i}.png" for folder in ("images", "masks") for i in N]
    assert in_named_folders(files) == (files, [])
    assert in_named_folders([*files, "preview.png"]) == (files, ["preview.png"])
    many = [f"more/{i}.png" for i in range(11)]
    assert in_named_folders([*files, *many]) == ([*files, *many], [])  # more than the masks: they mean something
    only_masks = files[10:]
    assert in_named_folders([*only_masks, "x/1.png"]) == ([*only_masks, "x/1.png"], [])
