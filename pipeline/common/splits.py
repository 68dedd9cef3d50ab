"""The names of the three parts that characters, text and lines come in."""

SPLITS = ("train", "validation", "test")
