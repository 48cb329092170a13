#!/bin/sh
# What Mayfly needs of OpenBao (docs/connect-vault.md): a database engine whose role ends sessions, the token role, the broker's
# policy, and trust in Mayfly's federation issuer. Runs at each `up`, and leaves what is right as it is.
set -eu
as_json() { bao write "$1" - >/dev/null; }

# On its first start OpenBao answers before it has set itself up.
until printf %s "$OPENBAO_OPERATOR_PASSWORD" | bao write auth/userpass/login/operator password=- >/dev/null 2>&1; do
  attempts=$((${attempts:-0} + 1))
  if [ "$attempts" = 30 ]; then break; fi
  sleep 1
done
BAO_TOKEN=$(printf %s "$OPENBAO_OPERATOR_PASSWORD" | bao write -field=token auth/userpass/login/operator password=-)
export BAO_TOKEN

bao read sys/mounts/database >/dev/null 2>&1 || bao secrets enable database
bao read sys/auth/jwt >/dev/null 2>&1 || bao auth enable jwt

printf %s "$OPENBAO_DB_PASSWORD" | bao write database/config/warehouse \
  plugin_name=postgresql-database-plugin allowed_roles=warehouse-writer \
  connection_url="postgresql://{{username}}:{{password}}@$WAREHOUSE_ADDRESS/warehouse?sslmode=disable" \
  username=openbao password=- >/dev/null

as_json database/roles/warehouse-writer <<'JSON'
{
  "db_name": "warehouse",
  "default_ttl": "1h",
  "max_ttl": "12h",
  "creation_statements": [
    "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE warehouse_writers"
  ],
  "revocation_statements": [
    "ALTER ROLE \"{{name}}\" NOLOGIN",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'",
    "DROP ROLE IF EXISTS \"{{name}}\""
  ]
}
JSON

as_json auth/token/roles/mayfly <<'JSON'
{
  "orphan": true,
  "renewable": true,
  "allowed_policies_glob": ["mayfly-*"],
  "token_no_default_policy": true,
  "token_type": "service"
}
JSON

# Its name is outside the glob of the token role, so that no lease's token can have it.
bao policy write broker - >/dev/null <<'JSON'
{
  "path": {
    "auth/token/create/mayfly": { "capabilities": ["create", "update"] },
    "auth/token/roles/mayfly": { "capabilities": ["read"] },
    "auth/token/lookup-accessor": { "capabilities": ["update"] },
    "auth/token/renew-accessor": { "capabilities": ["update"] },
    "auth/token/revoke-accessor": { "capabilities": ["update"] },
    "sys/leases/lookup": { "capabilities": ["update"] },
    "sys/leases/renew": { "capabilities": ["update"] },
    "sys/leases/revoke": { "capabilities": ["update"] },
    "sys/policies/acl/mayfly-*": { "capabilities": ["create", "read", "update"] },
    "sys/leases/lookup/database/creds/*": { "capabilities": ["list", "sudo"] },
    "database/roles/*": { "capabilities": ["read"] }
  }
}
JSON

# The keys come by the inner network; the issuer is what Mayfly writes into its tokens. Mayfly makes its first keys shortly
# after its first start, and OpenBao looks at once.
for attempt in $(seq 60); do
  if bao write auth/jwt/config jwks_url="$FEDERATION_KEYS_URL" bound_issuer="$FEDERATION_ISSUER" >/dev/null; then break; fi
  if [ "$attempt" = 60 ]; then exit 1; fi
  sleep 1
done
bao write auth/jwt/role/mayfly role_type=jwt user_claim=sub bound_subject=mayfly \
  bound_audiences=https://openbao:8200 token_policies=broker token_ttl=1h >/dev/null
echo 'OpenBao is set up for Mayfly.'
bao token revoke -self >/dev/null
