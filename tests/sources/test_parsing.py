"""Documents of every annotation format from their bytes: what is read, and what refuses them."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from annotated import coco, labelme, pairs, square, via
from PIL import Image

from shapeprof.sources.annotations.format import Content, all_formats, find_format
from shapeprof.sources.annotations.model import (
    BelongsToMasks,
    Bitmap,
    Document,
    Ellipse,
    NotThisFormat,
    Polygon,
    Region,
    RunLength,
)
from shapeprof.sources.annotations.yolo import has_outline
from shapeprof.sources.maskset import AnnotationSource

SIZE = (20, 30)


def parsed(name: str, content: Any, file: str = "a.json") -> Document:
    data = content if isinstance(content, bytes) else content if isinstance(content, str) else json.dumps(content)
    return find_format(name).parse(Content(file, data if isinstance(data, bytes) else data.encode()))


def objects(name: str, content: Any, attribute: str = "", file: str = "a.json") -> list[Region]:
    """The objects of the first image of a document."""
    document = parsed(name, content, file)
    source = AnnotationSource(name, (), (), attribute)
    return find_format(name).regions(next(iter(document.records.values())), document, source, SIZE)


def refusal(name: str, content: Any) -> str:
    with pytest.raises(NotThisFormat) as caught:
        parsed(name, content)
    return str(caught.value)


@pytest.mark.parametrize("name", ["coco", "labelme", "via"])
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is no JSON"),
        (b"{", "it is no JSON"),
        (b"\xff\xfe\x00", "it is no JSON"),
        (b"[" * 200_000, "it is no JSON that can be read (nested too deeply)"),
        (b'{"a": ' + b"1" * 5000 + b"}", "it is no JSON"),
    ],
)
def test_bytes_that_are_no_json(name: str, data: bytes, why: str) -> None:
    assert refusal(name, data).startswith(why)


@pytest.mark.parametrize("name", ["coco", "labelme", "via"])
@pytest.mark.parametrize("data", [None, 3, "text", [], {}, [1, 2], {"shapes": 3}, {"images": [], "annotations": []}])
def test_json_of_another_kind(name: str, data: Any) -> None:
    assert {
        "coco": "COCO has lists" if isinstance(data, dict) else "it holds no object with 'images'",
        "labelme": "LabelMe has a list 'shapes'",
        "via": "VIA has entries with 'filename' and 'regions'",
    }[name] in refusal(name, json.dumps(data))


def test_segments_belong_to_masks() -> None:
    document = coco([{"segments_info": []}])
    with pytest.raises(BelongsToMasks, match="give the folder of those"):
        parsed("coco", document)


def test_coco_entries_without_a_place_are_counted_by_kind() -> None:
    data = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}, {"file_name": "c.jpg"}, 5],
        "categories": [{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}, {"name": "owl"}, "text", {"id": "x"}],
        "annotations": [{"image_id": 1, "category_id": 1}, {"image_id": 7}, "text"],
    }
    document = parsed("coco", data)
    assert list(document.records) == ["a.jpg"] and len(document.records["a.jpg"].regions) == 1
    assert [(c.name, c.id, c.used) for c in document.categories] == [("cat", 1, 1), ("category x", None, 0)]
    assert [issue.message.split(":")[0] for issue in document.issues] == [
        "2 images have no id or no file_name",
        "1 images have an id or a file_name of another",
        "2 annotations name no image of the document",
        "3 categories have no id of their own",
    ]
    assert all(issue.path == "a.json" and "They are left out; " in issue.message for issue in document.issues)


@pytest.mark.parametrize(
    ("segmentation", "problems"),
    [
        ([], ("no outline",)),
        ("text", ("no outline",)),
        ([[1, 2], [1, 2, 3, "x", 5, 6]], ("fewer than 3 points", "coordinates that are no numbers")),
        ({"size": [20], "counts": [600]}, ("a damaged RLE",)),
        ({"size": [20, 30]}, ("a damaged RLE",)),
        ({"size": [20, 30], "counts": [1.5, 2]}, ("a damaged RLE",)),
        ({"size": [20, 30], "counts": "\u00fc"}, ("a damaged RLE",)),
        ({"size": [20, 0], "counts": [0]}, ("a damaged RLE",)),
    ],
)
def test_coco_segmentations_that_are_damaged(segmentation: Any, problems: tuple[str, ...]) -> None:
    [region] = objects("coco", coco([{"segmentation": segmentation}]))
    assert region.problems == problems and region.shape is None


def test_a_damaged_ring_beside_a_whole_one_is_named() -> None:
    [region] = objects("coco", coco([{"segmentation": [square(0, 0, 4), [1, 2]]}]))
    assert isinstance(region.shape, Polygon) and len(region.shape.rings) == 1
    assert region.problems == ("fewer than 3 points",)


def test_coco_segmentations_of_every_form() -> None:
    forms = [
        [square(1, 2, 4)],
        square(1, 2, 4),
        {"size": [20, 30], "counts": [40, 560]},
        {"size": [20, 30], "counts": "0"},
    ]
    nested, flat, plain, compressed = objects("coco", coco([{"segmentation": form} for form in forms]))
    assert isinstance(nested.shape, Polygon) and isinstance(flat.shape, Polygon)
    assert np.array_equal(nested.shape.rings[0], flat.shape.rings[0]) and len(nested.shape.rings) == 1
    assert plain.shape == RunLength((40, 560), (20, 30)) and compressed.shape == RunLength(b"0", (20, 30))
    assert {region.category for region in (nested, flat, plain, compressed)} == {"thing"}


@pytest.mark.parametrize(
    ("flag", "crowd"), [(1, True), ("1", True), (True, True), (1.0, True), (0, False), ("no", False)]
)
def test_coco_flags_of_crowds(flag: Any, crowd: bool) -> None:
    [region] = objects("coco", coco([{"segmentation": [square(0, 0, 3)], "iscrowd": flag}]))
    assert region.crowd is crowd


def test_coco_boxes_alone_and_unknown_categories() -> None:
    box, unknown = objects(
        "coco", coco([{"bbox": [0, 0, 3, 3]}, {"segmentation": [square(0, 0, 3)], "category_id": 9}])
    )
    assert box.shape is None and box.problems == ("only a box",) and unknown.category == ""


def png(values: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("depth", [2, 3])
def test_labelme_masks_lie_where_their_corner_says(depth: int) -> None:
    pixels = np.zeros((3, 4), np.uint8)
    pixels[1, 2] = 1
    stored = pixels if depth == 2 else np.repeat(pixels[..., None], 3, axis=2)
    shape = {"shape_type": "mask", "points": [[5.0, 7.0], [8.0, 9.0]], "mask": png(stored)}
    [region] = objects("labelme", labelme([shape]))
    assert isinstance(region.shape, Bitmap) and (region.shape.row, region.shape.column) == (7, 5)
    assert np.array_equal(region.shape.pixels, pixels > 0)


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ({"points": []}, "no outline"),
        ({"points": "text"}, "no outline"),
        ({"points": [[1, 2], [3, 4]]}, "fewer than 3 points"),
        ({"shape_type": "rectangle", "points": [[1, 2]]}, "fewer than 3 points"),
        ({"shape_type": "rectangle", "points": [[1, 2], [3, 4], [5, 6]]}, "no outline"),
        ({"shape_type": "rectangle", "points": [[1, 2], [3, "x"]]}, "coordinates that are no numbers"),
        ({"shape_type": "circle", "points": [[1, 2], [3]]}, "no outline"),
        ({"shape_type": "line", "points": [[1, 2], [3, 4]]}, "a point or a line"),
        ({"shape_type": "linestrip", "points": [[1, 2], [3, 4]]}, "a point or a line"),
        ({"shape_type": "point", "points": [[1, 2]]}, "a point or a line"),
        ({"shape_type": "star", "points": [[1, 2], [3, 4]]}, "no outline"),
        ({"shape_type": "mask", "points": [[1, 2], [3, 4]]}, "a damaged bitmap"),
        ({"shape_type": "mask", "points": [[1, 2], [3, 4]], "mask": "!!"}, "a damaged bitmap"),
        ({"shape_type": "mask", "points": [[1, 2], [3, 4]], "mask": "aGVsbG8="}, "a damaged bitmap"),
        ({"shape_type": "mask", "points": [[1, 2], [3, 4]], "mask": 5}, "a damaged bitmap"),
    ],
)
def test_labelme_shapes_that_are_damaged(shape: dict[str, Any], why: str) -> None:
    [region] = objects("labelme", labelme([shape]))
    assert region.shape is None and region.problems == (why,) and region.category == "thing"


def test_labelme_shapes_of_every_type() -> None:
    corners = pairs(square(2, 3, 5))
    shapes = [
        {"points": corners},
        {"shape_type": None, "points": corners},
        {"shape_type": "rectangle", "points": corners},
        {"shape_type": "rectangle", "points": [[7, 8], [2, 3]]},  # from the lower right to the upper left
        {"shape_type": "circle", "points": [[10, 10], [13, 14]]},
    ]
    *polygons, circle = objects("labelme", labelme(shapes))
    for region in polygons:
        assert isinstance(region.shape, Polygon) and region.shape.rings[0].tolist() == corners
    assert circle.shape == Ellipse(10, 10, 5, 5)


def test_labelme_groups_unite_polygons_of_one_label_only() -> None:
    first, second, circle = pairs(square(0, 0, 4)), pairs(square(9, 9, 4)), [[10, 10], [13, 10]]
    shapes = [
        {"points": first, "group_id": 1},
        {"points": second, "group_id": 1},
        {"points": first, "group_id": 2},
        {"points": first, "group_id": 1, "label": "other"},
        {"points": circle, "group_id": 1, "shape_type": "circle"},
    ]
    found = objects("labelme", labelme(shapes))
    assert [len(r.shape.rings) if isinstance(r.shape, Polygon) else 0 for r in found] == [2, 1, 1, 0]
    assert [r.category for r in found] == ["thing", "thing", "other", "thing"]


def test_labelme_without_the_name_and_size_of_its_image() -> None:
    document = parsed("labelme", {"shapes": [3, {"label": "b"}, {"label": "a"}, {"label": "a"}]}, "folder 1.json")
    [record] = document.records.values()
    assert record.file_name == "folder 1" and record.size is None and len(record.regions) == 4
    assert [(c.name, c.used) for c in document.categories] == [("a", 2), ("b", 1)]


def test_via_entries_without_a_file_and_with_that_of_another() -> None:
    data = [
        {"filename": "a.jpg", "regions": []},
        {"filename": "a.jpg", "regions": []},
        {"filename": "", "regions": []},
        7,
        {"filename": "b.jpg", "regions": 5},
    ]
    document = parsed("via", data)
    assert list(document.records) == ["a.jpg", "b.jpg"] and document.records["b.jpg"].regions == []
    assert [issue.message.partition(". ")[0] for issue in document.issues] == [
        "2 entries have no filename: number 2, number 3",
        "1 entries have the filename of another: a.jpg",
    ]


@pytest.mark.parametrize(
    ("attributes", "category"),
    [
        ({"class": "cat"}, "cat"),
        ({"class": {"cat": True, "dog": False}}, "cat"),
        ({"class": {"cat": True, "dog": True}}, ""),
        ({"class": {}}, ""),
        ({"class": ""}, ""),
        ({"class": None}, ""),
        ({"other": "cat"}, ""),
        ({"class": 3}, "3"),
        ("text", ""),
        (None, ""),
    ],
)
def test_via_categories_of_text_numbers_and_ticks(attributes: Any, category: str) -> None:
    data = via({"a.jpg": [({"name": "rect", "x": 0, "y": 0, "width": 2, "height": 2}, attributes)]})
    [region] = objects("via", data, "class")
    assert region.category == category and isinstance(region.shape, Polygon)


@pytest.mark.parametrize("region", [None, 3, [], {}, {"shape_attributes": []}])
def test_via_regions_without_a_shape(region: Any) -> None:
    [found] = objects("via", [{"filename": "a.jpg", "regions": [region]}])
    assert found == Region("", None, ("no outline",))


def voc(body: str, head: str = "<filename>a.jpg</filename>") -> str:
    return f"<annotation>{head}{body}</annotation>"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is no XML"),
        ("<annotation>", "it is no XML"),
        ("<other/>", "Pascal VOC has a root element <annotation>"),
        (voc("<object><name>cat</name><bndbox/></object>"), "its objects have boxes and no <polygon>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "it declares a document type"),
    ],
)
def test_xml_that_is_no_document(text: str, why: str) -> None:
    assert why in refusal("voc", text)


def test_voc_objects_of_every_kind() -> None:
    numbered = "".join(f"<x{n}>{x}</x{n}><y{n}>{y}</y{n}>" for n, (x, y) in enumerate(pairs(square(1, 2, 3)), 1))
    by_points = "".join(f"<pt><x>{x}</x><y> {y} </y></pt>" for x, y in pairs(square(4, 5, 6)))
    bodies = [
        f"<name>cat</name><polygon>{numbered}</polygon><polygon>{by_points}</polygon>",
        "<name>dog</name><bndbox/>",
        "<name>dog</name>",
        "<polygon><x1>a</x1><y1>2</y1></polygon>",
        "<name>owl</name><polygon/>",
    ]
    found = objects("voc", voc("".join(f"<object>{body}</object>" for body in bodies)))
    assert isinstance(found[0].shape, Polygon)
    assert [ring.tolist() for ring in found[0].shape.rings] == [pairs(square(1, 2, 3)), pairs(square(4, 5, 6))]
    assert [(r.category, r.problems) for r in found[1:]] == [
        ("dog", ("only a box",)),
        ("dog", ("no outline",)),
        ("", ("coordinates that are no numbers",)),
        ("owl", ("no outline",)),
    ]


def test_voc_without_objects_name_or_size_is_an_image_without_objects() -> None:
    [record] = parsed("voc", voc("", ""), "scan 7.xml").records.values()
    assert record.file_name == "scan 7" and record.size is None and not record.regions
    [record] = parsed("voc", voc("<size><width>30</width><height>20</height></size>")).records.values()
    assert record.file_name == "a.jpg" and record.size == (20, 30)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("0 0.1 0.1 0.2 0.2", "only a box"),
        ("0 0.1 0.1", "fewer than 3 points"),
        ("0 0 0 1 0 1 1 0.5", "fewer than 3 points"),  # one number too many
        ("0 0 0 1 0 1 x", "coordinates that are no numbers"),
        ("0 0 0 1 0 1 nan", "coordinates that are no numbers"),
        ("0", "no outline"),
    ],
)
def test_yolo_lines_that_are_no_outline(line: str, problem: str) -> None:
    first, second = objects("yolo", f"1 0 0 1 0 1 1\n\n{line}\n", file="a.txt")
    assert isinstance(first.shape, Polygon) and first.shape.rings[0].tolist() == [[0, 0], [30, 0], [30, 20]]
    assert second.shape is None and second.problems == (problem,)


@pytest.mark.parametrize(
    "text",
    [
        "words and more words here",
        "-1 0 0 1 0 1 1",
        "01 0 0 1 0 1 1",
        "0 5 5 9 9",
        "0.0 0 0 1 0 1 1",
        "1234567 0 0 1 1",
    ],
)
def test_yolo_text_of_another_kind(text: str) -> None:
    assert refusal("yolo", text) == "no line is a class number and x y pairs from 0 to 1"


def test_yolo_bytes_that_are_no_text_and_a_byte_order_mark() -> None:
    assert refusal("yolo", b"\xff\xfe0 1") == "it is no text"
    assert [c.id for c in parsed("yolo", b"\xef\xbb\xbf2 0 0 1 0 1 1").categories] == [2]


@pytest.mark.parametrize(
    ("text", "proves"),
    [("", False), ("0 0.1 0.1 0.2 0.2", False), ("0 0 0 1 0 1 1", True), ("0 .5 .5 1 1\n1 0 0 1 0 1 1", True)],
)
def test_yolo_is_proven_by_an_outline(text: str, proves: bool) -> None:
    assert has_outline(parsed("yolo", text, "a.txt")) is proves


def test_formats_with_a_document_per_image() -> None:
    assert {"labelme", "voc", "yolo"} <= {format_.name for format_ in all_formats() if format_.per_image}
    assert not any(find_format(name).per_image for name in ("coco", "via"))
