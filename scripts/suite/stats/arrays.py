"""What are the statistics computed with? numpy, loaded at the first use of a name in it, because no --help uses it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

__all__ = ["Floats", "np"]


def _loaded_when_used(name: str) -> ModuleType:
    spec = importlib.util.find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return importlib.import_module(name)
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = _loaded_when_used("numpy")

Floats: TypeAlias = "NDArray[np.float64]"
