"""Handwriting line recognition: the library behind the pipeline's stages."""
