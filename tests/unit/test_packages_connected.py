"""What connected systems answered: named so that it lies where it should, and no more than there is room for."""

from uuid import UUID

import pytest

from service.packages import connected
from service.packages.connected import connected_told
from service.packages.ports import Answered


def an_answer(name: str = "notes.txt", **changes) -> Answered:
    said = {"id": UUID(int=1), "system": "crm", "name": name, "media_type": "text/plain", "size": 7, **changes}
    return Answered(**said)


def files(*answers: Answered) -> list[str | None]:
    return [told.file for _, told in connected_told(answers)]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("notes.txt", "connected/crm/0001-notes.txt"),
        ("../../etc/passwd", "connected/crm/0001-etc-passwd.txt"),
        ("C:\\evil.exe", "connected/crm/0001-C-evil.txt"),
        ("\u202egnp.exe", "connected/crm/0001-gnp.txt"),
        (".bashrc", "connected/crm/0001-bashrc.txt"),
        ("", "connected/crm/0001-unnamed.txt"),
        ("письмо", "connected/crm/0001-unnamed.txt"),
        ("a" * 300, f"connected/crm/0001-{'a' * 80}.txt"),
    ],
)
def test_a_name_leads_nowhere_else(name: str, file: str):
    assert files(an_answer(name)) == [file]


def test_a_system_is_a_folder_of_its_own_and_no_other():
    assert files(an_answer(system="../up/")) == ["connected/up/0001-notes.txt"]


@pytest.mark.parametrize(
    ("media_type", "suffix"),
    [("application/json", "json"), ("text/csv", "csv"), ("image/png", "png"), ("text/html", "bin"), ("x/exe", "bin")],
)
def test_only_what_runs_nothing_has_a_suffix(media_type: str, suffix: str):
    assert files(an_answer("a.html", media_type=media_type)) == [f"connected/crm/0001-a.{suffix}"]


def test_no_two_have_one_name_and_the_order_in_which_they_came_does_not_show():
    answers = [an_answer("b.txt"), an_answer("a b.txt"), an_answer("a-b.txt"), an_answer(system="billing")]

    named = files(*answers)
    assert len(set(named)) == 4
    assert named == files(*reversed(answers))


def test_what_is_too_much_is_named_and_not_told(monkeypatch):
    monkeypatch.setattr(connected, "LARGEST", 10)
    monkeypatch.setattr(connected, "TOGETHER", 15)
    monkeypatch.setattr(connected, "FILES", 4)
    sizes = (11, 10, 6, 5, 1)

    told = [told for _, told in connected_told([an_answer(f"{n}.txt", size=size) for n, size in enumerate(sizes)])]

    assert [(each.size, each.not_told) for each in told] == [
        (11, "too_large"), (10, None), (6, "too_large"), (5, None), (1, "too_many"),
    ]  # fmt: skip
    assert [each.file is None for each in told] == [True, False, True, False, True]
