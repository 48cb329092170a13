import { readConfig, settings, type BrokerConfig } from '../../apps/broker/src/config.js';
import { interpolate, mountsOf, parseCompose, variablesOf, type ComposeService } from './compose-file.js';

/** Variables that Node reads. */
const NODE_VARIABLES = new Set(['NODE_EXTRA_CA_CERTS']);

/** Sample values of variables that need a certain form; the others take any text. */
const VALUES: Readonly<Record<string, string>> = {
  MAYFLY_SEALING_KEY: '0f'.repeat(32),
  MAYFLY_PUBLIC_URL: 'https://mayfly.example',
};

interface SettingInputs {
  readonly compose: string;
  /** text of the documents that are applied to the running broker */
  readonly backEnds: string;
}

/** Returns the faults of the settings of broker and worker, as Mayfly reads them in production. */
export function settingFaults({ compose, backEnds }: SettingInputs): string[] {
  const values = Object.fromEntries(variablesOf(compose).map(({ name }) => [name, VALUES[name] ?? 'given']));
  const { services } = parseCompose(interpolate(compose, values));
  const ours = Object.entries(services).filter(([, { build }]) => build !== undefined);
  const roles: string[] = [];
  const faults = ours.flatMap(([name, service]) => {
    try {
      const config = readConfig({ NODE_ENV: 'production', ...service.environment });
      roles.push(`api ${String(config.api)}, worker ${String(config.worker)}`);
      return [...variableFaults(service, backEnds), ...pathFaults(service, config, backEnds)].map(
        (fault) => `${name} ${fault}`,
      );
    } catch (error) {
      return [`${name} would not start: ${String(error)}`];
    }
  });
  const isSplit = roles.sort().join('; ') === 'api false, worker true; api true, worker false';
  return isSplit ? faults : [...faults, 'broker and worker are not processes of their own'];
}

/** Returns faults for variables that nothing reads, and for missing ones that a connection refers to. */
function variableFaults({ environment = {} }: ComposeService, backEnds: string): string[] {
  const wanted = [...backEnds.matchAll(/\benv:([A-Z0-9_]+)/g)].map(([, reference = '']) => reference);
  const known = new Set([...settings, ...NODE_VARIABLES, ...wanted]);
  return [
    ...Object.keys(environment).flatMap((name) => (known.has(name) ? [] : [`is given ${name}, which nothing reads`])),
    ...wanted.flatMap((name) => (name in environment ? [] : [`lacks ${name}, which a connection refers to`])),
  ];
}

function pathFaults(service: ComposeService, config: BrokerConfig, backEnds: string): string[] {
  const targets = mountsOf(service).map(({ target }) => target);
  const files = [...backEnds.matchAll(/\bfile:([^\s'"]+)/g)].map(([, path = '']) => path);
  const named: readonly [string, string | undefined][] = [
    ['MAYFLY_SECRETS_DIR', config.secretsDir],
    ['MAYFLY_BOOTSTRAP_ISSUER', config.bootstrapIssuer],
  ];
  return [
    ...named.flatMap(([name, path]) => (targets.includes(path ?? '') ? [] : [`mounts nothing at ${name}`])),
    ...files.flatMap((path) =>
      path.startsWith(`${config.secretsDir ?? ''}/`) ? [] : [`may not read ${path}, which a connection refers to`],
    ),
  ];
}
