// The server that `POST /authorize` is compared with: Fastify, a parsed JSON body, a constant answer.
import Fastify from 'fastify';

const app = Fastify();
app.post('/authorize', () => ({ decision: true }));
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
process.on('SIGTERM', () => app.close().then(() => process.exit(0)));
