// Stands between the service and STS, and keeps every session that STS gives, also when the service is killed before it
// has read the answer: so that what was minted can be compared with what was recorded, and tried.
import { Buffer } from 'node:buffer';
import { createServer, request } from 'node:http';

/** Forwards everything to `endpoint` as it came (the signature covers the Host header). */
export async function startRecordingProxy(endpoint) {
  const { hostname, port } = new URL(endpoint);
  const sessions = [];
  const server = createServer((incoming, outgoing) => {
    const parts = [];
    incoming.on('data', (part) => parts.push(part));
    incoming.on('error', () => undefined);
    // Passes on complete requests only, and reads each answer to its end, also when the caller has left.
    incoming.on('end', () => {
      const body = Buffer.concat(parts);
      const { method, url: path, headers } = incoming;
      const forwarded = request({ hostname, port, method, path, headers }, (answer) => {
        const answered = [];
        answer.on('data', (part) => answered.push(part));
        answer.on('end', () => {
          const text = Buffer.concat(answered);
          keep(sessions, body.toString(), text.toString());
          outgoing.on('error', () => undefined);
          outgoing.writeHead(answer.statusCode, answer.headers).end(text);
        });
      });
      forwarded.on('error', () => outgoing.destroy());
      forwarded.end(body);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${server.address().port}`,
    sessions,
    stop: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))),
  };
}

function keep(sessions, asked, answered) {
  const leaseId = /RoleSessionName=(lse_[0-9a-z]+)/.exec(asked)?.[1];
  const member = (name) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(answered)?.[1];
  const accessKeyId = member('AccessKeyId');
  if (leaseId === undefined || accessKeyId === undefined) return;
  const secret = { accessKeyId, secretAccessKey: member('SecretAccessKey'), sessionToken: member('SessionToken') };
  sessions.push({ leaseId, secret });
}
