import { Broker, systemTimer } from '@mayfly/client';
import { TasksClient } from '@mayfly/sdk';
import { environment, readConfig, type CliConfig, type GlobalOptions } from './config.js';
import type { IdentityToken } from './identity/compact-token.js';
import { identityToken } from './identity/identity-token.js';
import { Notices } from './output/notices.js';
import { Output } from './output/output.js';

/** The settings, the clients and the output of one command. */
export interface CommandContext {
  readonly config: CliConfig;
  readonly identity: IdentityToken;
  readonly broker: Broker;
  readonly tasks: TasksClient;
  readonly notices: Notices;
  readonly output: Output;
}

/** Reads settings and finds the identity token; sends nothing. Throws a usage failure when something is missing. */
export function openContext(options: GlobalOptions): CommandContext {
  const config = readConfig(options, environment);
  const identity = identityToken(config.identity);
  const broker = new Broker({ url: config.url, token: identity });
  return {
    config,
    identity,
    broker,
    tasks: new TasksClient(broker, systemTimer),
    notices: new Notices(process.stderr),
    output: new Output(process.stdout, options.json === true),
  };
}
