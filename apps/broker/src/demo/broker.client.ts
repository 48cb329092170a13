/** The members of a task that the demo reads. */
export interface GrantedTask {
  readonly id: string;
  readonly state: string;
  readonly expiresAt: string;
  readonly credentials: readonly {
    readonly leaseId: string;
    readonly name: string;
    readonly state: string;
    readonly secret?: Readonly<Record<string, string>>;
  }[];
}

/** The members of an audit entry that the demo prints. */
export interface TimelineEntry {
  readonly at: string;
  readonly type: string;
  readonly leaseId?: string;
}

/** Calls the broker's public API, as any HTTP client can. */
export class BrokerClient {
  constructor(private readonly url: string) {}

  /** Requests a task of the starter template for one region. Returns a refusal too, by its status. */
  async requestTask(token: string, purpose: string): Promise<{ readonly status: number; readonly task: GrantedTask }> {
    const body = { template: 'support-read-cases', parameters: { region: 'emea' }, purpose, ttlSeconds: 300 };
    const response = await this.call('POST', '/tasks', token, JSON.stringify(body));
    return { status: response.status, task: (await response.json()) as GrantedTask };
  }

  /** Completes the task and returns the states of its leases. */
  async complete(token: string, taskId: string): Promise<GrantedTask> {
    return (await (await this.call('POST', `/tasks/${taskId}/complete`, token)).json()) as GrantedTask;
  }

  /** Introspects a token, as its agent may. */
  async isActive(token: string, credential: string): Promise<boolean> {
    const response = await this.send('/oauth/introspect', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: new URLSearchParams({ token: credential }),
    });
    if (!response.ok) throw new Error(`introspection answered ${String(response.status)}`);
    return ((await response.json()) as { active: boolean }).active;
  }

  /** Returns the audit entries of the task, oldest first. */
  async timeline(token: string, taskId: string): Promise<readonly TimelineEntry[]> {
    const response = await this.call('GET', `/tasks/${taskId}/timeline`, token);
    return ((await response.json()) as { items: readonly TimelineEntry[] }).items;
  }

  private call(method: string, path: string, token: string, body?: string): Promise<Response> {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    return this.send(path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...json },
      ...(body === undefined ? {} : { body }),
    });
  }

  private async send(path: string, request: RequestInit): Promise<Response> {
    try {
      return await fetch(`${this.url}${path}`, request);
    } catch (error) {
      const { code = 'no connection' } = ((error as Error).cause ?? {}) as { readonly code?: string };
      throw new Error(`${this.url} does not answer (${code})`, { cause: error });
    }
  }
}
