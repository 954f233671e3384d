"""The hierarchical multimodal attention network for image ads (HMAM)."""

from competition.level1.models.hmam.model import AdAttention, Hmam

__all__ = ["AdAttention", "Hmam"]
