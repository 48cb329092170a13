#!/bin/bash
# STS, IAM and S3 as AWS has them, for trying `aws-sts`: one Ceph monitor, one OSD that keeps everything in memory (a restart
# empties it), and the object gateway, over TLS. Then the user that Mayfly is, and the role that it takes.
set -euo pipefail
certificate=${CERTIFICATE:-/tls/server.pem}
dir=/var/lib/object-store
mkdir -p "$dir"/{mon,osd,run,log,data}
fsid=$(cat /proc/sys/kernel/random/uuid)
osd=$(cat /proc/sys/kernel/random/uuid)
monitor='[v2:127.0.0.1:40001/0]'
cat >"$dir/ceph.conf" <<C
[global]
fsid = $fsid
mon_host = $monitor
ms_bind_msgr1 = false
ms_mon_client_mode = crc
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
run_dir = $dir/run
admin_socket = $dir/run/\$name.\$pid.asok
log_file = $dir/log/\$name.log
crash_dir = $dir/run
keyring = $dir/keyring
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
mon_data = $dir/mon
osd_data = $dir/osd
osd_objectstore = memstore
osd_class_load_list = *
osd_class_default_list = *
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_crit = 1
rgw_data = $dir/data
rgw_frontends = beast ssl_endpoint=${LISTEN:-0.0.0.0}:8443 ssl_certificate=$certificate ssl_private_key=$certificate tcp_nodelay=1
rgw_enable_apis = s3,sts,iam,admin
rgw_s3_auth_use_sts = true
rgw_sts_key = $(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n')
rgw_thread_pool_size = 16
rgw_override_bucket_index_max_shards = 1
C
export CEPH_CONF=$dir/ceph.conf
printf '[mon.]\n\tkey = AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n\tcaps mon = "allow *"\n' >"$dir/keyring"
monmaptool --create --fsid "$fsid" --addv a "$monitor" "$dir/monmap" >/dev/null
ceph-mon --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/keyring"
ceph-mon -f -i a >"$dir/log/mon.out" 2>&1 &
id=$(timeout 60 ceph osd new "$osd")
ceph-osd -i "$id" --mkfs --osd-uuid "$osd" >"$dir/log/mkfs.out" 2>&1
ceph-osd -f -i "$id" >"$dir/log/osd.out" 2>&1 &
radosgw -f -n client.rgw &
gateway=$!
trap 'kill "$gateway"' TERM INT
for _ in $(seq 300); do
  if curl -m 2 -skfo /dev/null https://127.0.0.1:8443/; then break; fi
  sleep 0.2
done

admin() { timeout 60 radosgw-admin -n client.rgw "$@" >/dev/null; }
admin user create --uid=mayfly --display-name=mayfly --caps='roles=*' \
  --access-key="$OBJECT_STORE_ACCESS_KEY_ID" --secret="$OBJECT_STORE_SECRET_ACCESS_KEY"
admin role create --role-name=crm-exports --assume-role-policy-doc='{
  "Version": "2012-10-17",
  "Statement": [{ "Effect": "Allow", "Principal": { "AWS": ["arn:aws:iam:::user/mayfly"] }, "Action": ["sts:AssumeRole"] }]
}'
admin role-policy put --role-name=crm-exports --policy-name=exports --policy-doc='{
  "Version": "2012-10-17",
  "Statement": [{ "Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::crm-exports", "arn:aws:s3:::crm-exports/*"] }]
}'
touch "$dir/ready"
wait "$gateway" || wait "$gateway"
