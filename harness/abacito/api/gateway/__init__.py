"""What stands before Abaco in production: OAuth clients and tokens, profiles, tenants (clients.md §3)."""

from abacito.api.gateway import clients, profiles, tenants, tokens, v3

blueprints = (clients.bp, profiles.bp, tenants.bp, tokens.bp, v3.bp)
