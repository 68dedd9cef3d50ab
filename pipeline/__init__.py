"""Handwriting line recognition: the library behind the stages of `dvc.yaml`, and the project's commands."""
