import { TasksClient } from './broker/tasks.client.js';
import { Transport } from './broker/transport.js';
import { environment, readConfig, type CliConfig, type GlobalOptions } from './config.js';
import type { IdentityToken } from './identity/compact-token.js';
import { identityToken } from './identity/identity-token.js';
import { Notices } from './output/notices.js';
import { Output } from './output/output.js';
import { systemTimer } from './timer.js';

/** What a command works with. */
export interface Session {
  readonly config: CliConfig;
  readonly identity: IdentityToken;
  readonly transport: Transport;
  readonly tasks: TasksClient;
  readonly notices: Notices;
  readonly output: Output;
}

/** Reads settings and finds the identity token; nothing is sent. Throws a usage failure where something is missing. */
export function openSession(options: GlobalOptions): Session {
  const config = readConfig(options, environment);
  const identity = identityToken(config.identity);
  const transport = new Transport(config.url, identity);
  return {
    config,
    identity,
    transport,
    tasks: new TasksClient(transport, systemTimer),
    notices: new Notices(process.stderr),
    output: new Output(process.stdout, options.json === true),
  };
}
