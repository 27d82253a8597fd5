"""Finished runs for other programs: a file for each of them."""
