"""Neural networks of the level-1 models. Its modules import torch: import them where they run."""

from typing import Literal

Pooling = Literal["mean", "attention", "nextvlad"]
Fusing = Literal["concat", "sum", "max", "attention"]
