"""For every claim: numbers for which it holds, holds with a condition, and does not hold. Every module here adds its CASES.

A new claim is a new entry of CASES in its chapter's file, or a file of its own.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from support.claim_cases.figures import Figures


@cache
def cases() -> dict[str, dict[str, Figures]]:
    """By the claim's id, then by verdict."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return {claim: ways for module in modules for claim, ways in getattr(module, "CASES", {}).items()}
