#!/bin/sh
# Makes the authority and the one certificate of this deployment, once: OpenBao's own PKI engine does it, in a server that lives in
# memory for a moment. /openbao/config/server.pem holds key and certificate, /openbao/logs/ca.pem the authority.
set -eu
bundle=/openbao/config/server.pem
authority=/openbao/logs/ca.pem
if [ -s "$bundle" ] && [ -s "$authority" ]; then exit 0; fi

export BAO_ADDR=http://127.0.0.1:8209 BAO_TOKEN=for-a-moment
bao server -dev -dev-no-store-token -dev-root-token-id="$BAO_TOKEN" -dev-listen-address=127.0.0.1:8209 >/dev/null 2>&1 &
server=$!
trap 'kill "$server"' EXIT
for _ in $(seq 100); do
  if bao status >/dev/null 2>&1; then break; fi
  sleep 0.2
done

bao secrets enable -max-lease-ttl=87600h pki >/dev/null
umask 077
bao write -field=certificate pki/root/generate/internal common_name='Mayfly with Compose' ttl=87600h >"$authority.new"
bao write pki/roles/server allow_any_name=true enforce_hostnames=false max_ttl=87600h >/dev/null
bao write -field=certificate pki/issue/server format=pem_bundle common_name=openbao \
  alt_names=openbao,object-store,localhost ip_sans=127.0.0.1 ttl=17520h >"$bundle.new"
chmod 644 "$authority.new"
mv "$authority.new" "$authority"
mv "$bundle.new" "$bundle"
