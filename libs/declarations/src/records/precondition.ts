import type { DeclaredRecord } from './declared-record.js';

/**
 * Judges the current revision, and the record if the document is one; both are undefined when the document does not
 * exist. Throws the `Problem` for the caller.
 */
export type Precondition = (revision: number | undefined, before?: DeclaredRecord) => void;
