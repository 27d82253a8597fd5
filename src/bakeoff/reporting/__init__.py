"""The report of a study: what it says, its tables and figures, the page and the PDF."""
