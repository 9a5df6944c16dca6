"""Codes about which files are masks, and how files make up a mask."""

from .reading import code

code(
    "annotations-not-read",
    "files may be annotations of a kind that is not read",
    "If the masks beside them hold the same objects nothing is lost.",
    "if the masks beside them lack these objects, draw them as index PNG",
)
code(
    "beside-masks",
    "image files lie outside the folders named for masks and are left alone",
    "Folders named for masks and for images were found; these files lie in neither.",
    "if they are masks, say --pattern GLOB",
)
code(
    "class-from-name",
    "folders or names say the class of each mask",
    "Each file is read as a binary mask of the class that its folder, or the end of its name, says. An image with "
    "masks of several classes counts once per class; --group makes its masks one sample.",
    "if they are no classes, say --layout files",
)
code(
    "empty-object",
    "some files of a mask's objects hold no object",
    "The folder is one mask with a file per object; empty files are harmless, but unusual.",
    "remove the empty files, or export them again",
)
code(
    "files-not-read",
    "files are in no format that is read as a mask, or are arrays not called masks",
    "Arrays (npy, npz, mat) are read where a folder or a word of their name calls them masks.",
    "if they hold masks, convert them, or put them into a folder 'masks'",
)
code(
    "hidden-files",
    "hidden or system files are skipped",
    "Names that begin with a dot, files of desktop systems, pipes and devices.",
    "rename them if they are masks",
)
code(
    "images-among-masks",
    "image files are taken as the images of the masks and are not read as masks",
    "Their names, folders or content pair them with the masks beside them.",
    "if they are masks, say --pattern GLOB",
)
code(
    "listed",
    "the masks are the files of a list",
    "Only files of the list are read.",
    "give the folder instead to read all of its masks",
)
code(
    "listed-but-missing",
    "masks of the list are not there and count as unreadable",
    "Paths are absolute, or relative to the folder of the list.",
    "correct the list, or restore the files",
)
code(
    "listed-twice",
    "lines of the list repeat a path and count once",
    "A mask is measured once, however often it is listed.",
    "remove the repeated lines",
)
code(
    "maybe-objects",
    "folders may hold one object per file, but too few to tell",
    "Each file is read as a mask of its own. If a folder is one mask with a file per object, counts are right but "
    "every object counts as an image.",
    "say --layout objects to read each folder as one mask",
)
code(
    "names-files",
    "files may name the classes and are used for that only",
    "Lists of class names, such as classes.txt or data.yaml.",
    "choose one with --classes FILE if the names are wrong",
)
code(
    "not-in-pattern",
    "the file does not fit the pattern",
    "--pattern says which files are masks; --explain-input lists the others under this code.",
    "widen --pattern if it is a mask",
)
code(
    "objects-overlap",
    "objects of a mask overlap; the smaller one keeps the shared pixels",
    "A pixel belongs to one object. Objects that lie wholly under others are lost.",
    "correct the annotations where shared pixels are many",
)
code(
    "other-forms",
    "further forms of the same masks are left alone",
    "Sets often hold the same mask as class ids, as colours and as a preview. The form that reads best is taken.",
    "say --pattern GLOB to read other ones",
)
code(
    "pages-are-classes",
    "each page of a file is read as a binary mask of its own class",
    "Numbers are right per class, and an image counts once per class.",
    "if the pages are separate masks, say --pages stack",
)
code(
    "pages-are-masks",
    "each page of a file is read as a mask of its own",
    "Pages of one file are no independent samples, as slices of one patient.",
    "hold them together with --group '^(.*)#', or say --pages classes",
)
code(
    "pages-joined",
    "the pages of a file are classes of one mask and are joined",
    "The pages exclude each other, so a page is a class and the file one mask.",
    "if the pages are separate masks, say --pages stack",
)
code(
    "pattern",
    "the masks are the files that fit --pattern",
    "Only these files are read.",
    "leave --pattern out to let names decide",
)
code(
    "sampled",
    "some masks are left out, as --sample asked",
    "Those with the smallest hashes of their names stay, so that the same ones stay on every machine.",
    "leave --sample out to measure all",
)
code(
    "side-files",
    "files are no masks and are left alone",
    "Tables, read-me files and licences.",
    "move masks among them to files of a mask format (docs/formats.md)",
)
