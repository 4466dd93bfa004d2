"""Ray reads these when it is imported, which a test does before evalkit would set them.

Without them a thread that Ray Data leaves behind, and that asks for something after the end, starts a Ray of its own on
this machine; from then on the whole process speaks with tokens, which no cluster without them answers.
"""

from __future__ import annotations

import os

from evalkit.workflow.spreading.ray_cluster import QUIET

os.environ.update(QUIET)
