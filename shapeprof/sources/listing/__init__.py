"""Which files of a folder are masks, what lies beside them, and which image belongs to which."""
