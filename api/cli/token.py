"""`diaba token`: tokens for development, of an issuer that is this machine."""

from __future__ import annotations

import click

from api.cli.common import emit, existing_city, json_option


@click.command("token")
@click.argument("grants", nargs=-1, required=True, metavar="DEPARTMENT:AREA[:change]...")
@click.option("--subject", default="developer", show_default=True, help="Who the token says asks.")
@click.option("--hours", default=1.0, show_default=True, type=click.FloatRange(0.01, 24), help="How long it is valid.")
@json_option
def command(grants: tuple[str, ...], subject: str, hours: float, as_json: bool) -> None:
    """Make a token that `diaba serve --dev-issuer` believes; no other service does.

    \b
    Examples:
      diaba token planning:*
      diaba token inspection:26734 land:26734:change --subject an.inspector
    """
    from api.access import dev_issuer
    from gis.access.scope import scope_of
    from gis.settings import Settings

    scope_of(grants)
    city = existing_city()
    made = dev_issuer.token(Settings.from_environment(), city, subject, grants, round(3600 * hours))
    document = {"token": made, "subject": subject, "grants": list(grants), "audience": dev_issuer.audience(city)}
    emit(document, as_json, lambda: click.echo(made))
