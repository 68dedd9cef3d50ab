"""The three parts of characters, text and lines."""

SPLITS = ("train", "validation", "test")
