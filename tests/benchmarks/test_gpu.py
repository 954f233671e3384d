"""The benchmark of a GPU runs on a processor, tiny, and counts what it measures rightly."""

import pytest

from benchmarks import gpu


def test_without_a_card_it_prints_a_tiny_table_and_writes_nothing(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(gpu, "__file__", str(tmp_path / "gpu.py"))
    monkeypatch.setattr(gpu, "choose_device", lambda: "cpu")  # on a machine with a card, too
    gpu.main()
    printed = capsys.readouterr().out
    assert "no CUDA card" in printed
    assert list(tmp_path.iterdir()) == []
    rows = [line.split("|") for line in printed.splitlines() if line.startswith("| ")]
    numbers = [float(row[2].replace(",", "")) for row in rows if row[1].strip()]
    assert len(numbers) == 8
    assert all(number >= 0 for number in numbers)
    assert min(numbers[1], numbers[3], numbers[4]) > 0


def test_operations_of_vit_large_are_the_published_ones():
    """191.1 billion multiply-adds at 384 pixels: timm's `vit_large_patch16_384`."""
    from transformers import ViTConfig

    assert gpu.vit_operations(ViTConfig(**gpu.CARD.vit)) == pytest.approx(2 * 191.1e9, rel=0.01)
