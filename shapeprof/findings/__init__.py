"""What a user should know before training, as one list: a function per finding, and what reading the files found."""
