"""From raw stored values to classes: how a sample of files looks, what its values mean, and reading by that."""
