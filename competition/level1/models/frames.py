"""Network over the frames of a film: one row per frame, or per region of a picture."""

from competition.level1.components.array_model import ArrayModel
from competition.level1.registry import level1_model


@level1_model("frames", kinds=("array",))
class Frames(ArrayModel):
    """Network over the frames of a film: one row per frame, or per region of a picture.

    Each frame is read by itself. For the parameters see
    `competition.level1.components.array_model.ArrayModel`.
    """
