"""Codes of mask files that can't be read: they are left out, and the others are measured."""

from .reading import code, unreadable

unreadable(
    "alpha-channel",
    "transparent pixels hide colours below",
    "A mask needs one value a pixel; here transparency and colour say two different things.",
    "flatten the file, in Pillow with convert('RGB'), and export it again",
)
unreadable(
    "damaged-document",
    "the annotations of a mask can't be read",
    "The document was readable when it was listed, and is not any longer, or an entry of it is malformed.",
    "export the annotations again",
)
unreadable(
    "damaged-file",
    "the file's content is damaged",
    "Its checksums or its compressed data are wrong, as after a broken copy.",
    "copy or export the file again",
)
unreadable(
    "decoder-crashed",
    "the process that measured the file died",
    "That happens when memory runs out or a decoder crashes. The file was tried again alone, and died again.",
    "open it in an image viewer and save it again, or split it into tiles",
)
unreadable(
    "does-not-fit",
    "the file holds other values than the other masks",
    "How masks are read was learnt from all of them; this one contradicts it, so its classes can't be known.",
    "export it as the others were",
)
unreadable(
    "empty-file", "the file holds nothing", "It has no bytes, or an array without pixels.", "copy or export it again"
)
unreadable(
    "looks-like-photo",
    "the file looks like a photograph, not like a mask",
    "It has very many values that change from pixel to pixel, where a mask has few values in areas.",
    "give the folder of the masks, or move photographs out of it",
    own_remedy=False,
)
unreadable(
    "missing-file",
    "a listed file is not there",
    "It was listed when the scan began, or in a list of masks, and is gone now.",
    "restore the file, or scan again",
    own_remedy=False,
)
unreadable(
    "multi-page",
    "the file holds several pages where the other masks hold one",
    "Which page is the mask can't be known.",
    "split it into files, or say --pages stack: each page is a mask then",
)
unreadable(
    "needs-nibabel",
    "a NIfTI volume, and nibabel is not installed",
    "NIfTI is read by the package nibabel, which is an extra of shapeprof.",
    "pip install shapeprof[medical]",
)
unreadable(
    "no-class",
    "the file's name says none of the known classes",
    "In this set a folder, a page or the end of a name says the class of a mask; here it says none.",
    "rename it as the others are, or say --layout files",
)
unreadable(
    "no-object-readable",
    "no file of the mask's objects can be read",
    "The folder is one mask with a file per object, and every one of these files fails.",
    "export the folder again",
    own_remedy=False,
)
unreadable(
    "no-segments",
    "the annotations list no segments of the file",
    "In a panoptic set a JSON document says the class of each segment of each file.",
    "add the file to the document, or export both again",
    own_remedy=False,
)
unreadable(
    "no-such-member",
    "a page or array that was there before is gone",
    "The file was changed while it was scanned.",
    "scan again",
    own_remedy=False,
)
unreadable(
    "not-an-image",
    "the file is in no format that is read as a mask",
    "A format is recognised by a file's first bytes, not its extension. docs/formats.md lists what is read.",
    "export it as PNG, or move it out of the folder",
    own_remedy=False,
)
unreadable(
    "not-readable",
    "the system can't read the file",
    "The operating system reports an error of the disk or the network.",
    "check the disk, or copy the file again",
)
unreadable(
    "palette-differs",
    "the file's palette differs from that of the others",
    "The palette says which index is which class; with another one the classes can't be known.",
    "export it with the palette of the others",
)
unreadable(
    "permission",
    "the system does not allow reading the file",
    "It belongs to another user, or has no permission to be read.",
    "change its permissions (chmod +r)",
)
unreadable(
    "size-mismatch",
    "masks or images that belong together differ in size",
    "Pixels of files that belong together must lie on each other. Such a pair, or object, is left out.",
    "resize masks by nearest neighbour, or check that they belong together",
    own_remedy=False,
)
unreadable(
    "size-unknown",
    "the size of a mask is not known",
    "Its annotations don't say it, and no image of its name lies near them.",
    "put the images into a folder 'images' beside the annotations",
)
unreadable(
    "too-large",
    "the file takes too much memory",
    "It declares more pixels than --max-pixels, or more than memory holds.",
    "split it into tiles, or raise --max-pixels",
)
unreadable(
    "truncated-file",
    "the file stops before its end",
    "It was cut off, as by a copy or download that was interrupted.",
    "copy or export it again",
)
unreadable(
    "wrong-array",
    "the array is no mask of whole numbers on two axes",
    "Masks in array files are whole numbers with rows and columns, or planes of them.",
    "save class ids as a NumPy array or as index PNG",
)
unreadable(
    "wrong-channels",
    "the file's channels are no mask",
    "A mask has one channel of class ids, a palette, or 8-bit RGB colours as the other masks have.",
    "export it as index PNG",
    own_remedy=False,
)
unreadable(
    "wrong-type",
    "the file's values are no class ids",
    "Class ids are whole numbers from 0; negative or fractional values are not class ids.",
    "save class ids as whole numbers, as index PNG for example",
    own_remedy=False,
)
unreadable(
    "soft-mask",
    "the file's values are blended, far more than in other masks",
    "Smoothing, resizing or JPEG made values between those of the classes: boundaries are uncertain there.",
    "export it without smoothing, as PNG",
    own_remedy=False,
)
code(
    "folders-not-read",
    "folders can't be listed, so the masks in them are not measured",
    "The system does not allow listing them, or reports an error.",
    "change their permissions (chmod +rx)",
)
code(
    "broken-links",
    "links lead nowhere, so the files behind them are not measured",
    "Symbolic links whose targets were moved or removed.",
    "restore their targets, or remove the links",
    own_remedy=True,
)
