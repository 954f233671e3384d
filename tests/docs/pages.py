"""What the README and the pages of docs/ promise: their code blocks and commands."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:-m competition|\./run_all\.sh|^competition)(?: (.*)|$)")


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of a language, in order."""
    return [text for found, text in _BLOCK.findall(page.read_text("utf-8")) if found == language]


def block_with(name: str, language: str, words: str) -> str:
    """The one block of the page `name` that has these words."""
    (block,) = [text for text in blocks(ROOT / name, language) if words in text]
    return block


def commands(page: Path) -> list[list[str]]:
    """Arguments of every call of the command line, in blocks and in the text."""
    lines = [line for block in blocks(page, "bash") for line in block.splitlines()]
    inline = _BLOCK.sub("", page.read_text("utf-8")).replace("\n", " ")
    lines += re.findall(r"`([^`]+)`", inline)
    found = []
    for line in lines:
        if match := _COMMAND.search(line):
            arguments = shlex.split(match[1] or "", comments=True)
            found.append(["run", *arguments] if "run_all.sh" in line else arguments)
    return [arguments for arguments in found if arguments not in ([], ["--help"])]
