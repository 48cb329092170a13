import type { Difference } from '@mayfly/templates';

const MAX_POINTERS = 50;

interface ChangedPlaces {
  changed?: string[];
  changedPlaces?: number;
}

/** Returns the pointers of changes, as facts of an audit entry. INVARIANT: I10, pointers are audited, values never. */
export function placesOf(differences: readonly Difference[]): ChangedPlaces {
  if (differences.length === 0) return {};
  const changed = differences.slice(0, MAX_POINTERS).map(({ pointer }) => pointer);
  return { changed, changedPlaces: differences.length };
}
