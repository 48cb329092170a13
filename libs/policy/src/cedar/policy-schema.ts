/**
 * The schema of policies, in Cedar's schema language: what a policy may name. `GET /policies/schema` serves it. Members
 * may be added in later versions; a member that is removed or gets another type would void stored policies.
 *
 * A text that nobody stated is `"unstated"`, so that a policy needs no `has` for it. Labels are tags:
 * `principal.hasTag("team") && principal.getTag("team") == "crm"`.
 */
export const CEDAR_SCHEMA = `// The agent that asks. Its labels are tags. trustTier is its label \`trust-tier\`.
entity Agent = {
  name: String,
  runtime: String,
  issuer: String,
  trustTier: String,
  delegatingUser?: String,
} tags String;

// The task template in force. Its labels are tags.
entity Template = {
  name: String,
  version: Long,
  owner: String,
} tags String;

// A connection of the template.
entity Target in [Template] = { name: String };

// One operation at a target.
entity Operation in [Target] = { name: String };

type Environment = {
  freeze: Bool,
  incident: Bool,
};

// purposeCode, dataClass and toolRisk are the labels \`purpose-code\`, \`data-class\` and \`tool-risk\` of the template.
type TaskContext = {
  phase: String,
  purposeCode: String,
  dataClass: String,
  toolRisk: String,
  connections: Set<String>,
  providers: Set<String>,
  environment: Environment,
  now: datetime,
  approvals: Long,
  treeDepth: Long,
  requestedSeconds?: Long,
  usesLeft?: Long,
};

action request, renew, delegate appliesTo {
  principal: Agent,
  resource: Template,
  context: TaskContext,
};

action operate appliesTo {
  principal: Agent,
  resource: Operation,
  context: TaskContext,
};
`;

/** The actions of the schema. */
export const POLICY_ACTIONS = ['request', 'renew', 'delegate', 'operate'] as const;
export type PolicyAction = (typeof POLICY_ACTIONS)[number];
