"""What the names of files and folders say: words, forms of one mask, images, known data sets."""
