"""Every threshold of the findings, with its origin. "Chosen": a starting point, not calibrated."""

CROWDED = 0.2  # share of a class's objects that touch, or look like several, from which it is said; chosen
FEW = 10  # objects of a class from which its shares mean something; chosen
NESTED = 0.5  # share of a class that lies in holes of another from which it is said; chosen
LINED = 0.5  # share of a class's outline that ignored pixels line from which it is said; chosen
UNRELIABLE = 0.4  # share of a class's objects too small to read convexity from (metrics.shape), from which it is said
THIN = 2.0  # px; a tenth of a class under it dies when images shrink by 2 (rules: random resizing stops there too)
