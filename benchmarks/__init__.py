"""Speed of the project. `python -m benchmarks` needs the data of `dvc repro synthesize`."""

import os

# Like the stages, and before PyTorch is imported. It applies to every implementation that is compared.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
