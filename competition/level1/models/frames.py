"""Network over the frames of a film: one row per frame, or per region of a picture."""

from competition.level1.components.array_model import ArrayModel
from competition.level1.networks import Pooling
from competition.level1.registry import level1_model


@level1_model("frames", kinds=("array",))
class Frames(ArrayModel):
    """Network over the frames of a film: one row per frame, or per region of a picture.

    Each frame is read by itself. For the parameters see
    `competition.level1.components.array_model.ArrayModel`.
    """

    def __init__(
        self,
        pooling: Pooling = "mean",
        hidden: int = 64,
        rows_seen: int = 1,
        clusters: int = 8,
        dropout: float = 0.3,
        epochs: int = 20,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.05,
        random_state: int = 0,
        n_jobs: int = 1,
        device: str = "auto",
    ) -> None:
        self.pooling = pooling
        self.hidden = hidden
        self.rows_seen = rows_seen
        self.clusters = clusters
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.device = device
