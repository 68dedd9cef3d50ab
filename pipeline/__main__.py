"""The command line of the project: `python -m pipeline <command>`."""

import argparse
from collections.abc import Sequence

from pipeline.command_line import run_module
from pipeline.common.errors import exit_on_input_error

COMMANDS = {
    "repro": "Run `dvc repro` with independent stages side by side.",
    "demo": "Run the whole pipeline on built-in characters and text, in build/demo.",
    "handwriting": "Train on transcribed lines of your own in three ways, and compare them, in build/handwriting.",
    "predict": "Read pages and pictures of handwritten lines.",
    "export": "Write a trained recognizer as an ONNX file, which works without this project.",
    "app": "Open a page to try the models on pictures, drawings and texts; its readings are an HTTP interface too.",
    "experiments": "List DVC's experiments with the settings in which they differ, and their CER.",
    "ui": "Show all runs in MLflow's pages.",
    "runs": "List the checkpoint and the MLflow run of every trained experiment.",
    "sync": "Rebuild missing MLflow runs from DVC's outputs.",
    "search": "Search for better settings of one experiment.",
    "ablations": "Train an experiment once for each changed setting, and compare.",
    "budgets": "Train an experiment with several budgets of time, and compare.",
    "intervals": "Count how often the confidence intervals of the reports hold for other characters and other texts.",
    "plot_augmentation": "Draw training characters or lines before and after augmentation.",
    "plot_lookalikes": "Draw which parts of a line the look-alike attention compares.",
}
"""The modules of `pipeline/commands/` and the first lines of their docstrings. Only the called one is imported."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command of `arguments`, by default those of the process."""
    width = max(map(len, COMMANDS))
    parser = argparse.ArgumentParser(
        prog="python -m pipeline",
        description="commands:\n" + "\n".join(f"  {name:<{width}}  {help}" for name, help in COMMANDS.items()),
        epilog="`python -m pipeline <command> --help` shows a command's own arguments.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="command", help="one of the commands above")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the command")
    chosen = parser.parse_args(arguments)
    run_module(f"pipeline.commands.{chosen.command}", f"{parser.prog} {chosen.command}", chosen.arguments)


if __name__ == "__main__":
    exit_on_input_error(main)
