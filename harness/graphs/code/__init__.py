"""Source code to graphs: one file per language, one way to join nodes into a graph."""
