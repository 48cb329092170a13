import { mountsOf, parseCompose, variablesOf, type ComposeFile, type ComposeService } from './compose-file.js';
import { settingFaults } from './setting-faults.js';

/** Inputs of the checks of docker-compose.yml. */
export interface ComposeInputs {
  readonly compose: string;
  /** the page that documents the settings */
  readonly documentation: string;
  /** text of the documents that are applied to the running broker */
  readonly backEnds: string;
  /** the Dockerfile's features: a health check, and a user that is not root */
  readonly image: { readonly healthcheck: boolean; readonly user: boolean };
  readonly exists: (path: string) => boolean;
}

type Named = readonly [name: string, service: ComposeService];

const SECRET = /PASSWORD|SECRET|KEY|TOKEN/;
const PINNED = /:[a-z]*\d+\.\d+(\.\d+)?[a-z0-9.-]*$|@sha256:[0-9a-f]{64}$/;

/** Returns all faults of docker-compose.yml in words; empty without faults. */
export function composeFaults(inputs: ComposeInputs): string[] {
  const file = parseCompose(inputs.compose);
  const services = Object.entries(file.services);
  return [
    ...variableFaults(inputs),
    ...services.flatMap((named) => [
      ...orderFaults(named, file, inputs),
      ...placeFaults(named, file, inputs),
      ...hardeningFaults(named, inputs),
    ]),
    ...unusedFaults(file),
    ...settingFaults(inputs),
  ];
}

function variableFaults({ compose, documentation }: ComposeInputs): string[] {
  return variablesOf(compose).flatMap(({ name, form }) => [
    ...(documentation.includes(`\`${name}\``) ? [] : [`${name} is not documented`]),
    ...(form === '' ? [`${name} may be left out without a word`] : []),
    ...(form === ':-' && SECRET.test(name) ? [`${name} is a secret with a default`] : []),
  ]);
}

function orderFaults(
  [name, { depends_on = {} }]: Named,
  { services }: ComposeFile,
  { image }: ComposeInputs,
): string[] {
  return Object.entries(depends_on).flatMap(([other, { condition }]) => {
    const target = services[other];
    if (target === undefined) return [`${name} waits for ${other}, which is no service`];
    const isWatched = target.healthcheck !== undefined || (target.build !== undefined && image.healthcheck);
    if (condition === 'service_healthy' && !isWatched)
      return [`${name} waits for the health of ${other}, which has no check`];
    if (condition === 'service_completed_successfully' && target.restart !== 'on-failure')
      return [`${name} waits for the end of ${other}, which is started again when it ends`];
    return [];
  });
}

function placeFaults([name, service]: Named, { networks, volumes }: ComposeFile, { exists }: ComposeInputs): string[] {
  const faults = mountsOf(service).flatMap(({ source, target }) => {
    if (source === '' || target === '') return [`${name} has a mount that cannot be read`];
    if (source.startsWith('./')) return exists(source) ? [] : [`${name} mounts ${source}, which does not exist`];
    return source.startsWith('${') || source in volumes ? [] : [`${name} mounts ${source}, which is no volume`];
  });
  for (const network of service.networks ?? [])
    if (!(network in networks)) faults.push(`${name} names no network: ${network}`);
  for (const port of service.ports ?? [])
    if (!port.startsWith('127.0.0.1:')) faults.push(`${name} listens on every address of the machine: ${port}`);
  return faults;
}

function hardeningFaults([name, service]: Named, { image }: ComposeInputs): string[] {
  const isUnprivileged =
    service.user === undefined ? service.build !== undefined && image.user : !/^(root|0)(:|$)/.test(service.user);
  const wanted: readonly [boolean, string][] = [
    [service.build !== undefined || PINNED.test(service.image ?? ''), 'has an image without an exact version'],
    [isUnprivileged, 'may run as root'],
    [service.read_only === true, 'can write to its root file system'],
    [service.cap_drop?.join() === 'ALL' && service.cap_add === undefined, 'keeps capabilities'],
    [service.security_opt?.includes('no-new-privileges:true') === true, 'may gain privileges'],
    [service.restart !== undefined, 'says nothing of restarts'],
  ];
  return wanted.flatMap(([isRight, fault]) => (isRight ? [] : [`${name} ${fault}`]));
}

function unusedFaults({ services, networks, volumes }: ComposeFile): string[] {
  const all = Object.values(services);
  const sources = new Set(all.flatMap(mountsOf).map(({ source }) => source));
  const joined = new Set(all.flatMap((service) => service.networks ?? []));
  return [
    ...Object.keys(volumes).flatMap((name) => (sources.has(name) ? [] : [`nothing mounts the volume ${name}`])),
    ...Object.keys(networks).flatMap((name) => (joined.has(name) ? [] : [`nothing joins the network ${name}`])),
  ];
}
