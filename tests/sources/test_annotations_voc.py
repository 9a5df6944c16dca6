"""Pascal VOC XML documents as masks."""

from __future__ import annotations

from pathlib import Path

import pytest
from annotated import drawn, photo, square, write
from written import blocks, codes, look, save

from shapeprof.errors import InputError, NothingMeasurable, UnreadableMask
from shapeprof.sources import find_masks, read_mask, stored_files
from shapeprof.sources.explain import explain_input


def polygon(flat: list[float]) -> str:
    corners = (
        f"<x{i}>{x}</x{i}><y{i}>{y}</y{i}>" for i, (x, y) in enumerate(zip(flat[::2], flat[1::2], strict=True), 1)
    )
    return f"<polygon>{''.join(corners)}</polygon>"


def thing(*outlines: str, name: str = "thing") -> str:
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox>"
    return f"<object><name>{name}</name><difficult>0</difficult>{box}{''.join(outlines)}</object>"


def voc(*objects: str, image: str = "a.jpg", size: str = "<height>20</height><width>30</width><depth>3</depth>") -> str:
    head = f"<folder>x</folder><filename>{image}</filename><size>{size}</size><segmented>1</segmented>"
    return f"<annotation>{head}{''.join(objects)}</annotation>"


def test_a_document_per_image(tmp_path: Path) -> None:
    for name in ("a", "b"):
        photo(tmp_path / "JPEGImages" / f"{name}.jpg", 20, 30)
    write(
        tmp_path / "Annotations" / "a.xml",
        voc(thing(polygon(square(0, 0, 4)), name="dog"), thing(polygon(square(6, 0, 3)), name="cat")),
    )
    write(tmp_path / "Annotations" / "b.xml", voc(image="b.jpg"))
    folder, encoding = look(tmp_path)
    assert folder.files == ("JPEGImages/a.jpg", "JPEGImages/b.jpg")
    assert encoding.classes.names == ("background", "cat", "dog")  # by name: the documents have no ids
    labels, instances, issues = drawn(folder, encoding, "JPEGImages/a.jpg")
    assert [(labels == c).sum() for c in (1, 2)] == [9, 16] and instances.max() == 2 and not issues
    assert not drawn(folder, encoding, "JPEGImages/b.jpg")[0].any()
    assert stored_files(folder)["JPEGImages/a.jpg"] == ("Annotations/a.xml",)
    assert [r.storage for r in explain_input(tmp_path).readings] == [f"drawn from Annotations/{n}.xml" for n in "ab"]


def test_several_polygons_and_points_as_elements_are_one_object(tmp_path: Path) -> None:
    pts = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((10, 10), (14, 10), (14, 12), (10, 12)))
    write(tmp_path / "a.xml", voc(thing(polygon(square(0, 0, 4)), f"<polygon>{pts}</polygon>")))
    labels, instances, _ = drawn(*look(tmp_path), "a.jpg")
    assert (labels == 1).sum() == 16 + 8 and instances.max() == 1


def test_one_document_in_place_of_a_folder(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", voc(thing(polygon(square(0, 0, 4)))))
    write(tmp_path / "b.xml", voc(thing(polygon(square(0, 0, 4)))))
    assert find_masks(path).files == ("a.jpg",)
    write(path, "<annotation><object>")
    with pytest.raises(InputError, match=r"a\.xml: no masks can be drawn from it: a\.xml \(it is no XML"):
        find_masks(path)


def test_the_size_comes_from_the_image_where_the_document_has_none(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg", 12, 34)
    write(tmp_path / "a.xml", voc(thing(polygon(square(0, 0, 4))), size=""))
    folder, encoding = look(tmp_path)
    assert drawn(folder, encoding, "a.jpg")[0].shape == (12, 34)
    assert stored_files(folder)["a.jpg"] == ("a.xml", "a.jpg")


@pytest.mark.parametrize(
    ("outlines", "why"),
    [
        ((), "only a box (1)"),
        (("<polygon/>",), "no outline (1)"),
        (("<polygon><x1>1</x1><y1>2</y1></polygon>",), "fewer than 3 points (1)"),
        (("<polygon><x1>1</x1><y1>b</y1></polygon>",), "coordinates that are no numbers (1)"),
        (("<polygon><x1>1</x1><y1>nan</y1><x2>1</x2><y2>2</y2><x3>1</x3><y3>2</y3></polygon>",), "no numbers (1)"),
    ],
)
def test_objects_that_can_not_be_drawn_are_counted(tmp_path: Path, outlines: tuple[str, ...], why: str) -> None:
    write(tmp_path / "a.xml", voc(thing(*outlines), thing(polygon(square(0, 0, 4)))))
    labels, _, issues = drawn(*look(tmp_path), "a.jpg")
    assert (labels == 1).sum() == 16
    assert codes(issues) == {"objects-not-drawn"} and why in issues[0].message


def test_documents_of_boxes_are_refused_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path / "a.xml", voc(thing()))
    with pytest.raises(NothingMeasurable, match="its objects have boxes and no <polygon>"):
        find_masks(tmp_path)


def test_a_document_type_is_refused_so_no_entity_is_expanded(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]>' + voc(thing(polygon(square(0, 0, 4))), image="&c;.jpg")
    write(tmp_path / "bomb.xml", bomb)
    write(tmp_path / "a.xml", voc(thing(polygon(square(0, 0, 4)))))
    folder, encoding = look(tmp_path)
    with pytest.raises(UnreadableMask, match="declares a document type"):
        read_mask(folder.root, "bomb.xml", encoding)


def test_masks_win_beside_documents(tmp_path: Path) -> None:
    save(tmp_path / "masks" / "a.png", blocks(0, 1))
    write(tmp_path / "Annotations" / "a.xml", voc(thing(polygon(square(0, 0, 4)))))
    folder = find_masks(tmp_path)
    assert folder.files == ("masks/a.png",) and codes(folder.issues) == {"annotations-beside-masks"}
