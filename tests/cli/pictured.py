"""Ads with a title and a poster, for tests of saved stacks."""

TOML = """\
name = "pictured"
train = "train.csv"
test = "test.csv"

[[tags]]
column = "tags"
dimension = "topic"

[inputs.title]
kind = "text"
column = "title"

[inputs.poster]
kind = "image"
column = "poster"
"""
WORDS = {"sea": "sun sand wave boat coast swim", "food": "soup bread spice salt bake cook"}
