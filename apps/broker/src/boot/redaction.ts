import { redactionOf } from '@mayfly/telemetry';
import { PROVIDERS } from './providers.js';

/** The net over everything that is written for people: the general patterns and those of every provider, from the first line on. */
export const redactText = redactionOf(PROVIDERS.flatMap(({ redaction }) => redaction ?? []));
