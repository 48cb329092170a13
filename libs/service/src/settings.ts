import type { AllowList } from '@mayfly/egress';
import type { DecisionPointKind } from '@mayfly/policy';
import type { Arrivals } from './failpoint-observer.js';

/** The settings of the service, from the app that starts it. A setting that is not given is `undefined`. */
export interface ServiceSettings {
  readonly production: boolean;
  readonly databaseUrl: string | undefined;
  readonly migrationUrl: string | undefined;
  readonly redisUrl: string | undefined;
  readonly dataDir: string;
  /** the directory whose YAML files are applied at start; always undefined in production */
  readonly configDir: string | undefined;
  /** the only directory for `file:` references */
  readonly secretsDir: string | undefined;
  /** path of the file with issuers that have roles, applied at start in every mode */
  readonly bootstrapIssuer: string | undefined;
  /** 64 hexadecimal digits, or a ciphertext of `sealingVaultFile` */
  readonly sealingKey: string | undefined;
  /** the file that says which key of a transit engine unwraps sealing keys */
  readonly sealingVaultFile: string | undefined;
  /** older sealing keys of the same forms, which only open what they sealed */
  readonly previousSealingKeys: readonly string[];
  /** the place of the epoch outside of the database: `file:///…` or `s3://bucket/key?region=…` */
  readonly epochUrl: string | undefined;
  /** addresses that egress may reach although they are not public */
  readonly egressAllow: AllowList;
  readonly logLevel: string;
  /** revokes at deadlines and runs the other worker loops */
  readonly worker: boolean;
  readonly queue: boolean;
  /** the longest time for which a replica grants without having looked for a new lockdown */
  readonly lockdownAgeSeconds: number;
  /** the largest difference between the clocks of a target and of the database at which Mayfly mints */
  readonly clockToleranceSeconds: number;
  /** the decision point that every grant and renewal needs in addition */
  readonly decisionPoint: DecisionPointSettings | undefined;
  /** kills the process with SIGKILL after a step; for crash tests, never in production */
  readonly failpoint: Arrivals | undefined;
}

/** Where and how an outside decision point is asked. */
export interface DecisionPointSettings {
  readonly url: string;
  readonly kind: DecisionPointKind;
  /** the longest time for one question, in milliseconds */
  readonly timeoutMs: number;
  /** the path of a file with the bearer token for it, which is read for each question */
  readonly tokenFile: string | undefined;
}
