"""The notebooks are tested at the scale that a busy two-core machine can bear."""

import os

os.environ["LIGHTBROKER_SCALE"] = "quick"  # the kernels inherit it
