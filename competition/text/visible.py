"""What of a text is seen: characters that nobody sees, and emoji, which hold some of them."""

import re

# Emoji by Unicode's emoji-data.txt, without digits and signs of type such as the copyright sign.
EMOJI = (
    r"\u231a\u231b\u23e9-\u23f3\u23f8-\u23fa\u2600-\u2604\u260e\u2611\u2614\u2615\u2618\u261d"
    r"\u2620\u2622\u2623\u2626\u262a\u262e\u262f\u2638-\u263a\u2640\u2642\u2648-\u2653\u265f\u2660"
    r"\u2663\u2665\u2666\u2668\u267b\u267e\u267f\u2692-\u2697\u2699\u269b\u269c\u26a0\u26a1\u26a7"
    r"\u26aa\u26ab\u26b0\u26b1\u26bd\u26be\u26c4\u26c5\u26c8\u26ce\u26cf\u26d1\u26d3\u26d4\u26e9"
    r"\u26ea\u26f0-\u26f5\u26f7-\u26fa\u26fd\u2702\u2705\u2708-\u270d\u270f\u2712\u2714\u2716\u271d"
    r"\u2721\u2728\u2733\u2734\u2744\u2747\u274c\u274e\u2753-\u2755\u2757\u2763\u2764\u2795-\u2797"
    r"\u27a1\u27b0\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55"
    r"\U0001f000-\U0001f0ff\U0001f18e\U0001f300-\U0001f3fa\U0001f400-\U0001faff"
)
TONE = r"\U0001f3fb-\U0001f3ff"

# Soft hyphens, zero-width characters, directions of writing, tags, variation selectors, which
# choose the colour of an emoji; and joiners, but between emoji.
_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u180b-\u180f\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f"
    r"\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_LONE_JOINER = re.compile(rf"(?<![{EMOJI}{TONE}])\u200d|\u200d(?![{EMOJI}])")


def visible(text: str) -> str:
    """Leave out the characters of a text that nobody sees."""
    return _LONE_JOINER.sub("", _INVISIBLE.sub("", text))
