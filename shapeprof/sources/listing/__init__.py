"""The files of a folder, a list or a URL, and the images among the masks."""
