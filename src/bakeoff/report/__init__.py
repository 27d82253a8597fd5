"""The report of a study, computed from its rows alone. Nothing here imports torch."""
