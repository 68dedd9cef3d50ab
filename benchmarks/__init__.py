"""How fast the project is: `python -m benchmarks` in a project whose lines are made writes reports/performance.*."""

import os

# As stages have it (`stages/__init__.py`), before PyTorch is imported; for everything that is compared.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
