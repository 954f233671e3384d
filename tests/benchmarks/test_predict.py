"""The bench of saved stacks runs, and says what it found."""

import re
from pathlib import Path

from benchmarks import predict


def test_small_bench_runs_and_writes_its_note(tmp_path: Path) -> None:
    """A run, a refit and 15 pipelines of scikit-learn: some seconds."""
    profile = tmp_path / "small.toml"
    profile.write_text(
        'models = ["tfidf_logreg", "probe"]\nlevel2.model = "mean"\nfolds.n = 3\n'
        '[features.visual]\nextractor = "thumbnails"\ninput = "video"\n',
        encoding="utf-8",
    )
    note = tmp_path / "note.md"
    given = ["--ads", "10", "--texts", "50", "--profile", str(profile), "--result", str(note)]
    predict.main(given)
    text = note.read_text("utf-8")
    assert "10 training ads, 2 level-1 models" in text
    figures = [float(one) for one in re.findall(r"\| ([\d.]+)(?:%| MB| s| ms)? \|", text)]
    assert len(figures) == 9
    assert all(figure > 0 for figure in figures)
