"""Network over sound: log-mel bands or other short stretches, one row each."""

from competition.level1.components.array_model import ArrayModel
from competition.level1.networks import Pooling
from competition.level1.registry import level1_model
from competition.utils.parameters import Count, Dropout, NotNegative, Positive, Seed


@level1_model("sound", kinds=("array",))
class Sound(ArrayModel):
    """Network over sound: log-mel bands or other short stretches, one row each.

    Its first layer is a convolution over `rows_seen` rows, which hears rises, falls and rhythm. For
    the parameters see `competition.level1.components.array_model.ArrayModel`.
    """

    def __init__(
        self,
        pooling: Pooling = "mean",
        hidden: Count = 64,
        rows_seen: Count = 5,
        clusters: Count = 8,
        dropout: Dropout = 0.3,
        epochs: Count = 20,
        batch_size: Count = 32,
        learning_rate: Positive = 2e-3,
        weight_decay: NotNegative = 0.05,
        random_state: Seed = 0,
        n_jobs: Count = 1,
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
