"""What the stores of notices and purposes promise, kept by the real adapters."""

import asyncio

from service.consent import Channel, NoticeContent, OwnPurpose


def a_notice(**changes) -> NoticeContent:
    return NoticeContent(
        **{
            "notice": "newsletter",
            "version": "v3",
            "texts": {"de": "Ja, ich möchte Angebote\nper E-Mail.", "en": "Yes, send me offers."},
            "purposes": ("marketing",),
            "channels": (Channel.EMAIL,),
            "controllers": ("ShopCo",),
            "material_change": False,
            **changes,
        }
    )


def a_purpose(name: str = "x-newsletter", **changes) -> OwnPurpose:
    return OwnPurpose(**{"purpose": name, "maps_to": "marketing", "title": "Newsletter für Kaffeefreunde", **changes})


async def test_a_notice_comes_back_as_it_was_stored(begin, tenant, clock):
    async with begin(tenant) as tx:
        assert await tx.notices.add(a_notice()) is True
    async with begin(tenant) as tx:
        stored = await tx.notices.find("newsletter", "v3")

    assert stored.content == a_notice()
    assert stored.sha256 == a_notice().sha256()
    assert stored.created_at == clock()


async def test_a_version_never_changes(begin, tenant):
    async with begin(tenant) as tx:
        await tx.notices.add(a_notice())
        assert await tx.notices.add(a_notice(texts={"de": "Nein."})) is False
        assert (await tx.notices.find("newsletter", "v3")).content == a_notice()


async def test_versions_and_notices_stand_beside_each_other(begin, tenant):
    async with begin(tenant) as tx:
        for content in (a_notice(), a_notice(version="v4"), a_notice(notice="cookies")):
            assert await tx.notices.add(content) is True
        assert await tx.notices.find("cookies", "v4") is None


async def test_notices_come_in_pages_by_name_and_version(begin, tenant):
    contents = [a_notice(notice="cookies"), a_notice(version="v3"), a_notice(version="v4")]
    async with begin(tenant) as tx:
        for content in reversed(contents):
            await tx.notices.add(content)
        first = await tx.notices.page(after=None, limit=2)
        rest = await tx.notices.page(after=("newsletter", "v3"), limit=2)

    assert [stored.content for stored in [*first, *rest]] == contents


async def test_a_version_is_found_in_every_notice_that_has_it(begin, tenant, add_tenant):
    async with begin(tenant) as tx:
        for content in (a_notice(), a_notice(version="v4"), a_notice(notice="cookies")):
            await tx.notices.add(content)
        found = await tx.notices.of_version("v3")
        assert [stored.content for stored in found] == [a_notice(notice="cookies"), a_notice()]
        assert list(await tx.notices.of_version("v5")) == []
    async with begin(add_tenant()) as tx:
        assert list(await tx.notices.of_version("v3")) == []


async def test_purposes_come_back_by_name(begin, tenant):
    one, other = a_purpose("x-a"), a_purpose("x-b", maps_to="service")
    async with begin(tenant) as tx:
        assert await tx.purposes.add(other) is True
        assert await tx.purposes.add(one) is True
        assert await tx.purposes.find(["x-b", "x-a", "x-c"]) == {"x-a": one, "x-b": other}
        assert await tx.purposes.find([]) == {}
        assert list(await tx.purposes.page(after=None, limit=1)) == [one]
        assert list(await tx.purposes.page(after="x-a", limit=9)) == [other]


async def test_a_purpose_never_changes(begin, tenant):
    async with begin(tenant) as tx:
        await tx.purposes.add(a_purpose())
        assert await tx.purposes.add(a_purpose(maps_to="service")) is False
        assert await tx.purposes.find(["x-newsletter"]) == {"x-newsletter": a_purpose()}


async def test_one_of_two_transactions_registers_a_purpose(begin, tenant):
    async def add() -> bool:
        async with begin(tenant) as tx:
            return await tx.purposes.add(a_purpose())

    assert sorted(await asyncio.gather(add(), add(), add())) == [False, False, True]


async def test_another_tenant_sees_none_of_it(begin, tenant, add_tenant):
    async with begin(tenant) as tx:
        await tx.notices.add(a_notice())
        await tx.purposes.add(a_purpose())
    async with begin(add_tenant()) as tx:
        assert await tx.notices.find("newsletter", "v3") is None
        assert await tx.notices.page(after=None, limit=9) == []
        assert await tx.purposes.find(["x-newsletter"]) == {}
        assert await tx.purposes.add(a_purpose(maps_to="service")) is True
