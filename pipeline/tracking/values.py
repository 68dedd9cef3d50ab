"""Settings and metrics in the form that MLflow takes."""

import json
import math
from collections.abc import Mapping

_MAX_LENGTH = 500


def flatten(settings: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Turn nested settings into MLflow parameters: `{"model": {"fc_dim": 4}}` becomes `{"model.fc_dim": "4"}`.

    Values other than text are written as JSON. Long ones end with `…`.
    """
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
            continue
        text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
        flat[f"{prefix}{key}"] = text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"
    return flat


def finite(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """Leave out metrics that are `None`, NaN or infinite."""
    return {name: float(value) for name, value in metrics.items() if value is not None and math.isfinite(value)}
