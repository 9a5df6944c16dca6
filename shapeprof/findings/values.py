"""Codes about what the values of masks mean."""

from .reading import code

code(
    "class-files-differ",
    "several files name the classes, and differently",
    "The one nearest to the masks is taken.",
    "choose one with --classes FILE",
)
code(
    "class-names-mismatch",
    "the class names don't match what the masks hold",
    "Classes without a name are named after their value.",
    "give one name per class in id order with --classes",
)
code(
    "inverted-masks",
    "the larger value looks like the background, and 0 like the objects",
    "In most masks looked at the larger value covers the border of the image, and 0 lies in islands inside.",
    "if so, say --invert",
)
code(
    "lossy-ids",
    "masks are JPEG or lossy WebP, which changes values by a few",
    "Class ids that lie so close to each other can't be trusted after lossy compression.",
    "export the masks as PNG",
)
code(
    "maybe-instances",
    "the values look like ids of objects, not of classes",
    "There are many values, and nearly each of them is in one file only.",
    "if so, say --instances",
)
code(
    "mixed-storage",
    "the masks are stored in different ways",
    "Some as RGB colours, some with a palette, some in grey. All are read by one rule, which may not suit all.",
    "check the classes with --explain-input",
)
code(
    "other-foreground",
    "a mask's foreground has another value than in the other masks",
    "It has two values like the others, so its larger one is read as the foreground.",
    "export it as the others were if it is meant otherwise",
)
code(
    "palettes-differ",
    "palettes differ between files, so classes are read from colours, not from indices",
    "The same index has different colours in different files: indices mean nothing here.",
    "export all masks with one palette",
)
code(
    "similar-colours",
    "rare colours are nearly equal to common ones, and read as classes of their own",
    "Slips of a drawing tool or of a conversion look like that.",
    "if they are slips, replace them in the masks",
)
code(
    "soft-masks",
    "masks hold blended values, so boundaries are uncertain by about a pixel",
    "JPEG, anti-aliasing or resizing made values between those of the classes. Near ones are taken to the nearest "
    "class, others are ignored. Between two classes a third may appear.",
    "export them as PNG without smoothing",
)
code(
    "stray-colour",
    "stray black pixels belong to no named class and are ignored",
    "Another colour is named as the background or as unlabelled, so black is a slip.",
    "add black to the class file if it is a class",
)
code(
    "stray-values",
    "values that cover hardly any pixels don't fit the others and are ignored",
    "They look like slips of a drawing tool.",
    "correct the masks, or name every class with --classes FILE",
)
code(
    "two-foregrounds",
    "the foreground is 1 in some masks and 255 in others, and both are read as foreground",
    "No mask holds both values, as in two exports in one folder.",
    "if 255 is to be ignored, say --ignore-index 255",
)
code(
    "unseen-class",
    "a class id that none of the masks looked at first held",
    "It counts as a class of its own.",
    "name it with --classes, or correct the mask",
)
code(
    "unseen-colour",
    "colours that none of the masks looked at first held are ignored",
    "They are no class that is known.",
    "correct the mask, or name all colours in a class file",
)
code(
    "unseen-value",
    "a value that is no class of this set is ignored",
    "None of the masks looked at first held it.",
    "correct the mask, or name every class with --classes",
)
code(
    "unlisted-segment",
    "segments of the file are not listed in the annotations and are ignored",
    "In a panoptic set a JSON document says the class of each segment; these are in none.",
    "add them to the document, or correct the mask",
)
