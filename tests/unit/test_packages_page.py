"""The page of a package, read as browsers read it."""

import json
import re
from datetime import timedelta
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest
from justhtml import JustHTML

from service.packages import page
from service.packages.catalogues import words_in
from service.packages.domain import Language, RecordTold
from service.packages.wording import KINDS
from tests.packaged import MADE_AT, THEN, a_decision_told, a_head, a_package, a_record_told, a_value

ROOT = Path(__file__).parents[2]
WORDS = ROOT / "service" / "packages" / "words"
EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"


def html(language: Language = Language.EN, **changes) -> str:
    return b"".join(page.written(a_package(language=language, **changes), words_in(language))).decode()


def parsed(written: str) -> JustHTML:
    return JustHTML(written, sanitize=False)


def shown(written: str) -> str:
    return parsed(written).to_text()


@pytest.mark.parametrize("language", Language)
def test_the_page_is_html_in_the_language_and_direction_of_the_reader(language: Language):
    written = html(language)
    [root] = parsed(written).query("html")

    assert root.attrs["lang"] == language.value
    assert root.attrs["dir"] == ("rtl" if language is Language.AR else "ltr")
    assert words_in(language).page("title") in shown(written)
    ET.fromstring(written.removeprefix("<!DOCTYPE html>"))


def test_the_page_asks_nobody_for_anything_and_runs_nothing():
    read = parsed(html())

    assert read.query("script, img, link, iframe, object, form, base") == []
    [policy] = read.query("meta[http-equiv]")
    assert policy.attrs["content"].startswith("default-src 'none'")
    assert [link for link in read.query("a") if not link.attrs["href"].startswith("#")] == []
    assert re.findall(r"https?:|url\(|@import", html()) == []


def test_every_section_has_a_heading_that_the_contents_lead_to():
    read = parsed(html())

    wanted = [link.attrs["href"][1:] for link in read.query("nav a")]
    assert wanted == [heading.attrs["id"] for heading in read.query("section h2")]
    assert wanted == [name for name, _ in page.SECTIONS if name != "categories"]
    assert [section.attrs["aria-labelledby"] for section in read.query("section")] == wanted


def test_every_table_has_a_caption_and_headings_with_a_scope():
    tables = parsed(html()).query("table")

    assert len(tables) >= 10
    for table in tables:
        assert table.query("caption")
        assert {cell.attrs["scope"] for cell in table.query("thead th")} == {"col"}
        assert {cell.attrs["scope"] for cell in table.query("tbody th")} == {"row"}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"values": (a_value(EVIL),)}, id="a value"),
        pytest.param({"values": (a_value(EVIL, name=EVIL, field=EVIL, written_by=EVIL),)}, id="a name"),
        pytest.param({"records": [a_record_told(evidence=EVIL, method=EVIL, product=EVIL)]}, id="a record"),
        pytest.param({"records": [a_record_told(purpose=EVIL, action=EVIL, channel=[EVIL])]}, id="words of a record"),
        pytest.param({"decisions": [a_decision_told(asked_by=EVIL, basis=EVIL)]}, id="a decision"),
        pytest.param({"automated": EVIL, "transfers": (EVIL,)}, id="what the controller states"),
    ],
)
def test_markup_that_somebody_stored_is_only_text(changes):
    written = html(**changes)

    assert parsed(written).query("script, img") == []
    assert EVIL in shown(written)


def test_markup_in_a_notice_is_only_text():
    [notice] = a_head().notices
    texts = {'en"><script>': EVIL}
    written = html(
        notices=(type(notice)(**{name: getattr(notice, name) for name in notice.__struct_fields__} | {"texts": texts}),)
    )

    assert parsed(written).query("script, img") == []
    assert EVIL in shown(written)


def test_a_character_that_turns_others_around_is_shown_as_its_number_and_text_is_isolated():
    written = html(values=(a_value("invoice\u202efdp.exe\u2066\x00\x07"),))

    assert "invoice[U+202E]fdp.exe[U+2066][U+0000][U+0007]" in shown(written)
    [isolated] = [each for each in parsed(written).query("bdi") if "invoice" in each.to_text()]
    assert isolated.attrs["dir"] == "auto"


def test_a_text_keeps_its_language():
    read = parsed(html(Language.FR))

    assert {quote.attrs["lang"] for quote in read.query("blockquote")} == {"de", "ar"}
    assert "Prior consent" in {each.to_text() for each in read.query("span[lang=en]")}


def test_instants_are_written_as_the_language_does():
    assert "Nov 23, 2026" in shown(html(Language.EN))
    assert "23.11.2026" in shown(html(Language.DE))
    assert "2026年11月23日" in shown(html(Language.ZH))
    [made] = list(parsed(html(Language.AR)).query("header time"))
    assert made.attrs["datetime"] == "2026-11-23T09:30:00Z"


def test_of_long_lists_the_page_shows_the_latest_and_says_how_many_more_there_are(monkeypatch):
    monkeypatch.setattr(page, "SHOWN", 3)
    written = shown(html(records=[a_record_told(number) for number in range(1, 11)]))

    assert str(UUID(int=10)) in written
    assert str(UUID(int=7)) not in written
    assert "which are in the file: 7. records.csv" in " ".join(written.split())


def test_the_same_package_is_the_same_page_but_for_the_time_stamp():
    first, later = html(), html(made_at=MADE_AT + timedelta(hours=5))

    assert html() == first != later
    stamp = re.compile(r"<p>Put together on:.*?</p>")
    assert stamp.sub("", first) == stamp.sub("", later)


def test_what_cannot_be_opened_any_more_and_what_was_deleted_is_said():
    written = shown(html(values=(a_value(None, opened=False), a_value(None, opened=False, deleted=True))))

    assert "nobody can open it any more" in written
    assert "Deleted" in written


def test_what_was_left_out_of_a_record_is_said():
    told = a_record_told()
    record = RecordTold(
        id=told.id, received_at=THEN, former=True, said=told.said, notice=None, left_out=("subject_ref",)
    )

    assert "subject_ref left out, because it is about others" in " ".join(shown(html(records=[record])).split())


# --- the words ---------------------------------------------------------------------------------

ENGLISH = json.loads((WORDS / "en.json").read_text())


def test_there_is_a_file_of_words_for_every_language_and_no_other():
    assert {path.stem for path in WORDS.iterdir()} == set(Language)


@pytest.mark.parametrize("language", Language)
def test_no_word_is_missing_in_any_language_and_none_is_empty(language: Language):
    said = json.loads((WORDS / f"{language.value}.json").read_text())

    assert {kind: list(words) for kind, words in said.items()} == {kind: list(words) for kind, words in ENGLISH.items()}
    assert tuple(said) == KINDS
    assert all(word.strip() == word != "" for words in said.values() for word in words.values())


@pytest.mark.parametrize("language", sorted(set(Language) - {"en"}))
def test_no_language_is_a_copy_of_another(language: str):
    said = json.loads((WORDS / f"{language}.json").read_text())

    assert [(kind, code) for kind in said for code, word in said[kind].items() if word == ENGLISH[kind][code]] == []
    for other in set(Language) - {language}:
        theirs = json.loads((WORDS / f"{other}.json").read_text())
        same = sum(word == theirs[kind][code] for kind in said for code, word in said[kind].items())
        assert same < 10, other


SCRIPTS = {"ar": "\u0600-\u06ff", "be": "\u0400-\u04ff", "zh": "\u4e00-\u9fff"}


@pytest.mark.parametrize(("language", "letters"), SCRIPTS.items())
def test_languages_with_letters_of_their_own_are_written_in_them(language: str, letters: str):
    said = json.loads((WORDS / f"{language}.json").read_text())

    assert [word for words in said.values() for word in words.values() if not re.search(f"[{letters}]", word)] == []


def test_every_word_of_the_law_has_words():
    from service.consent import Action, Channel, Purpose
    from service.decisions import Basis, Effect
    from service.packages.domain import RIGHTS, Origin, Role, Until
    from service.subjects import Flags, SubjectFacts
    from service.vault.fields import BUILT_IN

    wanted = {
        "action": Action, "channel": Channel, "purpose": Purpose, "basis": Basis, "effect": Effect, "role": Role,
        "origin": Origin, "until": Until, "right": RIGHTS, "field": BUILT_IN, "flag": Flags.__struct_fields__,
        "fact": set(SubjectFacts.__struct_fields__) - {"signals"},
    }  # fmt: skip

    assert [(kind, code) for kind, codes in wanted.items() for code in codes if code not in ENGLISH[kind]] == []
