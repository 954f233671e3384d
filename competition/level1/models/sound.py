"""Network over sound: log-mel bands or other short stretches, one row each."""

from competition.level1.components.array_model import ArrayModel
from competition.level1.networks import Pooling
from competition.level1.registry import level1_model


@level1_model("sound", kinds=("array",))
class Sound(ArrayModel):
    """Network over sound: log-mel bands or other short stretches, one row each.

    Its first layer is a convolution over `rows_seen` rows, which hears rises, falls and rhythm. For
    the parameters see `competition.level1.components.array_model.ArrayModel`.
    """

    def __init__(
        self,
        pooling: Pooling = "mean",
        hidden: int = 64,
        rows_seen: int = 5,
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
        super().__init__(
            pooling,
            hidden,
            rows_seen,
            clusters,
            dropout,
            epochs,
            batch_size,
            learning_rate,
            weight_decay,
            random_state,
            n_jobs,
            device,
        )
