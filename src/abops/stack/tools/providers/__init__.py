"""One module per way to get a program. Each says why it cannot work here, or gives a tree."""
