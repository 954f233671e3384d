"""hmam keeps the contract of level-1 models."""

from competition.level1.hmam import Hmam
from competition.testing import Level1Contract


class TestHmam(Level1Contract):
    kinds = ("text", "array")

    def make(self):
        return Hmam(dim=16, hidden=16, dropout=0.1, epochs=12, learning_rate=1e-2, batch_size=16)
