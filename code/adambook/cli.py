"""The `adambook` command."""

from __future__ import annotations


def main() -> int:
    """Do what the command line asks for."""
    return 0
