"""Codes about masks and their images, and about writing a data set from them."""

from .reading import code

code(
    "ambiguous-pairs",
    "masks have no single image and are left out",
    "Several images have a name that fits.",
    "give each mask a name that fits one image",
)
code(
    "export-replaced",
    "files of an earlier export differed and were replaced",
    "They may hold your own work, so they were kept in a folder beside.",
    "take what you need from the folder that the export names",
)
code(
    "images-do-not-match",
    "no mask has an image of its name",
    "Names must be equal but for one prefix or suffix, in equal relative folders.",
    "give the folder of the images that belong to these masks (--images)",
)
code(
    "images-paired",
    "masks have their images",
    "How names were matched is said in brackets.",
    "check one pair by eye before training",
)
code(
    "images-without-mask",
    "images have no mask and are left out",
    "An image without objects needs an empty mask to count.",
    "add their masks, empty ones where they show nothing",
)
code(
    "masks-without-image",
    "masks have no image: they are measured but can't be trained on",
    "No image has a name that fits.",
    "add their images, or remove the masks",
)
code(
    "no-group",
    "the group pattern does not match some masks",
    "A mask without a group is a sample of its own, so the split may part it from masks of the same patient.",
    "correct the pattern given to --group",
)
code(
    "unreadable-image",
    "images can't be opened, and their pairs are left out",
    "They are damaged, or in no format of images.",
    "export these images again",
)
