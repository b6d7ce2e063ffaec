"""Where the suite's other folders are; importing this puts docker/local on the path."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
REFERENCE = os.path.join(ROOT, "tests/reference")
sys.path.insert(0, os.path.join(ROOT, "docker/local"))
