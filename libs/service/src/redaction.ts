import { redactionOf } from '@mayfly/telemetry';
import { PROVIDERS } from './providers.js';

/** Redacts logs, audit facts and error texts by the general patterns and those of every provider. */
export const redactText = redactionOf(PROVIDERS.flatMap(({ redaction }) => redaction ?? []));
