"""The command: reads the settings, trains, and turns what was refused into one sentence and exit status 2."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from adambook.train.settings import Refused, parse

# All processes refuse the same, and the first says so. torchrun ends them all when one ends: let the first be first.
PATIENCE = 10


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        settings = parse(arguments)
        try:
            from adambook.train.loop import train  # here, so that --help and mistakes need not wait for torch
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise Refused("training needs PyTorch; install it with: pip install 'adambook[torch]'") from error
        return train(settings)
    except Refused as refusal:
        if os.environ.get("RANK", "0") == "0":
            print(f"adambook.train: {refusal}", file=sys.stderr)
        else:
            time.sleep(PATIENCE)
        return 2


if __name__ == "__main__":
    sys.exit(main())
