"""Split files of the TAAC 2021 baseline: ``tagging/GroundTruth/datafile/{train,val}.txt``.

A record is four paths (frame features, sound features, cover, texts), the tags, and a blank line::

    ../dataset/tagging/tagging_dataset_train_5k/video_npy/Youtube8M/tagging/03121d15.npy
    ../dataset/tagging/tagging_dataset_train_5k/audio_npy/Vggish/tagging/03121d15.npy
    ../dataset/tagging/tagging_dataset_train_5k/image_jpg/tagging/03121d15.jpg
    ../dataset/tagging/tagging_dataset_train_5k/text_txt/tagging/03121d15.txt
    现代,推广页,室内

The paths say which ad is meant, and nothing else: they may lead anywhere.
"""

from pathlib import Path, PurePosixPath

from competition.utils.errors import FoldsError

ENDINGS = (".npy", ".npy", ".jpg", ".txt")
FOLD_FILES = ("val.txt", "train.txt")  # of fold 0 and of fold 1


def read_datafile(path: Path) -> list[str]:
    """Return the ids of the ads that a split file lists, in its order.

    Raises
    ------
    FoldsError
        If it cannot be read, a record is malformed, or an ad stands twice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise FoldsError(f"There is no file {path}.") from None
    except UnicodeDecodeError as bad:
        raise FoldsError(f"{path} is not UTF-8 at byte {bad.start}. Save it as UTF-8.") from None
    ads: dict[str, int] = {}
    record: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if line.strip():
            record.append(line.strip())
        elif record:
            first = number - len(record)
            ad = _ad_of(record, f"{path}:{first}")
            if ad in ads:
                raise FoldsError(
                    f"{path}:{first} (ad {ad}): the ad stands in line {ads[ad]} already. Keep one "
                    "of the records."
                )
            ads[ad] = first
            record = []
    if not ads:
        raise FoldsError(f"{path} lists no ad.")
    return list(ads)


def _ad_of(record: list[str], where: str) -> str:
    paths = [PurePosixPath(line.replace("\\", "/")) for line in record[: len(ENDINGS)]]
    names = {path.stem for path in paths}
    if len(record) != len(ENDINGS) + 1 or len(names) != 1:
        raise FoldsError(
            f"{where}: expected the four paths of one ad ({', '.join(ENDINGS)}), its tags and a "
            f"blank line, found {len(record)} line(s) that name {len(names)} ad(s): "
            f"{record[0][:80]!r}."
        )
    for path, ending in zip(paths, ENDINGS, strict=True):
        if path.suffix != ending:
            raise FoldsError(f"{where}: {path.name} stands where a {ending} is expected.")
    return names.pop()
