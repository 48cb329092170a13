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
    /** Request a task and get its credentials, once */
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
    /** Read a task and the state of its leases, without secrets */
    get: operations['Tasks.view'];
    put?: never;
    post?: never;
    /** Revoke a task and its credentials */
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
    /** Complete a task and revoke its credentials */
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
    /** Fail a task with a reason and revoke its credentials */
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
    /** Send a heartbeat */
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
    /** Renew a task, within the longest life of its template */
    post: operations['Tasks.renew'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/tasks/{id}/delegate': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Hand a part of a task on to an agent, which takes it up with its own identity
     * @description The version of the parent names the templates. The child is within the parent in credentials, lifetime and depth, and ends with it. Nothing is minted until it is taken up.
     */
    post: operations['Delegations.delegate'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/tasks/{id}/accept': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Take a delegation up and get its credentials, once */
    post: operations['Delegations.accept'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/tasks/{id}/tree': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Read the whole tree that a task is in */
    get: operations['Delegations.tree'];
    put?: never;
    post?: never;
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
    /** Read the calling agent and the templates that it may use in its runtime */
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
    /** List templates, sorted by name */
    get: operations['Templates.list'];
    put?: never;
    /** Create a template with its first draft */
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
    /** Read a template and its current version */
    get: operations['Templates.view'];
    /** Replace the draft, or start one; the current version stays in force */
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
    /** Lint a template; nothing is saved */
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
    /** Publish the draft as the next version; its editors may not publish it */
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
    /** Retire a template permanently: no new tasks; running tasks keep their credentials */
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
    /** Read the unpublished draft */
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
    /** List published versions, newest first */
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
    /** Read a published version; it never changes */
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
    /** Compare two versions, or a version with the draft */
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
    /** List agents, sorted by name */
    get: operations['Agents.list'];
    put?: never;
    /** Register an agent; it gets no task before it is activated */
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
    /** Read an agent with its identities and state */
    get: operations['Agents.view'];
    /** Replace an agent, or create it with `If-None-Match: *` */
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
    /** Activate a registered or suspended agent */
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
    /** Suspend an agent: ends its tasks and revokes its credentials */
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
    /** Retire an agent permanently: ends its tasks; its name stays taken */
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
    /** List issuers, sorted by name */
    get: operations['Issuers.list'];
    put?: never;
    /** Declare an issuer of identity tokens */
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
    /** Read an issuer of identity tokens */
    get: operations['Issuers.view'];
    /** Replace an issuer, or create it with `If-None-Match: *` */
    put: operations['Issuers.replace'];
    post?: never;
    /** Delete an issuer; refused while agents are bound to it */
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
    /** Test an issuer: fetch its keys now and check a token rule by rule; the token is not stored and gives no access */
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
    /** List connections, sorted by name */
    get: operations['Connections.list'];
    put?: never;
    /** Declare a connection */
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
    /** Read a connection; it shows secrets as references */
    get: operations['Connections.view'];
    /** Replace a connection, or create it with `If-None-Match: *` */
    put: operations['Connections.replace'];
    post?: never;
    /** Delete a connection; refused while templates or live leases use it */
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
    /** Test a connection with the least harm: reports missing rights and the clock difference */
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
    /** Disable a connection: it mints and renews nothing; revocations continue */
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
    /** Enable a disabled connection */
    post: operations['Connections.enable'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/policies': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** List policies, sorted by name */
    get: operations['Policies.list'];
    put?: never;
    /** Declare policies; they are in force at once */
    post: operations['Policies.create'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/policies/schema': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Read what policies may name: the schema in the language Cedar, and the annotations */
    get: operations['Policies.schema'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/policies/{name}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Read a document of policies */
    get: operations['Policies.view'];
    /** Replace policies, or create them with `If-None-Match: *`; they are in force at once */
    put: operations['Policies.replace'];
    post?: never;
    /** Delete policies: what they forbid is forbidden no longer */
    delete: operations['Policies.remove'];
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
    /** Check what applying documents would do; nothing is saved */
    post: operations['Declarations.check'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/changes': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** List changes, the newest first */
    get: operations['Changes.list'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/changes/{id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Read a change: what is in force, what is asked, and the differences */
    get: operations['Changes.view'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/changes/{id}/approve': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Approve a change of another person; it takes effect at once
     * @description Answers 412 and closes the change when the document has moved on since the change was written. Operators approve steps only.
     */
    post: operations['Changes.approve'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/changes/{id}/refuse': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Refuse a change of another person */
    post: operations['Changes.refuse'];
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
     * Introspect a token (RFC 7662)
     * @description For resource servers of the token’s audience, the agent that it was issued to, operators and auditors. All other callers get `active: false` and nothing more.
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
     * Revoke a token and its whole task (RFC 7009)
     * @description For the agent that the token was issued to, and operators. A credential lives as long as its task: the task ends with cause `revoked`, and all of its credentials are revoked. An unknown token and a token of another agent change nothing and get the same answer.
     */
    post: operations['OAuth.revoke'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/authorize': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Ask whether an operation may be done now, and take its use
     * @description For resource servers of the audience and gateways of the connection. A denial is an answer too. A token that is dead, unknown or of another enforcement point gets one and the same denial. Any other status than 200 permits nothing.
     */
    post: operations['Operations.authorize'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/authorize/nginx': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Ask about a request as auth_request of nginx does
     * @description For gateways of the connection and resource servers of its audience (docs/gateways.md). 200 without a body permits and takes one use; 403 denies, with the control in `x-mayfly-control`.
     */
    get: operations['Doors.nginx'];
    put?: never;
    post?: never;
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
    /** Public keys for access tokens (RFC 7517) */
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
    /** Authorization server metadata (RFC 8414) */
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
    /** OpenID Provider metadata for targets (OpenID Connect Discovery) */
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
    /** Public keys for the tokens that Mayfly sends to targets (RFC 7517) */
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
    /** List issuances, one item per lease, newest first */
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
    /** Read all audit entries of a task, oldest first */
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
    /** List refused identities with the reason, newest first */
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
    /** Read the audit entries in their gapless sequence, with the data to verify each leaf hash */
    get: operations['History.entries'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/decisions/{id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Read a decision with its inputs; an agent reads its own */
    get: operations['Decisions.view'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/decisions/{id}/replay': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Make a decision again from its stored inputs, and compare the bytes */
    post: operations['Decisions.replay'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/decisions/{id}/what-if': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Make a decision from its inputs with one change; stores nothing */
    post: operations['Decisions.whatIf'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/tasks/{id}/control-trace': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Read the controls over the whole life of a task: which failed, and which should have stopped it */
    get: operations['Decisions.trace'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/.well-known/authzen-configuration': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Metadata of the decision point (AuthZEN 1.0) */
    get: operations['Authzen.configuration'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/access/v1/evaluation': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Ask whether an agent would get a task of a template (AuthZEN 1.0); an agent asks about itself */
    post: operations['Authzen.evaluate'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/access/v1/evaluations': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Ask up to 200 such questions at once (AuthZEN 1.0) */
    post: operations['Authzen.evaluateAll'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/leases': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** List leases that should be dead and are not proven dead, longest overdue first */
    get: operations['Leases.list'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/leases/{id}/abandon': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Give up on a lease whose revocation cannot be proven; it never becomes `revoked` */
    post: operations['Leases.abandon'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/lockdowns': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** List lockdowns, the newest first */
    get: operations['Lockdowns.list'];
    put?: never;
    /**
     * Engage a lockdown: deny everything under a scope, and end its tasks
     * @description Answers 201 when every replica denies: no later grant, renewal or introspection passes. The credentials are revoked meanwhile; `progress` shows how many are proven dead. A lockdown of the same scope that is in force is returned with 200. A dry run answers 200 with what would end.
     */
    post: operations['Lockdowns.engage'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/lockdowns/{id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Read a lockdown and its progress */
    get: operations['Lockdowns.view'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/lockdowns/{id}/release': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Release a lockdown: one operator asks, another one releases
     * @description The first call answers 202, and the lockdown still denies. The call of another operator releases it and answers 200.
     */
    post: operations['Lockdowns.release'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/reconciliations': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** List reconciliations, newest first; of scheduled ones those that found something new */
    get: operations['Reconciliations.list'];
    put?: never;
    /** Compare a connection with the leases; while one comparison runs, answers that one */
    post: operations['Reconciliations.request'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/reconciliations/{id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Read a reconciliation: its state and its differences */
    get: operations['Reconciliations.view'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/quarantine': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** Read whether the service is in quarantine, why, and what differs at the targets */
    get: operations['Quarantine.view'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/quarantine/confirm': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** End the quarantine: issue again, and end the objects that carry the mark of this installation */
    post: operations['Quarantine.confirm'];
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
    /** Check that the process answers */
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
     * Check readiness: the database takes writes, the declarations are fresh, and there is a signing key
     * @description The broker reuses an answer for one second. The `reason` of a 503 says why the database takes no writes, or `declarations-unread`.
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
      /** @description the proven identity of the caller; bind it to an agent */
      identity?: {
        issuer: string;
        subject: string;
      };
      errors?: {
        pointer: string;
        detail: string;
      }[];
      taskId?: string;
      /** @description the record of the decision that refused, if one was kept */
      decisionId?: string;
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
      /** @description why the agent needs the task, in its own words; it never widens the grant */
      purpose: string;
      /** @description requested lifetime; the granted one may be shorter */
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
        /**
         * @description one of the controls in docs/controls.md
         * @enum {string}
         */
        control:
          | 'identity'
          | 'permission'
          | 'lockdown'
          | 'template-lifecycle'
          | 'parameters'
          | 'agent-lifecycle'
          | 'template-requesters'
          | 'runtime-boundary'
          | 'lifetime'
          | 'connection-state'
          | 'decision-point'
          | 'quota-concurrent-tasks'
          | 'quota-tasks-per-minute'
          | 'policy'
          | 'connection-capacity'
          | 'delegation-parent'
          | 'delegation-template'
          | 'delegation-depth'
          | 'delegation-children'
          | 'delegation-cycle'
          | 'delegation-scope'
          | 'delegation-lifetime'
          | 'delegation-acceptor'
          | 'delegation-pending'
          | 'task-token'
          | 'operation-scope'
          | 'quota-uses'
          | 'uses-per-minute'
          | 'four-eyes'
          | 'ownership'
          | 'lockdown-release'
          | 'lockdown-of-oneself'
          | 'issuer-roles';
        /** @enum {string} */
        outcome: 'permit' | 'deny' | 'not_evaluated';
        detail?: string;
        help?: string;
        /** @description the facts behind the verdict */
        evidence?: {
          [key: string]: components['schemas']['Json'];
        };
      }[];
      credentials?: {
        name: string;
        provider: string;
        scope: components['schemas']['Json'];
      }[];
    };
    Task: {
      id: string;
      /** @description the decision that granted it: `GET /decisions/:id` */
      decisionId?: string;
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
      /** @description the template requires a heartbeat: the task is revoked after this time without one */
      heartbeatTimeoutSeconds?: number;
      endCause?: string;
      /** @description of a task that was handed on */
      parentId?: string;
      rootId?: string;
      /** @description the lockdown in force that covers the task */
      lockdown?: string;
      endReason?: string;
      /** Format: date-time */
      endedAt?: string;
      /** @description only in the answer that grants or renews */
      lifetime?: {
        requestedSeconds: number | null;
        /** @description from the decision to the deadline; a renewal never moves the deadline back, so this is the remaining time when less was requested */
        grantedSeconds: number;
        /** @description the limit of the lifetime: `request`, `template`, `identity`, `provider …`, or `maximum` when a renewed task has its last possible deadline (`maxExpiresAt`, or the longest life that the template allows now) */
        limitedBy: string;
      };
      /** @description only in the answer that grants: it names the task to an enforcement point, which asks `POST /authorize`; good for nothing else, and dead with the task */
      taskToken?: {
        value: string;
        /**
         * Format: date-time
         * @description a renewal of the task moves it too
         */
        expiresAt: string;
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
        /** @description the gap that `revocation` leaves */
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
         * @description the instant from which the target refuses the credential
         */
        revokeEffectiveAt?: string;
        /** Format: date-time */
        endedAt?: string;
        /**
         * Format: date-time
         * @description the instant at which the target refused the credential when Mayfly used it (`probe` of the template)
         */
        confirmedDeadAt?: string;
        lastError?: string;
        /**
         * Format: date-time
         * @description the target no longer accepts the credential; renew the task to replace it
         */
        renewRequestedAt?: string;
        /** @description facts from the target, only in the answer that grants */
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
    DelegateTask: {
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
      /** @description why the agent needs the task, in its own words; it never widens the grant */
      purpose: string;
      /** @description requested lifetime; the granted one may be shorter */
      ttlSeconds?: number;
      /** @description the agent that takes it up; the same agent, if absent */
      agent?: string;
      /** @description the uses that the child has at most, with everything below it; they are taken from the parent too */
      uses?:
        | number
        | {
            calls?: number;
            queries?: number;
            rows?: number;
            bytes?: number;
            spend?: number;
          };
    };
    Delegation: {
      /** @description the id of the task, once it is taken up */
      id: string;
      /** @enum {string} */
      state: 'pending_acceptance' | 'accepted';
      parentId: string;
      rootId: string;
      depth: number;
      agent: string;
      template: string;
      parameters: {
        [key: string]: unknown;
      };
      purpose: string;
      ttlSeconds?: number;
      uses?:
        | number
        | {
            [key: string]: number;
          };
      /**
       * Format: date-time
       * @description the delegation lapses then, and earlier when its parent ends
       */
      acceptBy: string;
    };
    TaskTree: {
      rootId: string;
      /** @description parents before children */
      nodes: {
        id: string;
        parentId?: string;
        depth: number;
        agent: string;
        template: string;
        /** @description of the task; `pending_acceptance` or `lapsed` for a delegation */
        state: string;
        endCause?: string;
        /** Format: date-time */
        expiresAt?: string;
        /** Format: date-time */
        acceptBy?: string;
      }[];
      /** @description true when the tree has more than 1,000 nodes */
      truncated: boolean;
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
        /** @description JSON Schema of `parameters` in `POST /tasks` */
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
          /** @description the uses of one task with everything below it; a number counts calls */
          uses?:
            | number
            | {
                calls?: number;
                queries?: number;
                rows?: number;
                bytes?: number;
                spend?: number;
              };
          usesPerMinute?: number;
        };
        credentials: {
          name: string;
          provider: string;
        }[];
      }[];
    };
    TemplatePage: {
      items: components['schemas']['TemplateSummary'][];
      /** @description cursor of the next page; null on the last page */
      nextCursor: string | null;
    };
    TemplateSummary: {
      name: string;
      /** @enum {string} */
      state: 'draft' | 'published' | 'retired';
      labels: {
        [key: string]: string;
      };
      /** @description counts changes of draft and state; also in the `ETag` */
      revision: number;
      /** Format: date-time */
      createdAt: string;
      /** Format: date-time */
      updatedAt: string;
      currentVersion: number | null;
      /** @description the last author of the unpublished draft, and everyone who changed it since the last publication; null without a draft */
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
      /** @description counts changes of draft and state; also in the `ETag` */
      revision: number;
      /** Format: date-time */
      createdAt: string;
      /** Format: date-time */
      updatedAt: string;
      currentVersion: number | null;
      /** @description the last author of the unpublished draft, and everyone who changed it since the last publication; null without a draft */
      draft: {
        author: string;
        editors: string[];
      } | null;
      inForce: components['schemas']['TemplateVersion'] | null;
      /** @description findings of the linter and the targets, only in the answer that publishes */
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
       * @description a rule of docs/template-rules.md
       * @example MF104
       */
      rule: string;
      /** @enum {string} */
      severity: 'error' | 'warning';
      /** @description JSON Pointer into the document */
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
      /** @description cursor of the next page; null on the last page */
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
      /** @description cursor of the next page; null on the last page */
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
      /** @description counts changes; also in the `ETag` */
      revision: number;
      /** Format: date-time */
      createdAt: string;
      /** Format: date-time */
      updatedAt: string;
      /** @description issuer and subject of the last change */
      updatedBy: string;
    };
    ChangeRequested: {
      change: components['schemas']['Change'];
    };
    Change: {
      id: string;
      /** @enum {string} */
      kind: 'Issuer' | 'Connection' | 'Agent' | 'Policy';
      name: string;
      /**
       * @description `put` writes a document, `activate` lifts a suspension, `enable` enables a connection again
       * @enum {string}
       */
      operation: 'put' | 'activate' | 'enable';
      /**
       * @description `superseded`: the document moved on, or the author sent another change or took this one back; `lapsed`: nobody decided in time
       * @enum {string}
       */
      state: 'open' | 'approved' | 'refused' | 'superseded' | 'lapsed';
      author: {
        kind: string;
        issuer?: string;
        subject?: string;
      } & {
        [key: string]: unknown;
      };
      /** Format: date-time */
      requestedAt: string;
      /** Format: date-time */
      lapsesAt: string;
      /** @description the revision that the change was written against; null for a new document */
      baseRevision: number | null;
      /** Format: date-time */
      closedAt?: string;
      closedBy?: {
        kind: string;
        issuer?: string;
        subject?: string;
      } & {
        [key: string]: unknown;
      };
      reason?: string;
      /** @description the change that replaced this one */
      supersededBy?: string;
    };
    DeclaredRecordPage: {
      items: components['schemas']['DeclaredRecord'][];
      /** @description cursor of the next page; null on the last page */
      nextCursor: string | null;
    };
    DeclaredRecord: {
      /** @enum {string} */
      kind: 'Issuer' | 'Connection' | 'Policy';
      name: string;
      labels: {
        [key: string]: string;
      };
      spec: {
        [key: string]: components['schemas']['Json'];
      };
      /** @description counts changes; also in the `ETag` */
      revision: number;
      /** Format: date-time */
      createdAt: string;
      /** Format: date-time */
      updatedAt: string;
      /** @description issuer and subject of the last change */
      updatedBy: string;
      /**
       * @description connections only: a disabled one mints and renews nothing
       * @enum {string}
       */
      state?: 'enabled' | 'disabled';
      /** @description issuers out of force only: the document that it contradicts, and the member */
      contradiction?: string;
    };
    TestIssuer: {
      /** @description an identity token to check; it is not stored, not used up, and gives no access */
      token?: string;
    };
    IssuerTest: {
      issuer: string;
      /** @description true when no check is `missing` or `failed` */
      ok: boolean;
      checks: {
        /**
         * @description the check
         * @example log in
         */
        name: string;
        /**
         * @description `missing`: a right is missing; `failed`: the check did not succeed; `warning`: it works, and `detail` names the remaining gap
         * @enum {string}
         */
        outcome: 'ok' | 'warning' | 'missing' | 'failed' | 'skipped';
        detail?: string;
      }[];
    };
    ConnectionTest: {
      connection: string;
      /** @description true when no check is `missing` or `failed` */
      ok: boolean;
      checks: {
        /**
         * @description the check
         * @example log in
         */
        name: string;
        /**
         * @description `missing`: a right is missing; `failed`: the check did not succeed; `warning`: it works, and `detail` names the remaining gap
         * @enum {string}
         */
        outcome: 'ok' | 'warning' | 'missing' | 'failed' | 'skipped';
        detail?: string;
      }[];
      /** @description the target's clock minus the broker's clock */
      clockOffsetSeconds?: number;
      /** @description age of the broker's own login at the target */
      loginAgeSeconds?: number;
    };
    PolicySchema: {
      /** @enum {string} */
      language: 'cedar';
      /** @description in the schema language of Cedar */
      schema: string;
      actions: ('request' | 'renew' | 'delegate' | 'operate')[];
      /** @description `reason` and the obligations; a policy with any other annotation is refused */
      annotations: string[];
    };
    DeclarationRun: {
      /** @description documents `{kind, metadata, spec}` of any kind, in any order */
      documents: components['schemas']['Json'][];
      /**
       * @description true: the run also publishes the drafts of templates
       * @default false
       */
      publish?: boolean;
    };
    DeclarationCheck: {
      /** @description true when nothing in the run would be refused */
      ok: boolean;
      /** @description in the order of applying */
      documents: {
        /** @enum {string} */
        kind: 'Issuer' | 'Connection' | 'Agent' | 'Policy' | 'TaskTemplate';
        name: string;
        /** @description the problem that sending the document would return */
        refusal?: components['schemas']['Problem'];
        /** @description templates with `publish` only: the problem that publishing would return */
        publication?: components['schemas']['Problem'];
        /** @description templates only: findings of the linter and the targets */
        findings: components['schemas']['TemplateFinding'][];
      }[];
    };
    Changes: {
      items: components['schemas']['Change'][];
      /** @description cursor of the next page; null on the last page */
      nextCursor: string | null;
    };
    ChangeDetail: {
      id: string;
      /** @enum {string} */
      kind: 'Issuer' | 'Connection' | 'Agent' | 'Policy';
      name: string;
      /**
       * @description `put` writes a document, `activate` lifts a suspension, `enable` enables a connection again
       * @enum {string}
       */
      operation: 'put' | 'activate' | 'enable';
      /**
       * @description `superseded`: the document moved on, or the author sent another change or took this one back; `lapsed`: nobody decided in time
       * @enum {string}
       */
      state: 'open' | 'approved' | 'refused' | 'superseded' | 'lapsed';
      author: {
        kind: string;
        issuer?: string;
        subject?: string;
      } & {
        [key: string]: unknown;
      };
      /** Format: date-time */
      requestedAt: string;
      /** Format: date-time */
      lapsesAt: string;
      /** @description the revision that the change was written against; null for a new document */
      baseRevision: number | null;
      /** Format: date-time */
      closedAt?: string;
      closedBy?: {
        kind: string;
        issuer?: string;
        subject?: string;
      } & {
        [key: string]: unknown;
      };
      reason?: string;
      /** @description the change that replaced this one */
      supersededBy?: string;
      /** @description true: the document has moved on, so an approval will be refused */
      stale: boolean;
      /** @description the document in force, and for a closed change the one that it was written against */
      before: {
        labels: {
          [key: string]: string;
        };
        spec: {
          [key: string]: components['schemas']['Json'];
        };
        revision: number;
      } | null;
      /** @description the content to write; null for a step */
      asked: {
        labels: {
          [key: string]: string;
        };
        spec: {
          [key: string]: components['schemas']['Json'];
        };
      } | null;
      differences: {
        pointer: string;
        before?: components['schemas']['Json'];
        after?: components['schemas']['Json'];
      }[];
    };
    ApproveChange: {
      /**
       * @description the audit keeps it
       * @example checked with the team of the warehouse
       */
      reason?: string;
    };
    RefuseChange: {
      /**
       * @description the audit keeps it
       * @example checked with the team of the warehouse
       */
      reason: string;
    };
    OAuthError: {
      error: string;
      error_description: string;
    };
    IntrospectionForm: {
      /** @description a token that this service issued */
      token: string;
      /** @example access_token */
      token_type_hint?: string;
      /**
       * @description takes one use of the task of the token; for resource servers of its audience, and inactive when none is left
       * @enum {string}
       */
      consume?: '1';
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
          /** @description the agent; in a task that was handed on, the agent of its root */
          sub: string;
          /** @description who acts, and who handed the work on (RFC 8693 §4.1); only the outermost may decide access */
          act?: {
            sub: string;
          } & {
            [key: string]: unknown;
          };
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
    TokenForm: {
      /** @description a token that this service issued */
      token: string;
      /** @example access_token */
      token_type_hint?: string;
    };
    Authorize: components['schemas']['AuthorizeOperation'] | components['schemas']['AuthorizeEvaluations'];
    AuthorizeOperation: {
      /** @description the task token, or an access token that Mayfly signed */
      token: string;
      /** @example cases.read */
      operation: string;
      /**
       * @description the audience of the access token, or the connection; or a name below it, after `/`
       * @example https://cases.example
       */
      target: string;
      /** @description a number counts calls; an object is one call unless it names `calls`; default 1 */
      uses?:
        | number
        | {
            calls?: number;
            queries?: number;
            rows?: number;
            bytes?: number;
            spend?: number;
          };
      /** @description is recorded, and not judged */
      argumentsDigest?: string;
      /** @description your own id of the request, never one that your client sent: the same id within 60 s is the same use */
      requestId?: string;
    };
    AuthorizeEvaluations: {
      evaluations: components['schemas']['AuthorizeOperation'][];
    };
    AuthorizeAnswer:
      | components['schemas']['OperationDecision']
      | {
          evaluations: components['schemas']['OperationDecision'][];
        };
    OperationDecision: {
      /** @description do the operation only if this is true */
      decision: boolean;
      decisionId: string;
      /**
       * @description the control that denied (docs/controls.md)
       * @enum {string}
       */
      control?:
        | 'identity'
        | 'permission'
        | 'lockdown'
        | 'template-lifecycle'
        | 'parameters'
        | 'agent-lifecycle'
        | 'template-requesters'
        | 'runtime-boundary'
        | 'lifetime'
        | 'connection-state'
        | 'decision-point'
        | 'quota-concurrent-tasks'
        | 'quota-tasks-per-minute'
        | 'policy'
        | 'connection-capacity'
        | 'delegation-parent'
        | 'delegation-template'
        | 'delegation-depth'
        | 'delegation-children'
        | 'delegation-cycle'
        | 'delegation-scope'
        | 'delegation-lifetime'
        | 'delegation-acceptor'
        | 'delegation-pending'
        | 'task-token'
        | 'operation-scope'
        | 'quota-uses'
        | 'uses-per-minute'
        | 'four-eyes'
        | 'ownership'
        | 'lockdown-release'
        | 'lockdown-of-oneself'
        | 'issuer-roles';
      detail?: string;
      /** @description the limit of calls with the least left; absent when there is none */
      uses?: {
        limit: number;
        left: number;
      };
      units?: {
        queries?: {
          limit: number;
          left: number;
        };
        rows?: {
          limit: number;
          left: number;
        };
        bytes?: {
          limit: number;
          left: number;
        };
        spend?: {
          limit: number;
          left: number;
        };
      };
      retryAfterSeconds?: number;
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
      /** @description cursor of the next page; null on the last page */
      nextCursor: string | null;
    };
    Issuance: {
      leaseId: string;
      taskId: string;
      /** @enum {string} */
      state: 'minting' | 'active' | 'revoking' | 'revoked' | 'expired' | 'failed' | 'abandoned';
      /** @description name of the credential in the template */
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
      /** @description the rendered scope of the credential */
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
       * @description the expiry that the provider enforces
       */
      providerExpiresAt?: string;
      /** Format: date-time */
      revokeRequestedAt?: string;
      /**
       * Format: date-time
       * @description the instant from which the target refuses the credential
       */
      revokeEffectiveAt?: string;
      /** Format: date-time */
      endedAt?: string;
      /**
       * Format: date-time
       * @description the instant at which the target refused the credential when Mayfly used it (`probe` of the template)
       */
      confirmedDeadAt?: string;
      cause?: string;
    };
    Timeline: {
      items: components['schemas']['TimelineEntry'][];
      /** @description cursor of the next page; null on the last page */
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
      /** @description the log that numbers the entry; 0 while there is one log */
      log: number;
      /** @description number of the entry in its log, once assigned */
      seq?: number;
    } & {
      [key: string]: unknown;
    };
    Refusals: {
      items: components['schemas']['Refusal'][];
      /** @description cursor of the next page; null on the last page */
      nextCursor: string | null;
    };
    /** @description members from the token are escaped and truncated */
    Refusal: {
      /** Format: date-time */
      at: string;
      /**
       * @description one of the reasons in docs/problems.md
       * @example audience
       */
      reason: string;
      /** @description name of the Issuer document that the token selected, otherwise the `iss` claim */
      issuer?: string;
      /** @description `malformed` only: the header member or claim with a wrong form */
      member?: string;
      subject?: string;
      kid?: string;
      alg?: string;
      typ?: string;
      aud?: string | string[];
      route?: string;
      /** @description `instance` and `x-request-id` of the answer */
      requestId?: string;
      /** @description number of refusals of this kind between `from` and `to` that have no item */
      count?: number;
      /** Format: date-time */
      from?: string;
      /** Format: date-time */
      to?: string;
    };
    SealedEntries: {
      items: components['schemas']['SealedEntry'][];
      /** @description cursor of the next page; null on the last page */
      nextCursor: string | null;
    };
    SealedEntry: {
      /** @description the log that numbers the entry; 0 while there is one log */
      log: number;
      /** @description number of the entry in its log, without gaps */
      seq: number;
      /** @description base64url of SHA-256(0x00 ‖ canonical), RFC 6962 §2.1 */
      leafHash: string;
      body: components['schemas']['AuditEntry'];
      /** @description the body as canonical JSON (RFC 8785): the hashed bytes */
      canonical: string;
    };
    /** @description one transition, one denial, or the `count` of denials without an entry; the other members are its facts */
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
    Decision: {
      permitted: boolean;
      /**
       * @description the control that denied
       * @enum {string}
       */
      control?:
        | 'identity'
        | 'permission'
        | 'lockdown'
        | 'template-lifecycle'
        | 'parameters'
        | 'agent-lifecycle'
        | 'template-requesters'
        | 'runtime-boundary'
        | 'lifetime'
        | 'connection-state'
        | 'decision-point'
        | 'quota-concurrent-tasks'
        | 'quota-tasks-per-minute'
        | 'policy'
        | 'connection-capacity'
        | 'delegation-parent'
        | 'delegation-template'
        | 'delegation-depth'
        | 'delegation-children'
        | 'delegation-cycle'
        | 'delegation-scope'
        | 'delegation-lifetime'
        | 'delegation-acceptor'
        | 'delegation-pending'
        | 'task-token'
        | 'operation-scope'
        | 'quota-uses'
        | 'uses-per-minute'
        | 'four-eyes'
        | 'ownership'
        | 'lockdown-release'
        | 'lockdown-of-oneself'
        | 'issuer-roles';
      /** @description the verdict of every control, in their order */
      trace: {
        /**
         * @description one of the controls in docs/controls.md
         * @enum {string}
         */
        control:
          | 'identity'
          | 'permission'
          | 'lockdown'
          | 'template-lifecycle'
          | 'parameters'
          | 'agent-lifecycle'
          | 'template-requesters'
          | 'runtime-boundary'
          | 'lifetime'
          | 'connection-state'
          | 'decision-point'
          | 'quota-concurrent-tasks'
          | 'quota-tasks-per-minute'
          | 'policy'
          | 'connection-capacity'
          | 'delegation-parent'
          | 'delegation-template'
          | 'delegation-depth'
          | 'delegation-children'
          | 'delegation-cycle'
          | 'delegation-scope'
          | 'delegation-lifetime'
          | 'delegation-acceptor'
          | 'delegation-pending'
          | 'task-token'
          | 'operation-scope'
          | 'quota-uses'
          | 'uses-per-minute'
          | 'four-eyes'
          | 'ownership'
          | 'lockdown-release'
          | 'lockdown-of-oneself'
          | 'issuer-roles';
        /** @enum {string} */
        outcome: 'permit' | 'deny' | 'not_evaluated';
        detail?: string;
        help?: string;
        /** @description the facts behind the verdict */
        evidence?: {
          [key: string]: components['schemas']['Json'];
        };
      }[];
      id: string;
      /**
       * Format: date-time
       * @description the instant that the decision took for now
       */
      at: string;
      /** @enum {string} */
      phase: 'request' | 'renew' | 'delegate' | 'operate';
      /** @description the task that the decision is about */
      taskId?: string;
      agent: {
        id: string;
        name: string;
      };
      runtime: string;
      template: {
        name: string;
        version?: number;
      };
      /** @description all that the decision was made of; empty when they were not kept */
      inputs: {
        [key: string]: components['schemas']['Json'];
      };
      /** @description SHA-256 of the canonical JSON of `inputs`, base64url */
      inputsDigest: string;
      policyDigest?: string;
    };
    DecisionReplay: {
      decisionId: string;
      /** @description true when both outcomes are the same bytes as canonical JSON */
      identical: boolean;
      /**
       * @description parameters were replaced before they were stored, so the outcomes may differ
       * @enum {boolean}
       */
      withheld?: true;
      recorded: {
        permitted: boolean;
        /**
         * @description the control that denied
         * @enum {string}
         */
        control?:
          | 'identity'
          | 'permission'
          | 'lockdown'
          | 'template-lifecycle'
          | 'parameters'
          | 'agent-lifecycle'
          | 'template-requesters'
          | 'runtime-boundary'
          | 'lifetime'
          | 'connection-state'
          | 'decision-point'
          | 'quota-concurrent-tasks'
          | 'quota-tasks-per-minute'
          | 'policy'
          | 'connection-capacity'
          | 'delegation-parent'
          | 'delegation-template'
          | 'delegation-depth'
          | 'delegation-children'
          | 'delegation-cycle'
          | 'delegation-scope'
          | 'delegation-lifetime'
          | 'delegation-acceptor'
          | 'delegation-pending'
          | 'task-token'
          | 'operation-scope'
          | 'quota-uses'
          | 'uses-per-minute'
          | 'four-eyes'
          | 'ownership'
          | 'lockdown-release'
          | 'lockdown-of-oneself'
          | 'issuer-roles';
        /** @description the verdict of every control, in their order */
        trace: {
          /**
           * @description one of the controls in docs/controls.md
           * @enum {string}
           */
          control:
            | 'identity'
            | 'permission'
            | 'lockdown'
            | 'template-lifecycle'
            | 'parameters'
            | 'agent-lifecycle'
            | 'template-requesters'
            | 'runtime-boundary'
            | 'lifetime'
            | 'connection-state'
            | 'decision-point'
            | 'quota-concurrent-tasks'
            | 'quota-tasks-per-minute'
            | 'policy'
            | 'connection-capacity'
            | 'delegation-parent'
            | 'delegation-template'
            | 'delegation-depth'
            | 'delegation-children'
            | 'delegation-cycle'
            | 'delegation-scope'
            | 'delegation-lifetime'
            | 'delegation-acceptor'
            | 'delegation-pending'
            | 'task-token'
            | 'operation-scope'
            | 'quota-uses'
            | 'uses-per-minute'
            | 'four-eyes'
            | 'ownership'
            | 'lockdown-release'
            | 'lockdown-of-oneself'
            | 'issuer-roles';
          /** @enum {string} */
          outcome: 'permit' | 'deny' | 'not_evaluated';
          detail?: string;
          help?: string;
          /** @description the facts behind the verdict */
          evidence?: {
            [key: string]: components['schemas']['Json'];
          };
        }[];
        digest: string;
      };
      replayed: {
        permitted: boolean;
        /**
         * @description the control that denied
         * @enum {string}
         */
        control?:
          | 'identity'
          | 'permission'
          | 'lockdown'
          | 'template-lifecycle'
          | 'parameters'
          | 'agent-lifecycle'
          | 'template-requesters'
          | 'runtime-boundary'
          | 'lifetime'
          | 'connection-state'
          | 'decision-point'
          | 'quota-concurrent-tasks'
          | 'quota-tasks-per-minute'
          | 'policy'
          | 'connection-capacity'
          | 'delegation-parent'
          | 'delegation-template'
          | 'delegation-depth'
          | 'delegation-children'
          | 'delegation-cycle'
          | 'delegation-scope'
          | 'delegation-lifetime'
          | 'delegation-acceptor'
          | 'delegation-pending'
          | 'task-token'
          | 'operation-scope'
          | 'quota-uses'
          | 'uses-per-minute'
          | 'four-eyes'
          | 'ownership'
          | 'lockdown-release'
          | 'lockdown-of-oneself'
          | 'issuer-roles';
        /** @description the verdict of every control, in their order */
        trace: {
          /**
           * @description one of the controls in docs/controls.md
           * @enum {string}
           */
          control:
            | 'identity'
            | 'permission'
            | 'lockdown'
            | 'template-lifecycle'
            | 'parameters'
            | 'agent-lifecycle'
            | 'template-requesters'
            | 'runtime-boundary'
            | 'lifetime'
            | 'connection-state'
            | 'decision-point'
            | 'quota-concurrent-tasks'
            | 'quota-tasks-per-minute'
            | 'policy'
            | 'connection-capacity'
            | 'delegation-parent'
            | 'delegation-template'
            | 'delegation-depth'
            | 'delegation-children'
            | 'delegation-cycle'
            | 'delegation-scope'
            | 'delegation-lifetime'
            | 'delegation-acceptor'
            | 'delegation-pending'
            | 'task-token'
            | 'operation-scope'
            | 'quota-uses'
            | 'uses-per-minute'
            | 'four-eyes'
            | 'ownership'
            | 'lockdown-release'
            | 'lockdown-of-oneself'
            | 'issuer-roles';
          /** @enum {string} */
          outcome: 'permit' | 'deny' | 'not_evaluated';
          detail?: string;
          help?: string;
          /** @description the facts behind the verdict */
          evidence?: {
            [key: string]: components['schemas']['Json'];
          };
        }[];
        digest: string;
      };
      differences: {
        /** @enum {string} */
        control:
          | 'identity'
          | 'permission'
          | 'lockdown'
          | 'template-lifecycle'
          | 'parameters'
          | 'agent-lifecycle'
          | 'template-requesters'
          | 'runtime-boundary'
          | 'lifetime'
          | 'connection-state'
          | 'decision-point'
          | 'quota-concurrent-tasks'
          | 'quota-tasks-per-minute'
          | 'policy'
          | 'connection-capacity'
          | 'delegation-parent'
          | 'delegation-template'
          | 'delegation-depth'
          | 'delegation-children'
          | 'delegation-cycle'
          | 'delegation-scope'
          | 'delegation-lifetime'
          | 'delegation-acceptor'
          | 'delegation-pending'
          | 'task-token'
          | 'operation-scope'
          | 'quota-uses'
          | 'uses-per-minute'
          | 'four-eyes'
          | 'ownership'
          | 'lockdown-release'
          | 'lockdown-of-oneself'
          | 'issuer-roles';
        recorded: {
          /**
           * @description one of the controls in docs/controls.md
           * @enum {string}
           */
          control:
            | 'identity'
            | 'permission'
            | 'lockdown'
            | 'template-lifecycle'
            | 'parameters'
            | 'agent-lifecycle'
            | 'template-requesters'
            | 'runtime-boundary'
            | 'lifetime'
            | 'connection-state'
            | 'decision-point'
            | 'quota-concurrent-tasks'
            | 'quota-tasks-per-minute'
            | 'policy'
            | 'connection-capacity'
            | 'delegation-parent'
            | 'delegation-template'
            | 'delegation-depth'
            | 'delegation-children'
            | 'delegation-cycle'
            | 'delegation-scope'
            | 'delegation-lifetime'
            | 'delegation-acceptor'
            | 'delegation-pending'
            | 'task-token'
            | 'operation-scope'
            | 'quota-uses'
            | 'uses-per-minute'
            | 'four-eyes'
            | 'ownership'
            | 'lockdown-release'
            | 'lockdown-of-oneself'
            | 'issuer-roles';
          /** @enum {string} */
          outcome: 'permit' | 'deny' | 'not_evaluated';
          detail?: string;
          help?: string;
          /** @description the facts behind the verdict */
          evidence?: {
            [key: string]: components['schemas']['Json'];
          };
        } | null;
        now: {
          /**
           * @description one of the controls in docs/controls.md
           * @enum {string}
           */
          control:
            | 'identity'
            | 'permission'
            | 'lockdown'
            | 'template-lifecycle'
            | 'parameters'
            | 'agent-lifecycle'
            | 'template-requesters'
            | 'runtime-boundary'
            | 'lifetime'
            | 'connection-state'
            | 'decision-point'
            | 'quota-concurrent-tasks'
            | 'quota-tasks-per-minute'
            | 'policy'
            | 'connection-capacity'
            | 'delegation-parent'
            | 'delegation-template'
            | 'delegation-depth'
            | 'delegation-children'
            | 'delegation-cycle'
            | 'delegation-scope'
            | 'delegation-lifetime'
            | 'delegation-acceptor'
            | 'delegation-pending'
            | 'task-token'
            | 'operation-scope'
            | 'quota-uses'
            | 'uses-per-minute'
            | 'four-eyes'
            | 'ownership'
            | 'lockdown-release'
            | 'lockdown-of-oneself'
            | 'issuer-roles';
          /** @enum {string} */
          outcome: 'permit' | 'deny' | 'not_evaluated';
          detail?: string;
          help?: string;
          /** @description the facts behind the verdict */
          evidence?: {
            [key: string]: components['schemas']['Json'];
          };
        } | null;
      }[];
    };
    /**
     * @example {
     *       "set": {
     *         "pointer": "/agent/state",
     *         "value": "suspended"
     *       }
     *     }
     */
    WhatIf:
      | {
          set: {
            /**
             * @description JSON Pointer (RFC 6901) into `inputs`, or into the spec of the template version as `/spec/…`
             * @example /agent/state
             */
            pointer: string;
            value: components['schemas']['Json'];
          };
        }
      | {
          /**
           * @description the control denies, whatever it reads
           * @enum {string}
           */
          harden:
            | 'identity'
            | 'permission'
            | 'lockdown'
            | 'template-lifecycle'
            | 'parameters'
            | 'agent-lifecycle'
            | 'template-requesters'
            | 'runtime-boundary'
            | 'lifetime'
            | 'connection-state'
            | 'decision-point'
            | 'quota-concurrent-tasks'
            | 'quota-tasks-per-minute'
            | 'policy'
            | 'connection-capacity'
            | 'delegation-parent'
            | 'delegation-template'
            | 'delegation-depth'
            | 'delegation-children'
            | 'delegation-cycle'
            | 'delegation-scope'
            | 'delegation-lifetime'
            | 'delegation-acceptor'
            | 'delegation-pending'
            | 'task-token'
            | 'operation-scope'
            | 'quota-uses'
            | 'uses-per-minute'
            | 'four-eyes'
            | 'ownership'
            | 'lockdown-release'
            | 'lockdown-of-oneself'
            | 'issuer-roles';
        };
    WhatIfAnswer: {
      decisionId: string;
      recorded: {
        permitted: boolean;
        /**
         * @description the control that denied
         * @enum {string}
         */
        control?:
          | 'identity'
          | 'permission'
          | 'lockdown'
          | 'template-lifecycle'
          | 'parameters'
          | 'agent-lifecycle'
          | 'template-requesters'
          | 'runtime-boundary'
          | 'lifetime'
          | 'connection-state'
          | 'decision-point'
          | 'quota-concurrent-tasks'
          | 'quota-tasks-per-minute'
          | 'policy'
          | 'connection-capacity'
          | 'delegation-parent'
          | 'delegation-template'
          | 'delegation-depth'
          | 'delegation-children'
          | 'delegation-cycle'
          | 'delegation-scope'
          | 'delegation-lifetime'
          | 'delegation-acceptor'
          | 'delegation-pending'
          | 'task-token'
          | 'operation-scope'
          | 'quota-uses'
          | 'uses-per-minute'
          | 'four-eyes'
          | 'ownership'
          | 'lockdown-release'
          | 'lockdown-of-oneself'
          | 'issuer-roles';
        /** @description the verdict of every control, in their order */
        trace: {
          /**
           * @description one of the controls in docs/controls.md
           * @enum {string}
           */
          control:
            | 'identity'
            | 'permission'
            | 'lockdown'
            | 'template-lifecycle'
            | 'parameters'
            | 'agent-lifecycle'
            | 'template-requesters'
            | 'runtime-boundary'
            | 'lifetime'
            | 'connection-state'
            | 'decision-point'
            | 'quota-concurrent-tasks'
            | 'quota-tasks-per-minute'
            | 'policy'
            | 'connection-capacity'
            | 'delegation-parent'
            | 'delegation-template'
            | 'delegation-depth'
            | 'delegation-children'
            | 'delegation-cycle'
            | 'delegation-scope'
            | 'delegation-lifetime'
            | 'delegation-acceptor'
            | 'delegation-pending'
            | 'task-token'
            | 'operation-scope'
            | 'quota-uses'
            | 'uses-per-minute'
            | 'four-eyes'
            | 'ownership'
            | 'lockdown-release'
            | 'lockdown-of-oneself'
            | 'issuer-roles';
          /** @enum {string} */
          outcome: 'permit' | 'deny' | 'not_evaluated';
          detail?: string;
          help?: string;
          /** @description the facts behind the verdict */
          evidence?: {
            [key: string]: components['schemas']['Json'];
          };
        }[];
      };
      changed: {
        permitted: boolean;
        /**
         * @description the control that denied
         * @enum {string}
         */
        control?:
          | 'identity'
          | 'permission'
          | 'lockdown'
          | 'template-lifecycle'
          | 'parameters'
          | 'agent-lifecycle'
          | 'template-requesters'
          | 'runtime-boundary'
          | 'lifetime'
          | 'connection-state'
          | 'decision-point'
          | 'quota-concurrent-tasks'
          | 'quota-tasks-per-minute'
          | 'policy'
          | 'connection-capacity'
          | 'delegation-parent'
          | 'delegation-template'
          | 'delegation-depth'
          | 'delegation-children'
          | 'delegation-cycle'
          | 'delegation-scope'
          | 'delegation-lifetime'
          | 'delegation-acceptor'
          | 'delegation-pending'
          | 'task-token'
          | 'operation-scope'
          | 'quota-uses'
          | 'uses-per-minute'
          | 'four-eyes'
          | 'ownership'
          | 'lockdown-release'
          | 'lockdown-of-oneself'
          | 'issuer-roles';
        /** @description the verdict of every control, in their order */
        trace: {
          /**
           * @description one of the controls in docs/controls.md
           * @enum {string}
           */
          control:
            | 'identity'
            | 'permission'
            | 'lockdown'
            | 'template-lifecycle'
            | 'parameters'
            | 'agent-lifecycle'
            | 'template-requesters'
            | 'runtime-boundary'
            | 'lifetime'
            | 'connection-state'
            | 'decision-point'
            | 'quota-concurrent-tasks'
            | 'quota-tasks-per-minute'
            | 'policy'
            | 'connection-capacity'
            | 'delegation-parent'
            | 'delegation-template'
            | 'delegation-depth'
            | 'delegation-children'
            | 'delegation-cycle'
            | 'delegation-scope'
            | 'delegation-lifetime'
            | 'delegation-acceptor'
            | 'delegation-pending'
            | 'task-token'
            | 'operation-scope'
            | 'quota-uses'
            | 'uses-per-minute'
            | 'four-eyes'
            | 'ownership'
            | 'lockdown-release'
            | 'lockdown-of-oneself'
            | 'issuer-roles';
          /** @enum {string} */
          outcome: 'permit' | 'deny' | 'not_evaluated';
          detail?: string;
          help?: string;
          /** @description the facts behind the verdict */
          evidence?: {
            [key: string]: components['schemas']['Json'];
          };
        }[];
      };
      differences: {
        /** @enum {string} */
        control:
          | 'identity'
          | 'permission'
          | 'lockdown'
          | 'template-lifecycle'
          | 'parameters'
          | 'agent-lifecycle'
          | 'template-requesters'
          | 'runtime-boundary'
          | 'lifetime'
          | 'connection-state'
          | 'decision-point'
          | 'quota-concurrent-tasks'
          | 'quota-tasks-per-minute'
          | 'policy'
          | 'connection-capacity'
          | 'delegation-parent'
          | 'delegation-template'
          | 'delegation-depth'
          | 'delegation-children'
          | 'delegation-cycle'
          | 'delegation-scope'
          | 'delegation-lifetime'
          | 'delegation-acceptor'
          | 'delegation-pending'
          | 'task-token'
          | 'operation-scope'
          | 'quota-uses'
          | 'uses-per-minute'
          | 'four-eyes'
          | 'ownership'
          | 'lockdown-release'
          | 'lockdown-of-oneself'
          | 'issuer-roles';
        recorded: {
          /**
           * @description one of the controls in docs/controls.md
           * @enum {string}
           */
          control:
            | 'identity'
            | 'permission'
            | 'lockdown'
            | 'template-lifecycle'
            | 'parameters'
            | 'agent-lifecycle'
            | 'template-requesters'
            | 'runtime-boundary'
            | 'lifetime'
            | 'connection-state'
            | 'decision-point'
            | 'quota-concurrent-tasks'
            | 'quota-tasks-per-minute'
            | 'policy'
            | 'connection-capacity'
            | 'delegation-parent'
            | 'delegation-template'
            | 'delegation-depth'
            | 'delegation-children'
            | 'delegation-cycle'
            | 'delegation-scope'
            | 'delegation-lifetime'
            | 'delegation-acceptor'
            | 'delegation-pending'
            | 'task-token'
            | 'operation-scope'
            | 'quota-uses'
            | 'uses-per-minute'
            | 'four-eyes'
            | 'ownership'
            | 'lockdown-release'
            | 'lockdown-of-oneself'
            | 'issuer-roles';
          /** @enum {string} */
          outcome: 'permit' | 'deny' | 'not_evaluated';
          detail?: string;
          help?: string;
          /** @description the facts behind the verdict */
          evidence?: {
            [key: string]: components['schemas']['Json'];
          };
        } | null;
        now: {
          /**
           * @description one of the controls in docs/controls.md
           * @enum {string}
           */
          control:
            | 'identity'
            | 'permission'
            | 'lockdown'
            | 'template-lifecycle'
            | 'parameters'
            | 'agent-lifecycle'
            | 'template-requesters'
            | 'runtime-boundary'
            | 'lifetime'
            | 'connection-state'
            | 'decision-point'
            | 'quota-concurrent-tasks'
            | 'quota-tasks-per-minute'
            | 'policy'
            | 'connection-capacity'
            | 'delegation-parent'
            | 'delegation-template'
            | 'delegation-depth'
            | 'delegation-children'
            | 'delegation-cycle'
            | 'delegation-scope'
            | 'delegation-lifetime'
            | 'delegation-acceptor'
            | 'delegation-pending'
            | 'task-token'
            | 'operation-scope'
            | 'quota-uses'
            | 'uses-per-minute'
            | 'four-eyes'
            | 'ownership'
            | 'lockdown-release'
            | 'lockdown-of-oneself'
            | 'issuer-roles';
          /** @enum {string} */
          outcome: 'permit' | 'deny' | 'not_evaluated';
          detail?: string;
          help?: string;
          /** @description the facts behind the verdict */
          evidence?: {
            [key: string]: components['schemas']['Json'];
          };
        } | null;
      }[];
    };
    ControlTrace: {
      taskId: string;
      state: string;
      decisions: {
        decisionId: string;
        /** Format: date-time */
        at: string;
        /** @enum {string} */
        phase: 'request' | 'renew' | 'delegate' | 'operate';
        permitted: boolean;
        /** @enum {string} */
        control?:
          | 'identity'
          | 'permission'
          | 'lockdown'
          | 'template-lifecycle'
          | 'parameters'
          | 'agent-lifecycle'
          | 'template-requesters'
          | 'runtime-boundary'
          | 'lifetime'
          | 'connection-state'
          | 'decision-point'
          | 'quota-concurrent-tasks'
          | 'quota-tasks-per-minute'
          | 'policy'
          | 'connection-capacity'
          | 'delegation-parent'
          | 'delegation-template'
          | 'delegation-depth'
          | 'delegation-children'
          | 'delegation-cycle'
          | 'delegation-scope'
          | 'delegation-lifetime'
          | 'delegation-acceptor'
          | 'delegation-pending'
          | 'task-token'
          | 'operation-scope'
          | 'quota-uses'
          | 'uses-per-minute'
          | 'four-eyes'
          | 'ownership'
          | 'lockdown-release'
          | 'lockdown-of-oneself'
          | 'issuer-roles';
        detail?: string;
      }[];
      ended?: {
        cause: string;
        /**
         * @description the control whose act the end was
         * @enum {string}
         */
        control?:
          | 'identity'
          | 'permission'
          | 'lockdown'
          | 'template-lifecycle'
          | 'parameters'
          | 'agent-lifecycle'
          | 'template-requesters'
          | 'runtime-boundary'
          | 'lifetime'
          | 'connection-state'
          | 'decision-point'
          | 'quota-concurrent-tasks'
          | 'quota-tasks-per-minute'
          | 'policy'
          | 'connection-capacity'
          | 'delegation-parent'
          | 'delegation-template'
          | 'delegation-depth'
          | 'delegation-children'
          | 'delegation-cycle'
          | 'delegation-scope'
          | 'delegation-lifetime'
          | 'delegation-acceptor'
          | 'delegation-pending'
          | 'task-token'
          | 'operation-scope'
          | 'quota-uses'
          | 'uses-per-minute'
          | 'four-eyes'
          | 'ownership'
          | 'lockdown-release'
          | 'lockdown-of-oneself'
          | 'issuer-roles';
        reason?: string;
        /** Format: date-time */
        requestedAt?: string;
        /** Format: date-time */
        endedAt?: string;
      };
      /** @description the control that ended the task, otherwise the one that denied last */
      failed?: {
        /** @enum {string} */
        control:
          | 'identity'
          | 'permission'
          | 'lockdown'
          | 'template-lifecycle'
          | 'parameters'
          | 'agent-lifecycle'
          | 'template-requesters'
          | 'runtime-boundary'
          | 'lifetime'
          | 'connection-state'
          | 'decision-point'
          | 'quota-concurrent-tasks'
          | 'quota-tasks-per-minute'
          | 'policy'
          | 'connection-capacity'
          | 'delegation-parent'
          | 'delegation-template'
          | 'delegation-depth'
          | 'delegation-children'
          | 'delegation-cycle'
          | 'delegation-scope'
          | 'delegation-lifetime'
          | 'delegation-acceptor'
          | 'delegation-pending'
          | 'task-token'
          | 'operation-scope'
          | 'quota-uses'
          | 'uses-per-minute'
          | 'four-eyes'
          | 'ownership'
          | 'lockdown-release'
          | 'lockdown-of-oneself'
          | 'issuer-roles';
        decisionId?: string;
        detail?: string;
      };
      /** @description the controls that would deny the request of the task now */
      shouldHaveStopped: {
        /**
         * @description one of the controls in docs/controls.md
         * @enum {string}
         */
        control:
          | 'identity'
          | 'permission'
          | 'lockdown'
          | 'template-lifecycle'
          | 'parameters'
          | 'agent-lifecycle'
          | 'template-requesters'
          | 'runtime-boundary'
          | 'lifetime'
          | 'connection-state'
          | 'decision-point'
          | 'quota-concurrent-tasks'
          | 'quota-tasks-per-minute'
          | 'policy'
          | 'connection-capacity'
          | 'delegation-parent'
          | 'delegation-template'
          | 'delegation-depth'
          | 'delegation-children'
          | 'delegation-cycle'
          | 'delegation-scope'
          | 'delegation-lifetime'
          | 'delegation-acceptor'
          | 'delegation-pending'
          | 'task-token'
          | 'operation-scope'
          | 'quota-uses'
          | 'uses-per-minute'
          | 'four-eyes'
          | 'ownership'
          | 'lockdown-release'
          | 'lockdown-of-oneself'
          | 'issuer-roles';
        /** @enum {string} */
        outcome: 'permit' | 'deny' | 'not_evaluated';
        detail?: string;
        help?: string;
        /** @description the facts behind the verdict */
        evidence?: {
          [key: string]: components['schemas']['Json'];
        };
      }[];
    };
    AuthzenConfiguration: {
      /** Format: uri */
      policy_decision_point: string;
      /** Format: uri */
      access_evaluation_endpoint: string;
      /** Format: uri */
      access_evaluations_endpoint: string;
    };
    AccessEvaluation: {
      subject: {
        /** @example agent */
        type: string;
        /**
         * @description the name of the agent
         * @example support-agent
         */
        id: string;
        /** @description `runtime`, when a person asks about an agent */
        properties?: {
          [key: string]: components['schemas']['Json'];
        };
      };
      action: {
        /** @example request */
        name: string;
        properties?: {
          [key: string]: components['schemas']['Json'];
        };
      };
      resource: {
        /** @example template */
        type: string;
        /**
         * @description the name of a task template
         * @example support-read-cases
         */
        id: string;
        properties?: {
          [key: string]: components['schemas']['Json'];
        };
      };
      /** @description `parameters`, `purpose` and `ttlSeconds` of the request */
      context?: {
        [key: string]: components['schemas']['Json'];
      };
    };
    AccessEvaluationAnswer: {
      decision: boolean;
      /** @description `control`, `reason_admin`, `reason_user` and `template_version` */
      context?: {
        [key: string]: components['schemas']['Json'];
      };
    };
    AccessEvaluations: {
      subject?: {
        /** @example agent */
        type: string;
        /**
         * @description the name of the agent
         * @example support-agent
         */
        id: string;
        /** @description `runtime`, when a person asks about an agent */
        properties?: {
          [key: string]: components['schemas']['Json'];
        };
      };
      action?: {
        /** @example request */
        name: string;
        properties?: {
          [key: string]: components['schemas']['Json'];
        };
      };
      resource?: {
        /** @example template */
        type: string;
        /**
         * @description the name of a task template
         * @example support-read-cases
         */
        id: string;
        properties?: {
          [key: string]: components['schemas']['Json'];
        };
      };
      /** @description `parameters`, `purpose` and `ttlSeconds` of the request */
      context?: {
        [key: string]: components['schemas']['Json'];
      };
      evaluations: {
        subject?: {
          /** @example agent */
          type: string;
          /**
           * @description the name of the agent
           * @example support-agent
           */
          id: string;
          /** @description `runtime`, when a person asks about an agent */
          properties?: {
            [key: string]: components['schemas']['Json'];
          };
        };
        action?: {
          /** @example request */
          name: string;
          properties?: {
            [key: string]: components['schemas']['Json'];
          };
        };
        resource?: {
          /** @example template */
          type: string;
          /**
           * @description the name of a task template
           * @example support-read-cases
           */
          id: string;
          properties?: {
            [key: string]: components['schemas']['Json'];
          };
        };
        /** @description `parameters`, `purpose` and `ttlSeconds` of the request */
        context?: {
          [key: string]: components['schemas']['Json'];
        };
      }[];
      options?: {
        /** @enum {string} */
        evaluations_semantic?: 'execute_all' | 'deny_on_first_deny' | 'permit_on_first_permit';
      };
    };
    AccessEvaluationsAnswer: {
      evaluations: components['schemas']['AccessEvaluationAnswer'][];
    };
    OverdueLeases: {
      items: components['schemas']['OverdueLease'][];
      /** @description cursor of the next page; null on the last page */
      nextCursor: string | null;
    };
    OverdueLease: {
      leaseId: string;
      taskId: string;
      /** @enum {string} */
      state: 'minting' | 'active' | 'revoking' | 'revoked' | 'expired' | 'failed' | 'abandoned';
      /** @description name of the credential in the template */
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
      /** @description the rendered scope of the credential */
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
       * @description the expiry that the provider enforces
       */
      providerExpiresAt?: string;
      /** Format: date-time */
      revokeRequestedAt?: string;
      /**
       * Format: date-time
       * @description the instant from which the target refuses the credential
       */
      revokeEffectiveAt?: string;
      /** Format: date-time */
      endedAt?: string;
      /**
       * Format: date-time
       * @description the instant at which the target refused the credential when Mayfly used it (`probe` of the template)
       */
      confirmedDeadAt?: string;
      cause?: string;
      /** @enum {string} */
      revocation: 'immediate' | 'propagating' | 'expiry-only';
      /** @description number of tries to revoke the credential */
      attempts: number;
      /** @description why the last try ended without proof */
      lastError?: string;
      /**
       * Format: date-time
       * @description the instant from which a worker tries again; absent when nobody does
       */
      nextTryAt?: string;
      /**
       * Format: date-time
       * @description the instant at which the end was requested or the deadline passed, whichever was first
       */
      overdueSince: string;
      /** @description what somebody can do */
      help: string;
    };
    AbandonLease: {
      /**
       * @description why nobody can revoke the credential; the audit keeps it
       * @example the server is gone
       */
      reason: string;
    };
    AbandonedLease: {
      leaseId: string;
      taskId: string;
      /** @enum {string} */
      state: 'abandoned';
      /** @description the reason as it is recorded: without what looks like a secret */
      reason: string;
      /** Format: date-time */
      abandonedAt: string;
      /**
       * Format: date-time
       * @description the granted deadline: the credential may work until then
       */
      expiresAt: string;
    };
    EngageLockdown: {
      scope: components['schemas']['LockdownScope'];
      /**
       * @description the audit keeps it
       * @example a token of the agent was seen in a public log
       */
      reason: string;
    };
    LockdownScope: {
      /**
       * @description what the lockdown covers
       * @enum {string}
       */
      kind: 'task' | 'tree' | 'agent' | 'template' | 'owner' | 'runtime' | 'issuer' | 'connection' | 'all';
      /**
       * @description the name, or the id of a task; left out for `all`
       * @example support-agent
       */
      name?: string;
    };
    LockdownNotEngaged: components['schemas']['LockdownReach'] | components['schemas']['Lockdown'];
    LockdownReach: {
      /** @enum {boolean} */
      dryRun: true;
      scope: components['schemas']['LockdownScope'];
      /** @description tasks that run and would end */
      tasks: number;
      /** @description their leases */
      matched: number;
      /** @description leases at each connection, the most first; at most 20 connections */
      connections: {
        name: string;
        leases: number;
      }[];
    };
    Lockdown: {
      id: string;
      scope: components['schemas']['LockdownScope'];
      /**
       * @description a lockdown denies in every state but `released`; while it is `engaging`, the ends of its tasks are being recorded
       * @enum {string}
       */
      state: 'engaging' | 'engaged' | 'release_requested' | 'released';
      reason: string;
      /** Format: date-time */
      engagedAt: string;
      engagedBy: {
        kind: string;
        issuer?: string;
        subject?: string;
      } & {
        [key: string]: unknown;
      };
      releaseRequested?: {
        /** Format: date-time */
        at: string;
        by: {
          kind: string;
          issuer?: string;
          subject?: string;
        } & {
          [key: string]: unknown;
        };
        reason: string;
        /**
         * Format: date-time
         * @description from then on the request counts no longer; ask again
         */
        lapsesAt: string;
      };
      /** Format: date-time */
      releasedAt?: string;
      releasedBy?: {
        kind: string;
        issuer?: string;
        subject?: string;
      } & {
        [key: string]: unknown;
      };
      progress: {
        /** @description number of leases under the lockdown: `revoked` + `revoking` + `abandoned` */
        matched: number;
        /** @description leases that are proven dead */
        revoked: number;
        /** @description leases that are not proven dead; a worker tries without limit */
        revoking: number;
        /** @description leases that an operator gave up: they are never proven dead */
        abandoned: number;
        /** @description age of the oldest revocation that is not proven; null when there is none */
        oldestSeconds: number | null;
      };
    };
    Lockdowns: {
      items: components['schemas']['Lockdown'][];
      /** @description cursor of the next page; null on the last page */
      nextCursor: string | null;
    };
    ReleaseLockdown: {
      /**
       * @description the audit keeps it
       * @example a token of the agent was seen in a public log
       */
      reason: string;
    };
    RequestReconciliation: {
      /**
       * @description the connection to compare with the leases
       * @example crm
       */
      connection: string;
    };
    Reconciliation: {
      id: string;
      connection: string;
      /** @enum {string} */
      state: 'running' | 'done' | 'failed';
      /** @description who asked for it; `mayfly` for a scheduled comparison that found something new */
      actor: {
        /** @enum {string} */
        kind: 'agent' | 'person' | 'workload' | 'mayfly';
      } & {
        [key: string]: unknown;
      };
      /** Format: date-time */
      requestedAt: string;
      /** Format: date-time */
      startedAt?: string;
      /** Format: date-time */
      finishedAt?: string;
      differences: components['schemas']['ReconciliationDifference'][];
      /** @description the number of differences that `differences` leaves out */
      leftOut: number;
      /** @description why it failed */
      error?: string;
    };
    ReconciliationDifference: {
      /**
       * @description `unknown_lease`, `ended_lease`: an object with the mark of this installation and no living lease; `unmarked`, `other_mark`: an object of no living lease without this mark; `orphan`: only another connection shows the object; `missing`: an active lease without its object; `unknown_denial`: a deny policy denies a session that no ended lease explains; `missing_denial`: a deny policy did not deny a session that has to be denied; `not_compared`: a part of the comparison was not possible
       * @enum {string}
       */
      kind:
        | 'unknown_lease'
        | 'ended_lease'
        | 'unmarked'
        | 'other_mark'
        | 'orphan'
        | 'missing'
        | 'unknown_denial'
        | 'missing_denial'
        | 'not_compared';
      /**
       * @description `ended`: its end is proven; `not_ended`: the next reconciliation tries again; `repaired`: the denial was written again; `reported`: unchanged
       * @enum {string}
       */
      action: 'ended' | 'not_ended' | 'repaired' | 'reported';
      /** @description name of the object at the target */
      object?: string;
      leaseId?: string;
      /** @description what it means, or what somebody can do */
      detail?: string;
    };
    Reconciliations: {
      items: components['schemas']['Reconciliation'][];
      /** @description cursor of the next page; null on the last page */
      nextCursor: string | null;
    };
    Quarantine: {
      /**
       * @description `quarantined`: nothing is issued; `off`: no place for the epoch is configured, so a restored backup is not noticed
       * @enum {string}
       */
      state: 'off' | 'open' | 'quarantined';
      /**
       * @description `older`: the database lacks the last entry that was seen; `forked`: it has another entry in its place; `other_lineage`: the epoch belongs to another database; `missing`: the epoch is gone
       * @enum {string}
       */
      cause?: 'older' | 'forked' | 'other_lineage' | 'missing';
      /** Format: date-time */
      since?: string;
      /** @description the epoch outside of the database */
      expected?: {
        lineage: string;
        /** @description number of the last audit entry; 0 for none */
        sequence: number;
        /** @description leaf hash of this entry (RFC 6962), base64url */
        leaf: string;
      };
      /** @description the last audit entry that the database has */
      found: {
        lineage: string | null;
        /** @description number of the last audit entry; 0 for none */
        sequence: number;
        /** @description leaf hash of this entry (RFC 6962), base64url */
        leaf: string;
      };
      /** @description comparisons since the quarantine began, newest first */
      reconciliations: {
        id: string;
        connection: string;
        /** @enum {string} */
        state: 'running' | 'done' | 'failed';
        /** @description `GET /reconciliations/:id` lists them */
        differences: number;
      }[];
    };
    ConfirmQuarantine: {
      /** @description the audit keeps it */
      reason: string;
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
        /** @description decide and answer, but mint nothing */
        dryRun?: 'true' | 'false';
      };
      header?: {
        /** @description the same key with the same body returns the same task */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Delegations.delegate': {
    parameters: {
      query?: never;
      header?: {
        /** @description the same key with the same request returns the same result */
        'Idempotency-Key'?: string;
      };
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
         *       "agent": "support-agent",
         *       "template": "support-read-cases",
         *       "parameters": {
         *         "region": "emea"
         *       },
         *       "purpose": "answer ticket 4711",
         *       "ttlSeconds": 300
         *     }
         */
        'application/json': components['schemas']['DelegateTask'];
      };
    };
    responses: {
      /** @description created */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Delegation'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Delegations.accept': {
    parameters: {
      query?: never;
      header?: {
        /** @description the same key with the same request returns the same result */
        'Idempotency-Key'?: string;
      };
      path: {
        /** @example tsk_01kansx8g0fmbv0xs40yaz3ag5 */
        id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Delegations.tree': {
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
          'application/json': components['schemas']['TaskTree'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description `nextCursor` of the previous page */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
              uses?:
                | number
                | {
                    calls?: number;
                    queries?: number;
                    rows?: number;
                    bytes?: number;
                    spend?: number;
                  };
              usesPerMinute?: number;
            };
            operations?: string[];
            heartbeat?: {
              timeoutSeconds: number;
            };
            delegation?: {
              templates: string[];
              maxDepth: number;
              maxChildren: number;
            };
            conditions?: {
              [key: string]: string;
            };
            credentials: {
              name: string;
              provider: string;
              connection?: string;
              scope: {
                [key: string]: components['schemas']['Json'];
              };
              probe?: boolean;
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description the `ETag` that was read */
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
              uses?:
                | number
                | {
                    calls?: number;
                    queries?: number;
                    rows?: number;
                    bytes?: number;
                    spend?: number;
                  };
              usesPerMinute?: number;
            };
            operations?: string[];
            heartbeat?: {
              timeoutSeconds: number;
            };
            delegation?: {
              templates: string[];
              maxDepth: number;
              maxChildren: number;
            };
            conditions?: {
              [key: string]: string;
            };
            credentials: {
              name: string;
              provider: string;
              connection?: string;
              scope: {
                [key: string]: components['schemas']['Json'];
              };
              probe?: boolean;
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` finds an existing one */
      412: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the change needs `If-Match` with the `ETag` that was read */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
              uses?:
                | number
                | {
                    calls?: number;
                    queries?: number;
                    rows?: number;
                    bytes?: number;
                    spend?: number;
                  };
              usesPerMinute?: number;
            };
            operations?: string[];
            heartbeat?: {
              timeoutSeconds: number;
            };
            delegation?: {
              templates: string[];
              maxDepth: number;
              maxChildren: number;
            };
            conditions?: {
              [key: string]: string;
            };
            credentials: {
              name: string;
              provider: string;
              connection?: string;
              scope: {
                [key: string]: components['schemas']['Json'];
              };
              probe?: boolean;
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description the `ETag` that was read */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` finds an existing one */
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
      /** @description the change needs `If-Match` with the `ETag` that was read */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description `nextCursor` of the previous page */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description a version number */
        from: number;
        /** @description a version number, or `draft` */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description `nextCursor` of the previous page */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description in production: the change waits for a second person, and nothing is changed yet */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ChangeRequested'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description to replace: the `ETag` that was read */
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
      /** @description in production: the change waits for a second person, and nothing is changed yet */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ChangeRequested'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` finds an existing one */
      412: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the change needs `If-Match` with the `ETag` that was read */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description in production: the change waits for a second person, and nothing is changed yet */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ChangeRequested'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description `nextCursor` of the previous page */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
         *         },
         *         "owner": "support-platform"
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
            owner?: string;
            caFile?: string;
            roles?: {
              [key: string]: {
                claim: string;
                values: string[];
              };
            };
            groups?: {
              claim: string;
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
      /** @description in production: the change waits for a second person, and nothing is changed yet */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ChangeRequested'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description to replace: the `ETag` that was read */
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
         *         },
         *         "owner": "support-platform"
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
            owner?: string;
            caFile?: string;
            roles?: {
              [key: string]: {
                claim: string;
                values: string[];
              };
            };
            groups?: {
              claim: string;
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
      /** @description in production: the change waits for a second person, and nothing is changed yet */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ChangeRequested'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` finds an existing one */
      412: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the change needs `If-Match` with the `ETag` that was read */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description the `ETag` that was read */
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
      /** @description the issuer is deleted */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` finds an existing one */
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
      /** @description the change needs `If-Match` with the `ETag` that was read */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description `nextCursor` of the previous page */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
            gateways?: {
              issuer: string;
              subject: string;
            }[];
            routes?: {
              operation: string;
              methods: ('GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS')[];
              path: string;
              query?: string[];
            }[];
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
      /** @description in production: the change waits for a second person, and nothing is changed yet */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ChangeRequested'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description to replace: the `ETag` that was read */
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
            gateways?: {
              issuer: string;
              subject: string;
            }[];
            routes?: {
              operation: string;
              methods: ('GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS')[];
              path: string;
              query?: string[];
            }[];
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
      /** @description in production: the change waits for a second person, and nothing is changed yet */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ChangeRequested'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` finds an existing one */
      412: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the change needs `If-Match` with the `ETag` that was read */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description the `ETag` that was read */
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
      /** @description the connection is deleted */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` finds an existing one */
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
      /** @description the change needs `If-Match` with the `ETag` that was read */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description in production: the change waits for a second person, and nothing is changed yet */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ChangeRequested'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Policies.list': {
    parameters: {
      query?: {
        limit?: number;
        /** @description `nextCursor` of the previous page */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Policies.create': {
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
         *       "kind": "Policy",
         *       "metadata": {
         *         "name": "guardrails"
         *       },
         *       "spec": {
         *         "owner": "security",
         *         "policies": {
         *           "freeze": "@reason(\"no writes in a freeze\") forbid(principal, action, resource) when { context.environment.freeze && context.toolRisk == \"write\" };"
         *         }
         *       }
         *     }
         */
        'application/json': {
          /** @constant */
          kind: 'Policy';
          metadata: {
            name: string;
            labels?: {
              [key: string]: string;
            };
          };
          spec: {
            owner: string;
            environment?: {
              freeze?: boolean;
              incident?: boolean;
            };
            policies: {
              [key: string]: string;
            };
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
      /** @description in production: the change waits for a second person, and nothing is changed yet */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ChangeRequested'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Policies.schema': {
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
          'application/json': components['schemas']['PolicySchema'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Policies.view': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example guardrails */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Policies.replace': {
    parameters: {
      query?: never;
      header?: {
        /** @description to replace: the `ETag` that was read */
        'If-Match'?: string;
        /** @description to create: `*` */
        'If-None-Match'?: '*';
      };
      path: {
        /** @example guardrails */
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "kind": "Policy",
         *       "metadata": {
         *         "name": "guardrails"
         *       },
         *       "spec": {
         *         "owner": "security",
         *         "policies": {
         *           "freeze": "@reason(\"no writes in a freeze\") forbid(principal, action, resource) when { context.environment.freeze && context.toolRisk == \"write\" };"
         *         }
         *       }
         *     }
         */
        'application/json': {
          /** @constant */
          kind: 'Policy';
          metadata: {
            name: string;
            labels?: {
              [key: string]: string;
            };
          };
          spec: {
            owner: string;
            environment?: {
              freeze?: boolean;
              incident?: boolean;
            };
            policies: {
              [key: string]: string;
            };
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
      /** @description in production: the change waits for a second person, and nothing is changed yet */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ChangeRequested'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` finds an existing one */
      412: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the change needs `If-Match` with the `ETag` that was read */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Policies.remove': {
    parameters: {
      query?: never;
      header: {
        /** @description the `ETag` that was read */
        'If-Match': string;
      };
      path: {
        /** @example guardrails */
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description the policies are deleted */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` finds an existing one */
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
      /** @description the change needs `If-Match` with the `ETag` that was read */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Changes.list': {
    parameters: {
      query?: {
        limit?: number;
        /** @description `nextCursor` of the previous page */
        cursor?: string;
        /** @description `open` changes wait for a second person */
        state?: 'open' | 'approved' | 'refused' | 'superseded' | 'lapsed';
        kind?: 'Issuer' | 'Connection' | 'Agent' | 'Policy';
        /** @description the name of the document */
        name?: string;
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
          'application/json': components['schemas']['Changes'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Changes.view': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example chg_01kansx8g0fmbv0xs40yaz3ag7 */
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
          'application/json': components['schemas']['ChangeDetail'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Changes.approve': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example chg_01kansx8g0fmbv0xs40yaz3ag7 */
        id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "reason": "checked with the team of the warehouse"
         *     }
         */
        'application/json': components['schemas']['ApproveChange'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ChangeDetail'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description `If-Match` names an older version, or `If-None-Match: *` finds an existing one */
      412: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Changes.refuse': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example chg_01kansx8g0fmbv0xs40yaz3ag7 */
        id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "reason": "the subject is of another workload"
         *     }
         */
        'application/json': components['schemas']['RefuseChange'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ChangeDetail'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        'application/x-www-form-urlencoded': components['schemas']['IntrospectionForm'];
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
      /** @description `invalid_client`: no identity was proven, or it was refused; for a proven token, the description says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `unauthorized_client`: the caller may not use this endpoint */
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
      /** @description `temporarily_unavailable`: the state of the token cannot be read or changed now; try again after `Retry-After` */
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
      /** @description the token is revoked, or was not active, or is not the caller’s */
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
      /** @description `invalid_client`: no identity was proven, or it was refused; for a proven token, the description says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OAuthError'];
        };
      };
      /** @description `unauthorized_client`: the caller may not use this endpoint */
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
      /** @description `temporarily_unavailable`: the state of the token cannot be read or changed now; try again after `Retry-After` */
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
  'Operations.authorize': {
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
         *       "token": "mft_01kansx8g0fmbv0xs40yaz3ag5_0000000000000000000000000000000000000000000",
         *       "operation": "select",
         *       "target": "crm/emea.cases"
         *     }
         */
        'application/json': components['schemas']['Authorize'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['AuthorizeAnswer'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Doors.nginx': {
    parameters: {
      query?: never;
      header: {
        /** @description nginx's own id: the same id within 60 s is the same use */
        'x-request-id'?: string;
        /** @description the request target, byte for byte */
        'x-original-uri': string;
        'x-original-method': string;
        /** @description the connection with the routes */
        'x-mayfly-connection': string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description permitted */
      200: {
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description `nextCursor` of the previous page */
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
          | 'lockdown'
          | 'parent_ended'
          | 'uses_exhausted'
          | 'issuance_failed';
        taskId?: string;
        /** @description name of the credential in the log of its target: a database role `mayfly_…`, the name or ARN of an AWS session, the `lease` of a Vault token, the `jti` of a signed token */
        seenAs?: string;
        /** @description from this instant on, RFC 3339 */
        from?: string;
        /** @description before this instant, RFC 3339 */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description `nextCursor` of the previous page */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description `nextCursor` of the previous page */
        cursor?: string;
        reason?:
          | 'expired'
          | 'not_yet_valid'
          | 'lifetime'
          | 'audience'
          | 'document_not_in_force'
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
        /** @description the `issuer` of an item */
        issuer?: string;
        /** @description from this instant on, RFC 3339 */
        from?: string;
        /** @description before this instant, RFC 3339 */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
        /** @description `nextCursor` of the previous page */
        cursor?: string;
        type?: string;
        taskId?: string;
        agent?: string;
        /** @description from this instant on, RFC 3339 */
        from?: string;
        /** @description before this instant, RFC 3339 */
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Decisions.view': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example dec_01kansx8g0fmbv0xs40yaz3ag5 */
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
          'application/json': components['schemas']['Decision'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Decisions.replay': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example dec_01kansx8g0fmbv0xs40yaz3ag5 */
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
          'application/json': components['schemas']['DecisionReplay'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Decisions.whatIf': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example dec_01kansx8g0fmbv0xs40yaz3ag5 */
        id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "set": {
         *         "pointer": "/agent/state",
         *         "value": "suspended"
         *       }
         *     }
         */
        'application/json': components['schemas']['WhatIf'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['WhatIfAnswer'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Decisions.trace': {
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
          'application/json': components['schemas']['ControlTrace'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Authzen.configuration': {
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
          'application/json': components['schemas']['AuthzenConfiguration'];
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Authzen.evaluate': {
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
         *       "subject": {
         *         "type": "agent",
         *         "id": "support-agent"
         *       },
         *       "action": {
         *         "name": "request"
         *       },
         *       "resource": {
         *         "type": "template",
         *         "id": "support-read-cases"
         *       },
         *       "context": {
         *         "parameters": {
         *           "region": "emea"
         *         }
         *       }
         *     }
         */
        'application/json': components['schemas']['AccessEvaluation'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['AccessEvaluationAnswer'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Authzen.evaluateAll': {
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
         *       "subject": {
         *         "type": "agent",
         *         "id": "support-agent"
         *       },
         *       "action": {
         *         "name": "request"
         *       },
         *       "evaluations": [
         *         {
         *           "resource": {
         *             "type": "template",
         *             "id": "support-read-cases"
         *           },
         *           "context": {
         *             "parameters": {
         *               "region": "emea"
         *             }
         *           }
         *         },
         *         {
         *           "resource": {
         *             "type": "template",
         *             "id": "research-read-web"
         *           }
         *         }
         *       ]
         *     }
         */
        'application/json': components['schemas']['AccessEvaluations'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['AccessEvaluationsAnswer'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Leases.list': {
    parameters: {
      query: {
        limit?: number;
        /** @description `nextCursor` of the previous page */
        cursor?: string;
        /** @description required: the list has only leases that should be dead and are not proven dead */
        overdue: 'true';
        /** @description lists the leases that an operator abandoned, in place of those that Mayfly still tries */
        abandoned?: 'true';
        /** @description name of an agent */
        agent?: string;
        /** @description name of a task template */
        template?: string;
        /** @description kind of provider */
        provider?: string;
        /** @description name of a connection */
        connection?: string;
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
          'application/json': components['schemas']['OverdueLeases'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Leases.abandon': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example lse_01kansx8g0fmbv0xs40yaz3ag6 */
        id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "reason": "the server of the connection is gone"
         *     }
         */
        'application/json': components['schemas']['AbandonLease'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['AbandonedLease'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Lockdowns.list': {
    parameters: {
      query?: {
        limit?: number;
        /** @description `nextCursor` of the previous page */
        cursor?: string;
        /** @description `true` leaves out released lockdowns */
        inForce?: 'true' | 'false';
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
          'application/json': components['schemas']['Lockdowns'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Lockdowns.engage': {
    parameters: {
      query?: {
        /** @description `true` counts what the lockdown would end, and engages nothing */
        dryRun?: 'true' | 'false';
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "scope": {
         *         "kind": "agent",
         *         "name": "billing-agent"
         *       },
         *       "reason": "a token of the agent was seen in a public log"
         *     }
         */
        'application/json': components['schemas']['EngageLockdown'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['LockdownNotEngaged'];
        };
      };
      /** @description created */
      201: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Lockdown'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Lockdowns.view': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example lkd_01kansx8g0fmbv0xs40yaz3ag7 */
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
          'application/json': components['schemas']['Lockdown'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Lockdowns.release': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example lkd_01kansx8g0fmbv0xs40yaz3ag7 */
        id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {
         *       "reason": "the agent has new keys"
         *     }
         */
        'application/json': components['schemas']['ReleaseLockdown'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Lockdown'];
        };
      };
      /** @description asked for; the lockdown still denies */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Lockdown'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Reconciliations.list': {
    parameters: {
      query?: {
        limit?: number;
        /** @description `nextCursor` of the previous page */
        cursor?: string;
        /** @description name of a connection */
        connection?: string;
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
          'application/json': components['schemas']['Reconciliations'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Reconciliations.request': {
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
         *       "connection": "crm"
         *     }
         */
        'application/json': components['schemas']['RequestReconciliation'];
      };
    };
    responses: {
      /** @description accepted */
      202: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Reconciliation'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Reconciliations.view': {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @example rcn_01kansx8g0fmbv0xs40yaz3ag7 */
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
          'application/json': components['schemas']['Reconciliation'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Quarantine.view': {
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
          'application/json': components['schemas']['Quarantine'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
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
      /** @description the service or a target does not answer; the caller got no credential */
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
  'Quarantine.confirm': {
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
         *       "reason": "the backup of 03:00 was restored, and its differences are known"
         *     }
         */
        'application/json': components['schemas']['ConfirmQuarantine'];
      };
    };
    responses: {
      /** @description as asked */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Quarantine'];
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
      /** @description no identity was proven, or it was refused; for a proven token, `reason` says why */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not permitted; `control` names the refusing control, `reason` and `identity` the identity to bind to an agent */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description not found, or not visible to this caller */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the state does not allow this, or the same request is in progress */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is too long; `detail` names the limit */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/problem+json': components['schemas']['Problem'];
        };
      };
      /** @description the body is of another media type; send JSON */
      415: {
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
      /** @description the service or a target does not answer; the caller got no credential */
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
            /**
             * @description `quarantined`: the service answers and ends tasks, and issues nothing until an operator confirms the database
             * @enum {string}
             */
            status: 'ready' | 'quarantined';
          };
        };
      };
      /** @description the service or a target does not answer; the caller got no credential */
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
