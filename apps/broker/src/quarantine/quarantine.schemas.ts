import { QUARANTINE_CAUSES } from '@mayfly/revocation';
import { z } from 'zod';

/** Body of `POST /quarantine/confirm`. */
export const ConfirmQuarantineSchema = z
  .strictObject({
    reason: z.string().min(1).max(500).meta({ description: 'the audit keeps it' }),
  })
  .meta({ id: 'ConfirmQuarantine' });
export type ConfirmQuarantine = z.infer<typeof ConfirmQuarantineSchema>;

const LogPositionSchema = {
  sequence: z.int().meta({ description: 'number of the last audit entry; 0 for none' }),
  leaf: z.string().meta({ description: 'leaf hash of this entry (RFC 6962), base64url' }),
};

/** Answer of `GET /quarantine` and `POST /quarantine/confirm`. */
export const QuarantineSchema = z
  .strictObject({
    state: z.enum(['off', 'open', 'quarantined']).meta({
      description:
        '`quarantined`: nothing is issued; `off`: no place for the epoch is configured, so a restored backup is not noticed',
    }),
    cause: z.enum(QUARANTINE_CAUSES).optional().meta({
      description:
        '`older`: the database lacks the last entry that was seen; `forked`: it has another entry in its place; `other_lineage`: the epoch belongs to another database; `missing`: the epoch is gone',
    }),
    since: z.iso.datetime().optional(),
    expected: z
      .strictObject({ lineage: z.string(), ...LogPositionSchema })
      .optional()
      .meta({ description: 'the epoch outside of the database' }),
    found: z
      .strictObject({ lineage: z.string().nullable(), ...LogPositionSchema })
      .meta({ description: 'the last audit entry that the database has' }),
    reconciliations: z
      .array(
        z.strictObject({
          id: z.string(),
          connection: z.string(),
          state: z.enum(['running', 'done', 'failed']),
          differences: z.int().meta({ description: '`GET /reconciliations/:id` lists them' }),
        }),
      )
      .meta({ description: 'comparisons since the quarantine began, newest first' }),
  })
  .meta({ id: 'Quarantine' });
