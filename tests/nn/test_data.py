"""Reading and cropping: known pixels stay where they belong, and wrong files are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from shapeprof.nn.data import (  # noqa: E402
    ALL_BITS,
    BITS,
    Crops,
    Pair,
    Reader,
    crop_origin,
    cut,
    pack_bits,
    read_bits,
    read_image,
    read_labels,
    read_pairs,
    resize_image,
    resize_labels,
    to_tensor,
    unpack_bits,
)
from shapeprof.nn.kit.errors import InputError  # noqa: E402

from .designs import NETWORKS, model_spec  # noqa: E402

IGNORE = 255


def spec(**training: Any) -> dict[str, Any]:
    return model_spec(NETWORKS["plain"], **training).to_dict()


def write(path: Path, pixels: Any) -> Path:
    assert cv2.imwrite(str(path), np.asarray(pixels))
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """Five pairs of 40 x 48 px in which the image's red channel is 50 times the mask's class."""
    made = []
    rng = np.random.default_rng(0)
    for i in range(5):
        mask = rng.integers(0, 3, (40, 48)).astype(np.uint8)
        image = np.zeros((40, 48, 3), np.uint8)
        image[..., 2] = 50 * mask  # BGR on disk
        made.append(Pair(write(tmp_path / f"i{i}.png", image), write(tmp_path / f"m{i}.png", mask), "train", ""))
    return made


def test_colours_are_rgb_and_alpha_is_dropped(tmp_path: Path) -> None:
    bgra = np.zeros((4, 6, 4), np.uint8)
    bgra[...] = (10, 20, 30, 128)
    image = read_image(write(tmp_path / "a.png", bgra), 3)
    assert image.shape == (4, 6, 3)
    assert image[0, 0].tolist() == [30, 20, 10]


def test_grey_and_16_bits(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", np.full((4, 6), 40_000, np.uint16))
    grey = read_image(path, 1)
    assert (grey.shape, grey.dtype, int(grey[0, 0, 0])) == ((4, 6, 1), np.uint16, 40_000)
    assert read_image(path, 3).shape == (4, 6, 3)


def test_tensor_is_normalised_per_channel() -> None:
    image = np.array([[[0, 255]]], np.uint8)
    assert to_tensor(image, (0.5, 0.5), (0.5, 0.25)).flatten().tolist() == [-1, 2]
    assert to_tensor(np.array([[[65535]]], np.uint16), (0.5,), (0.25,)).item() == 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_largest_value_of_a_mask_is_ignored(tmp_path: Path, dtype: type[np.integer[Any]]) -> None:
    stored = np.array([[0, 2, np.iinfo(dtype).max]], dtype)
    labels = read_labels(write(tmp_path / "m.png", stored), 3, ignore_index=77)
    assert labels.tolist() == [[0, 2, 77]]


def test_unusable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"m\.png holds class id 3, but spec\.yaml has only 0 to 2"):
        read_labels(write(tmp_path / "m.png", np.array([[3]], np.uint8)), 3, IGNORE)
    with pytest.raises(InputError, match=r"c\.png is no index mask"):
        read_labels(write(tmp_path / "c.png", np.zeros((2, 2, 3), np.uint8)), 3, IGNORE)
    for content in (b"", b"no image"):
        (tmp_path / "x.png").write_bytes(content)
        with pytest.raises(InputError, match=r"x\.png can't be decoded"):
            read_image(tmp_path / "x.png", 3)
    with pytest.raises(InputError, match=r"input\.channels is 4"):
        read_image(tmp_path / "x.png", 4)


def test_sizes_that_differ_name_both_files(tmp_path: Path) -> None:
    image = write(tmp_path / "i.png", np.zeros((4, 6, 3), np.uint8))
    mask = write(tmp_path / "m.png", np.zeros((6, 4), np.uint8))
    with pytest.raises(InputError, match=r"i\.png has 4 x 6 .* its mask .*m\.png 6 x 4"):
        Reader(spec()).native(Pair(image, mask, "train", ""))


def test_table(tmp_path: Path) -> None:
    table = tmp_path / "dataset.csv"
    with pytest.raises(InputError, match=r"dataset\.csv is missing: run 'shapeprof export' with --images"):
        read_pairs(table)
    table.write_text("")
    with pytest.raises(InputError, match="lacks the column 'image'"):
        read_pairs(table)
    table.write_text("image,mask,split\na,b,train\n")
    with pytest.raises(InputError, match="lacks the column 'group'"):
        read_pairs(table)
    table.write_text("image,mask,split,group\na.png,b.png,train,g\n")
    with pytest.raises(InputError, match=r"a\.png is missing; dataset\.csv names it in line 2"):
        read_pairs(table)
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    absolute = tmp_path / "b.png"
    table.write_text(f"image,mask,split,group\na.png,{absolute},val,g\n")
    assert read_pairs(table) == [Pair(tmp_path / "a.png", absolute, "val", "g")]


@pytest.mark.parametrize("size", [(20, 24), (13, 57), (120, 60)])
def test_image_and_labels_stay_aligned_when_resized(size: tuple[int, int]) -> None:
    labels = np.zeros((60, 30), np.int32)
    labels[10:50, 5:20] = 1
    scaled = resize_labels(labels, size)
    image = resize_image((200 * labels).astype(np.uint8)[:, :, np.newaxis], size)
    assert scaled.shape == size == image.shape[:2]
    assert image.shape[2] == 1
    assert ((image[:, :, 0] > 100) == scaled).mean() > 0.97


def test_training_size_scales_the_shorter_side() -> None:
    made = spec()
    assert Reader(made).training_size((40, 60)) == (40, 60)
    made["input"]["train_size"] = 20
    assert Reader(made).training_size((40, 60)) == (20, 30)
    assert Reader(made).training_size((90, 40)) == (45, 20)


def test_a_crop_beyond_the_border_is_mirrored_and_ignored() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    labels = image[:, :, 0].astype(np.int32)
    cropped, known = cut(image, labels, (-2, -1), (6, 7), IGNORE)
    assert cropped.shape == (6, 7, 1)
    assert known[2:5, 1:5].tolist() == labels.tolist()
    assert (known == IGNORE).sum() == 6 * 7 - 12
    assert cropped[2:5, 1:5, 0].tolist() == labels.tolist()
    assert cropped[1, 1:5, 0].tolist() == labels[1].tolist()  # mirrored at the first row
    inside, _ = cut(image, labels, (1, 1), (2, 2), IGNORE)
    assert inside[:, :, 0].tolist() == [[5, 6], [9, 10]]


def test_a_single_pixel_can_be_cropped() -> None:
    image, labels = cut(np.full((1, 1, 3), 9, np.uint8), np.zeros((1, 1), np.int32), (-3, 0), (8, 8), IGNORE)
    assert (image == 9).all()
    assert (labels != IGNORE).sum() == 1


def test_uniform_crops_reach_every_place() -> None:
    rng = np.random.default_rng(0)
    origins = [crop_origin(np.zeros((10, 3), np.int32), (8, 5), rng) for _ in range(200)]
    assert {row for row, _ in origins} == {0, 1, 2}
    assert {column for _, column in origins} == {-2, -1, 0}  # where the image lies in the crop varies too


def test_foreground_crops_are_centred_on_each_class_alike() -> None:
    labels = np.zeros((100, 100), np.int32)
    labels[30:60, 30:60] = 1  # 900 px
    labels[80, 50] = 2  # 1 px
    rng, seen = np.random.default_rng(0), []
    for _ in range(200):
        top, left = crop_origin(labels, (11, 11), rng, foreground=np.array([1, 2, 3], np.int32))
        seen.append(labels[top + 5, left + 5])
    assert 0 not in seen
    assert 70 < seen.count(2) < 130
    corner = np.zeros((100, 100), np.int32)
    corner[0, 99] = 1
    assert crop_origin(corner, (11, 11), rng, foreground=np.array([1], np.int32)) == (0, 89)


def test_crops_keep_image_and_labels_together(pairs: list[Pair]) -> None:
    """Through crop, padding and flips, the red channel still tells the class."""
    crops = Crops(pairs, spec(), crop=(64, 16), count=20, seed=3)
    for i in range(20):
        image, labels = crops[i]
        assert (image.shape, labels.shape) == ((3, 64, 16), (64, 16))
        assert (image.dtype, labels.dtype) == (torch.float32, torch.int64)
        red = torch.round((image[0] * 0.25 + 0.5) * 255 / 50).long()
        counted = labels != IGNORE
        assert torch.equal(red[counted], labels[counted])
        assert int(counted.sum()) == 40 * 16


def test_flips_follow_the_spec(pairs: list[Pair]) -> None:
    upright = spec(horizontal_flip=False, vertical_flip=False)
    native = torch.from_numpy(Reader(upright).native(pairs[0])[1]).long()
    crops = Crops(pairs[:1], upright, crop=(40, 48), count=10, seed=0)
    assert all(torch.equal(crops[i][1], native) for i in range(10))
    flipped = Crops(pairs[:1], spec(vertical_flip=False), crop=(40, 48), count=30, seed=0)
    versions = [flipped[i][1] for i in range(30)]
    mirrored = sum(torch.equal(each, native.flip(1)) for each in versions)
    assert 5 < mirrored < 25
    assert mirrored + sum(torch.equal(each, native) for each in versions) == 30


def test_scale_enlarges_and_shrinks_image_and_labels_alike(pairs: list[Pair], tmp_path: Path) -> None:
    labels = np.zeros((100, 100), np.uint8)
    labels[20:80, 45:55] = 1  # 10 px wide
    image = np.repeat((labels * 200)[:, :, np.newaxis], 3, axis=2)
    pair = Pair(write(tmp_path / "i.png", image), write(tmp_path / "m.png", labels), "train", "")
    calm = {"horizontal_flip": False, "vertical_flip": False, "foreground_share": 1.0}
    widths = []
    for i in range(60):
        seen, known = Crops([pair], spec(scale=(0.5, 2.0), **calm), crop=(32, 48), count=60, seed=1)[i]
        assert (seen.shape, known.shape) == ((3, 32, 48), (32, 48))
        counted = known != IGNORE
        assert ((seen[0] > 0) == (known == 1))[counted].float().mean() > 0.93  # edges may move by a pixel
        widths.append(int(((known == 1) & counted).sum(1).max()))
    assert min(widths) in (5, 6) and max(widths) in (18, 19, 20)
    assert 0.35 < np.mean(np.array(widths) > 10) < 0.65  # log-uniform: as often larger as smaller


def test_jitter_changes_values_not_labels(pairs: list[Pair]) -> None:
    plain = Crops(pairs, spec(), crop=(16, 16), count=6, seed=0)
    varied = Crops(pairs, spec(jitter=0.25), crop=(16, 16), count=6, seed=0)
    ratios = []
    for i in range(6):
        (image, labels), (changed, same) = plain[i], varied[i]
        assert torch.equal(labels, same) and changed.dtype == torch.float32
        black = -0.5 / 0.25
        ratios.append(float((changed - black).mean() / (image - black).mean()))  # contrast keeps the mean
        both = torch.stack([image[0].flatten(), changed[0].flatten()])  # the channel that varies
        assert torch.corrcoef(both)[0, 1] > 0.999
    assert all(0.75 <= ratio <= 1.25 for ratio in ratios) and len({round(r, 3) for r in ratios}) > 3


def test_every_epoch_has_every_image_once(pairs: list[Pair]) -> None:
    crops = Crops(pairs, spec(), crop=(8, 8), count=15, seed=0)
    epochs = [[crops.pair_of(5 * e + i).image.name for i in range(5)] for e in range(3)]
    assert all(sorted(epoch) == sorted(pair.image.name for pair in pairs) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_the_seed_decides_and_workers_change_nothing(pairs: list[Pair]) -> None:
    def batches(seed: int, workers: int) -> torch.Tensor:
        crops = Crops(pairs, spec(), crop=(16, 16), count=8, seed=seed)
        loader = torch.utils.data.DataLoader(crops, batch_size=4, num_workers=workers)
        return torch.cat([images for images, _ in loader])

    assert torch.equal(batches(1, 0), batches(1, 2))
    assert not torch.equal(batches(1, 0), batches(2, 0))


# Multi-label: bit fields ------------------------------------------------------------------------


def multi_label_spec(classes: int = 3, **training: Any) -> dict[str, Any]:
    made = model_spec(NETWORKS["plain"], classes=classes, **training).to_dict()
    return made | {"task": "multi-label", "background": None}


@pytest.mark.parametrize(("dtype", "classes"), [(np.uint8, 7), (np.uint16, 8), (np.uint16, 15)])
def test_bit_fields_hold_every_combination(tmp_path: Path, dtype: type[np.integer[Any]], classes: int) -> None:
    everything = 2**classes - 1
    stored = np.array([[0, 1, 5, everything, np.iinfo(dtype).max]], dtype)
    bits = read_bits(write(tmp_path / "m.png", stored), classes)
    assert bits.tolist() == [[0, 1, 5, everything, ALL_BITS]]
    members = unpack_bits(bits, classes, IGNORE)
    assert (members.shape, members.dtype) == ((classes, 1, 5), np.uint8)
    assert members[:, 0, 2].tolist() == [1, 0, 1] + [0] * (classes - 3)
    assert (members[:, 0, 3] == 1).all() and (members[:, 0, 4] == IGNORE).all()
    packed = pack_bits(members[..., :4] == 1)
    assert packed.dtype == dtype and (packed == stored[:, :4]).all()


def test_bit_fields_that_do_not_fit_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"m\.png holds the value 9, which has bit 3 set, .* bits 0 to 2"):
        read_bits(write(tmp_path / "m.png", np.array([[9, 1]], np.uint8)), 3)
    with pytest.raises(InputError, match=r"m\.png has uint8 bit fields, which hold 7 classes; .* has 8"):
        read_bits(write(tmp_path / "m.png", np.array([[1]], np.uint8)), 8)
    with pytest.raises(InputError, match=r"c\.png is no index mask"):
        read_bits(write(tmp_path / "c.png", np.zeros((2, 2, 3), np.uint8)), 3)
    with pytest.raises(InputError, match="has 16 classes; multi-label masks hold 15 at most: take some together"):
        Reader(multi_label_spec(BITS + 1))
    with pytest.raises(InputError, match="task 'multilabel'; expected multi-class or multi-label"):
        Reader(spec() | {"task": "multilabel"})
    with pytest.raises(InputError, match=r"ignore_index 1; .* expected 2 to 255"):
        Reader(multi_label_spec() | {"ignore_index": 1})


def test_multi_label_crops_are_centred_on_each_class_alike() -> None:
    labels = np.zeros((100, 100), np.int32)
    labels[30:60, 30:60] = 0b001
    labels[40, 40] = 0b011  # the only pixel of class 1, within class 0
    labels[90:] = ALL_BITS  # which is no member of class 2
    rng, ids = np.random.default_rng(0), np.arange(3, dtype=np.int32)
    origins = [crop_origin(labels, (11, 11), rng, foreground=ids, bits=True) for _ in range(200)]
    centres = [labels[top + 5, left + 5] for top, left in origins]
    assert set(centres) == {0b001, 0b011}
    assert 70 < sum(centre == 0b011 for centre in centres) < 130
    nothing = np.full((20, 20), ALL_BITS, np.int32)
    assert crop_origin(nothing, (20, 20), rng, foreground=ids, bits=True) == (0, 0)


@pytest.fixture
def multi_label_pairs(tmp_path: Path) -> list[Pair]:
    """Pairs of 40 x 48 px whose channels R, G, B are 200 where a pixel is of class 0, 1, 2."""
    rng, made = np.random.default_rng(0), []
    for i in range(3):
        members = rng.random((3, 40, 48)) < 0.4
        image = 200 * members[::-1].transpose(1, 2, 0).astype(np.uint8)  # BGR on disk
        paths = [write(tmp_path / f"{name}{i}.png", p) for name, p in (("i", image), ("m", pack_bits(members)))]
        made.append(Pair(*paths, "train", ""))
    return made


def test_multi_label_crops_keep_image_and_target_together(multi_label_pairs: list[Pair]) -> None:
    """Through crop, padding, flips and doubled size, each channel still tells its class."""
    spec = multi_label_spec(scale=(2.0, 2.0))
    crops = Crops(multi_label_pairs, spec, crop=(100, 32), count=12, seed=3)
    for i in range(12):
        image, target = crops[i]
        assert (image.shape, target.shape, target.dtype) == ((3, 100, 32), (3, 100, 32), torch.uint8)
        counted = target[0] != IGNORE
        assert ((target == IGNORE) == ~counted).all()  # in all channels
        assert int(counted.sum()) == 80 * 32
        seen = (image * 0.25 + 0.5) * 255 > 100
        assert (seen == (target == 1))[:, counted].float().mean() > 0.9  # enlarging blurs the image


def test_multi_label_batches_stack(multi_label_pairs: list[Pair]) -> None:
    crops = Crops(multi_label_pairs, multi_label_spec(), crop=(16, 24), count=4, seed=0)
    images, targets = next(iter(torch.utils.data.DataLoader(crops, batch_size=4)))
    assert (images.shape, targets.shape) == ((4, 3, 16, 24), (4, 3, 16, 24))
