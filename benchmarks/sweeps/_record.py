"""What every sweep of this folder writes: its rows, one to a line, with the command that makes them."""

import json
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "recorded" / "sweeps"
DIGITS = 5  # significant digits that are kept of a float


def record(name: str, title: str, rows: Sequence[dict[str, Any]], folder: Path = FOLDER, **more: Any) -> Path:
    """Write FOLDER/name.json, which `adambook.data.recorded("sweeps/name")` reads.

    ``rows`` are flat, one a run; ``more`` holds what is no row, such as short curves. Floats are rounded; one that
    is not finite becomes null.
    """
    import torch

    head = {
        "title": title,
        "command": f"python benchmarks/sweeps/{name}.py --record",
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()} CPU, Python {platform.python_version()}, torch {torch.__version__}",
    } | {key: _rounded(value) for key, value in more.items()}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    each = ",\n".join(f"  {json.dumps(_rounded(row))}" for row in rows)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text("{\n" + ",\n".join(lines) + f',\n "rows": [\n{each}\n ]\n}}\n', encoding="utf-8")
    return path


def _rounded(value: Any) -> Any:
    if hasattr(value, "tolist"):  # an array, or a number of NumPy's
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _rounded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(each) for each in value]
    if isinstance(value, float):
        rounded = float(f"{value:.{DIGITS}g}")
        return rounded if abs(rounded) < float("inf") else None  # false for NaN too
    return value
