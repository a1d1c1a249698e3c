"""What stands before Abaco in production: OAuth clients and tokens, profiles, tenants (clients.md §3)."""

from abacito.api.gateway import clients, profiles, tenants, tokens, v3, v3_oauth2

blueprints = (clients.bp, profiles.bp, tenants.bp, tokens.bp, v3.bp, v3_oauth2.bp)
