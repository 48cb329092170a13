import { MAYFLY } from '@mayfly/audit';
import { Problem } from '@mayfly/kernel';
import type { AppliedDeclarations, PgDeclarationStore } from '@mayfly/persistence';
import { readDeclaredFile } from './apply-directory.js';

/** Under this name the operator's file stands in the records of who declared what. */
const DECLARER = { name: 'mayfly:bootstrap-issuers', actor: MAYFLY };

/**
 * Applies the one file by which whoever runs the service says whose word makes somebody a person with a role: nobody
 * can grant that over the API (control `issuer-roles`). Throws `invalid_declaration` by file, line and path, and for
 * every document that is no issuer.
 */
export async function applyBootstrapIssuers(
  store: Pick<PgDeclarationStore, 'apply'>,
  path: string,
): Promise<AppliedDeclarations> {
  const documents = await readDeclaredFile(path, 'MAYFLY_BOOTSTRAP_ISSUER');
  const other = documents.find(({ kind }) => kind !== 'Issuer');
  if (other !== undefined) {
    const detail = `MAYFLY_BOOTSTRAP_ISSUER declares ${other.kind}/${other.metadata.name}; leave only issuers in it`;
    throw new Problem('invalid_declaration', detail);
  }
  return store.apply(documents, DECLARER);
}
