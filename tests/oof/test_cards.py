"""Cards: what is written is read back, and what is no card is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from competition.evaluation.leaks import StandingOut
from competition.oof.cards import Card, FoldOffset, OutdatedCardError, read_card, sealed, write_card
from competition.utils.errors import StoreError
from competition.utils.files import write_json
from tests.made_cards import external_card, level1_card, stack_card

CARDS: dict[str, Card] = {
    "level1": level1_card("words", "tfidf_logreg", "title", "plot"),
    "rival": level1_card("rival-sum", "fusion", "plot", kind="rival"),
    "external": external_card("theirs"),
    "stack": stack_card(
        "selection",
        candidates={"mean": 0.5, "dnn": 0.6},
        candidates_without_fold={"mean": (0.5, 0.4), "dnn": (0.6, 0.7)},
        standard_errors={"mean": (0.1, 0.1), "dnn": (0.0, 0.0)},
        failed={"greedy": "no ads"},
        chosen=("dnn", "dnn"),
        corrections={"corrector": (0.5, 1.0)},
        standing_out={"eyes": StandingOut(1, 0.9, 0.5)},
        large_offsets={
            "ears": FoldOffset(spread=0.7, fold_offsets=(0.0, 0.7), gap=0.4, gap_folds=0.5)
        },
    ),
}


def write(path: Path, card: Card) -> Path:
    write_card(path, card)
    return path


@pytest.mark.parametrize("kind", CARDS)
def test_card_is_read_back_as_it_was(tmp_path: Path, kind: str) -> None:
    card = read_card(write(tmp_path / "card.json", CARDS[kind]))
    assert card == CARDS[kind]
    assert (type(card), card.kind) == (type(CARDS[kind]), kind)


def test_card_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        CARDS["level1"].model = "other"


def test_card_of_the_form_of_another_version_says_to_run_again(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    values = CARDS["level1"].model_dump(mode="json")
    before_kinds = {key: value for key, value in values.items() if key != "kind"}
    later = {**values, "colour": "red", "versions": {"competition": "99"}}
    for form in (before_kinds, values, sealed(later)):
        write_json(path, form)
        with pytest.raises(
            OutdatedCardError, match=r"card\.json was written by another .*run again"
        ):
            read_card(path)


def changed(**values: Any) -> str:
    """A card with a digest of values that are no card's."""
    return json.dumps(sealed({**CARDS["level1"].model_dump(mode="json"), **values}))


def edited(**values: Any) -> str:
    """A card that was changed by hand."""
    return json.dumps({**sealed(CARDS["level1"].model_dump(mode="json")), **values})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (changed()[:-20], "it is not JSON"),
        ("[]", "it is not a card"),
        ("{}", "it is not a card"),
        (changed(kind="level3"), r"it is not a card .*level3"),
        (changed(scores={"gap": 0.5}), r"it is not a card \(level1\.scores"),
        (changed(seconds="long"), r"it is not a card \(level1\.seconds"),
        (changed(colour="red"), r"it is not a card \(level1\.colour"),
        (edited(scores={}), "it was changed after it was written"),
        (edited(seed=1), "it was changed after it was written"),
        (edited(fingerprint="f" * 64), "it was changed after it was written"),
        (edited(parameters={"C": 4.0}), "it was changed after it was written"),
        (edited(fold_offsets=[0.0, 0.0]), "it was changed after it was written"),
        (edited(seconds=float("nan")), "it was changed after it was written"),
        (edited(digest=[{}]), "it was changed after it was written"),
        (edited()[:-1] + ', "seed": 1' + "0" * 5000 + "}", "it is not JSON"),
        (edited()[:-1] + ', "seed": 1e999}', "it was changed after it was written"),
        (edited()[:-1] + ', "seed": "\\ud800"}', "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        (edited()[:-1] + ', "seed": ' + "[" * 100_000 + "]" * 100_000 + "}", "it is not JSON"),
    ],
)
def test_damaged_card_is_named_with_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "m" / "card.json"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=message) as error:
        read_card(path)
    assert f"or remove the folder {path.parent}" in str(error.value)
