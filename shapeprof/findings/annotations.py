"""Codes about annotations that are drawn as masks."""

from .reading import code

code(
    "annotations-beside-masks",
    "annotations lie beside the masks, and the masks are read",
    "Both may hold the same objects; masks are taken where there are some.",
    "say --annotations to draw the annotations instead",
)
code(
    "annotations-left-out",
    "entries of the annotations belong to no mask and are left out",
    "An entry needs an image, and an id or file name that is its own.",
    "correct these entries in the annotations",
    own_remedy=True,
)
code(
    "annotations-refused",
    "files look like annotations but are in no format that is read",
    "Which formats are read is in docs/formats.md.",
    "export them in one of the formats that are read",
)
code(
    "background-category",
    "objects of a category are background, as its name says",
    "A category called background, or the like, is taken as no class.",
    "if they are meant as objects, rename the category",
)
code(
    "categories-differ",
    "documents number their categories differently, so they are matched by name",
    "Equal names are one class, whatever their numbers.",
    "check that equal names mean equal classes",
)
code(
    "classes-overlap",
    "pixels lie in masks of two classes; the smaller mask has them",
    "An index mask holds one class a pixel.",
    "export with --multi-label to keep both",
)
code(
    "crowd-regions",
    "annotations hold crowd regions (iscrowd)",
    "COCO marks groups that nobody separated (crowds). They are ignored pixels below the objects, or objects with "
    "--instances.",
    "draw their objects one by one if they are to count",
)
code(
    "images-without-annotations",
    "image files are in no annotation document and are not measured",
    "An image without objects counts when its document lists it.",
    "list them in the document if they hold no object",
)
code(
    "objects-clipped",
    "objects reach beyond the image and are cut at its border",
    "Pixels outside the image can't be measured.",
    "check the size of the image if they are many",
)
code(
    "objects-not-drawn",
    "objects, or parts of them, can't be drawn and are not in the mask",
    "Rings of too few points, numbers that are not finite, or run lengths that don't fit the image.",
    "correct them in the annotations",
)
code(
    "objects-without-class",
    "objects lack the attribute that says the class of the others",
    "They are taken as a class of their own.",
    "name them in the annotations if they are something else",
)
code(
    "option-without-effect",
    "an option changes nothing, as annotations are drawn",
    "It says how mask files are read.",
    "leave the option out",
)
code(
    "other-annotations",
    "documents of another format are not read",
    "Of several formats the one with the most masks is read.",
    "give these documents alone to read them",
)
