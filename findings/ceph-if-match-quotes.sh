#!/usr/bin/env bash
# Ceph's gateway 16.2.15 (Debian 12): a PutObject with `If-Match` and the ETag that the gateway itself sent is refused.
#
# An entity tag is quoted (RFC 9110, section 8.8.3), and the gateway sends `"…"` as ETag of each object. Seen here: sent back
# as `If-Match`, this very value is answered with 412, although nobody changed the object; without its quotes it is accepted.
# On a GetObject the quoted form is accepted. A client that replaces only the version that it read never gets through.
#
# Output seen: `GetObject quoted 200, PutObject quoted 412, PutObject without quotes 200, PutObject of another tag 412`.
# Needs Debian 12 as root, and Node 20 with npm. Exits with 1 when one of the four answers is another one.
set -euo pipefail
VERSION='16.2.15+ds-0+deb12u'
export DEBIAN_FRONTEND=noninteractive
command -v radosgw >/dev/null && command -v ceph-osd >/dev/null && command -v ceph-mon >/dev/null ||
  { apt-get update -q >/dev/null && apt-get install -qy --no-install-recommends radosgw ceph-mon ceph-osd >/dev/null; }
case $(dpkg-query -W -f '${Version}' radosgw) in
  "$VERSION"*) ;;
  *) echo "this finding is about radosgw $VERSION*" && exit 1 ;;
esac
work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
cd "$work"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent @aws-sdk/client-s3@3.1169.0
free_port() {
  node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })"
}
mkdir mon osd run log data
port=$(free_port)
address="[v2:127.0.0.1:$(free_port)/0]"
fsid=$(cat /proc/sys/kernel/random/uuid)
osd=$(cat /proc/sys/kernel/random/uuid)
export CEPH_CONF=$work/ceph.conf
cat >ceph.conf <<CONF
[global]
fsid = $fsid
mon_host = $address
ms_bind_msgr1 = false
ms_mon_client_mode = crc
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
run_dir = $work/run
admin_socket = $work/run/\$name.\$pid.asok
log_file = $work/log/\$name.log
crash_dir = $work/run
keyring = $work/keyring
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
mon_data = $work/mon
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_crit = 1
osd_data = $work/osd
osd_objectstore = memstore
osd_class_load_list = *
osd_class_default_list = *
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
rgw_data = $work/data
rgw_frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw_enable_apis = s3,admin
rgw_thread_pool_size = 16
rgw_override_bucket_index_max_shards = 1
CONF
printf '[mon.]\n\tkey = %s==\n\tcaps mon = "allow *"\n' "$(printf 'A%.0s' $(seq 38))" >keyring
launch() {
  "$@" >>"$work/log/out" 2>&1 &
  pids+=($!)
}
monmaptool --create --fsid "$fsid" --addv a "$address" monmap >/dev/null
ceph-mon --mkfs -i a --monmap monmap --keyring keyring >>log/out 2>&1
launch ceph-mon -f -i a
id=$(timeout 60 ceph osd new "$osd" 2>>log/out)
ceph-osd -i "$id" --mkfs --osd-uuid "$osd" >>log/out 2>&1
launch ceph-osd -f -i "$id"
launch radosgw -f -n client.rgw
for _ in $(seq 600); do curl -fs "http://127.0.0.1:$port" >/dev/null 2>&1 && break || sleep 0.2; done
timeout 60 radosgw-admin -n client.rgw user create --uid=one --display-name=one --access-key=key --secret=secret >>log/out 2>&1
cat >look.cjs <<'JS'
const { S3Client, CreateBucketCommand, GetObjectCommand, PutObjectCommand } = require('@aws-sdk/client-s3');
const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
const client = new S3Client({
  ...{ endpoint: process.argv[2], region: 'us-east-1', forcePathStyle: true, maxAttempts: 1, credentials },
  ...{ requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' },
});
const status = (call) =>
  client.send(call).then(
    ({ $metadata }) => $metadata.httpStatusCode,
    ({ $metadata }) => $metadata?.httpStatusCode,
  );
const object = { Bucket: 'finding', Key: 'object' };
const put = (IfMatch) => status(new PutObjectCommand({ ...object, Body: 'the same', IfMatch }));
(async () => {
  await client.send(new CreateBucketCommand({ Bucket: 'finding' }));
  const { ETag: tag } = await client.send(new PutObjectCommand({ ...object, Body: 'the same' }));
  const answers = [
    await status(new GetObjectCommand({ ...object, IfMatch: tag })),
    await put(tag),
    await put(tag.replaceAll('"', '')),
    await put('0'.repeat(32)),
  ];
  const words = ['GetObject quoted', 'PutObject quoted', 'PutObject without quotes', 'PutObject of another tag'];
  console.log(words.map((word, place) => `${word} ${answers[place]}`).join(', '));
  process.exit(/^".*"$/.test(tag) && answers.join() === '200,412,200,412' ? 0 : 1);
})();
JS
node look.cjs "http://127.0.0.1:$port" 2>/dev/null
