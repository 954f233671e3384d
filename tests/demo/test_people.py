"""People of demo films."""

from random import Random

from competition.demo.people import cast_people


def test_people_follow_what_is_seen() -> None:
    def cast(*seen: str) -> list:
        return cast_people(frozenset(seen), Random(0))

    assert cast() == []
    assert len(cast("单人口播")) == 1
    assert len(cast("多人情景剧")) >= 2
    assert min(person.size for person in cast("单人口播", "亲子")) < 1
    assert all(person.robe for person in cast("多人情景剧", "古代"))
