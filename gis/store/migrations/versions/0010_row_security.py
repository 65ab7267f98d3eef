"""Who sees which rows: policies by ward and department under a signed scope, and keys of machines."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _within(subject: str, rows: str) -> str:
    """A policy's condition: all rows, none, or those of the wards that are seen."""
    return (
        f"CASE (SELECT diaba.reach('{subject}')) WHEN 'all' THEN true WHEN 'none' THEN false "
        f"ELSE {rows.replace(':wards', wards(subject))} END"
    )


def wards(subject: str) -> str:
    """The wards seen, worked out once for a query."""
    return f"(SELECT diaba.seen_wards('{subject}'))::text[]"


def _of_parcel(column: str) -> str:
    return f"EXISTS (SELECT 1 FROM diaba.parcel_version w WHERE w.uid = {column} AND w.ward_code = ANY (:wards))"  # noqa: S608  names of this file


def _of_unit(column: str) -> str:
    return f"EXISTS (SELECT 1 FROM diaba.ba_unit_parcel u WHERE u.ba_unit_uid = {column})"  # noqa: S608  names of this file


SCOPED = {
    "discrepancy": _within("differences", _of_parcel("discrepancy.parcel_uid")),
    "ba_unit_parcel": _within("rights", _of_parcel("ba_unit_parcel.parcel_uid")),
    "ba_unit": _within("rights", _of_unit("ba_unit.uid")),
    "rrr": _within("rights", _of_unit("rrr.ba_unit_uid")),
    "certificate": _within("rights", _of_unit("certificate.ba_unit_uid")),
    "party": _within("rights", "EXISTS (SELECT 1 FROM diaba.rrr r WHERE r.party_uid = party.uid)"),
    "group_member": _within("rights", "EXISTS (SELECT 1 FROM diaba.rrr r WHERE r.party_uid = group_member.group_uid)"),
    # Kind, date and signature of papers; the reader has no right to what is in them.
    "source_document": _within("rights", "true"),
    "dossier": "receipt_no = (SELECT diaba.proven('diaba.receipt')) OR "
    + _within("dossiers", _of_parcel("dossier.parcel_uid")),
    "dossier_event": "EXISTS (SELECT 1 FROM diaba.dossier d WHERE d.receipt_no = dossier_event.receipt_no)",
    "consultation": "EXISTS (SELECT 1 FROM diaba.dossier d WHERE d.receipt_no = consultation.receipt_no)",
    "check_result": _within(
        "dossiers", "EXISTS (SELECT 1 FROM diaba.dossier d WHERE d.receipt_no = check_result.receipt_no)"
    ),
}
"""Table → its condition; in force always. A row of no known ward is seen by who sees all."""

OF_WARDS = {
    # Looked up in a hash table: of a district's hundred wards each is as near.
    "parcel_version": _within(
        "land", "parcel_version.ward_code IN (SELECT unnest(seen) FROM diaba.seen_wards('land') seen)"
    ),
    "parcel": _within("land", "EXISTS (SELECT 1 FROM diaba.parcel_version w WHERE w.uid = parcel.uid)"),
    "parcel_lineage": _within(
        "land", "EXISTS (SELECT 1 FROM diaba.parcel_version w WHERE w.uid = parcel_lineage.child_uid)"
    ),
    "land_change": _within("land", "EXISTS (SELECT 1 FROM diaba.parcel_lineage l WHERE l.change = land_change.id)"),
    "permit": _within("land", "EXISTS (SELECT 1 FROM diaba.parcel_version w WHERE w.uid = permit.parcel_uid)"),
    "permit_limit": _within(
        "land",
        "EXISTS (SELECT 1 FROM diaba.permit p WHERE p.permit_no = permit_limit.permit_no "
        "AND p.version = permit_limit.version)",
    ),
}
"""The same of tables that everybody sees, until the city closes them (`gis.store.openness`)."""


def upgrade() -> None:
    op.execute(TABLES)
    for function in FUNCTIONS:
        op.execute(function)
    op.execute("DROP FUNCTION diaba.dossier_secret_fits(text, bytea)")
    op.execute(LOOK_UP)
    for table, condition in (SCOPED | OF_WARDS).items():
        op.execute(f"CREATE POLICY scope ON diaba.{table} USING ({condition})")
    for table in SCOPED:
        op.execute(f"ALTER TABLE diaba.{table} ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    for table in SCOPED | OF_WARDS:
        op.execute(f"ALTER TABLE diaba.{table} DISABLE ROW LEVEL SECURITY; DROP POLICY scope ON diaba.{table}")
    op.execute("DROP FUNCTION diaba.dossier_secret_fits(text, bytea)")
    op.execute(LOOK_UP_BEFORE)
    for function in (
        "api_key_of(text, bytea)",
        "reach(text)",
        "seen_wards(text)",
        "proven(text)",
        "seal(text, text)",
    ):
        op.execute(f"DROP FUNCTION diaba.{function}")
    op.execute("DROP TABLE diaba.api_key; DROP TABLE diaba.scope_key")


TABLES = """
CREATE TABLE diaba.scope_key (
    is_one boolean PRIMARY KEY DEFAULT true CHECK (is_one),
    key bytea NOT NULL CHECK (length(key) = 32),
    since timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE diaba.api_key (
    prefix text PRIMARY KEY CHECK (prefix ~ '^[0-9a-f]{12}$'),
    salt bytea NOT NULL CHECK (length(salt) = 16),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 100),
    grants text[] NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    expires timestamptz NOT NULL,
    revoked timestamptz
);
"""

FUNCTIONS = (
    # HMAC-SHA-256 of a setting's name and value under the key that only the owner can read.
    """
CREATE FUNCTION diaba.seal(setting text, told text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
    SELECT encode(public.hmac(convert_to(setting || '=' || told, 'UTF8'), key, 'sha256'), 'hex') FROM diaba.scope_key
$$
""",
    # What a setting of this transaction says, if whoever set it has the key: seal.expires.value. Without the setting
    # NULL; with a wrong one an error, so that nobody takes less than his due for all there is.
    """
CREATE FUNCTION diaba.proven(setting text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    given CONSTANT text := current_setting(setting, true);
    told CONSTANT text := substring(given FROM 66);
BEGIN
    IF coalesce(given, '') = '' THEN
        RETURN NULL;
    END IF;
    -- Hashed again, so that the time of the comparison tells nothing.
    IF sha256(convert_to(left(given, 64), 'UTF8'))
        IS DISTINCT FROM sha256(convert_to(diaba.seal(setting, told), 'UTF8')) THEN
        RAISE EXCEPTION 'the scope of this session is not signed with this database''s key; run: diaba db migrate'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF split_part(told, '.', 1)::bigint < extract(epoch FROM statement_timestamp()) THEN
        RAISE EXCEPTION 'the scope of this session has expired' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN substring(told FROM position('.' IN told) + 1);
END $$
""",
    # Whoever may write to the registers sees them; the others what their scope says. An invented city has nobody to
    # protect but the persons in it.
    """
CREATE FUNCTION diaba.seen_wards(subject text) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
    told text;
BEGIN
    IF has_table_privilege('diaba.discrepancy', 'INSERT') THEN
        RETURN '{*}';
    END IF;
    -- differences=26734,26737;land=*
    told := substring(diaba.proven('diaba.scope') FROM '(?:^|;)' || subject || '=([^;]*)');
    IF told = '*' THEN
        RETURN '{*}';
    END IF;
    IF subject IN ('land', 'differences') AND (SELECT is_demo FROM diaba.city) THEN
        RETURN '{*}';
    END IF;
    RETURN coalesce(string_to_array(told, ','), '{}');
END $$
""",
    """
CREATE FUNCTION diaba.reach(subject text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
    seen CONSTANT text[] := diaba.seen_wards(subject);
BEGIN
    RETURN CASE WHEN '*' = ANY (seen) THEN 'all' WHEN cardinality(seen) = 0 THEN 'none' ELSE 'some' END;
END $$
""",
    # The only way the reader may ask for a key.
    """
CREATE FUNCTION diaba.api_key_of(key_prefix text, first_hash bytea)
RETURNS TABLE (subject text, grants text[], expires timestamptz)
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT k.subject, k.grants, k.expires FROM diaba.api_key k
    WHERE k.prefix = key_prefix AND sha256(k.salt || first_hash) = k.hash AND k.revoked IS NULL AND k.expires > now()
$$
""",
)

# Whoever has a receipt's secret sees that dossier, for the rest of the transaction: told by a setting sealed here,
# which the reader cannot seal itself. It hashes for an unknown number too, so that both take the same time.
LOOK_UP = """
CREATE FUNCTION diaba.dossier_secret_fits(receipt text, first_hash bytea) RETURNS boolean
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    told CONSTANT text := (extract(epoch FROM clock_timestamp())::bigint + 60)::text || '.' || receipt;
    fits CONSTANT boolean := coalesce(
        (SELECT sha256(secret_salt || first_hash) = secret_hash FROM diaba.dossier WHERE receipt_no = receipt),
        sha256(substring(first_hash FROM 1 FOR 16) || first_hash) = ''
    );
    seal CONSTANT text := diaba.seal('diaba.receipt', told);
BEGIN
    PERFORM set_config('diaba.receipt', CASE WHEN fits THEN seal || '.' || told ELSE '' END, true);
    RETURN fits;
END $$
"""

LOOK_UP_BEFORE = """
CREATE FUNCTION diaba.dossier_secret_fits(text, bytea) RETURNS boolean
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce(
        (SELECT sha256(secret_salt || $2) = secret_hash FROM diaba.dossier WHERE receipt_no = $1),
        sha256(substring($2 FROM 1 FOR 16) || $2) = ''
    )
$$
"""
