"""submission.json as typed claims (layouts in research/formats.md, section a): `read_claims(tree)`."""

from golf_audit.claims.model import Claim, Claims, SeedClaim
from golf_audit.claims.read import read_claims
from golf_audit.schema import SchemaProblem

__all__ = ["Claim", "Claims", "SchemaProblem", "SeedClaim", "read_claims"]
