import { MAYFLY } from '@mayfly/audit';
import type { AppliedDeclarations, Declarations } from '@mayfly/declarations';
import { Problem } from '@mayfly/kernel';
import { readDeclaredFile } from './apply-directory.js';

/** The declarer name that the records show for the bootstrap file. */
const DECLARER = { name: 'mayfly:bootstrap-issuers', actor: MAYFLY };

/**
 * Applies the bootstrap file, the only way to declare issuers with roles in production (control `issuer-roles`).
 * Throws `invalid_declaration` with file, line and path, and for every document that is not an issuer.
 */
export async function applyBootstrapIssuers(
  declarations: Pick<Declarations, 'apply'>,
  path: string,
): Promise<AppliedDeclarations> {
  const documents = await readDeclaredFile(path, 'MAYFLY_BOOTSTRAP_ISSUER');
  const other = documents.find(({ kind }) => kind !== 'Issuer');
  if (other !== undefined) {
    const detail = `MAYFLY_BOOTSTRAP_ISSUER declares ${other.kind}/${other.metadata.name}; leave only issuers in it`;
    throw new Problem('invalid_declaration', detail);
  }
  return declarations.apply(documents, DECLARER);
}
