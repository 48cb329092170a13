import { namingAddress, type Service, startService } from '@mayfly/service';
import { type BrokerConfig, isOwnVariable } from './config.js';

/** The running broker: the service with its HTTP routes. */
export interface Broker extends Service {
  readonly url: string;
}

/** Starts the service with the broker's routes. `environment` holds the secrets of `env:` references. */
export async function startBroker(
  config: BrokerConfig,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Broker> {
  const { host, port } = config;
  // Loads Nest and the routes while the database starts.
  const http = import('./http.js');
  let url = '';
  const service = await startService({
    settings: config,
    publicUrl: config.publicUrl ?? `http://${host}:${String(port)}`,
    variables: { values: environment, isReserved: isOwnVariable },
    createServer: async (services) => {
      const app = await (await http).createHttp(services, config);
      return {
        listen: async () => {
          await namingAddress(() => app.listen(port, host));
          url = await app.getUrl();
        },
        close: () => app.close(),
      };
    },
  });
  return { ...service, url };
}
