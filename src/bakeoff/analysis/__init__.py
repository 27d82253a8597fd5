"""From run folders to rows, and from rows to whatever is said about them. Nothing here imports torch."""
