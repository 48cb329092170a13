import { describe, expect, it } from '@jest/globals';
import { Catalog, type CatalogRows } from '../catalog.js';

const EMPTY = { issuers: [], agents: [], connections: [], templates: [], lockdowns: [] };

describe('the policies of the catalog', () => {
  it('the policies of the catalog are the same array until one of them changes, and each refresh is told', async () => {
    const guard = { name: 'guard', spec: { policies: {} } };
    const rows: { current: CatalogRows } = { current: { ...EMPTY, revision: '1', policies: [guard] } };
    const source = {
      revision: () => Promise.resolve(rows.current.revision),
      load: () => Promise.resolve(rows.current),
    };
    let refreshes = 0;
    const options = { refreshed: () => void (refreshes += 1) };
    const clock = { now: () => new Date(0) };
    const catalog = new Catalog(source, { replaceIssuers: () => undefined }, clock, () => undefined, options);
    expect(() => catalog.policies).toThrow('could not be read');
    await catalog.refresh();
    const first = catalog.policies;
    expect(first).toEqual([guard]);
    rows.current = { ...EMPTY, revision: '2', policies: [guard] };
    await catalog.refresh();
    expect(catalog.policies).toBe(first);
    rows.current = { ...EMPTY, revision: '3', policies: [{ ...guard }] };
    await catalog.refresh();
    expect(catalog.policies).not.toBe(first);
    expect(refreshes).toBe(3);
  });
});
