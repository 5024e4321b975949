"""What stops an erasure and what stays after one: `policies/data/erasure.json` as values."""

from collections.abc import Sequence

from msgspec import Struct

from service.erasures.domain import Against, Proof, Staying


class Block(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ground on which nobody is erased for now."""

    ground: str
    rule: str
    citation: str


class Stay(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content that outlives its person. Without `laws` under every law that has no row of its own for it."""

    what: str
    rule: str
    citation: str
    until: str
    laws: tuple[str, ...] = ()


class Grounds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document, as it stands in the file."""

    blocks: tuple[Block, ...]
    stays: tuple[Stay, ...]
    proofs: tuple[Proof, ...]

    def against(self, ground: str, hold: str | None) -> Against:
        """Return a ground with the law behind it."""
        block = next(block for block in self.blocks if block.ground == ground)
        return Against(ground=block.ground, rule=block.rule, citation=block.citation, hold=hold)

    def staying(self, law: str) -> Sequence[Staying]:
        """Return what stays under a law, whoever it is about."""
        own = {stay.what for stay in self.stays if law in stay.laws}
        return [
            Staying(what=stay.what, rule=stay.rule, citation=stay.citation, until=stay.until)
            for stay in self.stays
            if (law in stay.laws if stay.what in own else not stay.laws)
        ]

    def proving(self, residence: str | None) -> tuple[Proof, ...]:
        """Return by which rules records of somebody who lives there stay. Of whom nobody knows where, none does."""
        return () if residence is None else tuple(proof for proof in self.proofs if proof.of(residence))
