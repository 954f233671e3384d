"""What each modality, model and way of fusing is worth."""
