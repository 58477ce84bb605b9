"""What do the tests share?"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]  # of the project
