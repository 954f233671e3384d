"""A run of `taac2021` at the competition's size: `python -m benchmarks.rehearsal --work DIR`.

Made ads (`demo --arrays`), 5,000 for training and 5,000 for testing, go through the profile's road
stage by stage: extraction, each level-1 model, each meta-learner, and the whole command, which then
reads what is stored and writes the submission. Every stage is a process of its own, whose whole
family is watched: time, processor time (which says more than time where the machine has other work)
and peak memory, pages that several processes share counted once. A stage that was cut off goes on
where it was, and its times add up. Needs Linux.

BERT is fine-tuned on some ads for one epoch; the table says what a run would take from there.
The table goes to benchmarks/rehearsal.md.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from competition import extract, load_profile, make_demo, run, stack
from competition.config.profile import Profile, load_stack_settings
from competition.utils.files import write_json, write_text

PROFILE = "taac2021"
N_FOLDS = 5
POLL = 1.0  # seconds
GIB = 2**30
MOST = 8.0  # GiB that a stage may take
BERT_EPOCHS = 6
BASE_ADS = 16  # for a network of BERT-base's size with random weights


@dataclass(frozen=True)
class Use:
    """What a stage has used so far."""

    seconds: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0  # GiB
    done: bool = False


def family(pid: int) -> list[int]:
    """Return a process and all that it has started."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def memory(pid: int) -> float:
    """GiB of a process, its share of what it shares with others."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")) / GIB


def cpu_seconds(pid: int) -> float:
    """Processor time of a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watched(function: Any, arguments: tuple[Any, ...], before: Use, keep: Any) -> Use:
    """Call a function in a process of its own; `keep` gets what it has used, again and again."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    start, peak = time.perf_counter(), before.peak
    cpu: dict[int, float] = {}
    process.start()
    assert process.pid is not None
    while process.is_alive():
        process.join(POLL)
        members = family(process.pid)
        peak = max(peak, sum(map(memory, members)))
        for one in members:
            cpu[one] = max(cpu.get(one, 0.0), cpu_seconds(one))
        seconds = before.seconds + time.perf_counter() - start
        use = Use(seconds, before.cpu + sum(cpu.values()), peak)
        keep(use)
    if process.exitcode:
        raise SystemExit(f"The stage has failed with status {process.exitcode}.")
    return replace(use, done=True)


def profile_of(models: list[str] | None = None, *overrides: str) -> Profile:
    """Return the profile with some of its models."""
    profile = load_profile(PROFILE, list(overrides))
    if models is None:
        return profile
    return profile.model_copy(update={"level1": {one: profile.level1[one] for one in models}})


def extracted(data: Path, out: Path, jobs: int) -> None:
    """Extract the features."""
    extract(data, profile_of(), out, n_jobs=jobs)


def level1(data: Path, out: Path, jobs: int, name: str) -> None:
    """Cross-fit a level-1 model."""
    profile = profile_of([name], "level2.model=mean", "level2.beside=[]")
    run(data, profile, out, n_jobs=jobs)


def level2(data: Path, out: Path, jobs: int, name: str) -> None:
    """Stack what is stored by a meta-learner."""
    stack(data, load_stack_settings([f"level2.model={name}"]), out, n_jobs=jobs)


def whole(data: Path, out: Path, jobs: int) -> None:
    """Run the profile as it is shipped; what the stages above have made is read."""
    run(data, profile_of(), out, n_jobs=jobs)


def bert(data: Path, out: Path, jobs: int, checkpoint: str, n_ads: int) -> None:
    """Fine-tune BERT on the texts of some ads for an epoch, and predict for as many."""
    from competition.datasets import load_dataset
    from competition.level1.models.bert import Bert

    dataset = load_dataset(data)
    ads = dataset.ads.loc[dataset.train_ids[:n_ads], ["ocr"]]
    model = Bert(checkpoint, epochs=1, n_jobs=1)
    start = time.perf_counter()
    model.fit(ads, dataset.labels[:n_ads])
    fitted = time.perf_counter()
    model.predict_proba(ads)
    seconds = {"fit": fitted - start, "predict": time.perf_counter() - fitted, "ads": n_ads}
    write_json(out / f"bert-{n_ads}.json", seconds)


def base_checkpoint(folder: Path) -> str:
    """Make a network of BERT-base's architecture with random weights, in Hugging Face's form."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map(chr, range(0x4E00, 0x4E00 + 21123))]
    write_text(folder / "vocab.txt", "\n".join(words))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(words))).save_pretrained(folder)
    return str(folder)


def stages(
    work: Path, checkpoint: str | None, bert_ads: int
) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """Return what is run in turn, by the name of its row."""
    profile = profile_of()
    learners = [profile.level2.model, *profile.level2.beside]
    models = ("tfidf_logreg", "tfidf_linearsvc", "tfidf_nblogreg", "frames_youtube8m")
    found: dict[str, tuple[Any, tuple[Any, ...]]] = {"extraction": (extracted, ())}
    for name in (*models, "sound_vggish"):
        found[f"level 1: {name}"] = (level1, (name,))
    for learner in learners:
        found[f"level 2: {learner}"] = (level2, (str(learner),))
    found["the whole command: all is stored, submission"] = (whole, ())
    if checkpoint is not None:
        found[f"bert, {bert_ads} ads, one epoch"] = (bert, (checkpoint, bert_ads))
    base = work / "bert-base"
    if not base.exists():
        base_checkpoint(base)
    found[f"bert of the base size, {BASE_ADS} ads, one epoch"] = (bert, (str(base), BASE_ADS))
    return found


def extrapolated(path: Path, n_train: int, n_test: int) -> str:
    """Return the hours that five folds would take, or nothing where it was not measured."""
    if not path.exists():
        return ""
    took = json.loads(path.read_text())
    fit = took["fit"] / took["ads"] * BERT_EPOCHS * n_train * (N_FOLDS - 1) / N_FOLDS
    predict = took["predict"] / took["ads"] * (n_train / N_FOLDS + n_test)
    return f"{N_FOLDS * (fit + predict) / 3600:.1f}"


def table(
    work: Path, uses: dict[str, Use], sizes: tuple[int, int], jobs: int, bert_ads: int
) -> str:
    """Markdown of what was measured."""
    lines = [
        "# A rehearsal at the competition's size",
        "",
        f"Made by `python -m benchmarks.rehearsal`: {sizes[0]:,} training ads and {sizes[1]:,} "
        f"test ads of `demo --arrays`, 82 tags, {N_FOLDS} folds, `--jobs {jobs}`, no GPU. The "
        "machine had other work besides: time is what passed, processor time what was used, by all "
        "processes together. A stage reads the ads and the stored features first.",
        "",
        f"Peak memory is that of all processes; the aim is at most {MOST:.0f} GiB.",
        "",
        "| stage | seconds | processor seconds | peak memory, GiB |",
        "|---|---|---|---|",
    ]
    for name, use in uses.items():
        cells = (f"{use.seconds:.0f}", f"{use.cpu:.0f}", f"{use.peak:.1f}")
        end = "" if use.done else " so far: not finished" if use.seconds else ": not run"
        lines.append(f"| {name}{end} | {' | '.join(cells if use.seconds else ('', '', ''))} |")
    hours = {
        "me5-small-zh, 12 layers of 384": extrapolated(
            work / "out" / f"bert-{bert_ads}.json", *sizes
        ),
        "BERT-base, 12 layers of 768, random weights": extrapolated(
            work / "out" / f"bert-{BASE_ADS}.json", *sizes
        ),
    }
    lines += [
        "",
        f"Fine-tuned BERT is extrapolated, not run: from one epoch on {bert_ads} ads "
        f"({BASE_ADS} of the base size) and one prediction of these to {N_FOLDS} folds of "
        f"{sizes[0]:,} ads, {BERT_EPOCHS} epochs, at most 256 tokens, one thread; two tasks at a "
        "time halve it.",
        "",
        "| checkpoint | hours for one model, extrapolated |",
        "|---|---|",
        *(f"| {name} | {value or 'not measured'} |" for name, value in hours.items()),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the stages that are not done yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="folder that keeps ads and results")
    parser.add_argument("--ads", type=int, default=5000)
    parser.add_argument("--test-ads", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--checkpoint", help="folder of a small BERT to fine-tune")
    parser.add_argument("--bert-ads", type=int, default=500, help="ads to fine-tune it on")
    parser.add_argument("--only", default="", help="stages whose name begins so")
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="rehearsal-"))
    data, out, log = work / "ads", work / "out", work / "rehearsal.json"
    if not data.exists():
        make_demo(data, given.ads, test_ads=given.test_ads, arrays=True)
    out.mkdir(exist_ok=True)
    known = json.loads(log.read_text()) if log.exists() else {}
    wanted = stages(work, given.checkpoint, given.bert_ads)
    uses = {name: Use(**known.get(name, {})) for name in wanted}
    for name, (function, arguments) in wanted.items():
        before = uses[name]
        if before.done or not name.startswith(given.only):
            continue

        def keep(use: Use, name: str = name) -> None:
            uses[name] = use
            write_json(log, {one: asdict(used) for one, used in uses.items()})

        print(name, flush=True)
        use = watched(function, (data, out, given.jobs, *arguments), before, keep)
        keep(use)
        print(f"  {use.seconds:.0f} s, processor {use.cpu:.0f} s, {use.peak:.1f} GiB", flush=True)
    text = table(work, uses, (given.ads, given.test_ads), given.jobs, given.bert_ads)
    print(text)
    write_text(Path(__file__).with_suffix(".md"), text)


if __name__ == "__main__":
    main()
