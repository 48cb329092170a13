import { Problem } from '@mayfly/kernel';

/**
 * Loads the library of a back end when the provider calls it for the first time. `load` is the `import()`. Throws
 * `provider_unavailable` when the library cannot be loaded, because Node keeps the failure until the next start.
 */
export async function clientLibrary<Library>(name: string, load: () => Promise<Library>): Promise<Library> {
  try {
    return await load();
  } catch (cause) {
    const detail = `the library \`${name}\` cannot be loaded; install the packages of Mayfly again and restart it`;
    throw new Problem('provider_unavailable', detail, { cause });
  }
}
