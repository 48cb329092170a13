// The server that the signed-token path is compared with: Fastify, a parsed JSON body, one one-statement insert, its commit awaited.
import Fastify from 'fastify';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 12 });
await pool.query(
  'CREATE TABLE IF NOT EXISTS bare (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), body jsonb NOT NULL)',
);
const app = Fastify();
app.post('/tasks', async (request, reply) => {
  const { rows } = await pool.query({
    name: 'bare',
    text: 'INSERT INTO bare (body) VALUES ($1) RETURNING id',
    values: [JSON.stringify(request.body)],
  });
  return reply.code(201).send({ id: rows[0].id });
});
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
process.on('SIGTERM', () =>
  app
    .close()
    .then(() => pool.end())
    .then(() => process.exit(0)),
);
