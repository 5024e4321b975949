"""Files that are written whole or not at all."""

import pytest

from service.own_files import new_own


def test_where_nothing_can_be_written_the_error_names_what_was_asked_for(tmp_path):
    place = tmp_path / "missing" / "pack.zip"

    with pytest.raises(FileNotFoundError) as raised, new_own(place):
        pass

    assert raised.value.filename == str(place)
    assert list(tmp_path.iterdir()) == []
