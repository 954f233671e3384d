"""Rows and sweeps, as models with parameters."""

from competition.config.profile import Profile, load_profile
from competition.level1.models.hmam import Hmam
from competition.pipeline.plan import PlannedModel
from competition.reproductions.look_read_feel.methods import SWEEPS, sweep_points, table1, table2

PLAN = {"hmam": PlannedModel("hmam", "hmam", ("look",), {"epochs": 9, "dropout": 0.1})}


def test_sweeps_vary_one_parameter_each_and_keep_the_rest() -> None:
    assert list(SWEEPS) == ["learning_rate", "dropout", "dim", "alpha"]
    for point in sweep_points(PLAN):
        expected = {"epochs": 9, "dropout": 0.1, point.parameter: point.value}
        assert point.method.params == expected
        assert point.method.joint
        Hmam(**point.method.params)


def test_sweeps_hold_the_papers_values() -> None:
    defaults = Hmam().get_params()
    for parameter in ("learning_rate", "dim", "alpha"):
        assert defaults[parameter] in SWEEPS[parameter]


def test_ablations_take_one_part_away() -> None:
    full, *ablated = table2(PLAN)
    switches = ["autoencoder", "attention", "multitask"]
    for method, switch in zip(ablated, switches, strict=True):
        assert method.params == {**full.params, switch: False}


def test_what_the_plan_lacks_is_said() -> None:
    lacks = {method.label: method.lacks for method in table1(Profile(), PLAN, {})}
    assert lacks["HMAM, multi-task"] == ""
    assert lacks["C2AE (frozen features)"] == "none of its inputs is there"
    assert lacks["C2AE"] == "no weights: features.resnet101.checkpoint is not set"
    assert lacks["ResNet50 (All)"] == "no weights: features.resnet50.checkpoint is not set"


def test_shipped_profile_has_the_papers_settings() -> None:
    profile = load_profile("image_ads")
    hmam = Hmam(**profile.level1["hmam"].params)
    assert (hmam.dim, hmam.learning_rate, hmam.weight_decay) == (1024, 0.001, 0.0001)
    assert (hmam.alpha, hmam.beta, hmam.drop_every) == (200, 50, 15)
    assert hmam.epochs // hmam.drop_every > 2
    checkpoints = {name: f.params.get("checkpoint") for name, f in profile.features.items()}
    assert checkpoints["look"] == "microsoft/resnet-152"
    assert checkpoints["resnet50"] == "microsoft/resnet-50"
    assert checkpoints["resnet101"] == "microsoft/resnet-101"
    assert profile.features["words"].params == {"engine": "tesseract"}
