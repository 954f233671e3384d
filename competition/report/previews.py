"""Small pictures for the page: a poster or a strip of frames, and a sound as its spectrogram.

They are kept in ``cache/previews/`` by the digest of the file that they show.
"""

from pathlib import Path

from competition.datasets.base import AdDataset
from competition.execution.local import run_tasks
from competition.features.store import Digests
from competition.report.ad import files_of_ad
from competition.report.preview_drawing import FileOfAd, Preview, kept, made
from competition.utils.extras import lacking
from competition.utils.files import digest
from competition.utils.progress import Progress

VERSION = 5  # of how they are drawn
AT_ONCE = 8  # ads that a process is given


def previews(
    dataset: AdDataset, ads: list[str], cache: Path, n_jobs: int, progress: Progress
) -> dict[str, Preview]:
    """Return what can be shown of each ad's pictures and sound.

    Parameters
    ----------
    dataset : AdDataset
    ads : list of str
    cache : Path
        The folder ``cache``.
    n_jobs : int
        Processes.
    progress : Progress
    """
    why = lacking(["PIL", "av"])
    files = {ad: files_of_ad(dataset, ad) for ad in ads}
    wanted = {ad: found for ad, found in files.items() if found}
    if why:
        return {ad: Preview(unread=why if ad in wanted else "") for ad in ads}
    digests, folder = Digests(cache / "digests.parquet"), cache / "previews"
    found, missing = {ad: Preview() for ad in ads}, []
    for ad, its in wanted.items():
        paths = [folder / f"{key}.preview" for key in _keys(its, digests)]
        known = kept(paths[0]) if paths else None
        if known is not None:
            found[ad] = known
        else:
            missing.append((ad, its, paths[0] if paths else None))
    digests.save()
    tasks = [(missing[start : start + AT_ONCE],) for start in range(0, len(missing), AT_ONCE)]
    done, n_jobs = 0, 1 if len(missing) < AT_ONCE else n_jobs
    for batch in run_tasks(made, tasks, n_jobs=n_jobs):
        found.update(batch)
        done += len(batch)
        progress.update("pictures of the page", done, len(missing))
    return found


def _keys(files: tuple[FileOfAd, ...], digests: Digests) -> list[str]:
    try:
        return [digest(VERSION, [[one.kind, digests.of(one.path)] for one in files])]
    except OSError:  # a file that is gone
        return []
