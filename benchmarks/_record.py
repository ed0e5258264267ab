"""What the benchmarks of this folder write: the results, with the command, the day and the machine."""

import json
import platform
from datetime import date
from pathlib import Path
from typing import Any


def write(name: str, title: str, results: dict[str, Any]) -> None:
    """Write recorded/name.json, for the status page and `adambook.data.recorded`."""
    record = {
        "title": title,
        "command": f"python benchmarks/{name}.py --record",
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()} CPU, one thread, Python {platform.python_version()}",
        "results": results,
    }
    path = Path(__file__).parent / "recorded" / f"{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf8")
