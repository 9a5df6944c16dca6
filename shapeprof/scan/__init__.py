"""From a folder of masks to a Profile: shards of files, the processes that measure them, and what is kept on disk."""
