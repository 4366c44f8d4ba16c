"""One module for each outside system; its exceptions do not leak."""
