"""How fast the project is: `python -m benchmarks` in a project whose lines are made writes reports/performance.*."""
