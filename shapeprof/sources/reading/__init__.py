"""From the name of a mask to its label map or its runs, by an encoding that was detected before."""
