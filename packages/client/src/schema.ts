// Made by `npm run openapi` from the routes of the broker; a change by hand is lost.
export interface paths {
  '/tasks': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Name a task and get its credentials, once */
    post: operations['Tasks.create'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/tasks/{id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** A task and how its leases stand, without secrets */
    get: operations['Tasks.view'];
    put?: never;
    post?: never;
    /** Revoke a task */
    delete: operations['Tasks.revoke'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/tasks/{id}/complete': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** The work is done: take everything back */
    post: operations['Tasks.complete'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/tasks/{id}/fail': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** The work failed: take everything back, and say why */
    post: operations['Tasks.fail'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/tasks/{id}/heartbeat': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** The agent is alive */
    post: operations['Tasks.heartbeat'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/tasks/{id}/renew': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Decide again and move the deadline, within the longest life of the template */
    post: operations['Tasks.renew'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/me': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Who the agent is, and which templates it may ask for from where it runs */
    get: operations['Me.me'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/templates': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** All templates, by name */
    get: operations['Templates.list'];
    put?: never;
    /** Save the first draft of a new template */
    post: operations['Templates.create'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/templates/{name}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** A template and the version in force */
    get: operations['Templates.view'];
    /** Replace the draft, or begin one; what is in force stays so */
    put: operations['Templates.replaceDraft'];
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/templates/lint': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** What the linter says of a document; nothing is saved */
    post: operations['Templates.lint'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/templates/{name}/publish': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Make the draft the next version; a person who changed no part of it does */
    post: operations['Templates.publish'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/templates/{name}/retire': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** No new tasks, for good; tasks that run keep what they have */
    post: operations['Templates.retire'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/templates/{name}/draft': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** The draft that waits to be published */
    get: operations['TemplateVersions.draft'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/templates/{name}/versions': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** The published versions, the newest first */
    get: operations['TemplateVersions.versions'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/templates/{name}/versions/{version}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** A published version; it never changes */
    get: operations['TemplateVersions.version'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/templates/{name}/diff': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** What differs between two versions, or between a version and the draft */
    get: operations['TemplateVersions.diff'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/agents': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** The declared agents, by name */
    get: operations['Agents.list'];
    put?: never;
    /** Register an agent; it gets nothing until it is activated */
    post: operations['Agents.create'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/agents/{name}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** An agent, how it is known, and where it is in its life */
    get: operations['Agents.view'];
    /** Replace it, or create it with `If-None-Match: *` */
    put: operations['Agents.replace'];
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/agents/{name}/activate': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Let a registered or suspended agent ask for tasks */
    post: operations['Agents.activate'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/agents/{name}/suspend': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Stop an agent: its tasks end, its credentials are revoked */
    post: operations['Agents.suspend'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/agents/{name}/retire': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Stop an agent for good; its name stays taken */
    post: operations['Agents.retire'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/issuers': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** The declared issuers, by name */
    get: operations['Issuers.list'];
    put?: never;
    /** Trust an issuer of identity tokens */
    post: operations['Issuers.create'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/issuers/{name}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** An issuer that is trusted to say who calls */
    get: operations['Issuers.view'];
    /** Replace it, or create it with `If-None-Match: *` */
    put: operations['Issuers.replace'];
    post?: never;
    /** Trust it no longer; refused while agents are bound to it */
    delete: operations['Issuers.remove'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/issuers/{name}/test': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Try it: fetch its keys now, and judge a token of it rule by rule, which is kept nowhere and opens nothing */
    post: operations['Issuers.test'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/connections': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** The declared connections, by name */
    get: operations['Connections.list'];
    put?: never;
    /** Declare a target */
    post: operations['Connections.create'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/connections/{name}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** A configured target; secrets are references */
    get: operations['Connections.view'];
    /** Replace it, or create it with `If-None-Match: *` */
    put: operations['Connections.replace'];
    post?: never;
    /** Take it away; refused while templates or live leases use it */
    delete: operations['Connections.remove'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/connections/{name}/test': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Try it with the least harm: what works, which right is missing, how far the clocks are apart */
    post: operations['Connections.test'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/connections/{name}/disable': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Mint and renew nothing through it; revocations go on */
    post: operations['Connections.disable'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/connections/{name}/enable': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Take it back into use */
    post: operations['Connections.enable'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/declarations/check': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** What applying documents together would come to; nothing is saved */
    post: operations['Declarations.check'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/oauth/introspect': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Whether a token may be used now (RFC 7662)
     * @description For resource servers of the token’s audience, the agent that it was issued to, operators and auditors. Everybody else reads `active: false`, and nothing else.
     */
    post: operations['OAuth.introspect'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/oauth/revoke': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Revoke a token, and with it its whole task (RFC 7009)
     * @description For the agent that the token was issued to, and operators. A credential lives as long as its task: the task ends with cause `revoked`, and all of its credentials are taken back. Unknown tokens, and those of others, change nothing and are answered alike.
     */
    post: operations['OAuth.revoke'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/.well-known/jwks.json': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** The keys that tokens verify with (RFC 7517) */
    get: operations['Metadata.jwks'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/.well-known/oauth-authorization-server': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Where what is (RFC 8414) */
    get: operations['Metadata.metadata'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/federation/.well-known/openid-configuration': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** How targets check that it is Mayfly (OpenID Connect Discovery) */
    get: operations['Federation.configuration'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/federation/jwks.json': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** The keys that tokens for targets verify with (RFC 7517) */
    get: operations['Federation.jwks'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/issuances': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Who got what, for what, and how it ended: one item a lease, newest first */
    get: operations['History.issuances'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/tasks/{id}/timeline': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** The whole story of a task, in the order of the log */
    get: operations['History.timeline'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/refusals': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Identities that were refused, and why, newest first */
    get: operations['History.refusals'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/audit/entries': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** The sealed log in its gapless sequence, with what it takes to check each leaf hash */
    get: operations['History.entries'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/healthz': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** The process answers */
    get: operations['Health.health'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/readyz': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * The service can grant and end: the database takes writes, and there is a signing key
     * @description An answer counts for a second. A 503 says in `reason` why the database takes no change.
     */
    get: operations['Health.ready'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/metrics': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Prometheus metrics */
    get: operations['Health.metrics'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
}
export type webhooks = Record<string, never>;
export interface components {
  schemas: {
    Problem: {
      /** @example urn:mayfly:problem:policy_denied */
      type: string;
      title: string;
      status: number;
      detail: string;
      instance?: string;
      control?: string;
      help?: string;
      limit?: {
        name: string;
        value: number;
      };
      /** @example expired */
      reason?: string;
      /** @description the proven identity of the caller, to be bound to an agent */
      identity?: {
        issuer: string;
        subject: string;
      };
      errors?: {
        pointer: string;
        detail: string;
      }[];
      taskId?: string;
    };
    CreateTask: {
      /**
       * @description name of a published task template
       * @example support-read-cases
       */
      template: string;
      /**
       * @default {}
       * @example {
       *       "region": "emea"
       *     }
       */
      parameters?: {
        [key: string]: components['schemas']['Json'];
      };
      /** @description why, in the words of the agent; it never widens anything */
      purpose: string;
      /** @description lifetime asked for; the grant may be shorter */
      ttlSeconds?: number;
    };
    Json: unknown;
    DryRun: {
      /** @enum {boolean} */
      dryRun: true;
      wouldGrant: boolean;
      template?: {
        name: string;
        version: number;
      };
      lifetimeSeconds?: number;
      limitedBy?: string;
      controls: {
        control: string;
        /** @enum {string} */
        outcome: 'permit' | 'deny';
        detail?: string;
        help?: string;
      }[];
      credentials?: {
        name: string;
        provider: string;
        scope: components['schemas']['Json'];
      }[];
    };
    Task: {
      id: string;
      /** @enum {string} */
      state: 'active' | 'completed' | 'expired' | 'revoked' | 'failed';
      template: {
        name: string;
        version: number;
      };
      agent: {
        id: string;
        name: string;
      };
      runtime: string;
      parameters: {
        [key: string]: components['schemas']['Json'];
      };
      purpose: string;
      /** Format: date-time */
      createdAt: string;
      /** Format: date-time */
      expiresAt: string;
      /** Format: date-time */
      maxExpiresAt: string;
      /** Format: date-time */
      heartbeatAt?: string;
      /** @description the template has a heartbeat: the task is revoked when no sign of life comes for so long */
      heartbeatTimeoutSeconds?: number;
      endCause?: string;
      endReason?: string;
      /** Format: date-time */
      endedAt?: string;
      /** @description in the answer that grants or renews */
      lifetime?: {
        requestedSeconds: number | null;
        grantedSeconds: number;
        /** @description what made it no longer: `request`, `template`, `identity`, `provider …`, or `maximum` when a renewal reached `maxExpiresAt` */
        limitedBy: string;
      };
      credentials: {
        leaseId: string;
        name: string;
        provider: string;
        connection?: string;
        /** @enum {string} */
        state: 'minting' | 'active' | 'revoking' | 'revoked' | 'expired' | 'failed' | 'abandoned';
        /** @enum {string} */
        revocation: 'immediate' | 'propagating' | 'expiry-only';
        /** @description what `revocation` leaves open */
        revocationNote?: string;
        /** Format: date-time */
        expiresAt: string;
        /** Format: date-time */
        providerExpiresAt?: string;
        endCause?: string;
        /** Format: date-time */
        revokeRequestedAt?: string;
        /**
         * Format: date-time
         * @description from when on the target refuses the credential
         */
        revokeEffectiveAt?: string;
        /** Format: date-time */
        endedAt?: string;
        lastError?: string;
        /**
         * Format: date-time
         * @description the target stopped taking it; renew the task for a new one
         */
        renewRequestedAt?: string;
        /** @description what the target told, in the answer that grants */
        facts?: {
          [key: string]: components['schemas']['Json'];
        };
        /** @description shown once */
        secret?: {
          [key: string]: components['schemas']['Json'];
        };
      }[];
    };
    FailTask: {
      reason: string;
    };
    RenewTask: {
      ttlSeconds?: number;
    };
    Me: {
      agent: {
        id: string;
        name: string;
        state: string;
        labels: {
          [key: string]: string;
        };
      };
      runtime: string;
      identity: {
        issuer: string;
        subject: string;
        /** Format: date-time */
        expiresAt: string;
      };
      templates: {
        name: string;
        version: number;
        description: string;
        /** @description JSON Schema of what `POST /tasks` takes */
        parameters: {
          [key: string]: components['schemas']['Json'];
        };
        lifetime: {
          defaultSeconds: number;
          maxSeconds: number;
        };
        quota: {
          tasksPerMinute: number;
          concurrentTasks: number;
          uses?: number;
        };
        credentials: {
          name: string;
          provider: string;
        }[];
      }[];
    };
    TemplatePage: {
      items: components['schemas']['TemplateSummary'][];
      /** @description for the next page; null on the last one */
      nextCursor: string | null;
    };
    TemplateSummary: {
      name: string;
      /** @enum {string} */
      state: 'draft' | 'published' | 'retired';
      labels: {
        [key: string]: string;
      };
      /** @description counts changes of draft and state; the `ETag` says the same */
      revision: number;
      /** Format: date-time */
      createdAt: string;
      /** Format: date-time */
      updatedAt: string;
      currentVersion: number | null;
      /** @description who changed the draft that waits last, and everybody who did since the last publication, if one waits */
      draft: {
        author: string;
        editors: string[];
      } | null;
    };
    Template: {
      name: string;
      /** @enum {string} */
      state: 'draft' | 'published' | 'retired';
      labels: {
        [key: string]: string;
      };
      /** @description counts changes of draft and state; the `ETag` says the same */
      revision: number;
      /** Format: date-time */
      createdAt: string;
      /** Format: date-time */
      updatedAt: string;
      currentVersion: number | null;
      /** @description who changed the draft that waits last, and everybody who did since the last publication, if one waits */
      draft: {
        author: string;
        editors: string[];
      } | null;
      inForce: components['schemas']['TemplateVersion'] | null;
      /** @description of the linter and the targets, when it is published */
      warnings?: components['schemas']['TemplateFinding'][];
    };
    TemplateVersion: {
      name: string;
      version: number;
      labels: {
        [key: string]: string;
      };
      spec: {
        [key: string]: components['schemas']['Json'];
      };
      /** @description SHA-256 of the canonical JSON of `spec`, base64url */
      digest: string;
      author: string;
      publisher: string;
      /** Format: date-time */
      publishedAt: string;
    };
    TemplateFinding: {
      /**
       * @description docs/template-rules.md explains it
       * @example MF104
       */
      rule: string;
      /** @enum {string} */
      severity: 'error' | 'warning';
      /** @description into the document */
      pointer: string;
      detail: string;
    };
    TemplateFindings: {
      findings: components['schemas']['TemplateFinding'][];
    };
    TemplateDraft: {
      name: string;
      labels: {
        [key: string]: string;
      };
      spec: {
        [key: string]: components['schemas']['Json'];
      };
      author: string;
      editors: string[];
      revision: number;
    };
    TemplateVersionPage: {
      items: components['schemas']['TemplateVersion'][];
      /** @description for the next page; null on the last one */
      nextCursor: string | null;
    };
    TemplateDiff: {
      from: number;
      to: number | 'draft';
      differences: {
        pointer: string;
        before?: components['schemas']['Json'];
        after?: components['schemas']['Json'];
      }[];
    };
    AgentPage: {
      items: components['schemas']['Agent'][];
      /** @description for the next page; null on the last one */
      nextCursor: string | null;
    };
    Agent: {
      /** @enum {string} */
      kind: 'Agent';
      id: string;
      /** @enum {string} */
      state: 'registered' | 'active' | 'suspended' | 'retired';
      name: string;
      labels: {
        [key: string]: string;
      };
      spec: {
        [key: string]: components['schemas']['Json'];
      };
      /** @description counts changes; the `ETag` says the same */
      revision: number;
      /** Format: date-time */
      createdAt: string;
      /** Format: date-time */
      updatedAt: string;
      /** @description who declared it last: issuer and subject */
      updatedBy: string;
    };
    DeclaredRecordPage: {
      items: components['schemas']['DeclaredRecord'][];
      /** @description for the next page; null on the last one */
      nextCursor: string | null;
    };
    DeclaredRecord: {
      /** @enum {string} */
      kind: 'Issuer' | 'Connection';
      name: string;
      labels: {
        [key: string]: string;
      };
      spec: {
        [key: string]: components['schemas']['Json'];
      };
      /** @description counts changes; the `ETag` says the same */
      revision: number;
      /** Format: date-time */
      createdAt: string;
      /** Format: date-time */
      updatedAt: string;
      /** @description who declared it last: issuer and subject */
      updatedBy: string;
      /**
       * @description of connections: whether anything new is minted through it
       * @enum {string}
       */
      state?: 'enabled' | 'disabled';
    };
    TestIssuer: {
      /** @description an identity token to judge; it is kept nowhere, is not used up, and opens nothing */
      token?: string;
    };
    IssuerTest: {
      issuer: string;
      /** @description nothing is missing and nothing failed */
      ok: boolean;
      checks: {
        /**
         * @description what was tried
         * @example log in
         */
        name: string;
        /**
         * @description `missing`: a right is not there; `failed`: it could not be found out; `warning`: it works, and `detail` says what it leaves open
         * @enum {string}
         */
        outcome: 'ok' | 'warning' | 'missing' | 'failed' | 'skipped';
        detail?: string;
      }[];
    };
    ConnectionTest: {
      connection: string;
      /** @description nothing is missing and nothing failed */
      ok: boolean;
      checks: {
        /**
         * @description what was tried
         * @example log in
         */
        name: string;
        /**
         * @description `missing`: a right is not there; `failed`: it could not be found out; `warning`: it works, and `detail` says what it leaves open
         * @enum {string}
         */
        outcome: 'ok' | 'warning' | 'missing' | 'failed' | 'skipped';
        detail?: string;
      }[];
      /** @description the target's clock minus ours */
      clockOffsetSeconds?: number;
      /** @description since the broker's own login at the target */
      loginAgeSeconds?: number;
    };
    DeclarationRun: {
      /** @description documents `{kind, metadata, spec}` of any kind, in any order */
      documents: components['schemas']['Json'][];
      /**
       * @description whether the run puts the drafts of templates in force as well
       * @default false
       */
      publish?: boolean;
    };
    DeclarationCheck: {
      /** @description the run would go through: nothing in it would be refused */
      ok: boolean;
      /** @description in the order of applying */
      documents: {
        /** @enum {string} */
        kind: 'Issuer' | 'Connection' | 'Agent' | 'TaskTemplate';
        name: string;
        /** @description what sending the document would be answered with */
        refusal?: components['schemas']['Problem'];
        /** @description of templates, with `publish`: what publishing it would be answered with */
        publication?: components['schemas']['Problem'];
        /** @description of templates: of the linter and the targets */
        findings: components['schemas']['TemplateFinding'][];
      }[];
    };
    OAuthError: {
      error: string;
      error_description: string;
    };
    TokenForm: {
      /** @description a token that this service issued */
      token: string;
      /** @example access_token */
      token_type_hint?: string;
    };
    Introspection:
      | {
          /** @enum {boolean} */
          active: false;
        }
      | {
          /** @enum {boolean} */
          active: true;
          scope: string;
          client_id: string;
          sub: string;
          aud: string;
          iss: string;
          exp: number;
          iat: number;
          /** @description the id of the lease */
          jti: string;
          /** @enum {string} */
          token_type: 'Bearer';
          task_id: string;
          authorization_details: ({
            type: string;
          } & {
            [key: string]: unknown;
          })[];
        };
    Jwks: {
      keys: ({
        kty: string;
        kid: string;
        alg: string;
      } & {
        [key: string]: unknown;
      })[];
    };
    AuthorizationServerMetadata: {
      /** Format: uri */
      issuer: string;
      /** Format: uri */
      jwks_uri: string;
      /** Format: uri */
      introspection_endpoint: string;
      introspection_endpoint_auth_methods_supported: string[];
      /** Format: uri */
      revocation_endpoint: string;
      revocation_endpoint_auth_methods_supported: string[];
      response_types_supported: string[];
      grant_types_supported: string[];
      authorization_details_types_supported: string[];
      /** Format: uri */
      service_documentation?: string;
    };
    OpenIdConfiguration: {
      /** Format: uri */
      issuer: string;
      /** Format: uri */
      jwks_uri: string;
      response_types_supported: string[];
      subject_types_supported: string[];
      id_token_signing_alg_values_supported: string[];
      claims_supported: string[];
    };
    Issuances: {
      items: components['schemas']['Issuance'][];
      /** @description for the next page; null on the last one */
      nextCursor: string | null;
    };
    Issuance: {
      leaseId: string;
      taskId: string;
      /** @enum {string} */
      state: 'minting' | 'active' | 'revoking' | 'revoked' | 'expired' | 'failed' | 'abandoned';
      /** @description of the credential in its template */
      name: string;
      provider: string;
      connection?: string;
      agent: string;
      template: {
        name: string;
        version: number;
      };
      runtime: string;
      purpose: string;
      /** @description what the credential reaches, as it was rendered */
      scope: components['schemas']['Json'];
      /** Format: date-time */
      createdAt: string;
      /**
       * Format: date-time
       * @description the granted deadline
       */
      expiresAt: string;
      /**
       * Format: date-time
       * @description the expiry that the provider itself enforces
       */
      providerExpiresAt?: string;
      /** Format: date-time */
      revokeRequestedAt?: string;
      /**
       * Format: date-time
       * @description from when on the target refuses the credential
       */
      revokeEffectiveAt?: string;
      /** Format: date-time */
      endedAt?: string;
      cause?: string;
    };
    Timeline: {
      items: components['schemas']['TimelineEntry'][];
      /** @description for the next page; null on the last one */
      nextCursor: string | null;
    };
    TimelineEntry: {
      id: string;
      /** Format: date-time */
      at: string;
      type: string;
      actor: {
        /** @enum {string} */
        kind: 'agent' | 'person' | 'workload' | 'mayfly';
      } & {
        [key: string]: unknown;
      };
      taskId?: string;
      leaseId?: string;
      agent?: string;
      /** @description place in the log, once it is sealed */
      seq?: number;
    } & {
      [key: string]: unknown;
    };
    Refusals: {
      items: components['schemas']['Refusal'][];
      /** @description for the next page; null on the last one */
      nextCursor: string | null;
    };
    /** @description members that come from the token are escaped and cut off */
    Refusal: {
      /** Format: date-time */
      at: string;
      /**
       * @description docs/problems.md lists them
       * @example audience
       */
      reason: string;
      /** @description the Issuer document that the token chose, else the `iss` that it claims */
      issuer?: string;
      subject?: string;
      kid?: string;
      alg?: string;
      typ?: string;
      aud?: string | string[];
      route?: string;
      /** @description in the answer: `instance`, `x-request-id` */
      requestId?: string;
      /** @description of refusals of this kind that have no item of their own, from `from` to `to` */
      count?: number;
      /** Format: date-time */
      from?: string;
      /** Format: date-time */
      to?: string;
    };
    SealedEntries: {
      items: components['schemas']['SealedEntry'][];
      /** @description for the next page; null on the last one */
      nextCursor: string | null;
    };
    SealedEntry: {
      seq: number;
      /** @description base64url of SHA-256(0x00 ‖ canonical), RFC 6962 §2.1 */
      leafHash: string;
      body: components['schemas']['AuditEntry'];
      /** @description the body as canonical JSON (RFC 8785), the bytes that were hashed */
      canonical: string;
    };
    /** @description one transition or denial, or the `count` of denials without an entry of their own; the other members are its facts */
    AuditEntry: {
      id: string;
      /** Format: date-time */
      at: string;
      type: string;
      actor: {
        /** @enum {string} */
        kind: 'agent' | 'person' | 'workload' | 'mayfly';
      } & {
        [key: string]: unknown;
      };
      taskId?: string;
      leaseId?: string;
      agent?: string;
    } & {
      [key: string]: unknown;
    };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
  'Tasks.create': {
    parameters: {
      query?: {
        /** @description answer what would happen, and mint nothing */
        dryRun?: 'true' | 'false';
      };
      header?: {
        /** @description same key and body: the same task */
        'Idempotency-Key'?: string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "template": "support-read-cases",
         *       "parameters": {
         *         "region": "emea"
         *       },
         *       "purpose": "answer ticket 4711",
         *       "ttlSeconds": 900
         *     }
         */
        'application/json': components['schemas']['CreateTask'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DryRun'];
        };
      };
      /** @description created */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Task'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Tasks.view': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example tsk_01kansx8g0fmbv0xs40yaz3ag5 */
        id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Task'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Tasks.revoke': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example tsk_01kansx8g0fmbv0xs40yaz3ag5 */
        id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Task'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Tasks.complete': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example tsk_01kansx8g0fmbv0xs40yaz3ag5 */
        id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Task'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Tasks.fail': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example tsk_01kansx8g0fmbv0xs40yaz3ag5 */
        id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "reason": "the ticket was withdrawn"
         *     }
         */
        'application/json': components['schemas']['FailTask'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Task'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Tasks.heartbeat': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example tsk_01kansx8g0fmbv0xs40yaz3ag5 */
        id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Task'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Tasks.renew': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example tsk_01kansx8g0fmbv0xs40yaz3ag5 */
        id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "ttlSeconds": 900
         *     }
         */
        'application/json': components['schemas']['RenewTask'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Task'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Me.me': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Me'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Templates.list': {
    parameters: {
      query?: {
        limit?: number;
        /** @description `nextCursor` of the page before */
        cursor?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['TemplatePage'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Templates.create': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "kind": "TaskTemplate",
         *       "metadata": {
         *         "name": "billing-read-invoices"
         *       },
         *       "spec": {
         *         "description": "Read the invoices of one region while answering a ticket.",
         *         "owner": "support-platform",
         *         "backupOwner": "crm-platform",
         *         "review": {
         *           "by": "security",
         *           "everyDays": 90
         *         },
         *         "requesters": {
         *           "agents": {
         *             "duty": "support"
         *           },
         *           "runtimes": [
         *             "developer-laptop"
         *           ]
         *         },
         *         "parameters": {
         *           "type": "object",
         *           "properties": {
         *             "region": {
         *               "enum": [
         *                 "emea",
         *                 "apac"
         *               ]
         *             }
         *           },
         *           "required": [
         *             "region"
         *           ],
         *           "additionalProperties": false
         *         },
         *         "lifetime": {
         *           "defaultSeconds": 300,
         *           "maxSeconds": 900
         *         },
         *         "quota": {
         *           "tasksPerMinute": 60,
         *           "concurrentTasks": 10
         *         },
         *         "credentials": [
         *           {
         *             "name": "api",
         *             "provider": "signed-token",
         *             "connection": "billing-api",
         *             "scope": {
         *               "audience": "https://billing.example",
         *               "operations": [
         *                 {
         *                   "$join": [
         *                     "invoices.read:",
         *                     {
         *                       "$param": "region"
         *                     }
         *                   ]
         *                 }
         *               ]
         *             }
         *           }
         *         ]
         *       }
         *     }
         */
        'application/json': {
          /** @constant */
          kind: 'TaskTemplate';
          metadata: {
            name: string;
            labels?: {
              [key: string]: string;
            };
          };
          spec: {
            description: string;
            owner: string;
            backupOwner: string;
            review: {
              by: string;
              everyDays: number;
            };
            requesters: {
              agents: {
                [key: string]: string;
              };
              runtimes: string[];
            };
            parameters: {
              [key: string]: components['schemas']['Json'];
            };
            lifetime: {
              defaultSeconds: number;
              maxSeconds: number;
            };
            quota: {
              tasksPerMinute: number;
              concurrentTasks: number;
              uses?: number;
            };
            heartbeat?: {
              timeoutSeconds: number;
            };
            credentials: {
              name: string;
              provider: string;
              connection?: string;
              scope: {
                [key: string]: components['schemas']['Json'];
              };
            }[];
          };
        };
      };
    };
    responses: {
      /** @description created */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Template'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Templates.view': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example billing-read-invoices */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Template'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Templates.replaceDraft': {
    parameters: {
      query?: never;
      header: {
        /** @description the `ETag` of what was read */
        'If-Match': string;
      };
      path: {
        /** @example billing-read-invoices */
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "kind": "TaskTemplate",
         *       "metadata": {
         *         "name": "billing-read-invoices"
         *       },
         *       "spec": {
         *         "description": "Read the invoices of one region while answering a ticket.",
         *         "owner": "support-platform",
         *         "backupOwner": "crm-platform",
         *         "review": {
         *           "by": "security",
         *           "everyDays": 90
         *         },
         *         "requesters": {
         *           "agents": {
         *             "duty": "support"
         *           },
         *           "runtimes": [
         *             "developer-laptop"
         *           ]
         *         },
         *         "parameters": {
         *           "type": "object",
         *           "properties": {
         *             "region": {
         *               "enum": [
         *                 "emea",
         *                 "apac"
         *               ]
         *             }
         *           },
         *           "required": [
         *             "region"
         *           ],
         *           "additionalProperties": false
         *         },
         *         "lifetime": {
         *           "defaultSeconds": 300,
         *           "maxSeconds": 900
         *         },
         *         "quota": {
         *           "tasksPerMinute": 60,
         *           "concurrentTasks": 10
         *         },
         *         "credentials": [
         *           {
         *             "name": "api",
         *             "provider": "signed-token",
         *             "connection": "billing-api",
         *             "scope": {
         *               "audience": "https://billing.example",
         *               "operations": [
         *                 {
         *                   "$join": [
         *                     "invoices.read:",
         *                     {
         *                       "$param": "region"
         *                     }
         *                   ]
         *                 }
         *               ]
         *             }
         *           }
         *         ]
         *       }
         *     }
         */
        'application/json': {
          /** @constant */
          kind: 'TaskTemplate';
          metadata: {
            name: string;
            labels?: {
              [key: string]: string;
            };
          };
          spec: {
            description: string;
            owner: string;
            backupOwner: string;
            review: {
              by: string;
              everyDays: number;
            };
            requesters: {
              agents: {
                [key: string]: string;
              };
              runtimes: string[];
            };
            parameters: {
              [key: string]: components['schemas']['Json'];
            };
            lifetime: {
              defaultSeconds: number;
              maxSeconds: number;
            };
            quota: {
              tasksPerMinute: number;
              concurrentTasks: number;
              uses?: number;
            };
            heartbeat?: {
              timeoutSeconds: number;
            };
            credentials: {
              name: string;
              provider: string;
              connection?: string;
              scope: {
                [key: string]: components['schemas']['Json'];
              };
            }[];
          };
        };
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Template'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` meets one that exists */
      412: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the change needs `If-Match` with the `ETag` of what was read */
      428: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Templates.lint': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "kind": "TaskTemplate",
         *       "metadata": {
         *         "name": "billing-read-invoices"
         *       },
         *       "spec": {
         *         "description": "Read the invoices of one region while answering a ticket.",
         *         "owner": "support-platform",
         *         "backupOwner": "crm-platform",
         *         "review": {
         *           "by": "security",
         *           "everyDays": 90
         *         },
         *         "requesters": {
         *           "agents": {
         *             "duty": "support"
         *           },
         *           "runtimes": [
         *             "developer-laptop"
         *           ]
         *         },
         *         "parameters": {
         *           "type": "object",
         *           "properties": {
         *             "region": {
         *               "enum": [
         *                 "emea",
         *                 "apac"
         *               ]
         *             }
         *           },
         *           "required": [
         *             "region"
         *           ],
         *           "additionalProperties": false
         *         },
         *         "lifetime": {
         *           "defaultSeconds": 300,
         *           "maxSeconds": 900
         *         },
         *         "quota": {
         *           "tasksPerMinute": 60,
         *           "concurrentTasks": 10
         *         },
         *         "credentials": [
         *           {
         *             "name": "api",
         *             "provider": "signed-token",
         *             "connection": "billing-api",
         *             "scope": {
         *               "audience": "https://billing.example",
         *               "operations": [
         *                 {
         *                   "$join": [
         *                     "invoices.read:",
         *                     {
         *                       "$param": "region"
         *                     }
         *                   ]
         *                 }
         *               ]
         *             }
         *           }
         *         ]
         *       }
         *     }
         */
        'application/json': {
          /** @constant */
          kind: 'TaskTemplate';
          metadata: {
            name: string;
            labels?: {
              [key: string]: string;
            };
          };
          spec: {
            description: string;
            owner: string;
            backupOwner: string;
            review: {
              by: string;
              everyDays: number;
            };
            requesters: {
              agents: {
                [key: string]: string;
              };
              runtimes: string[];
            };
            parameters: {
              [key: string]: components['schemas']['Json'];
            };
            lifetime: {
              defaultSeconds: number;
              maxSeconds: number;
            };
            quota: {
              tasksPerMinute: number;
              concurrentTasks: number;
              uses?: number;
            };
            heartbeat?: {
              timeoutSeconds: number;
            };
            credentials: {
              name: string;
              provider: string;
              connection?: string;
              scope: {
                [key: string]: components['schemas']['Json'];
              };
            }[];
          };
        };
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['TemplateFindings'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Templates.publish': {
    parameters: {
      query?: never;
      header: {
        /** @description the `ETag` of what was read */
        'If-Match': string;
      };
      path: {
        /** @example billing-read-invoices */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Template'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` meets one that exists */
      412: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the change needs `If-Match` with the `ETag` of what was read */
      428: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Templates.retire': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example billing-read-invoices */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Template'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'TemplateVersions.draft': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example billing-read-invoices */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['TemplateDraft'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'TemplateVersions.versions': {
    parameters: {
      query?: {
        limit?: number;
        /** @description `nextCursor` of the page before */
        cursor?: string;
      };
      header?: never;
      path: {
        /** @example billing-read-invoices */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['TemplateVersionPage'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'TemplateVersions.version': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example billing-read-invoices */
        name: string;
        /** @example 1 */
        version: number;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['TemplateVersion'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'TemplateVersions.diff': {
    parameters: {
      query: {
        /** @description a version */
        from: number;
        /** @description a version, or `draft` */
        to: 'draft' | number;
      };
      header?: never;
      path: {
        /** @example billing-read-invoices */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['TemplateDiff'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Agents.list': {
    parameters: {
      query?: {
        limit?: number;
        /** @description `nextCursor` of the page before */
        cursor?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['AgentPage'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Agents.create': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "kind": "Agent",
         *       "metadata": {
         *         "name": "billing-agent",
         *         "labels": {
         *           "duty": "support"
         *         }
         *       },
         *       "spec": {
         *         "owner": "support-platform",
         *         "backupOwner": "crm-platform",
         *         "identities": [
         *           {
         *             "issuer": "development",
         *             "subject": "billing-agent",
         *             "runtime": "developer-laptop"
         *           }
         *         ]
         *       }
         *     }
         */
        'application/json': {
          /** @constant */
          kind: 'Agent';
          metadata: {
            name: string;
            labels?: {
              [key: string]: string;
            };
          };
          spec: {
            owner: string;
            backupOwner: string;
            identities: {
              issuer: string;
              subject?: string;
              runtime: string;
              claims?: {
                [key: string]: string | number | boolean;
              };
            }[];
          };
        };
      };
    };
    responses: {
      /** @description created */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Agent'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Agents.view': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example billing-agent */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Agent'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Agents.replace': {
    parameters: {
      query?: never;
      header?: {
        /** @description to replace: the `ETag` of what was read */
        'If-Match'?: string;
        /** @description to create: `*` */
        'If-None-Match'?: '*';
      };
      path: {
        /** @example billing-agent */
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "kind": "Agent",
         *       "metadata": {
         *         "name": "billing-agent",
         *         "labels": {
         *           "duty": "support"
         *         }
         *       },
         *       "spec": {
         *         "owner": "support-platform",
         *         "backupOwner": "crm-platform",
         *         "identities": [
         *           {
         *             "issuer": "development",
         *             "subject": "billing-agent",
         *             "runtime": "developer-laptop"
         *           }
         *         ]
         *       }
         *     }
         */
        'application/json': {
          /** @constant */
          kind: 'Agent';
          metadata: {
            name: string;
            labels?: {
              [key: string]: string;
            };
          };
          spec: {
            owner: string;
            backupOwner: string;
            identities: {
              issuer: string;
              subject?: string;
              runtime: string;
              claims?: {
                [key: string]: string | number | boolean;
              };
            }[];
          };
        };
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Agent'];
        };
      };
      /** @description created */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Agent'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` meets one that exists */
      412: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the change needs `If-Match` with the `ETag` of what was read */
      428: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Agents.activate': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example billing-agent */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Agent'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Agents.suspend': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example billing-agent */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Agent'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Agents.retire': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example billing-agent */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Agent'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Issuers.list': {
    parameters: {
      query?: {
        limit?: number;
        /** @description `nextCursor` of the page before */
        cursor?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeclaredRecordPage'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Issuers.create': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "kind": "Issuer",
         *       "metadata": {
         *         "name": "deploy"
         *       },
         *       "spec": {
         *         "profile": "oidc",
         *         "issuer": "https://deploy.example",
         *         "audiences": [
         *           "mayfly"
         *         ],
         *         "algorithms": [
         *           "ES256"
         *         ],
         *         "keys": {
         *           "discovery": true
         *         }
         *       }
         *     }
         */
        'application/json': {
          /** @constant */
          kind: 'Issuer';
          metadata: {
            name: string;
            labels?: {
              [key: string]: string;
            };
          };
          spec: {
            /** @enum {string} */
            profile: 'oidc' | 'spiffe-jwt' | 'kubernetes' | 'github-actions';
            issuer: string;
            audiences: string[];
            multipleAudiences?: boolean;
            tokenTypes?: ('jwt' | 'at+jwt')[];
            algorithms: ('ES256' | 'ES384' | 'RS256' | 'PS256' | 'EdDSA' | 'Ed25519')[];
            keys: {
              jwks?: {
                keys: ({
                  /** @enum {string} */
                  kty: 'EC' | 'RSA' | 'OKP';
                  kid?: string;
                  alg?: string;
                  use?: string;
                  key_ops?: string[];
                } & {
                  [key: string]: unknown;
                })[];
              };
              jwksUri?: string;
              /** @constant */
              discovery?: true;
              bundleEndpoint?:
                | {
                    /** @constant */
                    profile: 'https_web';
                    url: string;
                  }
                | {
                    /** @constant */
                    profile: 'https_spiffe';
                    url: string;
                    spiffeId: string;
                    bundle?: {
                      keys: unknown[];
                    } & {
                      [key: string]: unknown;
                    };
                    bundleFile?: string;
                  };
            };
            caFile?: string;
            roles?: {
              [key: string]: {
                claim: string;
                values: string[];
              };
            };
            /** @default 10 */
            clockToleranceSeconds?: number;
            /** @default 3600 */
            maxLifetimeSeconds?: number;
            /** @default 900 */
            staleKeysSeconds?: number;
            /** @enum {string} */
            replay?: 'reusable' | 'single-use';
          };
        };
      };
    };
    responses: {
      /** @description created */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeclaredRecord'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Issuers.view': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example deploy */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeclaredRecord'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Issuers.replace': {
    parameters: {
      query?: never;
      header?: {
        /** @description to replace: the `ETag` of what was read */
        'If-Match'?: string;
        /** @description to create: `*` */
        'If-None-Match'?: '*';
      };
      path: {
        /** @example deploy */
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "kind": "Issuer",
         *       "metadata": {
         *         "name": "deploy"
         *       },
         *       "spec": {
         *         "profile": "oidc",
         *         "issuer": "https://deploy.example",
         *         "audiences": [
         *           "mayfly"
         *         ],
         *         "algorithms": [
         *           "ES256"
         *         ],
         *         "keys": {
         *           "discovery": true
         *         }
         *       }
         *     }
         */
        'application/json': {
          /** @constant */
          kind: 'Issuer';
          metadata: {
            name: string;
            labels?: {
              [key: string]: string;
            };
          };
          spec: {
            /** @enum {string} */
            profile: 'oidc' | 'spiffe-jwt' | 'kubernetes' | 'github-actions';
            issuer: string;
            audiences: string[];
            multipleAudiences?: boolean;
            tokenTypes?: ('jwt' | 'at+jwt')[];
            algorithms: ('ES256' | 'ES384' | 'RS256' | 'PS256' | 'EdDSA' | 'Ed25519')[];
            keys: {
              jwks?: {
                keys: ({
                  /** @enum {string} */
                  kty: 'EC' | 'RSA' | 'OKP';
                  kid?: string;
                  alg?: string;
                  use?: string;
                  key_ops?: string[];
                } & {
                  [key: string]: unknown;
                })[];
              };
              jwksUri?: string;
              /** @constant */
              discovery?: true;
              bundleEndpoint?:
                | {
                    /** @constant */
                    profile: 'https_web';
                    url: string;
                  }
                | {
                    /** @constant */
                    profile: 'https_spiffe';
                    url: string;
                    spiffeId: string;
                    bundle?: {
                      keys: unknown[];
                    } & {
                      [key: string]: unknown;
                    };
                    bundleFile?: string;
                  };
            };
            caFile?: string;
            roles?: {
              [key: string]: {
                claim: string;
                values: string[];
              };
            };
            /** @default 10 */
            clockToleranceSeconds?: number;
            /** @default 3600 */
            maxLifetimeSeconds?: number;
            /** @default 900 */
            staleKeysSeconds?: number;
            /** @enum {string} */
            replay?: 'reusable' | 'single-use';
          };
        };
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeclaredRecord'];
        };
      };
      /** @description created */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeclaredRecord'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` meets one that exists */
      412: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the change needs `If-Match` with the `ETag` of what was read */
      428: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Issuers.remove': {
    parameters: {
      query?: never;
      header: {
        /** @description the `ETag` of what was read */
        'If-Match': string;
      };
      path: {
        /** @example deploy */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description it is gone */
      204: {
        headers: {
          [name: string]: unknown;
        };
        content?: never;
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` meets one that exists */
      412: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the change needs `If-Match` with the `ETag` of what was read */
      428: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Issuers.test': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example deploy */
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "token": "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJkZXBsb3kifQ.c2lnbmF0dXJl"
         *     }
         */
        'application/json': components['schemas']['TestIssuer'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['IssuerTest'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Connections.list': {
    parameters: {
      query?: {
        limit?: number;
        /** @description `nextCursor` of the page before */
        cursor?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeclaredRecordPage'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Connections.create': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "kind": "Connection",
         *       "metadata": {
         *         "name": "billing-api"
         *       },
         *       "spec": {
         *         "provider": "signed-token",
         *         "owner": "support-platform",
         *         "config": {
         *           "audience": "https://billing.example",
         *           "resourceServers": [
         *             {
         *               "issuer": "development",
         *               "subject": "resource-server/billing"
         *             }
         *           ]
         *         }
         *       }
         *     }
         */
        'application/json': {
          /** @constant */
          kind: 'Connection';
          metadata: {
            name: string;
            labels?: {
              [key: string]: string;
            };
          };
          spec: {
            provider: string;
            owner: string;
            config: {
              [key: string]: components['schemas']['Json'];
            };
            maxConcurrentCalls?: number;
          };
        };
      };
    };
    responses: {
      /** @description created */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeclaredRecord'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Connections.view': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example billing-api */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeclaredRecord'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Connections.replace': {
    parameters: {
      query?: never;
      header?: {
        /** @description to replace: the `ETag` of what was read */
        'If-Match'?: string;
        /** @description to create: `*` */
        'If-None-Match'?: '*';
      };
      path: {
        /** @example billing-api */
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "kind": "Connection",
         *       "metadata": {
         *         "name": "billing-api"
         *       },
         *       "spec": {
         *         "provider": "signed-token",
         *         "owner": "support-platform",
         *         "config": {
         *           "audience": "https://billing.example",
         *           "resourceServers": [
         *             {
         *               "issuer": "development",
         *               "subject": "resource-server/billing"
         *             }
         *           ]
         *         }
         *       }
         *     }
         */
        'application/json': {
          /** @constant */
          kind: 'Connection';
          metadata: {
            name: string;
            labels?: {
              [key: string]: string;
            };
          };
          spec: {
            provider: string;
            owner: string;
            config: {
              [key: string]: components['schemas']['Json'];
            };
            maxConcurrentCalls?: number;
          };
        };
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeclaredRecord'];
        };
      };
      /** @description created */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeclaredRecord'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` meets one that exists */
      412: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the change needs `If-Match` with the `ETag` of what was read */
      428: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Connections.remove': {
    parameters: {
      query?: never;
      header: {
        /** @description the `ETag` of what was read */
        'If-Match': string;
      };
      path: {
        /** @example billing-api */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description it is gone */
      204: {
        headers: {
          [name: string]: unknown;
        };
        content?: never;
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` meets one that exists */
      412: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the change needs `If-Match` with the `ETag` of what was read */
      428: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Connections.test': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example billing-api */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ConnectionTest'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Connections.disable': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example billing-api */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeclaredRecord'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Connections.enable': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example billing-api */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeclaredRecord'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Declarations.check': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "documents": [
         *         {
         *           "kind": "TaskTemplate",
         *           "metadata": {
         *             "name": "billing-read-invoices"
         *           },
         *           "spec": {
         *             "description": "Read the invoices of one region while answering a ticket.",
         *             "owner": "support-platform",
         *             "backupOwner": "crm-platform",
         *             "review": {
         *               "by": "security",
         *               "everyDays": 90
         *             },
         *             "requesters": {
         *               "agents": {
         *                 "duty": "support"
         *               },
         *               "runtimes": [
         *                 "developer-laptop"
         *               ]
         *             },
         *             "parameters": {
         *               "type": "object",
         *               "properties": {
         *                 "region": {
         *                   "enum": [
         *                     "emea",
         *                     "apac"
         *                   ]
         *                 }
         *               },
         *               "required": [
         *                 "region"
         *               ],
         *               "additionalProperties": false
         *             },
         *             "lifetime": {
         *               "defaultSeconds": 300,
         *               "maxSeconds": 900
         *             },
         *             "quota": {
         *               "tasksPerMinute": 60,
         *               "concurrentTasks": 10
         *             },
         *             "credentials": [
         *               {
         *                 "name": "api",
         *                 "provider": "signed-token",
         *                 "connection": "billing-api",
         *                 "scope": {
         *                   "audience": "https://billing.example",
         *                   "operations": [
         *                     {
         *                       "$join": [
         *                         "invoices.read:",
         *                         {
         *                           "$param": "region"
         *                         }
         *                       ]
         *                     }
         *                   ]
         *                 }
         *               }
         *             ]
         *           }
         *         }
         *       ],
         *       "publish": false
         *     }
         */
        'application/json': components['schemas']['DeclarationRun'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeclarationCheck'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not in a state for this, or the same request is under way */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description well formed, but wrong in content */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a quota is used up */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a back end refused */
      502: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'OAuth.introspect': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "token": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJqdGkiOiJsc2VfIn0.c2lnbmF0dXJl"
         *     }
         */
        'application/x-www-form-urlencoded': components['schemas']['TokenForm'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Introspection'];
        };
      };
      /** @description `invalid_request`: the form lacks the token, or has a field that is unknown or named twice */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `invalid_client`: no identity was proven, or it was refused; the description says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `unauthorized_client`: the identity is known and may not use this endpoint */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `invalid_request`: the form is too large */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `invalid_request`: send a form */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `server_error`: a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `temporarily_unavailable`: the state of the token cannot be read or changed now; ask again after `Retry-After` */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
    };
  };
  'OAuth.revoke': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "token": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJqdGkiOiJsc2VfIn0.c2lnbmF0dXJl"
         *     }
         */
        'application/x-www-form-urlencoded': components['schemas']['TokenForm'];
      };
    };
    responses: {
      /** @description the token is not in use any more, if it ever was and is the caller’s */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content?: never;
      };
      /** @description `invalid_request`: the form lacks the token, or has a field that is unknown or named twice */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `invalid_client`: no identity was proven, or it was refused; the description says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `unauthorized_client`: the identity is known and may not use this endpoint */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `invalid_request`: the form is too large */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `invalid_request`: send a form */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `server_error`: a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `temporarily_unavailable`: the state of the token cannot be read or changed now; ask again after `Retry-After` */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
    };
  };
  'Metadata.jwks': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Jwks'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Metadata.metadata': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['AuthorizationServerMetadata'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Federation.configuration': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OpenIdConfiguration'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Federation.jwks': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Jwks'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'History.issuances': {
    parameters: {
      query?: {
        limit?: number;
        /** @description `nextCursor` of the page before */
        cursor?: string;
        /** @description name of an agent */
        agent?: string;
        /** @description name of a task template */
        template?: string;
        /** @description kind of provider */
        provider?: string;
        state?: 'minting' | 'active' | 'revoking' | 'revoked' | 'expired' | 'failed' | 'abandoned';
        /** @description why the lease ended */
        cause?:
          | 'completed'
          | 'failed'
          | 'expired'
          | 'revoked'
          | 'heartbeat_lost'
          | 'agent_suspended'
          | 'agent_retired'
          | 'issuance_failed';
        taskId?: string;
        /** @description the first instant, RFC 3339 */
        from?: string;
        /** @description the instant before which to stop, RFC 3339 */
        to?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Issuances'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'History.timeline': {
    parameters: {
      query?: {
        limit?: number;
        /** @description `nextCursor` of the page before */
        cursor?: string;
      };
      header?: never;
      path: {
        /** @example tsk_01kansx8g0fmbv0xs40yaz3ag5 */
        id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Timeline'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'History.refusals': {
    parameters: {
      query?: {
        limit?: number;
        /** @description `nextCursor` of the page before */
        cursor?: string;
        reason?:
          | 'expired'
          | 'not_yet_valid'
          | 'lifetime'
          | 'audience'
          | 'token_type'
          | 'header_not_allowed'
          | 'missing_claim'
          | 'profile'
          | 'replayed'
          | 'no_agent'
          | 'ambiguous_agent'
          | 'person_and_agent'
          | 'oversized'
          | 'malformed'
          | 'duplicate_claim'
          | 'unknown_issuer'
          | 'algorithm'
          | 'critical_header'
          | 'unknown_key'
          | 'signature'
          | 'no_token'
          | 'keys_refused'
          | 'keys_unavailable';
        /** @description as `issuer` of an item has it */
        issuer?: string;
        /** @description the first instant, RFC 3339 */
        from?: string;
        /** @description the instant before which to stop, RFC 3339 */
        to?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Refusals'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'History.entries': {
    parameters: {
      query?: {
        limit?: number;
        /** @description `nextCursor` of the page before */
        cursor?: string;
        type?: string;
        taskId?: string;
        agent?: string;
        /** @description the first instant, RFC 3339 */
        from?: string;
        /** @description the instant before which to stop, RFC 3339 */
        to?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['SealedEntries'];
        };
      };
      /** @description the request does not have the documented shape */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description no identity was proven, or it was refused; `reason` says why, for a proven token */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names what refused, `reason` and `identity` what has to be bound to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description it is not there, or not for this caller to see */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a fault of the service */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Health.health': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': {
            /** @enum {string} */
            status: 'ok';
          };
        };
      };
    };
  };
  'Health.ready': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': {
            /** @enum {string} */
            status: 'ready';
          };
        };
      };
      /** @description a part that is needed does not answer; nothing was granted */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
    };
  };
  'Health.metrics': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'text/plain': string;
        };
      };
    };
  };
}
