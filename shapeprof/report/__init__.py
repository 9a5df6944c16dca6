"""Views of a profile and a recommendation: for a terminal and for machines. They compute nothing."""
